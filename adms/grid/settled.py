"""A network of another tool, made to fit the model. What a working deck may contain and the model refuses is changed
here, each change told in the notes; what is surely a slip of units stays, and is refused."""

from collections import Counter
from dataclasses import replace

from adms.core.ids import BusId
from adms.grid.components import components
from adms.grid.model import Branch, BranchKind, Bus, NetworkModel, NodeRef
from adms.grid.plausibility import not_believed
from adms.grid.validation_joints import V_RATIO_MAX, base_ratio, ends_do_not_match, supply, used_nodes
from adms.grid.validation_passive import is_active_line


def settled(model: NetworkModel) -> NetworkModel:
    """The model that an importer hands on.

    A line between different phases, with an impedance that no line has, or between different voltages is a reactor: its
    primitive stands as it is. Ratings that cannot be are corrected or left out. A dead bus takes the nominal voltage of
    what its lines and switches lead to. DER that no switch position connects to a source, branches without admittance
    and nodes on no element are left out.
    """
    notes: list[str] = []
    branches = [fitted for branch in model.branches if (fitted := _fitted(branch, notes)) is not None]
    model = replace(model, branches=tuple(branches))
    model = replace(model, buses=_with_level_bases(model, notes))
    v_base_v = {bus.id: bus.v_base_v for bus in model.buses}
    branches = []
    for branch in model.branches:
        if branch.kind is BranchKind.LINE and base_ratio(branch, v_base_v=v_base_v) > V_RATIO_MAX:
            notes.append(f"{branch.id}: joins different nominal voltages, carried over as a reactor")
            branch = replace(branch, kind=BranchKind.REACTOR)
        branches.append(branch)
    model = replace(model, branches=tuple(branches))
    possible = supply(model).possible
    apart = [der.id for der in model.ders if not any(fr in possible for fr, _ in der.pairs)]
    notes.extend(f"{der}: left out, no switch position connects it to a source" for der in apart)
    model = replace(model, ders=tuple(der for der in model.ders if der.id not in apart))
    buses = _without_dangling(model, notes)
    return replace(model, buses=buses, notes=(*model.notes, *notes))


def _fitted(branch: Branch, notes: list[str]) -> Branch | None:
    y = branch.y_primitive_siemens
    if not any(x for part in (y.re, y.im) for line in part for x in line):
        notes.append(f"{branch.id}: left out, it has no admittance")
        return None
    branch = _rated(branch, notes)
    if branch.kind is BranchKind.SWITCH and branch.switch is not None:
        ends = {frozenset(node.phase for node in terminal) for terminal in branch.terminals}
        if len(ends) == 1 and len(branch.terminals) == 2:
            return branch
        if not branch.switch.normally_closed:
            notes.append(f"{branch.id}: left out, an open switch between different phases")
            return None
        notes.append(f"{branch.id}: a switch between different phases, carried over as a reactor: it cannot be opened")
        return replace(branch, kind=BranchKind.REACTOR, switch=None)
    if branch.kind is not BranchKind.LINE:
        return branch
    if ends_do_not_match(branch):
        notes.append(f"{branch.id}: joins different phases, carried over as a reactor")
        return replace(branch, kind=BranchKind.REACTOR)
    if is_active_line(branch):
        notes.append(f"{branch.id}: its impedance is not that of a line, carried over as a reactor")
        return replace(branch, kind=BranchKind.REACTOR)
    return branch


def _rated(branch: Branch, notes: list[str]) -> Branch:
    if not_believed(branch):
        notes.append(f"{branch.id}: its rating of {branch.rating_a:.3g} A is not carried over, no line has it")
        return replace(branch, rating_a=None, rating_emergency_a=None)
    normal, emergency = branch.rating_a, branch.rating_emergency_a
    if normal is not None and emergency is not None and 0.0 < emergency < normal:
        notes.append(f"{branch.id}: its emergency rating of {emergency:g} A is below the normal one, which is taken")
        return replace(branch, rating_emergency_a=normal)
    return branch


def _with_level_bases(model: NetworkModel, notes: list[str]) -> tuple[Bus, ...]:
    """Dead buses on the nominal voltage that most live buses of their voltage level have: a level is what lines and
    switches join, whatever their positions."""
    row = {bus.id: k for k, bus in enumerate(model.buses)}
    joining = [b for b in model.branches if b.kind in (BranchKind.LINE, BranchKind.SWITCH) and len(b.terminals) > 1]
    v_base_v = {bus.id: bus.v_base_v for bus in model.buses}
    if all(base_ratio(branch, v_base_v=v_base_v) <= V_RATIO_MAX for branch in joining):
        return model.buses
    fr = [row[branch.terminals[0][0].bus] for branch in joining]
    to = [row[branch.terminals[1][0].bus] for branch in joining]
    level = components(fr, to, size=len(row)).tolist()
    live = {node.bus for node in supply(model).normal}
    votes: dict[int, Counter[float]] = {}
    for bus, number in zip(model.buses, level, strict=True):
        if bus.id in live:
            votes.setdefault(number, Counter())[bus.v_base_v] += 1
    buses = []
    for bus, number in zip(model.buses, level, strict=True):
        chosen = votes[number].most_common(1)[0][0] if number in votes else bus.v_base_v
        ratio = max(chosen, bus.v_base_v) / min(chosen, bus.v_base_v)
        if bus.id not in live and ratio > V_RATIO_MAX:
            notes.append(f"bus.{bus.id}: dead, on {chosen:.6g} V as what it can be switched to ({bus.v_base_v:.6g} V)")
            bus = replace(bus, v_base_v=chosen)
        buses.append(bus)
    return tuple(buses)


def _without_dangling(model: NetworkModel, notes: list[str]) -> tuple[Bus, ...]:
    used = used_nodes(model)
    buses: list[Bus] = []
    for bus in model.buses:
        kept = tuple(phase for phase in bus.phases if NodeRef(BusId(bus.id), phase) in used)
        if not kept:
            notes.append(f"bus.{bus.id}: left out, nothing is connected to it")
            continue
        if len(kept) < len(bus.phases):
            dropped = ", ".join(str(phase) for phase in bus.phases if phase not in kept)
            notes.append(f"bus.{bus.id}: phase {dropped} left out, nothing is connected to it")
            bus = replace(bus, phases=kept)
        buses.append(bus)
    return tuple(buses)
