"""Fifty feeders of 3,000 nodes, each with a scan a second, on one core: processor seconds per second of virtual time.
Loads move, every value has noise of its own, a hundredth of the points is silent in each scan, some meters are late and
are aged, what is expected of every load moves from scan to scan as forecasts do, and each feeder moves two regulator
taps an hour. Processor time is that of all threads: BLAS has to have one (`tests/conftest.py`), as in the service; with
two, the second waits for work all the time and is counted."""

import time
from dataclasses import dataclass, replace

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from adms.core.ids import ModelVersion
from adms.core.telemetry import IntArray, PointKind, Quality, TelemetrySnapshot
from adms.estimation import LoadPrior
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from tests.benchmarks.feeder_scans import POLICY, MeteredFeeder, Scanning, metered_feeder
from tests.benchmarks.joined_copies import joined_copies
from tests.estimation_study.day_feeders import AGEING
from tests.estimation_study.networks import arrays_of

FEEDERS = 50
NODES = 3000
SECONDS = 12
"""Of virtual time, beyond the first scan of each feeder."""
SILENT_FRAC = 0.01
LATE_FRAC = 0.05
"""Of the voltage meters: theirs is the value of some seconds ago."""
LATEST_S = 5
EXPECTED_MOVES_FRAC = 0.01
"""By how much what is expected of a load differs from scan to scan, standard deviation."""
TAPS_AN_HOUR = 2.0
AGED_POLICY = replace(POLICY, ageing=AGEING)
NETWORKS = ("34", "123")
"""Whose copies are joined; feeders take turns."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network of about 3,000 nodes that several feeders have in common, each with draws of its own."""

    feeder: MeteredFeeder
    late: IntArray
    """Points whose values come late."""


def network(name: str) -> Network:
    """Copies of a feeder, joined."""
    one = arrays_of(name)
    arrays = NetworkArrays(
        joined_copies(one.model, count=round(NODES / one.node_count)), version=ModelVersion(f"copies of {name}")
    )
    feeder = metered_feeder(arrays)
    voltages = np.flatnonzero([key.kind is PointKind.V_MAGNITUDE for key in feeder.plan.keys])
    return Network(feeder=feeder, late=voltages[:: round(1.0 / LATE_FRAC)])


def seconds_of(one: Network, *, seed: int, grid: GridState | None) -> list[TelemetrySnapshot]:
    """A scan a second, before and after drop-outs and delays."""
    rng = np.random.default_rng([seed, 1])
    taken = one.feeder.scans(count=SECONDS + 1, seed=seed, grid=grid)
    late = {int(row): int(rng.integers(1, LATEST_S + 1)) for row in one.late}
    made = []
    for second, scan in enumerate(taken):
        value, age = scan.value.copy(), scan.age_s.copy()
        for row, delay in late.items():
            value[row], age[row] = taken[max(second - delay, 0)].value[row], float(delay)
        silent = rng.random(len(value)) < SILENT_FRAC
        value[silent], age[silent] = np.nan, np.inf
        quality = np.where(silent, int(Quality.MISSING), int(Quality.GOOD))
        made.append(replace(scan, value=value, age_s=age, quality=quality))
    return made


def expected_of(one: Network, *, seed: int) -> list[LoadPrior]:
    """A prior a second."""
    rng, prior = np.random.default_rng([seed, 2]), one.feeder.prior
    draws = rng.standard_normal((SECONDS + 1, len(prior.s_nominal_va)))
    return [replace(prior, s_nominal_va=prior.s_nominal_va * (1.0 + EXPECTED_MOVES_FRAC * draw)) for draw in draws]


def test_fifty_feeders_with_a_scan_a_second_fit_one_core(benchmark: BenchmarkFixture) -> None:
    """Taps move once each here and are weighed by how often they do: so many scans with a move, the rest without."""
    networks = [network(name) for name in NETWORKS]
    states: list[Scanning] = []
    scans: list[list[TelemetrySnapshot]] = []
    priors: list[list[LoadPrior]] = []
    start = time.process_time()
    for number in range(FEEDERS):
        mine = networks[number % len(networks)]
        scans.append(seconds_of(mine, seed=number, grid=None))
        priors.append(expected_of(mine, seed=number))
        states.append(Scanning(mine.feeder, policy=AGED_POLICY))
    made_s = time.process_time() - start
    start = time.process_time()
    for scanning, taken, expected in zip(states, scans, priors, strict=True):
        scanning.scan(taken[0], prior=expected[0])
    first_s = time.process_time() - start
    each: list[float] = []
    factors = 0
    for second in range(1, SECONDS + 1):
        for scanning, taken, expected in zip(states, scans, priors, strict=True):
            before, start = scanning.factors, time.process_time()
            scanning.scan(taken[second], prior=expected[second])
            each.append(time.process_time() - start)
            factors += scanning.factors - before
    usual_s = sum(each) / SECONDS

    moves: list[float] = []
    for number, scanning in enumerate(states[:8]):
        mine = networks[number % len(networks)]
        tapped = mine.feeder.arrays.branches[mine.feeder.arrays.tapped[number]]
        taps = tapped.taps
        assert taps is not None
        normal = mine.feeder.grid.tap_position[tapped.id]
        position = normal - 1 if normal > taps.min_position else normal + 1
        moved = mine.feeder.grid.with_tap(tapped.id, position=position)
        taken = seconds_of(mine, seed=100 + number, grid=moved)
        start = time.process_time()
        scanning.scan(taken[0], grid=moved)
        moves.append(time.process_time() - start)
    move_s = sum(moves) / len(moves) - usual_s / FEEDERS
    load = usual_s + FEEDERS * TAPS_AN_HOUR / 3600.0 * move_s

    def one_second() -> None:
        for scanning, taken, expected in zip(states, scans, priors, strict=True):
            scanning.scan(taken[SECONDS], prior=expected[SECONDS])

    benchmark.pedantic(one_second, rounds=1)  # type: ignore[no-untyped-call]
    usual = sorted(each)
    share = sum(usual[-len(usual) // 100 :]) / sum(usual)
    nodes = [one.feeder.arrays.node_count for one in networks]
    print(
        f"\n{FEEDERS} feeders of {nodes} nodes, {[len(one.feeder.plan.keys) for one in networks]} points: "
        f"{load:.3f} s of one core a second\n"
        f"  a scan {1e3 * usual_s / FEEDERS:.2f} ms on average, median {1e3 * float(np.median(each)):.2f}, "
        f"slowest {1e3 * max(each):.1f}; "
        f"the slowest hundredth takes {share:.0%}; {factors} new factors in {len(each)} scans\n"
        f"  a tap that moves {1e3 * move_s:.1f} ms more; {FEEDERS} first scans {first_s:.2f} s; "
        f"scans drawn in {made_s:.1f} s; tolerance {POLICY.tolerance_pu:g} pu"
    )
    benchmark.extra_info |= {"core_seconds_a_second": load, "scan_ms": 1e3 * usual_s / FEEDERS, "tap_ms": 1e3 * move_s}
    assert load < 1.0
    assert min(nodes) > 2500
