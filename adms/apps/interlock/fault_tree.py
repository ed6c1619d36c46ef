"""The pre-fault tree of sections, and what the indicators say about each section of it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush

from adms.apps.interlock.evidence import Evidence
from adms.apps.interlock.positions import Positions
from adms.apps.interlock.wiring import Wiring
from adms.core.ids import ElementId, SectionId


@dataclass(frozen=True, kw_only=True)
class FaultTree:
    """Pre-fault tree: how each section was fed."""

    feeding: dict[SectionId, ElementId]
    """Section to the switch that feeds it; sections with a source have none."""
    parent: dict[SectionId, SectionId]
    children: dict[SectionId, list[SectionId]]

    @cached_property
    def fed_by(self) -> dict[ElementId, SectionId]:
        """Switch to the section that it feeds; only switches of the tree."""
        return {switch: section for section, switch in self.feeding.items()}

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


def grow(wiring: Wiring, *, positions: Positions, evidence: Evidence) -> FaultTree:
    """The tree as it was before the fault: from the sources over the likeliest ways of supply."""

    def weight(switch: ElementId) -> int | None:
        if switch in evidence.passed:
            return 0
        if switch in positions.closed or switch in evidence.last_passed:
            return 1
        return 2 if wiring.gear[switch].normally_closed else None

    tree = FaultTree(feeding={}, parent={}, children={})
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


def candidates(
    tree: FaultTree, *, root: SectionId, evidence: Evidence, stop: frozenset[ElementId]
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


def topmost(tree: FaultTree, switches: Collection[ElementId]) -> list[ElementId]:
    """Switches of the tree with none of the others between them and the source."""
    return [
        switch
        for switch in sorted(switches)
        if switch in tree.fed_by and not any(up in switches for up in tree.path(tree.parent[tree.fed_by[switch]]))
    ]
