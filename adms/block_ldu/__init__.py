"""Sparse factors of matrices with a symmetric pattern, block by block on the elimination tree."""

from adms.block_ldu.factor import BlockFactor, Singular, factorise
from adms.block_ldu.structure import BlockStructure, structure_of

__all__ = ["BlockFactor", "BlockStructure", "Singular", "factorise", "structure_of"]
