"""Metered terminals: a current that is linear in the phasors (V, E), at the voltage of a node.

Branch ends and sources are both of this form: i_t = sum_j y_j w_j with w the stack of V and E. Powers and current
magnitudes of such terminals are in `adms.estimation.power` and `adms.estimation.ampere`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import IntArray, PointKey, PointKind, PointTable
from adms.estimation.layout import Layout, Point


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """One conductor of a metered place."""

    node: int
    """Live row of its node."""
    terms: tuple[tuple[int, complex], ...]
    """Column of (V, E) and admittance, per unit. Empty where the branch is open."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Terminals:
    """Many terminals in columns; several may add up to one measurement (a three-phase total)."""

    layout: Layout
    table_rows: IntArray
    row: IntArray
    """[terminal] measurement that it belongs to."""
    node: IntArray
    """[terminal] live row."""
    term: IntArray
    """[entry] terminal of each term."""
    column: IntArray
    """[entry] column of (V, E)."""
    y: ComplexArray
    """[entry]"""

    def current(self, point: Point) -> ComplexArray:
        """[terminal] per unit."""
        part = self.y * np.concatenate([point.v, point.e])[self.column]
        count = len(self.node)
        return np.bincount(self.term, part.real, count) + 1j * np.bincount(self.term, part.imag, count)


def terminals_of(
    layout: Layout,
    table: PointTable,
    *,
    kinds: Sequence[PointKind],
    find: Callable[[Layout, PointKey], tuple[Terminal, ...]],
) -> Terminals:
    """Terminals of every point of some kinds for which `find` knows one."""
    rows: list[int] = []
    row: list[int] = []
    node: list[int] = []
    term: list[int] = []
    column: list[int] = []
    y: list[complex] = []
    for kind in kinds:
        for table_row in table.rows_of(kind):
            found = find(layout, table.keys[table_row])
            for terminal in found:
                for at, value in terminal.terms:
                    term.append(len(node))
                    column.append(at)
                    y.append(value)
                row.append(len(rows))
                node.append(terminal.node)
            if found:
                rows.append(table_row)
    return Terminals(
        layout=layout,
        table_rows=np.array(rows, dtype=np.int64),
        row=np.array(row, dtype=np.int64),
        node=np.array(node, dtype=np.int64),
        term=np.array(term, dtype=np.int64),
        column=np.array(column, dtype=np.int64),
        y=np.array(y, dtype=np.complex128),
    )


def branch_terminals(layout: Layout, key: PointKey) -> tuple[Terminal, ...]:
    """The conductors of a branch end: one phase, or all where the point has no phase. Nothing where it is dead."""
    arrays = layout.arrays
    index = arrays.branch_idx.get(ElementId(key.element))
    if index is None:
        return ()
    branch = arrays.branches[index]
    if not 0 <= key.side < len(branch.terminals):
        return ()
    first = sum(len(t) for t in branch.terminals[: key.side])
    y = arrays.branch_admittance_pu(index, layout.grid)
    live = layout.row_of_node[arrays.branch_nodes[index]]
    found = []
    for position, node in enumerate(branch.terminals[key.side], start=first):
        if key.phase not in (0, node.phase) or live[position] < 0:
            continue
        terms = tuple((int(c), complex(x)) for c, x in zip(live, y[position], strict=True) if c >= 0 and x != 0)
        found.append(Terminal(node=int(live[position]), terms=terms))
    return tuple(found)


def source_terminals(layout: Layout, key: PointKey) -> tuple[Terminal, ...]:
    """The phases of a source, injecting into the network: i = y (E - V)."""
    arrays = layout.arrays
    found = []
    for s, source in enumerate(arrays.model.sources):
        if source.id != key.element:
            continue
        equivalent = layout.sources[s]
        live = layout.row_of_node[equivalent.nodes]
        emf = layout.n + layout.emf_first[s] + np.arange(len(live))
        for position, node in enumerate(source.nodes):
            if key.phase not in (0, node.phase):
                continue
            y = equivalent.y_pu[position]
            terms = [(int(c), complex(x)) for c, x in zip(emf, y, strict=True)]
            terms += [(int(c), complex(-x)) for c, x in zip(live, y, strict=True)]
            found.append(Terminal(node=int(live[position]), terms=tuple(terms)))
    return tuple(found)
