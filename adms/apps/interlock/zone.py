"""Where the fault can be, from levels alone, so that a restarted service reaches the same zone.

A fault in a section sends current through every switch on its path from the source and through no other. Each section
of the pre-fault tree is a hypothesis: it predicts every indicator, and the sections that contradict the fewest
indicators are suspected. Missing indicators contradict nothing, so they merge the sections at their sides; an
indicator that cannot be reconciled leaves every section that one wrong indicator explains.

The tree survives switching: it is grown from the sources first over devices that are locked out and switches with a
latched indicator (fault current did take that way), then over closed ones, then over normally closed ones. A section
that surely carries voltage is never suspected (a permanent fault would trip), and the latched indicators keep the
others suspected after the device that locked out is closed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adms.apps.interlock.evidence import Evidence, opened_by_command, read_evidence
from adms.apps.interlock.fault_tree import FaultTree, candidates, grow, topmost
from adms.apps.interlock.positions import Positions, read_positions
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.view import RoundView
from adms.core.commands import SwitchSetpoint
from adms.core.ids import ElementId, SectionId


@dataclass(frozen=True, kw_only=True)
class SuspectedZone:
    """Sections that may hold a fault, and the outage that belongs to it."""

    sections: frozenset[SectionId]
    """Suspected. Never energised (SW1)."""
    area: frozenset[SectionId]
    """Dead sections of the feeders on which it was seen, as they are run normally and as they stand now."""
    locked_out: frozenset[ElementId]
    contradictions: int
    """Indicators that even the suspected sections contradict."""
    reasons: tuple[str, ...]


def _open_before(view: RoundView, wiring: Wiring, *, positions: Positions, device: ElementId) -> frozenset[ElementId]:
    """Switches that were open already when a locked-out device tripped: this fault is not behind them.

    It tripped after the last command to close it and no later than its last lockout record; what was seen open before
    that, by command, and still is, was open. So a device that trips again, after it was closed on what was thought
    sound, throws suspicion on what it fed, and not only on the section that is isolated already. A switch seen open in
    the very scan of the lockout may have opened after it, and is no barrier.
    """
    times = [event.time for event in view.snapshot.events if event.element == device and "lockout" in event.text]
    last = view.history.get(device, ())
    if last and isinstance(last[-1].setpoint, SwitchSetpoint) and last[-1].setpoint.closed:
        times.append(last[-1].time)
    if not times:
        return frozenset()
    return frozenset(
        switch
        for switch in wiring.ends.keys() - positions.maybe_closed
        if opened_by_command(view, switch) and _seen_open(view, switch) < max(times)
    )


def _seen_open(view: RoundView, switch: ElementId) -> datetime:
    """When a switch that was ordered open was reported open; when it was ordered, where that record is gone."""
    ordered = view.history[switch][-1].time
    reports = [event.time for event in view.snapshot.events if event.element == switch and event.text == "opened"]
    return max([ordered, *reports])


def suspected_zone(view: RoundView, *, max_age_s: float) -> SuspectedZone:
    """The suspected zone of a view. Several faults at once each have their own root and are located apart.

    Args:
        view: the round; only levels in it are used.
        max_age_s: older points count as missing.
    """
    wiring = wiring_of(view.arrays)
    positions = read_positions(view, wiring, max_age_s=max_age_s)
    evidence = read_evidence(view, wiring, max_age_s=max_age_s)
    tree = grow(wiring, positions=positions, evidence=evidence)
    barriers = {
        device: _open_before(view, wiring, positions=positions, device=device) for device in evidence.locked_out
    }
    suspected: set[SectionId] = set()
    below: set[SectionId] = set()
    contradictions = 0
    reasons: list[str] = []
    roots = _roots(tree, evidence=evidence, barriers=barriers)
    while roots:
        device = roots.pop(0)
        root = tree.fed_by[device]
        stop = (evidence.locked_out - {device}) | barriers.get(device, frozenset())
        found, wrong = candidates(tree, root=root, evidence=evidence, stop=stop)
        # Current that no candidate explains went to another fault, or its indicator is wrong: located apart.
        roots += topmost(tree, _astray(tree, device=device, found=found, evidence=evidence, stop=stop))
        if device not in evidence.passed:
            # Last heard with a trace and silent now: the fault may as well be at its near side.
            found.add(tree.parent[root])
        suspected |= found
        contradictions += wrong
        below.update(tree.below(root, stop=frozenset()))
        cause = "locked out" if device in evidence.locked_out else "saw fault current"
        reasons.append(f"{device} {cause}: {', '.join(sorted(found))} agrees best with the indicators")
    # A trace on a switch outside the tree fits no hypothesis: both sides stay suspected.
    for switch in sorted((evidence.passed | evidence.last_passed) - tree.fed_by.keys()):
        suspected.update(wiring.ends[switch])
        reasons.append(f"{switch} saw fault current although it was open")
    _spread(wiring, positions=positions, evidence=evidence, suspected=suspected)
    dead = frozenset(suspected) - positions.surely_live
    normal = {switch for switch, gear in wiring.gear.items() if gear.normally_closed}
    outage = wiring.reach(below | dead, closed=normal | positions.closed)
    return SuspectedZone(
        sections=dead,
        area=(outage - positions.live) | dead,
        locked_out=evidence.locked_out,
        contradictions=contradictions,
        reasons=tuple(reasons) if dead else (),
    )


def _roots(
    tree: FaultTree, *, evidence: Evidence, barriers: Mapping[ElementId, frozenset[ElementId]]
) -> list[ElementId]:
    """Switches with a fault behind them: those locked out, and the topmost traces that no lockout accounts for."""
    known = [device for device in sorted(evidence.locked_out) if device in tree.fed_by]
    accounted = {switch for device in known for switch in tree.path(tree.fed_by[device])}
    for device in known:
        sections = tree.below(tree.fed_by[device], stop=barriers[device])
        accounted |= {tree.feeding[section] for section in sections} - {device}
    return known + topmost(tree, (evidence.passed | evidence.last_passed) - accounted)


def _astray(
    tree: FaultTree, *, device: ElementId, found: set[SectionId], evidence: Evidence, stop: frozenset[ElementId]
) -> set[ElementId]:
    """Traces behind a root that are on the way neither to a candidate nor to a switch of `stop`."""
    root = tree.fed_by[device]
    behind = {tree.feeding[section] for section in tree.below(root, stop=stop) if section != root}
    explained = {switch for section in found for switch in tree.path(section)}
    explained |= {switch for end in stop & tree.fed_by.keys() for switch in tree.path(tree.fed_by[end])}
    return (behind & (evidence.passed | evidence.last_passed)) - explained


def _spread(wiring: Wiring, *, positions: Positions, evidence: Evidence, suspected: set[SectionId]) -> None:
    """Widen over switches that may have been closed and whose indicator is missing: they separate nothing."""
    spoken = evidence.passed | evidence.not_passed
    front = sorted(suspected)
    while front:
        section = front.pop()
        for switch in wiring.switches_at[section]:
            maybe = switch in positions.maybe_closed or wiring.gear[switch].normally_closed
            other = wiring.across(switch, section)
            if switch not in spoken and maybe and other not in suspected and other not in positions.surely_live:
                suspected.add(other)
                front.append(other)
