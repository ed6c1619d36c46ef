"""What a kind of measurement has to offer, and all kinds stacked.

Each kind of measurement is a module of its own with a function `*_block(layout, table) -> MeasurementBlock`. A block
knows which rows of the telemetry table it can use on the live network; the others are NOT_USED.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.layout import Layout, Point


class MeasurementBlock(Protocol):
    """Measurements of one kind: h(x) per unit and its Jacobian on a fixed pattern."""

    @property
    def table_rows(self) -> IntArray:
        """[rows] row of each measurement in the telemetry table."""

    @property
    def si_per_unit(self) -> FloatArray:
        """[rows] SI value of 1 per unit."""

    @property
    def row(self) -> IntArray:
        """[entries] row of each entry of the Jacobian, within the block."""

    @property
    def column(self) -> IntArray:
        """[entries] its column in the real vector of the unknowns."""

    def evaluate(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """(h [rows], Jacobian entries [entries]) at a point, per unit. Duplicate entries add up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasurementStack:
    """All blocks, one below the other."""

    layout: Layout
    blocks: tuple[MeasurementBlock, ...]
    table_rows: IntArray
    """[M]"""
    si_per_unit: FloatArray
    """[M]"""
    row: IntArray
    column: IntArray

    @property
    def count(self) -> int:
        """M"""
        return len(self.table_rows)

    def evaluate(self, point: Point) -> tuple[FloatArray, sp.csr_matrix]:
        """(h [M], H [M, unknowns]) at a point."""
        parts = [block.evaluate(point) for block in self.blocks]
        h = np.concatenate([value for value, _ in parts])
        entries = np.concatenate([entry for _, entry in parts])
        width = self.layout.first_common + len(point.a)
        return h, sp.csr_matrix((entries, (self.row, self.column)), shape=(self.count, width))


def stacked(layout: Layout, blocks: Sequence[MeasurementBlock]) -> MeasurementStack:
    """Stack blocks in the order given."""
    first = np.cumsum([0, *(len(b.table_rows) for b in blocks)])
    return MeasurementStack(
        layout=layout,
        blocks=tuple(blocks),
        table_rows=np.concatenate([b.table_rows for b in blocks]).astype(np.int64),
        si_per_unit=np.concatenate([b.si_per_unit for b in blocks]),
        row=np.concatenate([b.row + f for b, f in zip(blocks, first[:-1], strict=True)]).astype(np.int64),
        column=np.concatenate([b.column for b in blocks]).astype(np.int64),
    )
