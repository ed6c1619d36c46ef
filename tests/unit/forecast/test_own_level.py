"""Own levels from late meters: by hand, on simulated customers, out of order, twice, and spoiled."""

import numpy as np
import pytest

from adms.core.telemetry import FloatArray
from adms.forecast.own_level import Means, OwnLevels, OwnMotion, cold_levels, new_means, own_deviation, with_means
from tests.unit.forecast.paths import ou_paths

LEVEL, FAST, TAU_S, T_S = 0.28, 0.28, 2700.0, 900.0
METER = 0.02


def motion_of(count: int) -> OwnMotion:
    return OwnMotion(
        level_var=np.full(count, LEVEL**2),
        fast_var=np.full(count, FAST**2),
        # A customer's habits as good as fixed: the simulated ones are.
        level_tau_s=1e9,
        fast_tau_s=TAU_S,
    )


def means_of(deviation: FloatArray, *, end_s: float, variance: float = METER**2) -> Means:
    count = len(deviation)
    return Means(
        quantity=np.zeros(count, dtype=np.int64),
        load=np.arange(count, dtype=np.int64),
        deviation=deviation,
        variance=np.full(count, variance),
        end_s=np.full(count, end_s),
    )


def after(levels: OwnLevels, means: Means) -> tuple[OwnLevels, FloatArray]:
    motion = motion_of(levels.level.shape[1])
    return with_means(levels, means=means, motion=motion, interval_s=T_S, gate_sigma=5.0)


def test_one_mean_moves_level_and_present_as_worked_out_by_hand() -> None:
    # sigma 1 each, tau = T, no meter error: Var(mean) = 1 + 2/e = 1.735759, Cov(mean, u1) = 1 - 1/e = 0.632121.
    # A mean of 1.735759 then gives g = 1 with variance 1 - 1/1.735759, u = 0.632121 with 1 - 0.632121^2 / 1.735759.
    motion = OwnMotion(level_var=np.ones(1), fast_var=np.ones(1), level_tau_s=1e12, fast_tau_s=T_S)
    means = means_of(np.array([1.7357589]), end_s=5000.0, variance=0.0)
    levels, normalized = with_means(cold_levels(motion), means=means, motion=motion, interval_s=T_S, gate_sigma=5.0)
    assert levels.level[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert levels.fast[0, 0] == pytest.approx(0.6321206, abs=1e-6)
    assert levels.level_var[0, 0] == pytest.approx(0.4238831, abs=1e-6)
    assert levels.fast_var[0, 0] == pytest.approx(0.7697973, abs=1e-6)
    assert levels.cross[0, 0] == pytest.approx(-0.3641753, abs=1e-6)
    assert normalized[0] == pytest.approx(1.7357589**0.5, abs=1e-6)
    # Q was not metered.
    assert levels.level[1, 0] == 0.0
    assert levels.level_var[1, 0] == 1.0


def test_late_meters_halve_the_error_of_each_load_and_say_by_how_much() -> None:
    # 3,000 customers, two days of quarter hours; each mean arrives when its interval is over. The squared normalised
    # error averages 1 within 4 sqrt(2 / 3000) = 0.10.
    rng = np.random.default_rng(7)
    count, step_s = 3000, 60.0
    u = ou_paths(rng, paths=count, steps=2 * 1440 + 61, step_s=step_s, sigma=FAST, tau_s=TAU_S)
    g = LEVEL * rng.standard_normal(count)
    motion = motion_of(count)
    levels = cold_levels(motion)
    innovations = []
    for k in range(1, 2 * 96 + 1):
        inside = u[:, 15 * (k - 1) : 15 * k + 1]
        mean = (inside.sum(axis=1) - 0.5 * (inside[:, 0] + inside[:, -1])) / 15.0
        means = means_of(g + mean + METER * rng.standard_normal(count), end_s=k * T_S)
        levels, normalized = after(levels, means)
        innovations.append(normalized)
    last = 2 * 96 * 15
    for minutes, gain in ((0, 0.35), (15, 0.6), (60, 0.8)):
        mean, variance = own_deviation(levels, motion=motion, time_s=last * step_s + minutes * 60.0)
        error = g + u[:, last + minutes] - mean[0]
        assert (error**2 / variance[0]).mean() == pytest.approx(1.0, abs=0.1)
        # Unmetered it is sqrt(0.28^2 + 0.28^2) = 0.396.
        assert error.std() < gain * 0.396
    assert ((g - levels.level[0]) ** 2 / levels.level_var[0]).mean() == pytest.approx(1.0, abs=0.1)
    assert np.concatenate(innovations).var() == pytest.approx(1.0, abs=0.02)


def test_a_mean_out_of_order_still_tells_the_level_and_leaves_the_newest_in_place() -> None:
    rng = np.random.default_rng(3)
    count = 3000
    u = ou_paths(rng, paths=count, steps=2 * 1440, step_s=60.0, sigma=FAST, tau_s=TAU_S)
    g = LEVEL * rng.standard_normal(count)

    def mean_at(k: int) -> FloatArray:
        return np.asarray(g + u[:, 15 * k : 15 * k + 15].mean(axis=1))

    newest, _ = after(cold_levels(motion_of(count)), means_of(mean_at(180), end_s=181 * T_S))
    both, _ = after(newest, means_of(mean_at(20), end_s=21 * T_S))
    assert (both.newest_end_s[0] == 181 * T_S).all()
    assert (both.last_end_s[0] == 21 * T_S).all()
    before, now = ((g - levels.level[0]) for levels in (newest, both))
    assert now.std() < 0.95 * before.std()
    # The level's variance is not smaller than its error, though it need not be as small.
    assert 0.6 < (now**2 / both.level_var[0]).mean() < 1.1


def test_the_same_interval_reported_again_is_not_news() -> None:
    levels, _ = after(cold_levels(motion_of(2)), means_of(np.array([0.1, 0.2]), end_s=T_S))
    assert len(new_means(levels, means_of(np.array([0.1, 0.2]), end_s=T_S + 0.2)).load) == 0
    assert len(new_means(levels, means_of(np.array([0.1, 0.2]), end_s=2 * T_S)).load) == 2


def test_an_absurd_mean_moves_a_load_no_further_than_the_gate() -> None:
    levels, normalized = after(cold_levels(motion_of(1)), means_of(np.array([1e6]), end_s=T_S))
    assert normalized[0] > 1e6
    # Five sigma of the innovation; the gain on the level is below 1.
    assert levels.level[0, 0] < 5.0 * (LEVEL**2 + FAST**2) ** 0.5
    assert levels.level_var[0, 0] > 0.0


def test_what_is_no_number_teaches_nothing() -> None:
    cold = cold_levels(motion_of(2))
    levels, normalized = after(cold, means_of(np.array([np.nan, np.inf]), end_s=T_S))
    assert np.isnan(normalized).all()
    for name in ("level", "fast", "level_var", "fast_var", "cross", "newest_end_s"):
        assert (getattr(levels, name) == getattr(cold, name)).all()
