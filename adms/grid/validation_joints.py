"""What elements make of each other: nodes on nothing, ends that do not match, devices that nothing can supply.

All of it holds for a model that may be wrong: what names an unknown node is passed over here, and is a problem of its
own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adms.core.errors import Problem
from adms.core.ids import BusId, ElementId
from adms.grid.components import components
from adms.grid.joints import branch_joints
from adms.grid.model import Branch, BranchKind, NetworkModel, NodeRef

V_RATIO_MAX = 1.2
"""Two nominal voltages of one voltage level (13.2 and 12.47 kV) are nearer than this; those of two are not."""
_PHASES = frozenset({0, 1, 2, 3})


def used_nodes(model: NetworkModel) -> set[NodeRef]:
    """Nodes that an element stands on."""
    used = {node for source in model.sources for node in source.nodes}
    used.update(node for branch in model.branches for terminal in branch.terminals for node in terminal)
    used.update(node for capacitor in model.capacitors for node in capacitor.nodes)
    for pairs in (*(load.pairs for load in model.loads), *(der.pairs for der in model.ders)):
        used.update(node for pair in pairs for node in pair if node is not None)
    return used


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Which nodes a source reaches."""

    possible: frozenset[NodeRef]
    """With every switch closed: no switch position reaches the others."""
    normal: frozenset[NodeRef]
    """With switches in their normal positions."""


def supply(model: NetworkModel) -> Supply:
    """What sources reach, conductor by conductor as `NetworkArrays.conductor_joints` does, of a model that need not
    be sound."""
    nodes = [NodeRef(bus.id, phase) for bus in model.buses for phase in bus.phases]
    row = {node: k for k, node in enumerate(nodes)}
    joints = [
        (row[a], row[b], branch.switch is None or branch.switch.normally_closed)
        for branch in model.branches
        for a, b in branch_joints(branch)
        if a in row and b in row
    ]
    starts = [row[node] for source in model.sources for node in source.nodes if node in row]

    def reached(edges: list[tuple[int, int]]) -> frozenset[NodeRef]:
        if not nodes:
            return frozenset()
        label = components([a for a, _ in edges], [b for _, b in edges], size=len(nodes)).tolist()
        fed = {label[k] for k in starts}
        return frozenset(node for node, island in zip(nodes, label, strict=True) if island in fed)

    return Supply(
        possible=reached([(a, b) for a, b, _ in joints]), normal=reached([(a, b) for a, b, closed in joints if closed])
    )


def ends_do_not_match(branch: Branch) -> bool:
    """True of a line that joins different phases. A conductor grounded at one end is not listed there, so that fewer
    phases at one end are no mismatch as long as the other has them too."""
    if branch.kind is not BranchKind.LINE or len(branch.terminals) != 2:
        return False
    fr, to = ({node.phase for node in terminal} & _PHASES for terminal in branch.terminals)
    return fr != to if len(branch.terminals[0]) == len(branch.terminals[1]) else not (fr <= to or to <= fr)


def base_ratio(branch: Branch, *, v_base_v: Mapping[BusId, float]) -> float:
    """Of a line's or switch's ends, the larger nominal voltage over the smaller; 1 of anything else."""
    if branch.kind not in (BranchKind.LINE, BranchKind.SWITCH):
        return 1.0
    bases = [v_base_v[end[0].bus] for end in branch.terminals if end and end[0].bus in v_base_v]
    return max(bases) / min(bases) if len(bases) > 1 and min(bases) > 0.0 else 1.0


def joint_problems(model: NetworkModel) -> tuple[Problem, ...]:
    """Dangling nodes, ends that do not match, poles that are no device, DER that nothing can supply."""
    used = used_nodes(model)
    found = [
        Problem(
            element=bus.id,
            field="phases",
            value=", ".join(str(phase) for phase in absent),
            message="no element stands on this node",
        )
        for bus in model.buses
        if (absent := [phase for phase in bus.phases if NodeRef(bus.id, phase) not in used])
    ]
    v_base_v = {bus.id: bus.v_base_v for bus in model.buses}
    for branch in model.branches:
        ends = " - ".join(_words(terminal) for terminal in branch.terminals)
        if ends_do_not_match(branch):
            found.append(_problem(branch.id, "terminals", ends, "a line joins phases of the same names"))
        if base_ratio(branch, v_base_v=v_base_v) > V_RATIO_MAX:
            volts = " and ".join(f"{v_base_v[end[0].bus]:.6g} V" for end in branch.terminals)
            message = f"a {branch.kind} between different nominal voltages, {volts}: that is a transformer's place"
            found.append(_problem(branch.id, "terminals", ends, message))
    found += _pole_problems(model)
    return (*found, *_supply_problems(model))


def _pole_problems(model: NetworkModel) -> Iterable[Problem]:
    groups: dict[str, list[Branch]] = {}
    for branch in model.branches:
        if branch.switch is not None and branch.switch.group:
            groups.setdefault(branch.switch.group, []).append(branch)
    for group, poles in groups.items():
        places = {frozenset(terminal[0].bus for terminal in pole.terminals if terminal) for pole in poles}
        if len(places) > 1:
            yield _problem(poles[0].id, "switch.group", group, "its poles do not stand between the same two buses")
        phases = [node.phase for pole in poles for terminal in pole.terminals[:1] for node in terminal]
        if len(set(phases)) < len(phases):
            yield _problem(poles[0].id, "switch.group", group, "two of its poles are of the same phase")


def _supply_problems(model: NetworkModel) -> Iterable[Problem]:
    reach = supply(model)
    known = {NodeRef(bus.id, phase) for bus in model.buses for phase in bus.phases}
    for der in model.ders:
        known_at = [fr for fr, _ in der.pairs if fr in known]
        if known_at and model.sources and not any(fr in reach.possible for fr in known_at):
            message = "disconnected: no switch position connects it to a source"
            yield _problem(der.id, "pairs", _words(known_at), message)


def _words(nodes: Iterable[NodeRef]) -> str:
    return ", ".join(f"{node.bus}.{node.phase}" for node in nodes)


def _problem(element: ElementId, field: str, value: str, message: str) -> Problem:
    return Problem(element=element, field=field, value=value, message=message)
