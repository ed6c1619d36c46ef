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

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from adms.apps.interlock.evidence import Evidence, opened_by_command, read_evidence
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


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """Pre-fault tree: how each section was fed."""

    feeding: dict[SectionId, ElementId]
    """Section to the switch that feeds it; sections with a source have none."""
    parent: dict[SectionId, SectionId]
    children: dict[SectionId, list[SectionId]]

    def path(self, section: SectionId) -> Iterator[ElementId]:
        """Switches from a section up to its source."""
        while section in self.parent:
            yield self.feeding[section]
            section = self.parent[section]

    def below(self, section: SectionId, *, stop: frozenset[ElementId]) -> list[SectionId]:
        """The section and everything it feeds, not past the switches of `stop`."""
        found = [section]
        for known in found:
            found += [child for child in self.children.get(known, ()) if self.feeding[child] not in stop]
        return found


def _grow(wiring: Wiring, *, positions: Positions, evidence: Evidence) -> _Tree:
    def weight(switch: ElementId) -> int | None:
        if switch in evidence.passed:
            return 0
        if switch in positions.closed or switch in evidence.last_passed:
            return 1
        return 2 if wiring.gear[switch].normally_closed else None

    tree = _Tree(feeding={}, parent={}, children={})
    done: set[SectionId] = set()
    queue: list[tuple[int, int, int, SectionId, SectionId, ElementId]] = []
    number = {section: i for i, section in enumerate(wiring.sections)}

    def visit(section: SectionId, *, cost: int, hops: int) -> None:
        done.add(section)
        for switch in wiring.switches_at[section]:
            other, step = wiring.across(switch, section), weight(switch)
            if step is not None and other not in done:
                heappush(queue, (cost + step, hops + 1, number[other], other, section, switch))

    for section in wiring.sections:
        if wiring.source_count[section]:
            done.add(section)
    for section in tuple(done):
        visit(section, cost=0, hops=0)
    while queue:
        cost, hops, _, section, parent, switch = heappop(queue)
        if section in done:
            continue
        tree.feeding[section], tree.parent[section] = switch, parent
        tree.children.setdefault(parent, []).append(section)
        visit(section, cost=cost, hops=hops)
    return tree


def _open_before(view: RoundView, wiring: Wiring, *, positions: Positions, device: ElementId) -> frozenset[ElementId]:
    """Switches that were open already when a locked-out device tripped: this fault is not behind them.

    It tripped after the last command to close it and no later than its last lockout record; what was ordered open by
    then, and still is, was open. So a device that trips again, after it was closed on what was thought sound, throws
    suspicion on what it fed, and not only on the section that is isolated already.
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
        if opened_by_command(view, switch) and view.history[switch][-1].time <= max(times)
    )


def _candidates(
    tree: _Tree, *, root: SectionId, evidence: Evidence, stop: frozenset[ElementId]
) -> tuple[set[SectionId], int]:
    """Sections below a root that contradict the fewest indicators, and how many those are.

    `stop` are switches further down that have a fault of their own behind them, or were open when this one occurred:
    indicators on the way to them may be latched from that other fault and say nothing about this one.
    """
    stop = stop - {tree.feeding.get(root)}
    below = tree.below(root, stop=stop)
    edges = {tree.feeding[section] for section in below if section != root}
    elsewhere = {e for s, f in tree.feeding.items() if f in stop for e in tree.path(s)}
    known = {e for e in edges - elsewhere if e in evidence.passed or e in evidence.not_passed}
    said = known & evidence.passed
    wrong = {section: len((set(tree.path(section)) & known) ^ said) for section in below}
    least = min(wrong.values())
    return {section for section, count in wrong.items() if count == least}, least


def _topmost(
    tree: _Tree, switches: set[ElementId] | frozenset[ElementId], *, fed_by: dict[ElementId, SectionId]
) -> list[ElementId]:
    """Those with none of the others between them and the source."""
    return [
        switch
        for switch in sorted(switches & fed_by.keys())
        if not any(up in switches for up in list(tree.path(fed_by[switch]))[1:])
    ]


def suspected_zone(view: RoundView, *, max_age_s: float) -> SuspectedZone:
    """The suspected zone of a view. Several faults at once each have their own root and are located apart.

    Args:
        view: the round; only levels in it are used.
        max_age_s: older points count as missing.
    """
    wiring = wiring_of(view.arrays)
    positions = read_positions(view, wiring, max_age_s=max_age_s)
    evidence = read_evidence(view, wiring, max_age_s=max_age_s)
    tree = _grow(wiring, positions=positions, evidence=evidence)
    fed_by = {switch: section for section, switch in tree.feeding.items()}
    suspected: set[SectionId] = set()
    area: set[SectionId] = set()
    contradictions = 0
    reasons: list[str] = []

    explained = {e for d in evidence.locked_out if d in fed_by for e in tree.path(fed_by[d])}
    trace = (evidence.passed | evidence.last_passed) - explained
    barriers = {
        device: _open_before(view, wiring, positions=positions, device=device) for device in evidence.locked_out
    }
    locked_below = {
        switch
        for device in evidence.locked_out
        if device in fed_by
        for section in tree.below(fed_by[device], stop=barriers[device])
        if (switch := tree.feeding[section]) != device
    }
    trace -= locked_below
    roots = [d for d in sorted(evidence.locked_out) if d in fed_by]
    roots += _topmost(tree, trace, fed_by=fed_by)
    while roots:
        device = roots.pop(0)
        root = fed_by[device]
        stop = (evidence.locked_out - {device}) | barriers.get(device, frozenset())
        found, wrong = _candidates(tree, root=root, evidence=evidence, stop=stop)
        # Current that no suspected section explains went to another fault, or its indicator is wrong: located apart.
        explained = {e for section in found for e in tree.path(section)}
        below = {tree.feeding[section] for section in tree.below(root, stop=stop - {device}) if section != root}
        on_the_way = {e for switch in stop & fed_by.keys() for e in tree.path(fed_by[switch])}
        astray = (below & (evidence.passed | evidence.last_passed)) - explained - on_the_way
        roots += _topmost(tree, astray, fed_by=fed_by)
        if device not in evidence.passed:
            # Last heard with a trace and silent now: the fault may as well be at its near side.
            found.add(tree.parent[root])
        suspected |= found
        contradictions += wrong
        area.update(tree.below(root, stop=frozenset()))
        cause = "locked out" if device in evidence.locked_out else "saw fault current"
        reasons.append(f"{device} {cause}: {', '.join(sorted(found))} agrees best with the indicators")
    # A trace on a switch outside the tree fits no hypothesis: both sides stay suspected.
    for switch in sorted((evidence.passed | evidence.last_passed) - fed_by.keys()):
        suspected.update(wiring.ends[switch])
        reasons.append(f"{switch} saw fault current although it was open")
    _spread(wiring, positions=positions, evidence=evidence, suspected=suspected)
    dead = frozenset(suspected) - positions.surely_live
    normal = {switch for switch, gear in wiring.gear.items() if gear.normally_closed}
    outage = wiring.reach(area | dead, closed=normal | positions.closed) if area | dead else frozenset()
    return SuspectedZone(
        sections=dead,
        area=(outage - positions.live) | dead,
        locked_out=evidence.locked_out,
        contradictions=contradictions,
        reasons=tuple(reasons) if dead else (),
    )


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
