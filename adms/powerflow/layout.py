"""Where everything of a network goes in the factor of its admittance matrix: found once a model."""

from dataclasses import dataclass

import numpy as np

from adms.block_ldu import BlockStructure, structure_of
from adms.core.estimate import ComplexArray
from adms.core.kept import kept
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import GROUND, NetworkArrays
from adms.grid.load_law import constant_power_range
from adms.powerflow.fixed_point import InjectorColumns


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """A model's (Y + Y_sources) over all nodes, with every switch closed, and its injectors, in the order of
    elimination. A state changes values only."""

    structure: BlockStructure
    block_of_node: IntArray
    """[node] number of its bus."""
    row: IntArray
    """[entry] place of every entry that the matrix can have: branches and capacitors, sources, a shunt a node."""
    col: IntArray
    against: IntArray
    """[entry] place whose voltage is subtracted in the current of a line's far entry; -1 where none is."""
    source_value: ComplexArray
    """Values of the entries that belong to sources."""
    norton_pu: ComplexArray
    """[place] source currents."""
    fr: IntArray
    """[injector] place in the order of elimination."""
    to: IntArray
    """The same, or GROUND."""
    ratio: FloatArray
    """[injector] voltage across it = v[fr] - ratio v[to], per unit of its `fr` node."""
    scale: FloatArray
    """[injector] voltage over its own nominal one, for 1 per unit across it."""
    law: FloatArray
    """[injector, LAW_COLUMNS]"""

    lowest: FloatArray
    """[injector] from this square of the voltage across it, per unit of its `fr` node,"""
    highest: FloatArray
    """up to this one its powers are constant; an empty range where they never are."""

    @property
    def begin(self) -> int:
        """Place of the first node after the idle ones that lead."""
        pattern = self.structure.pattern
        return int(pattern.start[pattern.lead])

    @property
    def injector_columns(self) -> InjectorColumns:
        """What compiled code asks of the injectors."""
        return self.fr, self.to, self.ratio, self.scale, self.law, self.lowest, self.highest


@kept
def layout_of(arrays: NetworkArrays) -> Layout:
    """The layout of a model, kept for as long as the model is in use: it never changes."""
    y_source, norton = arrays.source_norton_pu()
    source = y_source.tocoo()
    each = np.arange(arrays.node_count)
    row = np.concatenate([arrays.entries.row, source.row.astype(np.int64), each])
    col = np.concatenate([arrays.entries.col, source.col.astype(np.int64), each])
    bus: dict[str, int] = {}
    block = np.array([bus.setdefault(node.bus, len(bus)) for node in arrays.nodes], dtype=np.int64)
    grounded = arrays.injector_to == GROUND
    idle = np.ones(len(bus), dtype=np.bool_)
    idle[block[arrays.injector_fr]] = False
    idle[block[arrays.injector_to[~grounded]]] = False
    idle[block[source.row]] = False
    structure = structure_of(block, row=row, col=col, idle=idle)
    to = np.where(grounded, 0, arrays.injector_to)
    base = arrays.v_base_v
    place = structure.place
    against = np.full(len(row), -1, dtype=np.int64)
    against[arrays.entries.far] = place[col[arrays.entries.near]]
    lowest, highest = constant_power_range(arrays.injector_law)
    return Layout(
        structure=structure,
        block_of_node=block,
        row=place[row],
        col=place[col],
        against=against,
        source_value=np.asarray(source.data, dtype=np.complex128),
        norton_pu=np.ascontiguousarray(norton[structure.order]),
        fr=place[arrays.injector_fr],
        to=np.where(grounded, GROUND, place[to]),
        ratio=np.where(grounded, 0.0, base[to] / base[arrays.injector_fr]),
        scale=np.ascontiguousarray(arrays.injector_v_scale),
        law=np.ascontiguousarray(arrays.injector_law),
        lowest=(lowest / arrays.injector_v_scale) ** 2,
        highest=(highest / arrays.injector_v_scale) ** 2,
    )
