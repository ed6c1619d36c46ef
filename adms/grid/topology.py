"""From switch positions to islands, parents and children, sources, loops. Loops, islands without a source, sources in
parallel and sections alive on some phases only are values, not errors."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from adms.core.ids import ElementId, SectionId
from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.islands import NONE, Draft, Pole, hang, join_dead, part, settle
from adms.grid.state import GridState
from adms.grid.switched_sections import SwitchedSections, switched_sections

UNSUPPLIED = -1
SEVERAL = -2


class Energised(StrEnum):
    """How much of a section has a path to a source."""

    FULLY = "fully energised"
    PARTLY = "partly energised"
    """Some conductors only: a one-phase switch, or a device with some of its poles open."""
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A ring of closed switches, on one phase."""

    phase: int
    """At the first terminal of the switch that closes it."""
    closed_by: ElementId
    """The switch that, closing them in model order, completes it."""
    switches: tuple[ElementId, ...]
    """Of the ring, in model order; one alone where it is bridged by something that is no switch."""


@dataclass(frozen=True, kw_only=True)
class Island:
    """Sections that closed switches join, on any phase."""

    sections: tuple[SectionId, ...]
    """In model order."""
    sources: tuple[ElementId, ...]
    """Empty where nothing supplies it."""


@dataclass(frozen=True, kw_only=True)
class Supply:
    """How a section is supplied. SW6: `count` is exactly one."""

    energised: Energised
    phases: frozenset[int]
    """Phases of nodes that a source reaches."""
    sources: tuple[ElementId, ...]
    """Sources that reach any of its conductors."""
    parent: SectionId | None
    """The next section towards the nearest source (fewest switches; the first in model order of several as near).
    None in a section with a source of its own, and in an island without one."""
    through: tuple[ElementId, ...]
    """Closed switches between it and its parent: one, or the poles of one, or several in parallel."""
    children: tuple[SectionId, ...]
    """Sections whose parent it is, in model order."""
    loops: int
    """Independent loops through switches in its island, of the phase with the most."""

    @property
    def count(self) -> int:
        """Source paths: none, one, or more where sources are in parallel or a loop is closed."""
        return len(self.sources) + self.loops if self.sources else 0


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What the switches of a model join. Rows are those of `network`."""

    network: SwitchedSections
    closed: frozenset[ElementId]
    """Closed switches."""
    island: tuple[int, ...]
    """[section] first section of its island."""
    parent: tuple[int, ...]
    """[section] as in `Supply.parent`; NONE for None."""
    depth: tuple[int, ...]
    """[section] switches between it and the nearest source; NONE in an island without one."""
    feeding: tuple[tuple[int, ...], ...]
    """[strand] sources that reach it, rising; empty where it is dead."""
    sound: tuple[bool, ...]
    """[section] True where all its strands are alive by the way over its parents alone: nothing that hangs on it
    matters to it."""
    loop_poles: frozenset[Pole]
    """Poles that close a loop, each with its phase: one for every independent loop."""

    def with_switch(self, switch: ElementId, *, closed: bool) -> "Topology":
        """The same with one switch moved; equal to `topology` of those positions.

        Only the island of the switch is searched, and where the switch alone feeds a part without sources, only that
        part. Raises KeyError: no such switch.
        """
        fr, to = self.network.ends[switch]
        if (switch in self.closed) == closed:
            return self
        draft = Draft(
            network=self.network,
            closed={*self.closed, switch} if closed else {*self.closed} - {switch},
            island=list(self.island),
            parent=list(self.parent),
            depth=list(self.depth),
            feeding=list(self.feeding),
            sound=list(self.sound),
            loop_poles=set(self.loop_poles),
        )
        if not (_closed_simply(draft, switch) if closed else _opened_simply(draft, switch)):
            settle(draft, draft.reach((fr, to)))
        return _frozen(draft)

    @cached_property
    def islands(self) -> tuple[Island, ...]:
        """All islands, with sources or without, in model order of their first sections."""
        members: dict[int, list[int]] = {}
        for row, label in enumerate(self.island):
            members.setdefault(label, []).append(row)
        return tuple(
            Island(
                sections=tuple(self.network.sections[row] for row in rows),
                sources=tuple(
                    self.network.sources[s] for s in sorted({s for r in rows for s in self.network.section_sources[r]})
                ),
            )
            for rows in members.values()
        )

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """Independent loops, in model order of what closes them, phase by phase."""
        poles = sorted(self.loop_poles, key=lambda pole: (self.network.order[pole[0]], pole[1]))
        return tuple(self._loop(switch, phase) for switch, phase in poles)

    def supply(self, section: SectionId) -> Supply:
        """How one section is supplied."""
        network = self.network
        row = network.row[section]
        strands = network.strands[row]
        alive = [s for s in strands if self.feeding[s]]
        parent = self.parent[row]
        shut = [switch for switch in network.boundary[row] if switch in self.closed]
        others = {network.across(switch, row) for switch in shut}
        if len(alive) == len(strands):
            energised = Energised.FULLY
        else:
            energised = Energised.PARTLY if alive else Energised.DEAD
        return Supply(
            energised=energised,
            phases=frozenset[int]().union(*(network.strand_phases[s] for s in alive)),
            sources=tuple(network.sources[i] for i in sorted({i for s in alive for i in self.feeding[s]})),
            parent=None if parent == NONE else network.sections[parent],
            through=tuple(s for s in shut if parent != NONE and network.across(s, row) == parent),
            children=tuple(network.sections[other] for other in sorted(others) if self.parent[other] == row),
            loops=self._loops_of_island.get(self.island[row], 0),
        )

    @cached_property
    def _loops_of_island(self) -> dict[int, int]:
        count: dict[tuple[int, int], int] = {}
        for switch, phase in self.loop_poles:
            place = (self.island[self.network.ends[switch][0]], phase)
            count[place] = count.get(place, 0) + 1
        most: dict[int, int] = {}
        for (island, _), loops in count.items():
            most[island] = max(most.get(island, 0), loops)
        return most

    @cached_property
    def _tree(self) -> dict[int, list[tuple[ElementId, int]]]:
        """Conductor to what the poles that close no loop join it to."""
        joined: dict[int, list[tuple[ElementId, int]]] = {}
        for switch in sorted(self.closed, key=self.network.order.__getitem__):
            for fr, to, phase in self.network.conductor_pairs[switch]:
                if (switch, phase) not in self.loop_poles:
                    joined.setdefault(fr, []).append((switch, to))
                    joined.setdefault(to, []).append((switch, fr))
        return joined

    def _loop(self, switch: ElementId, phase: int) -> Loop:
        start, goal = next((fr, to) for fr, to, p in self.network.conductor_pairs[switch] if p == phase)
        came: dict[int, tuple[ElementId, int] | None] = {start: None}
        front = [start]
        for conductor in front:
            for by, other in self._tree.get(conductor, ()):
                if other not in came:
                    came[other] = (by, conductor)
                    front.append(other)
        ring = {switch}
        step = came[goal]
        while step is not None:
            ring.add(step[0])
            step = came[step[1]]
        return Loop(phase=phase, closed_by=switch, switches=tuple(sorted(ring, key=self.network.order.__getitem__)))


def topology(network: SwitchedSections, *, closed: Collection[ElementId]) -> Topology:
    """The topology with some switches closed and all others open."""
    size = len(network.sections)
    draft = Draft(
        network=network,
        closed=set(closed),
        island=[NONE] * size,
        parent=[NONE] * size,
        depth=[NONE] * size,
        feeding=[()] * len(network.strand_phases),
        sound=[False] * size,
        loop_poles=set(),
    )
    settle(draft, range(size))
    return _frozen(draft)


def topology_of(arrays: NetworkArrays, grid: GridState) -> Topology:
    """The topology of a model with its switches as they stand."""
    network = switched_sections(arrays)
    return topology(network, closed=[switch for switch in network.ends if grid.closed[switch]])


def source_of_node(arrays: NetworkArrays, grid: GridState) -> IntArray:
    """[node] index in `model.sources` of the one source that feeds it; UNSUPPLIED without one, SEVERAL where sources
    are in parallel."""
    reached = topology_of(arrays, grid)
    of_strand = [SEVERAL if len(s) > 1 else s[0] if s else UNSUPPLIED for s in reached.feeding]
    return np.asarray(np.array(of_strand, dtype=np.int64)[reached.network.strand_of_node])


def _closed_simply(draft: Draft, switch: ElementId) -> bool:
    """Joins two islands, one of them without a source; False where that is not all that closing does."""
    fr, to = draft.network.ends[switch]
    if draft.island[fr] == draft.island[to]:
        return False
    if draft.depth[fr] == draft.depth[to] == NONE:
        join_dead(draft, one=fr, other=to)
        return True
    at, top = (to, fr) if draft.depth[fr] == NONE else (fr, to)
    if draft.depth[top] != NONE or not draft.sound[at]:
        return False
    hang(draft, draft.reach([top], without=switch), switch=switch, at=at)
    return True


def _opened_simply(draft: Draft, switch: ElementId) -> bool:
    """Cuts off what only this switch feeds; False where opening does something else."""
    network = draft.network
    fr, to = network.ends[switch]
    if draft.parent[to] != fr:
        fr, to = to, fr
    if draft.parent[to] != fr or not draft.sound[fr]:
        return False
    lost = draft.below(to)
    for row in lost:
        leaving = (s for s in network.boundary[row] if s in draft.closed and network.across(s, row) not in lost)
        if next(leaving, None) is not None:
            return False
    part(draft, lost)
    return True


def _frozen(draft: Draft) -> Topology:
    return Topology(
        network=draft.network,
        closed=frozenset(draft.closed),
        island=tuple(draft.island),
        parent=tuple(draft.parent),
        depth=tuple(draft.depth),
        feeding=tuple(draft.feeding),
        sound=tuple(draft.sound),
        loop_poles=frozenset(draft.loop_poles),
    )
