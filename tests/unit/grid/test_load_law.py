"""The load law against OpenDSS's rule, written out by hand."""

import numpy as np

from adms.grid.load_law import voltage_factor_slopes, voltage_factors

CONSTANT_POWER = np.array([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.95, 1.05, 0.5]])
MIXED = np.array([[0.2, 0.3, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 3.0, 0.9, 1.1, 0.5]])


def factor(v: float, law: np.ndarray = CONSTANT_POWER) -> float:
    """At one voltage."""
    return float(voltage_factors(np.array([v]), law)[0][0])


def test_inside_the_limits_the_law_is_the_polynomial() -> None:
    assert factor(0.97) == 1.0
    assert abs(factor(1.03, MIXED) - (0.2 * 1.03**2 + 0.3 * 1.03 + 0.5)) < 1e-15


def test_above_the_limit_the_admittance_is_that_of_the_limit() -> None:
    assert abs(factor(1.10) - (1.10 / 1.05) ** 2) < 1e-12


def test_below_the_limit_the_admittance_goes_straight_to_nominal_at_half_voltage() -> None:
    y = 1.0 + (0.80 - 0.50) / (0.95 - 0.50) * (1.0 / 0.95**2 - 1.0)
    assert abs(factor(0.80) - y * 0.80**2) < 1e-12
    assert abs(factor(0.40) - 0.40**2) < 1e-12


def test_the_law_is_continuous_at_its_limits_and_its_slope_is_its_derivative() -> None:
    for law in (CONSTANT_POWER, MIXED):
        for limit in (0.5, law[0, 10], law[0, 11]):
            assert abs(factor(limit - 1e-9, law) - factor(limit + 1e-9, law)) < 1e-7
        for v in (0.3, 0.7, 0.93, 1.0, 1.04, 1.2):
            difference = (factor(v + 1e-6, law) - factor(v - 1e-6, law)) / 2e-6
            assert abs(float(voltage_factor_slopes(np.array([v]), law)[0][0]) - difference) < 1e-6


def test_a_dead_load_takes_nothing() -> None:
    assert factor(0.0) == 0.0
