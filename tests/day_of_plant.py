"""A day of the bench's plant, with all that was done to it, for another engine to live through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import cos, pi
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hil.arms import Bench, open_bench
from hil.engine import ComplexArray
from hil.feeders import FeederFiles
from hil.plant.circuit import Node
from hil.plant.der import DerUnit
from hil.plant.plant import Plant
from hil.scenario_file import read_scenario
from tests.second_engine import Answer, Day

HOUR_S = 3600.0
LOAD_LEVEL = ((0.0, 0.55), (4.5, 0.45), (7.5, 0.9), (12.0, 0.8), (16.0, 0.75), (19.0, 1.25), (22.0, 0.9), (24.0, 0.55))
"""(hour, share of the scenario's mean): night valley, morning, evening peak."""

Prepare = Callable[[Plant], None]


@dataclass(frozen=True, kw_only=True)
class PlantDay:
    """What the plant did."""

    day: Day
    nodes: tuple[Node, ...]
    v_phasor_v: ComplexArray
    """(steps, nodes)"""
    moves: int
    """Of taps and capacitors."""


def quiet_bench(files: FeederFiles, *, seed: int = 1, turbulent: bool = False) -> Bench:
    """A feeder with its scenario's loads and no fault. Turbulent: every load swings by 40 % within a minute."""
    scenario = read_scenario(files.scenario)
    loads = scenario.loads
    if not turbulent:
        loads = replace(loads, sigma_frac=0.1, correlation_s=3600.0, common_correlation_s=7200.0)
    scenario = replace(scenario, loads=loads, clear_frac=1.0, clouds=(), fault=None)
    return open_bench(files, scenario=scenario, seed=seed, fault_line=None, fault_kind=None)


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


@dataclass(kw_only=True)
class _Kept:
    load_va: list[ComplexArray] = field(default_factory=list)
    der_va: list[list[complex]] = field(default_factory=list)
    v_phasor_v: list[ComplexArray] = field(default_factory=list)
    taps: list[list[int]] = field(default_factory=list)
    capacitors: list[list[int]] = field(default_factory=list)

    def take(self, plant: Plant) -> None:
        self.load_va.append(plant.demand_va)
        self.der_va.append([complex(unit.p_w, unit.q_var) for unit in plant.ders.values()])
        self.v_phasor_v.append(plant.v_phasor_v)
        self.taps.append(list(plant.taps.values()))
        self.capacitors.append(list(plant.capacitors.values()))


def day_of(
    bench: Bench, *, step_s: float, from_hour: float = 0.0, hours: float = 24.0, prepare: Prepare | None = None
) -> PlantDay:
    """Let the plant live some hours of a day on its local controls, and keep everything. The first row is where it
    starts: at rest, before anything has been looked at."""
    ramp = tuple(((h - from_hour) * HOUR_S, level) for h, level in LOAD_LEVEL)
    scenario = replace(
        bench.scenario,
        timing=replace(bench.scenario.timing, step_s=step_s),
        loads=replace(bench.scenario.loads, ramp=ramp),
    )
    plant = replace(bench, scenario=scenario).plant()
    if prepare is not None:
        prepare(plant)
    kept = _Kept()
    for k in range(1, round(hours * HOUR_S / step_s) + 1):
        for unit in plant.ders.values():
            assert isinstance(unit, DerUnit)
            _aim(unit, hour=from_hour + k * step_s / HOUR_S)
        if k == 1:
            start = list(plant.taps.values()), list(plant.capacitors.values())
        plant.advance(k * step_s)
        kept.take(plant)
    if plant.unsolved:
        raise AssertionError(f"no solution: {plant.unsolved[:3]}")
    taps, capacitors = _with_start(start[0], kept.taps), _with_start(start[1], kept.capacitors)
    return PlantDay(
        day=Day(
            step_s=step_s,
            loads=[load.name for load in plant.circuit.loads],
            load_va=np.array(kept.load_va),
            ders=list(plant.ders),
            der_va=np.array(kept.der_va),
            taps=dict(zip(plant.taps, taps.T, strict=True)),
            capacitors=dict(zip(plant.capacitors, capacitors.T, strict=True)),
        ),
        nodes=plant.circuit.nodes,
        v_phasor_v=np.array(kept.v_phasor_v),
        moves=int(np.count_nonzero(np.diff(taps, axis=0)) + np.count_nonzero(np.diff(capacitors, axis=0))),
    )


def _with_start(start: list[int], rows: list[list[int]]) -> npt.NDArray[np.int64]:
    return np.array([start, *rows], dtype=np.int64).reshape(len(rows) + 1, len(start))


def house_profiles(folder: Path, *, count: int) -> npt.NDArray[np.float64]:
    """Active power of the first `count` houses of the European LV feeder, W, (minutes, houses)."""
    columns = [np.loadtxt(folder / f"load_profile_{house}.txt") * 1e3 for house in range(1, count + 1)]
    return np.array(columns, dtype=np.float64).T


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two engines differ most."""

    v_pu: float
    """As phasors, of the node's base."""
    node: Node
    step: int


def differs(lived: PlantDay, *, answer: Answer) -> Difference:
    """The largest difference of a voltage, and where. Raises KeyError for a node that the answer does not have."""
    row = {node: i for i, node in enumerate(answer.nodes)}
    rows = [row[node] for node in lived.nodes]
    off_pu = np.abs(lived.v_phasor_v - answer.v_phasor_v[:, rows]) / answer.base_v[rows]
    step, place = np.unravel_index(int(np.argmax(off_pu)), off_pu.shape)
    return Difference(v_pu=float(off_pu[step, place]), node=lived.nodes[int(place)], step=int(step))


def moved_apart(lived: PlantDay, *, answer: Answer) -> dict[str, int]:
    """In how many steps a device stands elsewhere, and those that ever do."""
    taps, capacitors = lived.day.taps or {}, lived.day.capacitors or {}
    apart = {name: int(np.count_nonzero(mine[1:] != answer.taps[name])) for name, mine in taps.items()}
    apart |= {name: int(np.count_nonzero(mine[1:] != answer.capacitors[name])) for name, mine in capacitors.items()}
    return {name: count for name, count in apart.items() if count}
