"""Ways to restore: which switches to open and close, best first. No physics here, only the section graph.

An option is a forest: every restored part of the outage hangs on exactly one live section, directly or over another
restored part. Critical customers restored come first, then load, then customers, then fewer operations.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import combinations

from adms.apps.flisr.outage import Outage
from adms.apps.interlock.wiring import Wiring
from adms.core.ids import ElementId, SectionId

Key = tuple[int, int, int, int]
"""(- critical customers, - load in W, - customers, operations): smaller is better; keys of separate groups add up."""

_LIVE = -1


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One live section taking on parts of the outage."""

    at: SectionId
    """The live section."""
    closes: tuple[ElementId, ...]
    """From the live side outwards."""
    restored: frozenset[SectionId]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way to restore (a part of) the outage, beside its isolation."""

    key: Key
    opens: tuple[ElementId, ...]
    feeds: tuple[Feed, ...]

    @property
    def restored(self) -> frozenset[SectionId]:
        """Sections that come alive."""
        return frozenset(section for feed in self.feeds for section in feed.restored)


NOTHING = Option(key=(0, 0, 0, 0), opens=(), feeds=())


@dataclass(frozen=True, kw_only=True)
class Search:
    """Options of an outage, group by group; groups share no usable switch, so their options combine freely."""

    groups: tuple[tuple[Option, ...], ...]
    """Each sorted best first and ending with NOTHING."""
    truncated: bool
    """True where there were more options than allowed."""

    def best_first(self) -> Iterator[Option]:
        """Combinations of one option a group, best first."""
        start = (0,) * len(self.groups)
        queue = [(self._key(start), start)]
        seen = {start}
        while queue:
            _, index = heappop(queue)
            chosen = [group[i] for group, i in zip(self.groups, index, strict=True)]
            yield Option(
                key=self._key(index),
                opens=tuple(device for option in chosen for device in option.opens),
                feeds=tuple(feed for option in chosen for feed in option.feeds),
            )
            for place, group in enumerate(self.groups):
                later = (*index[:place], index[place] + 1, *index[place + 1 :])
                if later[place] < len(group) and later not in seen:
                    seen.add(later)
                    heappush(queue, (self._key(later), later))

    def _key(self, index: Sequence[int]) -> Key:
        keys = [group[i].key for group, i in zip(self.groups, index, strict=True)]
        a, b, c, d = (sum(key[part] for key in keys) for part in range(4))
        return a, b, c, d


def search(
    wiring: Wiring,
    *,
    outage: Outage,
    locked_out: Collection[ElementId],
    extra_opens_max: int,
    options_max: int,
    better_than: Key | None = None,
) -> Search:
    """All options of an outage, up to a number.

    Args:
        wiring: the section graph.
        outage: the switching problem.
        locked_out: devices closed first among equals: what they fed before.
        extra_opens_max: openings of one group beside the isolation.
        options_max: options of one group.
        better_than: where there is one group only, options that are no better are left out.
    """
    groups, truncated = [], False
    joined = _joined(wiring, sections=outage.healthy, over=outage.shut | set(outage.ties))
    for members in joined:
        found: list[Option] = []
        cuts = [s for s in outage.cuts if set(wiring.ends[s]) <= members]
        for option in _options(
            wiring,
            outage=outage,
            members=members,
            cuts=cuts,
            first=locked_out,
            extra_opens_max=extra_opens_max,
            better_than=better_than if len(joined) == 1 else None,
        ):
            if len(found) >= options_max:
                truncated = True
                break
            found.append(option)
        found.sort(key=lambda option: (option.key, option.opens, [feed.closes for feed in option.feeds]))
        groups.append((*found, NOTHING))
    return Search(groups=tuple(groups), truncated=truncated)


def _joined(
    wiring: Wiring, *, sections: frozenset[SectionId], over: Collection[ElementId]
) -> list[frozenset[SectionId]]:
    """Sections grouped by the switches `over`, in the order of the model."""
    groups: list[frozenset[SectionId]] = []
    left = set(sections)
    for section in wiring.sections:
        if section not in left:
            continue
        group, front = {section}, [section]
        while front:
            known = front.pop()
            for switch in wiring.switches_at[known]:
                other = wiring.across(switch, known)
                if switch in over and other in left and other not in group:
                    group.add(other)
                    front.append(other)
        groups.append(frozenset(group))
        left -= group
    return groups


def _options(
    wiring: Wiring,
    *,
    outage: Outage,
    members: frozenset[SectionId],
    cuts: Sequence[ElementId],
    first: Collection[ElementId],
    extra_opens_max: int,
    better_than: Key | None,
) -> Iterator[Option]:
    ties = [s for s in outage.ties if set(wiring.ends[s]) & members]
    ties.sort(key=lambda s: s not in first)
    for count in range(min(extra_opens_max, len(cuts)) + 1):
        for opens in combinations(cuts, count):
            parts = _joined(wiring, sections=members, over=outage.shut - set(opens))
            part_of = {section: i for i, part in enumerate(parts) for section in part}
            values = [_value(wiring, part) for part in parts]
            edges = [(s, part_of.get(wiring.ends[s][0], _LIVE), part_of.get(wiring.ends[s][1], _LIVE)) for s in ties]
            for chosen in _forests(edges, count=len(parts)):
                restored = {part for _, fr, to in chosen for part in (fr, to)} - {_LIVE}
                sides = [{part_of[side] for side in wiring.ends[s]} for s in opens]
                # A cut between two parts that both stay dead, or inside one, changes nothing.
                if not all(len(pair) == 2 and pair & restored for pair in sides):
                    continue
                key = _key(values, restored, operations=len(opens) + len(chosen))
                if better_than is None or key < better_than:
                    yield _option(wiring, key=key, opens=opens, chosen=chosen, parts=parts)


def _value(wiring: Wiring, part: Collection[SectionId]) -> tuple[int, int, int]:
    return (
        sum(wiring.critical_customers[s] for s in part),
        sum(wiring.load_w[s] for s in part),
        sum(wiring.customers[s] for s in part),
    )


def _key(values: Sequence[tuple[int, int, int]], restored: Collection[int], *, operations: int) -> Key:
    critical, load_w, customers = (sum(values[part][i] for part in restored) for i in range(3))
    return -critical, -load_w, -customers, operations


def _forests(
    edges: Sequence[tuple[ElementId, int, int]], *, count: int
) -> Iterator[tuple[tuple[ElementId, int, int], ...]]:
    """Sets of edges without loops, live sections taken as one, that all hang on it."""

    def grow(
        at: int, label: tuple[int, ...], chosen: tuple[tuple[ElementId, int, int], ...]
    ) -> Iterator[tuple[tuple[ElementId, int, int], ...]]:
        if at == len(edges):
            if chosen and all(label[fr] == label[_LIVE] for _, fr, _ in chosen):
                yield chosen
            return
        _, fr, to = edges[at]
        if label[fr] != label[to]:
            old, new = label[fr], label[to]
            yield from grow(at + 1, tuple(new if x == old else x for x in label), (*chosen, edges[at]))
        yield from grow(at + 1, label, chosen)

    # The last label is that of the live sections: index _LIVE.
    yield from grow(0, tuple(range(count + 1)), ())


def _option(
    wiring: Wiring,
    *,
    key: Key,
    opens: tuple[ElementId, ...],
    chosen: Sequence[tuple[ElementId, int, int]],
    parts: Sequence[frozenset[SectionId]],
) -> Option:
    """Orders the closes from the live side outwards, one feed a live section."""
    feeds: dict[SectionId, list[ElementId]] = {}
    restored: dict[SectionId, set[SectionId]] = {}
    hangs_on: dict[int, SectionId] = {}
    left = list(chosen)
    while left:
        for edge in left:
            switch, fr, to = edge
            near, far = (fr, to) if fr == _LIVE or fr in hangs_on else (to, fr)
            if near != _LIVE and near not in hangs_on:
                continue
            at = hangs_on[near] if near != _LIVE else wiring.ends[switch][0 if fr == _LIVE else 1]
            hangs_on[far] = at
            feeds.setdefault(at, []).append(switch)
            restored.setdefault(at, set()).update(parts[far])
            left.remove(edge)
            break
    return Option(
        key=key,
        opens=opens,
        feeds=tuple(
            Feed(at=at, closes=tuple(closes), restored=frozenset(restored[at])) for at, closes in feeds.items()
        ),
    )
