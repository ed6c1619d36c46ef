"""Brute force: the most load that can be restored after a fault, each candidate solved by OpenDSS.

Zones (what switches bound) are joined into rooted forests over the remote switches of the dead part. Dropped zones are
tried from the least load upwards, so the first candidate within limits is the best; where there are too many zones for
every set of them, and where the budget of solves ends, the answer says that it is a lower bound. A candidate must keep
ratings and emergency voltage limits with taps as they stand, and the normal limits after the tap steps that help most,
one after the other. Switches of the live part and capacitors stay as they are; DER of the dead part are off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from hil.engine import ComplexArray, FloatArray
from hil.overlay import Overlay
from hil.plant.circuit import Circuit

MAX_CURE_STEPS = 20
ALL_SETS_UP_TO = 14
"""So many zones: every set of them is tried as the dropped one."""
LARGEST_SET = 3
"""Zones in a dropped set where there are more; besides, everything."""


@dataclass(frozen=True, kw_only=True)
class FeederState:
    """How the feeder stands when restoration begins."""

    closed: Mapping[str, bool]
    taps: Mapping[str, int]
    capacitors: Mapping[str, int]
    demand_va: ComplexArray
    """Of each load at nominal voltage, cold-load pickup included."""
    der_va: Mapping[str, complex]


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """What brute force found."""

    restorable_w: float
    """Demand of the loads that the best candidate restores."""
    lost_w: float
    """Demand of all loads without supply when restoration begins."""
    switches: Mapping[str, bool]
    """Positions of the best candidate that differ from the state."""
    solves: int
    unproven: str
    """Why something better may exist: the answer is then a lower bound. Empty where every candidate was tried."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing better exists."""
        return not self.unproven


@dataclass(frozen=True, kw_only=True)
class _Zone:
    buses: frozenset[str]
    load_w: float


@dataclass(frozen=True, kw_only=True)
class _Bounds:
    normal: tuple[float, float]
    emergency: tuple[float, float]


def _zones(circuit: Circuit, *, overlay: Overlay, closed: Mapping[str, bool]) -> dict[str, int]:
    """Zone of every bus: joined by lines, transformers, and closed switches that nobody can operate from afar."""
    remote = {switch.id for switch in overlay.switches if switch.remote}
    buses = sorted({bus for bus, _ in circuit.topology.nodes})
    parent = {bus: bus for bus in buses}

    def find(bus: str) -> str:
        while parent[bus] != bus:
            bus = parent[bus]
        return bus

    for conductor in circuit.topology.conductors:
        if conductor.element in circuit.topology.switches and (
            conductor.element in remote or not closed[conductor.element]
        ):
            continue
        for (fr, _), (to, _) in conductor.pairs:
            parent[find(fr)] = find(to)
    roots = {root: i for i, root in enumerate(sorted({find(bus) for bus in buses}))}
    return {bus: roots[find(bus)] for bus in buses}


def _forests(zones: frozenset[int], *, edges: tuple[tuple[str, int, int], ...], root: int) -> Iterator[tuple[str, ...]]:
    """Every set of switches that supplies exactly `zones` from `root` (all supplies in one), each on one path."""

    def reachable(chosen: list[tuple[str, int, int]]) -> bool:
        seen, stack = {root}, [root]
        while stack:
            zone = stack.pop()
            for _, a, b in chosen:
                other = b if a == zone else a if b == zone else None
                if other is not None and other not in seen:
                    seen.add(other)
                    stack.append(other)
        return zones <= seen

    def grow(k: int, taken: list[tuple[str, int, int]], group: dict[int, int]) -> Iterator[tuple[str, ...]]:
        if not reachable(taken + list(edges[k:])):
            return
        if len(taken) == len(zones):
            yield tuple(name for name, _, _ in taken)
            return
        if k == len(edges):
            return
        _, a, b = edges[k]
        if group[a] != group[b]:
            joined = {zone: group[a] if g == group[b] else g for zone, g in group.items()}
            yield from grow(k + 1, [*taken, edges[k]], joined)
        yield from grow(k + 1, taken, group)

    yield from grow(0, [], {zone: zone for zone in [*zones, root]})


def _dropped_in_order(load_w: Mapping[int, float]) -> Iterator[frozenset[int]]:
    """Sets of zones to leave dark, least load first."""
    largest = len(load_w) if len(load_w) <= ALL_SETS_UP_TO else LARGEST_SET
    options = [frozenset(chosen) for count in range(largest + 1) for chosen in combinations(sorted(load_w), count)]
    if largest < len(load_w):
        options.append(frozenset(load_w))
    yield from sorted(
        options, key=lambda dropped: (sum(load_w[zone] for zone in dropped), len(dropped), sorted(dropped))
    )


