"""Warm scans of balanced networks beside power-grid-model in one run, everything redrawn from scan to scan: the same
meters, the same pseudo-measurements, the same tolerance, its fastest method that converges, one thread, results of
nodes only. Ours is the whole of `estimate`. pandapower's time is shown beside. What is asserted is a ratio, and first
that both have the same optimum."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import cycle
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adms.core.estimate import ComplexArray
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
from tests.benchmarks.estimation_peers_balanced import BalancedEstimationPeer
from tests.benchmarks.estimation_peers_pandapower import PandapowerEstimation
from tests.benchmarks.estimation_peers_runs import LINEAR, NEWTON
from tests.benchmarks.peers import beside, record
from tests.benchmarks.test_against_power_grid_model import network

WHO = pytest.mark.parametrize("who", ["ours", "power-grid-model"])
TOLERANCE_PU = 1e-5
CONVERGED_PU = 1e-8
"""Of the runs whose optima are compared."""
AGREE_PU = 1e-6
"""With its Newton estimator: the same problem."""
AGREE_LINEAR_PU = 2e-3
"""With its iterative-linear estimator, which ends near the optimum: see `estimation_peers_balanced`."""
SCANS = 8
SIZES = {33: "case33bw", 150: "1-MV-urban--0-sw", 1576: "1-HVMV-urban-all-0-sw", 10458: "1-MVLV-urban-all-0-sw"}
"""Buses, as its users would join them (the last: 10,464 there)."""
pytestmark = pytest.mark.filterwarnings("ignore")  # pandapower's and simbench's own


class Case:
    """One network, one set of meters, some scans, on both sides."""

    def __init__(self, code: str, *, metered_frac: float) -> None:
        arrays = network(code)
        grid = normal_state(arrays.model)
        self.meters = metering(arrays, grid, v_nodes=some_buses(arrays, grid, frac=metered_frac, seed=1))
        self.scans = draws(self.meters, count=SCANS, seed=2)
        self.ours = OurScans(self.meters, policy=replace(NOTHING_SHARED_POLICY, tolerance_pu=TOLERANCE_PU))
        self.peer = BalancedEstimationPeer(self.meters, tolerance_pu=TOLERANCE_PU)
        self.updates = [self.peer.scan_of(values) for values in self.scans]
        print(f"\n{code}: {arrays.node_count} nodes here, {self.peer.node_count} there")
        exact = OurScans(self.meters, policy=replace(NOTHING_SHARED_POLICY, tolerance_pu=CONVERGED_PU))
        _, got = exact.scan_once(None, self.scans[0])
        times = self.peer.times(self.updates[:3])
        choose_method(self.peer, times, update=self.updates[0], optimum_pu=got.v_phasor_pu)
        self._compare_optima(got.v_phasor_pu, newton=NEWTON in times)

    def _compare_optima(self, v_phasor_pu: ComplexArray, *, newton: bool) -> None:
        """Both at a tight tolerance."""
        # its linear method gives a power half the weight, see there
        frac = 1.0 if newton else 2.0**-0.5
        peer = BalancedEstimationPeer(self.meters, tolerance_pu=CONVERGED_PU, power_sigma_frac=frac)
        node = peer.scan_once(peer.scan_of(self.scans[0]), method=NEWTON if newton else LINEAR)
        worst, far = peer.difference_pu(node, v_phasor_pu), peer.difference_pu(node, self.scans[0].truth_pu)
        print(f"  optima differ by {worst:.1e} pu, theirs and the truth by {far:.1e} pu")
        assert worst < (AGREE_PU if newton else AGREE_LINEAR_PU)

    def our_turns(self) -> Callable[[], object]:
        """One warm scan a call."""
        turn = cycle(self.scans)
        state: EstimatorState | None = None

        def scan() -> object:
            nonlocal state
            state, got = self.ours.scan_once(state, next(turn))
            return got

        for _ in range(2):
            scan()
        return scan

    def their_turns(self) -> Callable[[], object]:
        """One update and one estimation a call."""
        turn = cycle(self.updates)
        return lambda: self.peer.scan_once(next(turn))


@cache
def case(code: str, metered_frac: float) -> Case:
    """Made once for both turns."""
    return Case(code, metered_frac=metered_frac)


@WHO
@pytest.mark.parametrize("metered_frac", [0.05, 1.0])
@pytest.mark.parametrize("buses", SIZES)
def test_a_warm_scan_with_everything_redrawn(
    benchmark: BenchmarkFixture, buses: int, metered_frac: float, who: str
) -> None:
    benchmark.group = f"{buses} buses, {metered_frac:.0%} with a voltage meter: a warm scan"
    one = case(SIZES[buses], metered_frac)
    ours, theirs = one.our_turns(), one.their_turns()
    benchmark(ours if who == "ours" else theirs)
    if who == "ours":
        found = beside(ours, theirs, rounds=15)
        record(benchmark, benchmark.group, found, peer=f"power-grid-model, {one.peer.method}")
        assert found.ratio <= 1.0


@pytest.mark.parametrize("buses", SIZES)
def test_pandapower_beside(benchmark: BenchmarkFixture, buses: int) -> None:
    """Its time is shown only; three calls."""
    benchmark.group = "pandapower"
    one = case(SIZES[buses], 0.05)
    peer = PandapowerEstimation(solved_net(SIZES[buses]), one.meters)
    turn = cycle(one.scans)

    def run() -> object:
        peer.measure(next(turn))
        return peer.estimate(tolerance_pu=TOLERANCE_PU)

    run()
    taken = [peer.estimate(tolerance_pu=TOLERANCE_PU) for _ in range(2)]
    benchmark.pedantic(run, rounds=1)  # type: ignore[no-untyped-call]
    print(f"\n{buses} buses: pandapower whole {taken[-1].whole_ms:.0f} ms, of which its iterations", end=" ")
    print(f"{taken[-1].inner_ms:.0f} ms, converged {all(t.converged for t in taken)}")
    assert all(isinstance(t.converged, bool) and t.whole_ms > t.inner_ms for t in taken)


def solved_net(code: str) -> Any:
    """A pandapower net with the results of its power flow, from which its estimator starts."""
    import pandapower
    import simbench

    net = pandapower.networks.case33bw() if code == "case33bw" else simbench.get_simbench_net(code)
    pandapower.runpp(net, calculate_voltage_angles=True)
    return net
