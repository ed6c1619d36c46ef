"""Switches of an overlay: ties, switches in lines, branches that are switches, poles operated one by one."""

from dataclasses import replace

import numpy as np

from adms.adapters.importers.overlay_draft import Draft
from adms.adapters.importers.overlay_schema import OverlaySwitch
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix, dense
from adms.grid.model import Branch, BranchKind, NodeRef, SwitchGear

CONTACT_OHM = 1e-6
"""Of a closed switch that the overlay adds, per phase: what the test feeders' own switches have."""
_COUPLING_MAX = 1e-6
"""Of a pole's own admittance; poles that are coupled more are no poles but conductors of a line."""
_Ends = tuple[tuple[NodeRef, ...], tuple[NodeRef, ...]]


def add_switch(draft: Draft, switch: OverlaySwitch) -> None:
    """One switch of the overlay."""
    if switch.existing:
        _existing(draft, switch)
        return
    taken = draft.take_id(switch.id)
    terminals = _in_line(draft, switch) if switch.in_line is not None else _between(draft, switch)
    if terminals is None:
        return
    unit = np.eye(len(terminals[0])) / CONTACT_OHM
    whole = Branch(
        id=taken,
        kind=BranchKind.SWITCH,
        terminals=terminals,
        y_primitive_siemens=as_matrix(np.block([[unit, -unit], [-unit, unit]]).astype(np.complex128)),
        switch=_gear(switch),
    )
    _place(draft, switch, whole)


def _existing(draft: Draft, switch: OverlaySwitch) -> None:
    branch = draft.find(draft.branches, switch.id, what="line or switch", where=switch.id, field_name="id")
    if branch is None:
        return
    if branch.kind not in (BranchKind.LINE, BranchKind.SWITCH, BranchKind.REACTOR) or len(branch.terminals) != 2:
        draft.problem(switch.id, "id", switch.id, f"a {branch.kind} is no switch")
        return
    _place(draft, switch, replace(branch, kind=BranchKind.SWITCH, switch=_gear(switch), length_m=None))


def _place(draft: Draft, switch: OverlaySwitch, whole: Branch) -> None:
    if not switch.single_pole:
        draft.branches[whole.id] = whole
        return
    y = dense(whole.y_primitive_siemens)
    count = len(whole.terminals[0])
    own = np.zeros_like(y, dtype=np.bool_)
    for k in range(count):
        own[np.ix_([k, k + count], [k, k + count])] = True
    if len(whole.terminals[1]) != count or np.abs(y[~own]).max(initial=0.0) > _COUPLING_MAX * np.abs(y).max():
        message = "its conductors are coupled: put the switch in the line (in_line), not in its place"
        draft.problem(switch.id, "single_pole", "true", message)
        return
    assert whole.switch is not None
    gear = replace(whole.switch, group=whole.id)
    draft.branches.pop(whole.id, None)
    for k, (fr, to) in enumerate(zip(*whole.terminals, strict=True)):
        pole = draft.take_id(f"{whole.id}_{fr.phase}")
        draft.branches[pole] = replace(
            whole,
            id=pole,
            terminals=((fr,), (to,)),
            y_primitive_siemens=as_matrix(y[np.ix_([k, k + count], [k, k + count])]),
            switch=gear,
        )


def _gear(switch: OverlaySwitch) -> SwitchGear:
    return SwitchGear(
        kind=switch.kind,
        normally_closed=switch.normally_closed,
        remote=switch.remote,
        fault_indicator=switch.fault_indicator,
        pickup_a=switch.pickup_a,
        ground_pickup_a=switch.ground_pickup_a,
        reclose_shots=switch.reclose_shots,
        trip_delay_s=switch.trip_delay_s,
        travel_s=switch.travel_s,
        breaking_a=switch.breaking_a,
    )


def _in_line(draft: Draft, switch: OverlaySwitch) -> _Ends | None:
    """Puts a new bus between a line's end and the bus it stood at; the switch joins the two."""
    line = draft.find(draft.branches, switch.in_line or "", what="line", where=switch.id, field_name="in_line")
    if line is None:
        return None
    if len(line.terminals) != 2:
        draft.problem(switch.id, "in_line", switch.in_line, "does not have two ends")
        return None
    end = 0 if switch.at == "fr" else 1
    old = line.terminals[end]
    at = draft.buses[old[0].bus]
    bus = BusId(f"{line.id.partition('.')[2] or line.id}_{switch.at}_sw")
    if bus in draft.buses:
        draft.problem(switch.id, "in_line", switch.in_line, "there is a switch at this end already")
        return None
    draft.buses[bus] = replace(at, id=bus, phases=tuple(sorted({node.phase for node in old})))
    new = tuple(NodeRef(bus, node.phase) for node in old)
    terminals = (new, line.terminals[1]) if end == 0 else (line.terminals[0], new)
    draft.branches[line.id] = replace(line, terminals=terminals)
    return (old, new)


def _between(draft: Draft, switch: OverlaySwitch) -> _Ends | None:
    assert switch.between is not None
    known = [draft.buses[BusId(bus)] for bus in switch.between if BusId(bus) in draft.buses]
    if not known:
        for bus in switch.between:
            draft.find(draft.buses, bus, what="bus yet", where=switch.id, field_name="between")
        return None
    common = set(known[0].phases).intersection(*(bus.phases for bus in known))
    phases = switch.phases or tuple(sorted(phase for phase in common if phase <= 3))
    for name in switch.between:
        if BusId(name) not in draft.buses:
            draft.buses[BusId(name)] = replace(
                known[0], id=BusId(name), phases=tuple(sorted(phases)), x_m=None, y_m=None
            )
            draft.notes.append(f"bus.{name}: new, made by the overlay for {switch.id}")
    if not phases:
        draft.problem(switch.id, "between", switch.between, "the two buses have no phase in common")
        return None
    fr, to = (draft.nodes(switch.id, bus, phases) for bus in switch.between)
    return (fr, to) if fr and to else None


def pole_ids(draft: Draft, element: ElementId) -> list[ElementId]:
    """Poles of a device that is operated pole by pole; empty where it is none."""
    return [b.id for b in draft.branches.values() if b.switch is not None and b.switch.group == element]
