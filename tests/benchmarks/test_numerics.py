"""One estimator scan and one power flow on the 123-bus feeder, in one run. Ratios are recorded, no time is asserted."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from adms.core.estimate import Estimate
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimatorState, estimate, prior_from_model
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import POLICY, snapshot, true_values, usual_sigma, voltage_keys
from tests.unit.estimation.test_feeder import factor, feeder, keys

SCANS = 60


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


def advancing(rng: np.random.Generator) -> list[TelemetrySnapshot]:
    """Scans every 2 s of a feeder that lives: the level ramps by 0.2 % a scan, each load wanders by 1 % and each DER by
    2 % of its power, and every meter has noise, those at the neighbours' unloaded buses included."""
    arrays = feeder()
    neighbours = [source.nodes[0].bus for source in arrays.model.sources]
    metered = tuple(dict.fromkeys([*keys(), *voltage_keys(arrays, neighbours)]))
    s = prior_from_model(arrays, POLICY).s_nominal_va
    own = np.where(arrays.injector_is_der, 0.02, 0.01)
    wander = np.ones(len(s))
    scans = []
    for turn in range(SCANS):
        wander = wander + own * rng.standard_normal(len(s))
        level = 0.8 + 0.002 * min(turn, SCANS - turn)
        flow = solve_power_flow(arrays, factor().grid, s_nominal_va=level * wander * s, factor=factor())
        assert isinstance(flow, PowerFlow)
        value = true_values(arrays, factor().grid, flow=flow, keys=metered)
        sigma = usual_sigma(arrays, metered, value)
        noisy = value + sigma * rng.standard_normal(len(value))
        scans.append(snapshot(arrays, metered, value=noisy, sigma=sigma))
    return scans


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_one_estimator_scan(benchmark, warm: bool) -> None:  # type: ignore[no-untyped-def]
    """Warm: the next scan of a living feeder with the state of the one before. Cold: a scan without a state."""
    arrays = feeder()
    prior = prior_from_model(arrays, POLICY)
    scans = advancing(np.random.default_rng(30))
    turn = iter(range(10**9))
    state: EstimatorState | None = None
    factors = taken = 0

    def run() -> Estimate:
        nonlocal state, factors, taken
        after, got = estimate(
            scans[next(turn) % SCANS],
            arrays=arrays,
            grid=factor().grid,
            unknown=frozenset(),
            prior=prior,
            policy=POLICY,
            state=state,
        )
        assert isinstance(got, Estimate)
        assert after is not None
        taken += 1
        factors += state is None or after.system is not state.system
        state = after if warm else None
        return got

    run()
    got = benchmark(run)
    benchmark.extra_info["iterations"] = got.iterations
    benchmark.extra_info["new_factors_per_scan"] = factors / taken
    benchmark.extra_info["scan_over_power_flow"] = milliseconds(run) / milliseconds(power_flow)


def test_one_power_flow(benchmark) -> None:  # type: ignore[no-untyped-def]
    flow = benchmark(power_flow)
    benchmark.extra_info["iterations"] = flow.iterations
