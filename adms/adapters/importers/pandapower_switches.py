"""pandapower switches as branches that can be moved.

A closed switch of pandapower without an impedance of its own makes two buses one. Here every switch has a contact
resistance: too large an admittance drowns what is beside it in rounding. The switch at the end of a line is part of the
line's impedance: its resistance is taken out of the line's primitive, so that both together are the line to the last
digit. Of the others so little drops that it does not show.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_branches import SIDES, BranchDraft, series_siemens
from adms.adapters.importers.pandapower_engine import over_phases
from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.adapters.importers.pandapower_net import switched_element
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Branch, BranchKind, SwitchGear, SwitchKind

_DROP_PU = 1e-8
"""Across a closed switch at its rated power."""
_DROP_IN_LINE_PU = 1e-7
_SHARE_OF_LINE = 0.01
"""The most of a line's impedance that the switch at its end has."""
_RX_RATIO = 2.0
"""Of a switch with an impedance: what pandapower takes."""
_KINDS = {
    "cb": SwitchKind.BREAKER,
    "ls": SwitchKind.LOAD_BREAK,
    "lbs": SwitchKind.LOAD_BREAK,
    "ds": SwitchKind.ISOLATOR,
}


def read_switches(
    reader: NetReader, branches: Mapping[tuple[str, int], BranchDraft], *, s_total_va: float
) -> tuple[Branch, ...]:
    """All switches between what is in service. One at the end of a branch stands between its bus and a new one.

    Args:
        reader: gets the new buses.
        branches: by table and index; their ends move.
        s_total_va: of all loads and sources of the net: no switch carries more.
    """
    rated = _bus_ratings(reader, branches.values(), s_total_va=s_total_va)
    buses_of = {table: _end_buses(reader, table) for table in ("line", "trafo", "trafo3w")}
    found = []
    frame = reader.net.switch
    for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
        element = reader.element_id("switch", index)
        place = switched_element(row["et"])
        if place is None:
            ends = [reader.bus_id.get(row[column]) for column in ("bus", "element")]
            if None in ends or ends[0] == ends[1]:
                reader.note(element, "left out with its bus, which is out of service")
                continue
            fr, to = (bus for bus in ends if bus is not None)
            y_siemens = _contact_siemens(reader, row, fr, power_va=max(rated[fr], rated[to]) or s_total_va)
        else:
            draft = branches.get((place[0], row["element"]))
            end = (
                None if draft is None else _end(draft, place[0], at=buses_of[place[0]][row["element"]], bus=row["bus"])
            )
            if draft is None or end is None:
                reader.note(element, f"left out with its {place[0]}, which is out of service or open there")
                continue
            fr, side = draft.ends[end], SIDES[place[0]][end][1]
            to = reader.add_bus(f"{draft.id.partition('.')[2]}_{side}_sw", like=reader.buses[fr])
            draft.ends[end] = to
            y_siemens = _contact_siemens(
                reader, None, fr, power_va=min(draft.s_rated_va(reader) or s_total_va, s_total_va)
            )
            if place[0] == "line":
                y_siemens = _taken_out(reader, draft, end, y_siemens=y_siemens * _DROP_PU / _DROP_IN_LINE_PU)
        found.append(_switch(reader, element, row, fr=fr, to=to, y_siemens=y_siemens))
    return tuple(found)


def _end_buses(reader: NetReader, table: str) -> dict[int, tuple[Any, ...]]:
    frame = reader.net[table]
    columns = [frame[column] for column, _ in SIDES[table]]
    return dict(zip(frame.index, zip(*columns, strict=True), strict=True))


def _end(draft: BranchDraft, table: str, *, at: tuple[Any, ...], bus: Any) -> int | None:
    """Which end of a branch a switch stands at; None where that end is open already."""
    # Of a line from a bus to itself pandapower takes the far end.
    places = [place for place, end_bus in enumerate(at) if end_bus == bus]
    end = places[-1] if table == "line" else places[0]
    return None if end in draft.dangling else end


def _contact_siemens(reader: NetReader, row: Mapping[str, Any] | None, bus: BusId, *, power_va: float) -> complex:
    """Admittance of a closed switch: as the net gives it, or so that `_DROP_PU` drops at this power."""
    z_ohm = 0.0 if row is None else number(row.get("z_ohm")) or 0.0
    if z_ohm > 0.0:
        return 1.0 / (z_ohm * complex(_RX_RATIO, 1.0) / math.hypot(_RX_RATIO, 1.0))
    return complex(power_va / (3.0 * reader.v_base_v(bus) ** 2) / _DROP_PU)


def _taken_out(reader: NetReader, draft: BranchDraft, end: int, *, y_siemens: complex) -> complex:
    """Takes a switch in series with one end of a line out of the line's primitive: with Z the switch's impedance at
    that end, Y becomes (1 - Y Z)^-1 Y. The switch has the line's ratio of R and X, so that a line without resistance
    stays passive. Returns the switch's admittance, larger at a line of little impedance."""
    count = len(reader.phases)
    mine = slice(end * count, (end + 1) * count)
    far = (1 - end) * count
    row = -draft.y_siemens[end * count]
    of_line = complex(row[far] - (row[far + 1] if count > 1 else 0.0))
    size = max(abs(y_siemens), float(np.abs(draft.y_siemens[mine, mine]).max()) / _SHARE_OF_LINE)
    y_switch = size * of_line / abs(of_line)
    z = np.zeros_like(draft.y_siemens)
    z[mine, mine] = np.eye(count) / y_switch
    draft.y_siemens = np.asarray(np.linalg.solve(np.eye(len(z)) - draft.y_siemens @ z, draft.y_siemens))
    return y_switch


def _bus_ratings(reader: NetReader, branches: Iterable[BranchDraft], *, s_total_va: float) -> dict[BusId, float]:
    """Largest rated power of what stands at each bus or is joined to it by switches between buses, open or closed."""
    above = {bus: bus for bus in reader.buses}

    def top(bus: BusId) -> BusId:
        while above[bus] != bus:
            above[bus] = above[above[bus]]
            bus = above[bus]
        return bus

    frame = reader.net.switch
    for row in frame[frame.et == "b"].to_dict("records"):
        ends = [reader.bus_id.get(row[column]) for column in ("bus", "element")]
        if ends[0] is not None and ends[1] is not None:
            above[top(ends[0])] = top(ends[1])
    rated: dict[BusId, float] = {}
    for draft in branches:
        power_va = min(draft.s_rated_va(reader) or s_total_va, s_total_va)
        for bus in draft.ends:
            rated[top(bus)] = max(rated.get(top(bus), 0.0), power_va)
    return {bus: rated.get(top(bus), 0.0) for bus in reader.buses}


def _switch(
    reader: NetReader, element: ElementId, row: Mapping[str, Any], *, fr: BusId, to: BusId, y_siemens: complex
) -> Branch:
    rating_ka = number(row.get("in_ka"))
    kind = _KINDS.get(text(row.get("type")).lower())
    if kind is None:
        reader.note(element, "its type is not given: taken for a load-break switch")
    return Branch(
        id=element,
        kind=BranchKind.SWITCH,
        terminals=(reader.nodes(fr), reader.nodes(to)),
        y_primitive_siemens=as_matrix(
            np.asarray(over_phases(series_siemens(y_siemens, count=1 if reader.balanced else 3)))
        ),
        rating_a=rating_ka * 1e3 if rating_ka is not None and rating_ka > 0.0 else None,
        switch=SwitchGear(kind=kind or SwitchKind.LOAD_BREAK, normally_closed=bool(row["closed"]), remote=False),
    )