def _untried(load_w: Mapping[int, float], *, dropped: frozenset[int]) -> str:
    """Why a set that was not tried may be better than dropping `dropped`; empty where none can be."""
    if len(load_w) <= ALL_SETS_UP_TO:
        return ""
    least = sum(sorted(load_w.values())[: LARGEST_SET + 1])
    if sum(load_w[zone] for zone in dropped) <= least:
        return ""
    return f"of {len(load_w)} zones no more than {LARGEST_SET} were dropped at a time"


class Oracle:
    """Restorations of one faulted feeder, on a circuit of its own (`circuit` must not be anyone else's)."""

    def __init__(self, circuit: Circuit, *, max_solves: int = 8000) -> None:
        self._circuit = circuit
        self._overlay = circuit.overlay
        self._max_solves = max_solves
        self._solves = 0
        self._row = {name: i for i, name in enumerate(circuit.engine.node_names())}
        self._base = circuit.engine.node_bases()
        self._ratings = self._rated_lines()

    def best(self, state: FeederState, *, faulted_line: str) -> Restoration:
        """The best restoration from a state in which protection has locked out."""
        zone_of = _zones(self._circuit, overlay=self._overlay, closed=state.closed)
        live = self._circuit.topology.energised(state.closed)
        live_buses = {bus for bus, _ in live}
        faulted = {
            zone_of[bus]
            for conductor in self._circuit.topology.conductors
            if conductor.element == faulted_line
            for pair in conductor.pairs
            for bus, _ in pair
        }
        zones = {zone: self._zone(zone, zone_of=zone_of, demand_va=state.demand_va) for zone in set(zone_of.values())}
        dead = {zone for zone, record in zones.items() if not record.buses & live_buses}
        lost_w = sum(zones[zone].load_w for zone in dead | faulted)
        candidates = frozenset(dead - faulted)
        edges = self._edges(zone_of, candidates=candidates, faulted=faulted)
        self._solves = 0
        nothing = Restoration(restorable_w=0.0, lost_w=lost_w, switches={}, solves=0, unproven="")
        if not self._stand(state):
            return replace(nothing, unproven=f"the feeder as it stands has no solution: {self._circuit.engine.problem}")
        bounds = self._present_bounds(live_buses)
        load_w = {zone: zones[zone].load_w for zone in candidates}
        for dropped in _dropped_in_order(load_w):
            kept = candidates - dropped
            kept_edges = tuple(e for e in edges if {e[1], e[2]} <= kept | {-1})
            for forest in _forests(kept, edges=kept_edges, root=-1):
                if self._solves >= self._max_solves:
                    ended = f"the budget of {self._max_solves} solves ended the search"
                    return replace(nothing, solves=self._solves, unproven=ended)
                positions = self._positions(state, forest=forest, edges=edges, faulted=faulted, zone_of=zone_of)
                if self._within_limits(positions, state=state, bounds=bounds):
                    return Restoration(
                        restorable_w=sum(load_w[zone] for zone in kept),
                        lost_w=lost_w,
                        switches={s: c for s, c in positions.items() if state.closed[s] != c},
                        solves=self._solves,
                        unproven=_untried(load_w, dropped=dropped),
                    )
        return replace(nothing, solves=self._solves, unproven=_untried(load_w, dropped=candidates))

    # ---- the graph ------------------------------------------------------------------------------------------

    def _zone(self, zone: int, *, zone_of: Mapping[str, int], demand_va: ComplexArray) -> _Zone:
        buses = frozenset(bus for bus, z in zone_of.items() if z == zone)
        rows = tuple(i for i, load in enumerate(self._circuit.loads) if load.bus in buses)
        return _Zone(buses=buses, load_w=float(demand_va[list(rows)].real.sum()) if rows else 0.0)

    def _edges(
        self, zone_of: Mapping[str, int], *, candidates: frozenset[int], faulted: set[int]
    ) -> tuple[tuple[str, int, int], ...]:
        edges = []
        for switch in self._overlay.switches:
            if not switch.remote:
                continue
            (fr, _), (to, _) = self._circuit.topology.switch_pairs(switch.id)[0]
            ends = zone_of[fr], zone_of[to]
            if set(ends) & faulted or not set(ends) & candidates:
                continue
            a, b = (zone if zone in candidates else -1 for zone in ends)
            edges.append((switch.id, a, b))
        return tuple(edges)

    # ---- the physics ----------------------------------------------------------------------------------------

    def _stand(self, state: FeederState) -> bool:
        engine = self._circuit.engine
        for regulator, position in state.taps.items():
            self._circuit.set_tap(regulator, position=position)
        for capacitor, steps in state.capacitors.items():
            self._circuit.set_capacitor(capacitor, steps=steps)
        for der, power in state.der_va.items():
            engine.set_generator(der.split(".", 1)[1], s_injection_va=power)
        engine.set_loads(state.demand_va)
        self._move(state.closed)
        return engine.solve()

    def _move(self, positions: Mapping[str, bool]) -> None:
        for switch, closed in positions.items():
            self._circuit.engine.set_switch(self._circuit.element(switch), closed=closed)

    def _present_bounds(self, live_buses: set[str]) -> _Bounds:
        """The limits, or what the live part has already where that is outside them."""
        limits = self._overlay.limits
        v_pu = np.abs(self._circuit.engine.voltages()) / self._base
        live = [float(v_pu[row]) for (bus, _), row in self._row.items() if bus in live_buses]
        return _Bounds(
            normal=(min([limits.v_min_pu, *live]), max([limits.v_max_pu, *live])),
            emergency=(min([limits.v_emergency_min_pu, *live]), max([limits.v_emergency_max_pu, *live])),
        )

    def _positions(
        self,
        state: FeederState,
        *,
        forest: tuple[str, ...],
        edges: tuple[tuple[str, int, int], ...],
        faulted: set[int],
        zone_of: Mapping[str, int],
    ) -> dict[str, bool]:
        positions = dict(state.closed)
        for switch in self._overlay.switches:
            buses = {bus for pair in self._circuit.topology.switch_pairs(switch.id) for bus, _ in pair}
            if switch.remote and {zone_of[bus] for bus in buses} & faulted:
                positions[switch.id] = False
        for name, _, _ in edges:
            positions[name] = name in forest
        return positions

    def _within_limits(self, positions: Mapping[str, bool], *, state: FeederState, bounds: _Bounds) -> bool:
        self._move(positions)
        live = [self._row[node] for node in self._circuit.topology.energised(positions)]
        v_pu = self._solved(live)
        if v_pu is None or v_pu.min() < bounds.emergency[0] or v_pu.max() > bounds.emergency[1]:
            return False
        if not self._within_ratings():
            return False
        return self._outside(v_pu, bounds=bounds) == 0.0 or self._cured(live, v_pu, state=state, bounds=bounds)

    def _solved(self, live: list[int]) -> FloatArray | None:
        self._solves += 1
        engine = self._circuit.engine
        return (np.abs(engine.voltages()) / self._base)[live] if engine.solve() else None

    @staticmethod
    def _outside(v_pu: FloatArray, *, bounds: _Bounds) -> float:
        low, high = bounds.normal
        return float((np.maximum(low - v_pu, 0.0) + np.maximum(v_pu - high, 0.0)).sum())

    def _cured(self, live: list[int], v_pu: FloatArray, *, state: FeederState, bounds: _Bounds) -> bool:
        """Whether tap steps bring every live node inside; taps are put back."""
        taps, outside = dict(state.taps), self._outside(v_pu, bounds=bounds)
        held = False
        for _ in range(MAX_CURE_STEPS):
            trials: list[tuple[float, str, int]] = []
            for regulator, position in taps.items():
                for step in (-1, 1):
                    control = self._circuit.regulators[regulator]
                    if not control.tap_low <= position + step <= control.tap_high:
                        continue
                    self._circuit.set_tap(regulator, position=position + step)
                    found = self._solved(live)
                    if found is not None:
                        trials.append((self._outside(found, bounds=bounds), regulator, position + step))
                self._circuit.set_tap(regulator, position=position)
            best = min(trials, default=(outside, "", 0))
            if best[0] >= outside - 1e-9:
                break
            outside = best[0]
            taps[best[1]] = best[2]
            self._circuit.set_tap(best[1], position=best[2])
            if outside == 0.0:
                held = self._solved(live) is not None and self._within_ratings()
                break
        for regulator, position in state.taps.items():
            self._circuit.set_tap(regulator, position=position)
        return held

    def _within_ratings(self) -> bool:
        engine = self._circuit.engine
        for source in self._overlay.sources:
            _, power = engine.flows(self._circuit.element(source.id), terminal=0)
            if source.p_max_w is not None and -float(power.real.sum()) > source.p_max_w:
                return False
        return all(
            float(np.abs(engine.flows(line, terminal=0)[0]).max()) <= rating for line, rating in self._ratings.items()
        )

    def _rated_lines(self) -> dict[str, float]:
        ratings: dict[str, float] = {}
        for conductor in self._circuit.topology.conductors:
            for entry in self._overlay.ratings:
                named = conductor.element in entry.elements
                if named or (
                    conductor.element not in ratings and (entry.default or entry.phases == len(conductor.pairs))
                ):
                    ratings[conductor.element] = entry.normal_a
                if named:
                    break
        return {self._circuit.element(element): rating for element, rating in ratings.items()}
