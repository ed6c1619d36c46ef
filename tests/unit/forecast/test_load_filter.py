"""The filter of the classes: one step by hand, a month, sums of two classes, and what must not poison it."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.telemetry import FloatArray
from adms.forecast.class_motion import ClassProcess
from adms.forecast.load_filter import ClassFilter, ClassRows, Filtered, cold_filter, deviations, stepped
from adms.forecast.policy import ClassMotion
from tests.unit.forecast.test_class_motion import process_of

ONE = process_of(ClassMotion(), common=(0.15,))
MINUTE_S = 60.0


def rows_of(value: float, *, weight: FloatArray | None = None, sigma: float = 0.01) -> ClassRows:
    w = np.array([[1.0, 0.0]]) if weight is None else weight
    return ClassRows(value=np.array([value]), weight=w, covariance=np.array([[sigma**2]]))


def step(state: ClassFilter, rows: ClassRows, *, time_s: float, process: ClassProcess = ONE) -> Filtered:
    hour = time_s / 3600.0 % 24.0
    return stepped(state, process=process, rows=rows, time_s=time_s, hour=hour, gate_sigma=5.0, refusals_max=10)


def now_of(state: ClassFilter, *, time_s: float, process: ClassProcess = ONE) -> tuple[FloatArray, FloatArray]:
    return deviations(state, process=process, time_s=time_s, hour=time_s / 3600.0 % 24.0)


def test_one_step_from_cold_is_the_scalar_kalman_formula() -> None:
    # S = 0.0238 + 0.01^2 = 0.0239; gain 0.0238 / 0.0239; mean 0.1 gain, variance 0.0238 (1 - gain) = 9.958e-5.
    done = step(cold_filter(ONE), rows_of(0.1), time_s=36_000.0)
    mean, covariance = now_of(done.state, time_s=36_000.0)
    assert done.normalized[0] == pytest.approx(0.1 / 0.0239**0.5, rel=1e-12)
    assert mean[0] == pytest.approx(0.1 * 0.0238 / 0.0239, rel=1e-12)
    assert covariance[0, 0] == pytest.approx(0.0238 * 0.0001 / 0.0239, rel=1e-9)


def test_a_second_step_carries_the_first_by_the_matrix_exponential() -> None:
    # The same in dense linear algebra, written out: x' = F x, P' = F P F^T + Q, Joseph's form is not used.
    first = step(cold_filter(ONE), rows_of(0.1), time_s=36_000.0).state
    second = step(first, rows_of(0.12), time_s=36_600.0).state
    f = ONE.transition(600.0)
    x, p = f @ first.x, f @ first.covariance @ f.T + ONE.noise(f)[0]
    h = ONE.reading(36_600.0 / 3600.0)[0]
    gain = p @ h / (h @ p @ h + 1e-4)
    assert second.x == pytest.approx(x + gain * (0.12 - h @ x), abs=1e-14)
    assert second.covariance == pytest.approx(p - np.outer(gain, h @ p), abs=1e-14)


def simulated(rng: np.random.Generator, process: ClassProcess, *, steps: int, step_s: float) -> FloatArray:
    """[step] deviation of P of the one class, drawn from the process."""
    f = process.transition(step_s)
    # What has no spread is given one of 1e-9, for the factors.
    tiny = 1e-18 * np.eye(process.block)
    noise = np.linalg.cholesky(process.noise(f)[0] + tiny)
    x = np.linalg.cholesky(process.stationary[0] + tiny) @ rng.standard_normal(process.block)
    out = np.empty(steps)
    for k in range(steps):
        if k:
            x = f @ x + noise @ rng.standard_normal(process.block)
        out[k] = process.reading(k * step_s / 3600.0 % 24.0)[0] @ x
    return out


def test_a_month_from_the_stated_process_gives_innovations_of_unit_variance_and_honest_forecasts() -> None:
    # 30 days of quarter hours. Innovations: 2,880, so 4 sqrt(2 / 2880) = 0.11. One hour ahead, every hour: 720 of them,
    # 4 sqrt(2 / 720) = 0.21.
    rng = np.random.default_rng(11)
    truth = simulated(rng, ONE, steps=30 * 96, step_s=900.0)
    state, normalized, ahead = cold_filter(ONE), [], []
    kept = state
    for k, y in enumerate(truth):
        if k >= 4 and k % 4 == 0:
            mean, covariance = now_of(kept, time_s=k * 900.0)
            ahead.append((y - mean[0]) / np.sqrt(covariance[0, 0]))
        done = step(state, rows_of(y + 0.01 * rng.standard_normal()), time_s=k * 900.0)
        state = done.state
        normalized.append(done.normalized[0])
        if k % 4 == 0:
            kept = state
    assert np.var(normalized) == pytest.approx(1.0, abs=0.11)
    assert np.mean(np.square(ahead)) == pytest.approx(1.0, abs=0.21)
    assert np.mean(np.abs(normalized) < 1.96) == pytest.approx(0.95, abs=0.02)


def test_the_level_follows_a_class_that_drifts() -> None:
    # From nothing to 20 % up in ten hours; a cold profile would be wrong by all of it.
    state = cold_filter(ONE)
    for k in range(600):
        state = step(state, rows_of(0.2 * k / 600.0), time_s=k * MINUTE_S).state
    mean, covariance = now_of(state, time_s=600 * MINUTE_S)
    assert mean[0] == pytest.approx(0.2, abs=0.01)
    assert abs(mean[0] - 0.2) < 3.0 * np.sqrt(covariance[0, 0])


def test_left_alone_it_returns_to_the_spread_of_a_cold_start() -> None:
    state = step(cold_filter(ONE), rows_of(0.2, sigma=0.001), time_s=0.0).state
    mean, covariance = now_of(state, time_s=365 * 86400.0)
    assert mean[0] == pytest.approx(0.0, abs=1e-6)
    assert covariance[0, 0] == pytest.approx(0.0238, rel=1e-6)


def test_the_sum_of_two_classes_is_known_and_the_difference_is_not() -> None:
    two = process_of(ClassMotion(), common=(0.15, 0.15))
    state = cold_filter(two)
    weight = np.array([[0.5, 0.5, 0.0, 0.0]])
    for k in range(500):
        state = step(state, rows_of(0.1, weight=weight, sigma=0.005), time_s=k * MINUTE_S, process=two).state
    mean, covariance = now_of(state, time_s=499 * MINUTE_S, process=two)
    assert mean[:2] == pytest.approx([0.1, 0.1], abs=0.005)
    total, apart = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.5, -0.5, 0.0, 0.0])
    assert np.sqrt(total @ covariance @ total) < 0.006
    # The difference of two that nobody tells apart keeps its cold spread: sqrt(0.0238 / 2).
    assert apart @ covariance @ apart == pytest.approx(0.0238 / 2.0, rel=0.01)


def test_one_bad_scan_teaches_nothing() -> None:
    state = cold_filter(ONE)
    for k in range(60):
        state = step(state, rows_of(0.05), time_s=k * MINUTE_S).state
    done = step(state, rows_of(40.0), time_s=3600.0)
    assert done.used.tolist() == [0]
    after, before = now_of(done.state, time_s=3660.0), now_of(state, time_s=3660.0)
    assert after[0] == pytest.approx(before[0], abs=1e-12)
    assert np.sqrt(after[1][0, 0]) < 1.1 * np.sqrt(before[1][0, 0])


def test_a_gross_error_in_one_area_is_seen_though_single_areas_are_loosely_tied() -> None:
    # Two areas whose own parts are wide (10 units) and cancel in the sum, which is measured to 0.1.
    wide = 100.0 * np.array([[1.0, -1.0], [-1.0, 1.0]]) + 0.01 * np.eye(2)
    weight = np.array([[5.0, 0.0], [5.0, 0.0]])
    state = cold_filter(ONE)
    for k in range(30):
        rows = ClassRows(value=np.array([4.0, -4.0]), weight=weight, covariance=wide)
        state = step(state, rows, time_s=k * MINUTE_S).state
    spoiled = ClassRows(value=np.array([4.0 + 6.0, -4.0]), weight=weight, covariance=wide)
    done = step(state, spoiled, time_s=1800.0)
    assert done.used.sum() == 1
    assert now_of(done.state, time_s=1800.0)[0][0] == pytest.approx(0.0, abs=0.02)


def test_a_change_that_stays_is_believed_after_some_refusals() -> None:
    state = cold_filter(ONE)
    for k in range(60):
        state = step(state, rows_of(0.0, sigma=0.002), time_s=k * MINUTE_S).state
    used = []
    for k in range(60, 90):
        done = step(state, rows_of(0.6, sigma=0.002), time_s=k * MINUTE_S)
        state = done.state
        used.append(int(done.used[0]))
    assert used[0] == 0
    assert used[-1] == 1
    assert now_of(state, time_s=90 * MINUTE_S)[0][0] == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_nothing_that_comes_in_makes_a_state_that_is_no_number(value: float) -> None:
    state = step(cold_filter(ONE), rows_of(0.05), time_s=0.0).state
    for k in range(1, 30):
        with np.errstate(all="ignore"):
            state = step(state, rows_of(value), time_s=k * MINUTE_S).state
    mean, covariance = now_of(state, time_s=30 * MINUTE_S)
    assert np.isfinite(mean).all()
    assert (np.diag(covariance) >= 0.0).all()


def test_a_class_that_moves_more_than_stated_is_given_more_spread_and_loses_it_again() -> None:
    rng = np.random.default_rng(5)
    wild = replace(ONE, common_sigma_frac=ONE.common_sigma_frac * 3.0)
    truth = simulated(rng, wild, steps=10 * 96, step_s=900.0)
    state = cold_filter(ONE)
    late = []
    for k, y in enumerate(truth):
        done = step(state, rows_of(y), time_s=k * 900.0)
        state = done.state
        if k > 5 * 96:
            late.append(done.normalized[0])
    # Nine times the variance was not stated; 480 innovations: 4 sqrt(2 / 480) = 0.26, and the factor itself wanders.
    assert 0.7 < np.var(late) < 1.5
    assert 3.0 < state.inflation[0] < 16.0
    calm = simulated(rng, ONE, steps=20 * 96, step_s=900.0)
    for k, y in enumerate(calm, start=len(truth)):
        state = step(state, rows_of(y), time_s=k * 900.0).state
    assert state.inflation[0] < 2.0
