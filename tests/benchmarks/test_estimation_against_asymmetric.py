"""Warm scans of three-phase networks beside power-grid-model's asymmetric estimator in one run: as in
`test_estimation_against_power_grid_model`, per phase. A feeder head's EMF has a phasor sensor there, which is our prior
of it; all other voltage meters are of magnitudes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import cycle

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adms.estimation import EstimatorState
from adms.grid.state import normal_state
from tests.benchmarks.estimation_peers import (
    NOTHING_SHARED_POLICY,
    OurScans,
    choose_method,
    draws,
    metering,
    some_buses,
)
from tests.benchmarks.estimation_peers_runs import NEWTON
from tests.benchmarks.estimation_peers_three_phase import (
    EMF_SIGMA_PU,
    ThreePhaseEstimationPeer,
    three_phase_arrays,
)
from tests.benchmarks.peers import beside, record

BUSES = 3000
TOLERANCE_PU = 1e-5
CONVERGED_PU = 1e-8
AGREE_PU = 1e-6
FASTER = 3.0
SCANS = 8
POLICY = replace(NOTHING_SHARED_POLICY, source_v_sigma_pu=EMF_SIGMA_PU, source_angle_sigma_rad=EMF_SIGMA_PU)
WHO = pytest.mark.parametrize("who", ["ours", "power-grid-model"])


@cache
def turns(metered_frac: float) -> tuple[Callable[[], object], Callable[[], object]]:
    """(ours, theirs): one warm scan a call, after both have shown that they have the same optimum."""
    arrays = three_phase_arrays(buses=BUSES, seed=BUSES)
    grid = normal_state(arrays.model)
    meters = metering(arrays, grid, v_nodes=some_buses(arrays, grid, frac=metered_frac, seed=1), source_phases=3)
    scans = draws(meters, count=SCANS, seed=2)
    peer = ThreePhaseEstimationPeer(meters, tolerance_pu=TOLERANCE_PU)
    updates = [peer.scan_of(values) for values in scans]
    print(f"\n{BUSES} three-phase buses, {len(arrays.injectors)} loads, {metered_frac:.0%} with voltage meters")
    _, got = OurScans(meters, policy=replace(POLICY, tolerance_pu=CONVERGED_PU)).scan_once(None, scans[0])
    choose_method(peer, peer.times(updates[:3]), update=updates[0], optimum_pu=got.v_phasor_pu)
    exact = ThreePhaseEstimationPeer(meters, tolerance_pu=CONVERGED_PU)
    worst = exact.difference_pu(exact.scan_once(updates[0], method=NEWTON), got.v_phasor_pu)
    print(f"  optima differ by {worst:.1e} pu; taken: {peer.method}")
    assert worst < AGREE_PU
    own = OurScans(meters, policy=replace(POLICY, tolerance_pu=TOLERANCE_PU))
    our_turn, their_turn = cycle(scans), cycle(updates)
    state: EstimatorState | None = None

    def ours() -> object:
        nonlocal state
        state, found = own.scan_once(state, next(our_turn))
        return found

    for _ in range(2):
        ours()
    return ours, lambda: peer.scan_once(next(their_turn))


@WHO
@pytest.mark.parametrize("metered_frac", [0.05, 1.0])
def test_a_warm_three_phase_scan_with_everything_redrawn(
    benchmark: BenchmarkFixture, metered_frac: float, who: str
) -> None:
    benchmark.group = f"{BUSES} three-phase buses, {metered_frac:.0%} with voltage meters: a warm scan"
    ours, theirs = turns(metered_frac)
    benchmark(ours if who == "ours" else theirs)
    if who == "ours":
        found = beside(ours, theirs, rounds=15)
        record(benchmark, benchmark.group, found, peer="power-grid-model")
        assert found.ratio <= 1.0 / FASTER
