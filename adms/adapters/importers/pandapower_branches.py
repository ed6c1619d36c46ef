"""pandapower lines, impedances and series compensators as branches; switches may still move their ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_engine import over_phases
from adms.adapters.importers.pandapower_names import NetReader, number
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Branch, BranchKind, TapChanger

_UNLIMITED_A = 1e6
"""Ratings beyond this stand for none in converted cases."""
SIDES = {
    "line": (("from_bus", "fr"), ("to_bus", "to")),
    "impedance": (("from_bus", "fr"), ("to_bus", "to")),
    "tcsc": (("from_bus", "fr"), ("to_bus", "to")),
    "trafo": (("hv_bus", "hv"), ("lv_bus", "lv")),
    "trafo3w": (("hv_bus", "hv"), ("mv_bus", "mv"), ("lv_bus", "lv")),
}
"""Bus columns of each table and the name of the end."""


@dataclass
class BranchDraft:
    """A branch whose ends may still move to the far side of a switch."""

    id: ElementId
    kind: BranchKind
    ends: list[BusId]
    y_siemens: ComplexArray
    """Over the nodes of its ends."""
    dangling: frozenset[int] = frozenset()
    """Ends at a bus out of service: they lead to a bus of their own."""
    length_m: float | None = None
    rating_a: float | None = None
    rating_va: float | None = None
    taps: TapChanger | None = None

    def finished(self, reader: NetReader) -> Branch:
        """The branch between its ends."""
        return Branch(
            id=self.id,
            kind=self.kind,
            terminals=tuple(reader.nodes(bus) for bus in self.ends),
            y_primitive_siemens=as_matrix(self.y_siemens),
            length_m=self.length_m,
            rating_a=self.rating_a,
            rating_va=self.rating_va,
            taps=self.taps,
        )

    def s_rated_va(self, reader: NetReader) -> float | None:
        """Of all phases; None where unknown."""
        if self.rating_a is not None:
            return 3.0 * self.rating_a * reader.v_base_v(self.ends[0])
        return self.rating_va


def drafts(
    reader: NetReader, table: str, *, y: ComplexArray | None, keep_open: bool
) -> Iterator[tuple[int, dict[str, Any], BranchDraft]]:
    """(position, row, draft) of each branch of a table that is in service.

    Args:
        reader: its notes are written to.
        table: of `SIDES`.
        y: [sequence, row, terminal, terminal] siemens; None where the caller fills it in.
        keep_open: True where an element with an end at a bus out of service stays, open at that end.
    """
    columns = [column for column, _ in SIDES[table]]
    for position, element, row in reader.rows(table, buses=columns):
        ends = [reader.bus_id.get(row[column]) for column in columns]
        dangling = [place for place, bus in enumerate(ends) if bus is None]
        if dangling and not keep_open:
            reader.note(element, "left out: one of its buses is out of service")
            continue
        kind = {"line": BranchKind.LINE, "trafo": BranchKind.TRANSFORMER, "trafo3w": BranchKind.TRANSFORMER}
        draft = BranchDraft(
            id=element,
            kind=kind.get(table, BranchKind.REACTOR),
            ends=[bus for bus in ends if bus is not None],
            y_siemens=np.zeros((0, 0), dtype=np.complex128) if y is None else over_phases(y[:, position]),
            dangling=frozenset(dangling),
        )
        for end in dangling:
            name = f"{element.partition('.')[2]}_{SIDES[table][end][1]}_open"
            draft.ends.insert(end, reader.add_bus(name, like=reader.buses[next(b for b in ends if b is not None)]))
            reader.note(element, f"open at its {SIDES[table][end][1]} end, where the bus is out of service")
        yield position, row, draft


def read_lines(reader: NetReader, y: ComplexArray) -> dict[int, BranchDraft]:
    """Lines by their index; one that stands open at a bus out of service keeps its charging."""
    found = {}
    for _, row, draft in drafts(reader, "line", y=y, keep_open=True):
        draft.length_m = float(row["length_km"]) * 1e3
        rating_ka, derating = number(row.get("max_i_ka")), number(row.get("df"))
        if rating_ka is not None and rating_ka > 0.0:
            rating_a = rating_ka * 1e3 * (1.0 if derating is None else derating) * float(row["parallel"])
            draft.rating_a = rating_a if 0.0 < rating_a < _UNLIMITED_A else None
        found[row["index"]] = draft
    return found


def read_impedances(reader: NetReader, y: ComplexArray) -> Iterator[BranchDraft]:
    """Impedances per unit between two buses, in either direction one of its own."""
    for _, _, draft in drafts(reader, "impedance", y=y, keep_open=False):
        yield draft


def read_series_compensators(reader: NetReader, solved: Any) -> Iterator[BranchDraft]:
    """TCSC, each held at the reactance that pandapower solves."""
    for position, _, draft in drafts(reader, "tcsc", y=None, keep_open=False):
        x_ohm = float(solved.res_tcsc["x_ohm"].to_numpy()[position])
        draft.y_siemens = over_phases(series_siemens(1.0 / (1j * x_ohm), count=1 if reader.balanced else 3))
        reader.note(draft.id, f"its control is not carried over: held at the solved {x_ohm:.6g} ohm")
        yield draft


def series_siemens(y_siemens: complex, *, count: int) -> ComplexArray:
    """[sequence, 2, 2] of one series admittance, the same in every sequence."""
    return np.asarray(np.repeat(y_siemens * np.array([[[1.0, -1.0], [-1.0, 1.0]]]), count, axis=0))
