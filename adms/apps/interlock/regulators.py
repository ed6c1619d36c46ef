"""Guard on regulators that a switching step would feed from the other side."""

from collections import deque
from collections.abc import Mapping

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import Proposal
from adms.core.ids import BusId, ElementId
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch


def _depth(arrays: NetworkArrays, closed: Mapping[ElementId, bool]) -> dict[BusId, int]:
    """Branches between each energised bus and its source."""
    at: dict[BusId, list[Branch]] = {}
    for branch in arrays.branches:
        if branch.switch is None or closed[branch.id]:
            for bus in {terminal[0].bus for terminal in branch.terminals}:
                at.setdefault(bus, []).append(branch)
    depth = {source.nodes[0].bus: 0 for source in arrays.model.sources}
    queue = deque(depth)
    while queue:
        bus = queue.popleft()
        for branch in at.get(bus, ()):
            for terminal in branch.terminals:
                if terminal[0].bus not in depth:
                    depth[terminal[0].bus] = depth[bus] + 1
                    queue.append(terminal[0].bus)
    return depth


def reversed_regulators(arrays: NetworkArrays, closed: Mapping[ElementId, bool]) -> tuple[ElementId, ...]:
    """Tap changers that are fed from the side that they feed when the network is run normally."""
    changers = [b for b in arrays.branches if b.taps is not None and len(b.terminals) == 2]
    if not changers:
        return ()
    normal = _depth(arrays, {b.id: b.switch.normally_closed for b in arrays.branches if b.switch is not None})
    now = _depth(arrays, closed)
    found = []
    for branch in changers:
        fr, to = (terminal[0].bus for terminal in branch.terminals)
        fed = all(bus in depth for bus in (fr, to) for depth in (normal, now))
        if fed and (normal[fr] < normal[to]) != (now[fr] < now[to]):
            found.append(branch.id)
    return tuple(found)


def regulators_fit_direction(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW24: no step feeds a regulator backwards while its own control may move it.

    A regulator that a connected controller holds in remote mode stays at its tap (and the power flow at present taps
    judges the step), and one without local control cannot move; both are allowed.
    """
    before = set(reversed_regulators(view.arrays, view.grid.closed))
    after = reversed_regulators(view.arrays, view.grid.with_switch(proposal.device, closed=True).closed)
    for device in after:
        taps = view.arrays.branches[view.arrays.branch_idx[device]].taps
        if device in before or taps is None or taps.v_set_v is None or device in view.controllable:
            continue
        return f"{device} would be fed backwards under its own control"
    return None
