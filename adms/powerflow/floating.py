"""Conductors that no source feeds and that are not dead either: one phase is open, and delta loads, capacitors,
charging or the other phases of a line still reach them. Their voltage is what the currents through those leave.

Where nothing at all ties such a conductor to ground its voltage is made by stray capacitance, which no model gives.
`STRAY_PU` stands for it at every such node, so small that it decides only where nothing else does.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import GROUND, BoolArray, NetworkArrays

STRAY_PU = 1e-8j
"""Of S_BASE_VA: a hundredth of a var."""


def floating_nodes(
    arrays: NetworkArrays, *, energised: BoolArray, row: IntArray, col: IntArray, entry_value: ComplexArray
) -> BoolArray:
    """[node] True where no path of conductors leads to a source, but an admittance or a load does.

    Args:
        arrays: the network in solver order.
        energised: [node] where a path of conductors does.
        row: [entry] node of every entry of the admittance matrix.
        col: likewise.
        entry_value: [entry] 0 where a switch is open.
    """
    if energised.all():
        return np.zeros_like(energised)
    there = entry_value != 0.0
    between = (arrays.injector_to != GROUND) & ~arrays.injector_is_der
    fr = np.concatenate([row[there], arrays.injector_fr[between]])
    to = np.concatenate([col[there], arrays.injector_to[between]])
    size = len(energised)
    graph = sp.csr_matrix((np.ones(len(fr)), (fr, to)), shape=(size, size))
    part = connected_components(graph, directed=False)[1]
    reached = np.zeros(size, dtype=np.bool_)
    reached[part[energised]] = True
    return np.asarray(reached[part] & ~energised)
