"""What a value is worth after a while, against simulated paths and by hand."""

import numpy as np
import pytest

from adms.estimation.ageing import (
    aged_variance,
    correlation,
    interval_covariance_ratio,
    interval_mean_ratio,
)
from tests.unit.forecast.paths import ou_paths

SIGMA, TAU_S, STEP_S = 3.0, 1000.0, 20.0
# Of a variance estimated from n independent paths: sqrt(2 / n) = 0.7 %; the bounds are four of that.
PATHS = 40_000


@pytest.fixture(scope="module")
def paths() -> np.ndarray:
    rng = np.random.default_rng(4)
    return ou_paths(rng, paths=PATHS, steps=76, step_s=STEP_S, sigma=SIGMA, tau_s=TAU_S)


def test_a_fresh_value_has_the_meters_variance_and_a_very_old_one_that_of_the_load_besides() -> None:
    # By hand: 0.5^2, and 0.5^2 + 3^2.
    kept = aged_variance(np.array([0.0, np.inf]), sigma_meter=0.5, sigma_load=SIGMA, tau_s=TAU_S)
    assert kept == pytest.approx([0.25, 9.25], abs=1e-12)


def test_after_one_correlation_time_a_value_has_lost_1_less_e_to_the_minus_2() -> None:
    # By hand: 9 (1 - exp(-2)) = 7.78198.
    assert aged_variance(TAU_S, sigma_meter=0.0, sigma_load=SIGMA, tau_s=TAU_S) == pytest.approx(7.781982, abs=1e-6)


def test_sigma_never_falls_with_age_and_a_clock_that_runs_ahead_is_no_gain() -> None:
    ages = np.linspace(-100.0, 10_000.0, 200)
    grown = aged_variance(ages, sigma_meter=0.2, sigma_load=SIGMA, tau_s=TAU_S)
    assert (np.diff(grown) >= 0.0).all()
    assert grown[0] == pytest.approx(0.04)


def test_the_error_of_simulated_old_values_has_the_stated_variance(paths: np.ndarray) -> None:
    for step in (1, 10, 60):
        rho = float(correlation(step * STEP_S, tau_s=TAU_S))
        carried = paths[:, step] - rho * paths[:, 0]
        held = paths[:, step] - paths[:, 0]
        stated = aged_variance(step * STEP_S, sigma_meter=0.0, sigma_load=SIGMA, tau_s=TAU_S)
        assert carried.var() == pytest.approx(float(stated), rel=0.03)
        assert held.var() == pytest.approx(2.0 * SIGMA**2 * (1.0 - rho), rel=0.03)


def test_the_mean_of_a_simulated_interval_has_the_stated_variance_and_covariance(paths: np.ndarray) -> None:
    # The mean of 50 intervals of 20 s by the trapezoid rule differs from the integral by 20^2 / 12 tau^2 = 3e-5 of it.
    inside = paths[:, :51]
    mean = (inside.sum(axis=1) - 0.5 * (inside[:, 0] + inside[:, -1])) / 50.0
    interval_s, age_s = 50 * STEP_S, 25 * STEP_S
    ratio = float(interval_mean_ratio(interval_s, tau_s=TAU_S))
    shared = float(interval_covariance_ratio(interval_s, age_s=age_s, tau_s=TAU_S))
    assert mean.var() / SIGMA**2 == pytest.approx(ratio, rel=0.03)
    assert (mean * paths[:, 75]).mean() / SIGMA**2 == pytest.approx(shared, abs=0.02)
    assert (paths[:, 75] - mean).var() / SIGMA**2 == pytest.approx(1.0 + ratio - 2.0 * shared, rel=0.03)


def test_an_interval_ratios_are_those_worked_out_by_hand() -> None:
    # a = 1: 2 (1 - 1 + 1/e) = 0.735759, and 1 - 1/e = 0.632121.
    assert interval_mean_ratio(TAU_S, tau_s=TAU_S) == pytest.approx(0.7357589, abs=1e-7)
    assert interval_covariance_ratio(TAU_S, age_s=0.0, tau_s=TAU_S) == pytest.approx(0.6321206, abs=1e-7)


def test_the_series_for_short_intervals_joins_the_closed_form() -> None:
    a = np.array([0.0, 0.999e-3, 1.001e-3])
    for ratio in (interval_mean_ratio(a, tau_s=1.0), interval_covariance_ratio(a, age_s=0.0, tau_s=1.0)):
        assert ratio[0] == 1.0
        assert ratio[1] == pytest.approx(ratio[2], abs=2e-6)
