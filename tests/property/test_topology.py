"""Topology kept up switch by switch is the topology worked out anew, and both agree with plain graph searches."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np
import pytest

from adms.core.ids import ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel
from adms.grid.state import GridState, normal_state
from adms.grid.topology import Energised, Topology, topology, topology_of
from tests.property.consequences import node_energised
from tests.unit.grid.small_networks import ABC, bus, line, network, source, switch

MOVES = 40
V = TypeVar("V", bound=Hashable)


def _random_network(rng: np.random.Generator) -> NetworkModel:
    """Buses joined at random by lines, transformers, three-phase switches and single poles; one to three sources."""
    count = int(rng.integers(2, 18))
    names = [f"n{i:02d}" for i in range(count)]
    branches: list[Branch] = []
    for index in range(int(count * rng.uniform(0.8, 1.8))):
        fr, to = rng.choice(count, 2, replace=False) if index >= count else (max(index, 1), rng.integers(max(index, 1)))
        ends = (names[fr], names[to])
        shut = bool(rng.random() < 0.7)
        draw = rng.random()
        if draw < 0.2:
            branches.append(line(f"line.{index:02d}", *ends, (1,) if rng.random() < 0.3 else ABC))
        elif draw < 0.27:
            branches.append(line(f"transformer.{index:02d}", *ends, kind=BranchKind.TRANSFORMER))
        elif draw < 0.7:
            branches.append(switch(f"switch.{index:02d}", *ends, closed=shut))
        else:
            poles = [p for p in ABC if rng.random() < 0.8] or [2]
            branches += [switch(f"switch.{index:02d}{p}", *ends, (p,), closed=shut) for p in poles]
    feeding = rng.choice(count, min(count, int(rng.integers(1, 4))), replace=False)
    return network(
        buses=tuple(bus(name) for name in names),
        sources=tuple(source(f"source.{k}", names[k], ABC if rng.random() < 0.8 else (1,)) for k in sorted(feeding)),
        branches=tuple(branches),
    )


def _hops(edges: Iterable[tuple[V, V]], *, start: Iterable[V]) -> dict[V, int]:
    """Edges between each vertex and the nearest of `start`; what cannot be reached is not in it."""
    pairs = list(edges)
    hops = dict.fromkeys(start, 0)
    for _ in pairs:
        for one, other in [*pairs, *((b, a) for a, b in pairs)]:
            if one in hops:
                hops[other] = min(hops.get(other, len(pairs)), hops[one] + 1)
    return hops


def _parts(edges: Iterable[tuple[V, V]], *, vertices: Iterable[V]) -> set[frozenset[V]]:
    """Connected components."""
    pairs = list(edges)
    return {frozenset(_hops(pairs, start=[vertex])) for vertex in vertices}


def _agrees_with_plain_searches(kept: Topology, arrays: NetworkArrays, grid: GridState) -> None:
    network = kept.network
    np.testing.assert_array_equal(node_energised(kept), arrays.energised(grid))
    shut = [ends for element, ends in network.graph.switch_ends.items() if grid.closed[element]]
    assert {frozenset(island.sections) for island in kept.islands} == _parts(shut, vertices=network.sections)
    hops = _hops(shut, start=[name for name, part in network.graph.sections.items() if part.sources])
    for name in network.sections:
        supply = kept.supply(name)
        part = network.graph.sections[name]
        if supply.parent is None:
            assert hops.get(name, 0) == 0
        else:
            assert hops[supply.parent] == hops[name] - 1
            assert name in kept.supply(supply.parent).children
            assert supply.through
        alive = arrays.energised(grid)[list(part.node_rows)]
        want = Energised.FULLY if alive.all() else Energised.PARTLY if alive.any() else Energised.DEAD
        assert supply.energised is want
        assert bool(supply.sources) == bool(alive.any())
    poles = [(fr, to) for element in kept.closed for fr, to, _ in network.conductor_pairs[element]]
    conductors = {conductor for pole in poles for conductor in pole}
    assert len(kept.loops) == len(poles) - len(conductors) + len(_parts(poles, vertices=conductors))
    for loop in kept.loops:
        assert loop.closed_by in loop.switches
        assert set(loop.switches) <= kept.closed
        ring = [(fr, to) for element in loop.switches for fr, to, _ in network.conductor_pairs[element]]
        ways = [(fr, to) for fr, to, phase in network.conductor_pairs[loop.closed_by] if phase == loop.phase]
        ring.remove(ways[0])
        assert ways[0][1] in _hops(ring, start=[ways[0][0]])


@pytest.mark.parametrize("seed", range(60))
def test_topology_kept_up_over_random_switching_equals_a_rebuild(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = _random_network(rng)
    arrays = NetworkArrays(model, version=ModelVersion("test"))
    grid = normal_state(model)
    kept = topology_of(arrays, grid)
    switches = sorted(grid.closed)
    for _ in range(MOVES if switches else 0):
        moved = ElementId(rng.choice(switches))
        grid = grid.with_switch(moved, closed=not grid.closed[moved])
        kept = kept.with_switch(moved, closed=grid.closed[moved])
        assert kept == topology(kept.network, closed=[s for s, shut in grid.closed.items() if shut])
    _agrees_with_plain_searches(kept, arrays, grid)
