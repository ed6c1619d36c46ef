"""One estimator scan and one power flow on the 123-bus feeder, in one run. Ratios are recorded, no time is asserted."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from adms.core.estimate import Estimate
from adms.estimation import estimate, prior_from_model
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import POLICY
from tests.unit.estimation.test_feeder import drawn, estimated, factor, feeder, metered

pytest.importorskip("pytest_benchmark")


def milliseconds(run: Callable[[], object], *, rounds: int = 9) -> float:
    """Median of several runs."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        took.append(1e3 * (time.perf_counter() - start))
    return float(np.median(took))


def power_flow() -> PowerFlow:
    """The prior's power flow on a given factor."""
    arrays = feeder()
    s = prior_from_model(arrays, POLICY).s_nominal_va
    flow = solve_power_flow(arrays, factor().grid, s_nominal_va=s, factor=factor())
    assert isinstance(flow, PowerFlow)
    return flow


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_one_estimator_scan(benchmark, warm: bool) -> None:  # type: ignore[no-untyped-def]
    arrays = feeder()
    prior = prior_from_model(arrays, POLICY)
    rng = np.random.default_rng(30)
    flow = drawn(rng)
    scans = [metered(flow, rng)[0] for _ in range(8)]
    state, _ = estimated(scans[0], prior, None)
    turn = iter(range(10**9))

    def run() -> Estimate:
        _, got = estimate(
            scans[next(turn) % len(scans)],
            arrays=arrays,
            grid=factor().grid,
            unknown=frozenset(),
            prior=prior,
            policy=POLICY,
            state=state if warm else None,
        )
        assert isinstance(got, Estimate)
        return got

    got = benchmark(run)
    benchmark.extra_info["iterations"] = got.iterations
    benchmark.extra_info["scan_over_power_flow"] = milliseconds(run) / milliseconds(power_flow)


def test_one_power_flow(benchmark) -> None:  # type: ignore[no-untyped-def]
    flow = benchmark(power_flow)
    benchmark.extra_info["iterations"] = flow.iterations
