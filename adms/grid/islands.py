"""The search of one island: who is joined, who feeds whom, which switches close loops. `adms.grid.topology` keeps what
it finds; nothing outside the rows that a search is given is read or written."""

from collections.abc import Iterable
from dataclasses import dataclass

from adms.core.ids import ElementId
from adms.grid.switched_sections import SwitchedSections

NONE = -1

Pole = tuple[ElementId, int]
"""A switch and one of its phases."""


@dataclass(kw_only=True)
class Draft:
    """A topology while it is worked out. Fields as in `adms.grid.topology.Topology`."""

    network: SwitchedSections
    closed: set[ElementId]
    island: list[int]
    parent: list[int]
    depth: list[int]
    feeding: list[tuple[int, ...]]
    sound: list[bool]
    loop_poles: set[Pole]

    def reach(self, start: Iterable[int], *, without: ElementId | None = None) -> list[int]:
        """Sections that closed switches join to `start`, `without` one of them, rising."""
        found = set(start)
        front = list(found)
        while front:
            section = front.pop()
            for switch in self.network.boundary[section]:
                if switch in self.closed and switch != without:
                    other = self.network.across(switch, section)
                    if other not in found:
                        found.add(other)
                        front.append(other)
        return sorted(found)

    def below(self, section: int) -> set[int]:
        """The section and all that is fed through it."""
        found = {section}
        front = [section]
        while front:
            row = front.pop()
            for switch in self.network.boundary[row]:
                other = self.network.across(switch, row)
                if switch in self.closed and self.parent[other] == row and other not in found:
                    found.add(other)
                    front.append(other)
        return found


def settle(draft: Draft, rows: Iterable[int]) -> None:
    """Works out everything about some sections anew. They must be whole islands: nothing outside is joined to them."""
    left = set(rows)
    _find_loops(draft, left)
    while left:
        members = draft.reach([min(left)])
        left.difference_update(members)
        for row in members:
            draft.island[row] = members[0]
        roots = [row for row in members if draft.network.section_sources[row]]
        _clear(draft, members)
        for row in roots:
            draft.depth[row] = 0
        if roots:
            _feed(draft, members)
            for row in roots:
                draft.sound[row] = all(draft.network.strand_sources[s] for s in draft.network.strands[row])
            _descend(draft, roots, within=set(members))


def hang(draft: Draft, rows: list[int], *, switch: ElementId, at: int) -> None:
    """Feeds a dead island through one switch from the sound section `at` of another one, which it cannot change: it is
    joined to it here only, and brings no source. `rows` is the dead island."""
    network = draft.network
    top = network.across(switch, at)
    label = min(draft.island[at], draft.island[top])
    _rename(draft, old=max(draft.island[at], draft.island[top]), new=label)
    draft.parent[top] = at
    draft.depth[top] = draft.depth[at] + 1
    _feed(draft, rows)
    draft.sound[top] = _all_touched(draft, top, parent=at)
    _descend(draft, [top], within=set(rows))


def join_dead(draft: Draft, *, one: int, other: int) -> None:
    """Two islands without a source become one."""
    first, second = sorted((draft.island[one], draft.island[other]))
    _rename(draft, old=second, new=first)


def part(draft: Draft, rows: set[int]) -> None:
    """Takes some sections that nothing feeds any more out of their island, as an island of their own."""
    first = min(rows)
    old = draft.island[first]
    for row in rows:
        draft.island[row] = first
    if old in rows:
        rest = [row for row, label in enumerate(draft.island) if label == old and row not in rows]
        for row in rest:
            draft.island[row] = rest[0]
    _clear(draft, rows)


def _rename(draft: Draft, *, old: int, new: int) -> None:
    draft.island[:] = [new if label == old else label for label in draft.island]


def _clear(draft: Draft, rows: Iterable[int]) -> None:
    for row in rows:
        draft.parent[row] = draft.depth[row] = NONE
        draft.sound[row] = False
        for strand in draft.network.strands[row]:
            draft.feeding[strand] = ()


def _descend(draft: Draft, roots: list[int], *, within: set[int]) -> None:
    """Parents, level by level: the nearest to a source, the first in model order where several are as near."""
    network = draft.network
    front = roots
    while front:
        following: list[int] = []
        for section in front:
            for switch in network.boundary[section]:
                other = network.across(switch, section)
                if switch in draft.closed and other in within and draft.depth[other] == NONE:
                    draft.parent[other] = section
                    draft.depth[other] = draft.depth[section] + 1
                    draft.sound[other] = draft.sound[section] and _all_touched(draft, other, parent=section)
                    following.append(other)
        front = sorted(following)


def _all_touched(draft: Draft, section: int, *, parent: int) -> bool:
    """Whether closed poles from the parent reach every strand of a section."""
    touched: set[int] = set()
    for switch in draft.network.boundary[section]:
        if switch in draft.closed and draft.network.across(switch, section) == parent:
            side = draft.network.ends[switch].index(section)
            touched.update(pair[side] for pair in draft.network.strand_pairs[switch])
    return touched.issuperset(draft.network.strands[section])


def _feed(draft: Draft, rows: Iterable[int]) -> None:
    """Which sources reach each strand of some sections: their own, and what comes from strands outside them."""
    network = draft.network
    inside = [strand for row in rows for strand in network.strands[row]]
    joined: dict[int, list[int]] = {strand: [] for strand in inside}
    fed = {strand: set(network.strand_sources[strand]) for strand in inside}
    for switch in {switch for row in rows for switch in network.touching[row]} & draft.closed:
        for fr, to in network.strand_pairs[switch]:
            if fr in joined and to in joined:
                joined[fr].append(to)
                joined[to].append(fr)
            elif fr in joined:
                fed[fr].update(draft.feeding[to])
            else:
                fed[to].update(draft.feeding[fr])
    seen: set[int] = set()
    for start in inside:
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for strand in group:
            for other in joined[strand]:
                if other not in seen:
                    seen.add(other)
                    group.append(other)
        sources = tuple(sorted(set[int]().union(*(fed[strand] for strand in group))))
        for strand in group:
            draft.feeding[strand] = sources


def _find_loops(draft: Draft, rows: set[int]) -> None:
    """Kruskal over the closed poles in model order: a pole between conductors that are already joined closes a loop.
    A switch that alone joins two islands changes nothing in that, so that only `settle` need look."""
    network = draft.network
    switches = {switch for row in rows for switch in network.touching[row]}
    draft.loop_poles.difference_update([pole for pole in draft.loop_poles if pole[0] in switches])
    head: dict[int, int] = {}

    def find(conductor: int) -> int:
        while (above := head.get(conductor, conductor)) != conductor:
            head[conductor] = head.get(above, above)
            conductor = above
        return conductor

    for switch in sorted(switches & draft.closed, key=network.order.__getitem__):
        for fr, to, phase in network.conductor_pairs[switch]:
            a, b = find(fr), find(to)
            if a == b:
                draft.loop_poles.add((switch, phase))
            else:
                head[a] = b
