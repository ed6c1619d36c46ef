"""A day of the bench's plant, with what was done to it, for another engine to live through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import cos, pi

import numpy as np

from hil.arms import Bench
from hil.engine import ComplexArray
from hil.plant.circuit import Node
from hil.plant.der import DerUnit
from hil.plant.plant import Plant
from tests.second_engine import Answer, Day

HOUR_S = 3600.0
LOAD_LEVEL = ((0.0, 0.55), (4.5, 0.45), (7.5, 0.9), (12.0, 0.8), (16.0, 0.75), (19.0, 1.25), (22.0, 0.9), (24.0, 0.55))
"""(hour, share of the mean): night valley, morning, evening peak; beyond full load, so that taps reach their ends."""


@dataclass(frozen=True, kw_only=True)
class PlantDay:
    """What the plant did."""

    day: Day
    nodes: tuple[Node, ...]
    v_phasor_v: ComplexArray
    """(steps, nodes)"""
    moves: int
    """Of taps and capacitors."""


def _sun(hour: float) -> float:
    return max(0.0, cos((hour - 12.5) / 14.0 * pi))


def _aim(unit: DerUnit, *, hour: float) -> None:
    """Rooftops follow the sun and absorb reactive power; batteries charge at noon and give in the evening."""
    entry = unit.entry
    if entry.kind == "pv":
        unit.p_target_w = entry.p_max_w * _sun(hour)
        unit.q_target_var = -0.5 * entry.q_max_var * _sun(hour)
    elif entry.kind == "battery":
        unit.p_target_w = entry.p_max_w * (0.8 if 17.0 <= hour < 20.0 else -0.5 if 11.0 <= hour < 14.0 else 0.0)
        unit.q_target_var = 0.6 * entry.q_max_var if 17.0 <= hour < 21.0 else 0.0
    else:
        unit.p_target_w = entry.p_min_w if 18.0 <= hour < 22.0 else 0.2 * entry.p_min_w


def day_of(bench: Bench, *, step_s: float, from_hour: float, hours: float) -> PlantDay:
    """Let the plant live some hours of a day, local controls on, and keep everything."""
    loads = replace(bench.scenario.loads, ramp=tuple(((h - from_hour) * HOUR_S, level) for h, level in LOAD_LEVEL))
    scenario = replace(
        bench.scenario,
        timing=replace(bench.scenario.timing, step_s=step_s),
        loads=loads,
        clear_frac=1.0,
        clouds=(),
        fault=None,
    )
    plant = replace(bench, scenario=scenario).plant()
    kept: dict[str, list[object]] = {name: [] for name in ("load", "der", "v", "tap", "capacitor")}
    # The first row is where the day starts: at rest, before anything has been looked at.
    for k in range(round(hours * HOUR_S / step_s) + 1):
        for unit in plant.ders.values():
            _aim(unit, hour=from_hour + k * step_s / HOUR_S)
        plant.advance(k * step_s)
        _keep(kept, plant)
    if plant.unsolved:
        raise AssertionError(f"no solution: {plant.unsolved[:3]}")
    taps = np.array(kept["tap"], dtype=np.int64)
    capacitors = np.array(kept["capacitor"], dtype=np.int64)
    return PlantDay(
        day=Day(
            step_s=step_s,
            loads=[load.name for load in plant.circuit.loads],
            load_va=np.array(kept["load"]),
            ders=list(plant.ders),
            der_va=np.array(kept["der"]),
            taps=dict(zip(plant.taps, taps.T, strict=True)),
            capacitors=dict(zip(plant.capacitors, capacitors.T, strict=True)),
        ),
        nodes=plant.circuit.nodes,
        v_phasor_v=np.array(kept["v"]),
        moves=int(np.count_nonzero(np.diff(taps, axis=0)) + np.count_nonzero(np.diff(capacitors, axis=0))),
    )


def _keep(kept: Mapping[str, list[object]], plant: Plant) -> None:
    kept["load"].append(plant.demand_va)
    kept["der"].append([complex(unit.p_w, unit.q_var) for unit in plant.ders.values()])
    kept["v"].append(plant.v_phasor_v)
    kept["tap"].append(list(plant.taps.values()))
    kept["capacitor"].append(list(plant.capacitors.values()))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two engines differ most."""

    v_pu: float
    """As phasors, of the node's base."""
    node: Node
    step: int


def differs(nodes: tuple[Node, ...], v_phasor_v: ComplexArray, *, answer: Answer) -> Difference:
    """The largest difference of a voltage, and where. Raises KeyError for a node that the answer does not have."""
    row = {node: i for i, node in enumerate(answer.nodes)}
    rows = [row[node] for node in nodes]
    off_pu = np.abs(v_phasor_v - answer.v_phasor_v[:, rows]) / answer.base_v[rows]
    step, place = np.unravel_index(int(np.argmax(off_pu)), off_pu.shape)
    return Difference(v_pu=float(off_pu[step, place]), node=nodes[int(place)], step=int(step))
