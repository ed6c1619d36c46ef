"""The load law against OpenDSS's rule, written out by hand."""

import numpy as np

from adms.core.ids import BusId, ElementId
from adms.grid.load_law import law_row, voltage_factor_slopes, voltage_factors
from adms.grid.model import CONSTANT_POWER as POWER_LAW
from adms.grid.model import Load, NodeRef, OutsideRule, VoltageLaw


def row(law: VoltageLaw, *, q_law: VoltageLaw, low: float, high: float, v_cut: float = 0.0) -> np.ndarray:
    """[1, LAW_COLUMNS]"""
    load = Load(
        id=ElementId("load"),
        pairs=((NodeRef(BusId("a"), 1), None),),
        p_w=1.0,
        q_var=1.0,
        v_nominal_v=1.0,
        law=law,
        q_law=q_law,
        v_low_pu=low,
        v_high_pu=high,
        outside=OutsideRule.LAW,
        v_cut_pu=v_cut,
    )
    return np.array([law_row(load)])


CONSTANT_POWER = row(POWER_LAW, q_law=POWER_LAW, low=0.95, high=1.05)
EXPONENTIAL = VoltageLaw(e_frac=1.0, exponent=3.0)
MIXED = row(VoltageLaw(z_frac=0.2, i_frac=0.3, p_frac=0.5), q_law=EXPONENTIAL, low=0.9, high=1.1)
CUT_OFF = row(POWER_LAW, q_law=EXPONENTIAL, low=0.9, high=1.1, v_cut=0.7)


def factor(v: float, law: np.ndarray = CONSTANT_POWER) -> float:
    """At one voltage."""
    return float(voltage_factors(np.array([v]), law)[0][0])


def q_factor(v: float, law: np.ndarray) -> float:
    """Of the reactive power at one voltage."""
    return float(voltage_factors(np.array([v]), law)[1][0])


def test_inside_the_limits_the_law_is_the_polynomial() -> None:
    assert factor(0.97) == 1.0
    assert abs(factor(1.03, MIXED) - (0.2 * 1.03**2 + 0.3 * 1.03 + 0.5)) < 1e-15


def test_above_the_limit_the_admittance_is_that_of_the_limit() -> None:
    assert abs(factor(1.10) - (1.10 / 1.05) ** 2) < 1e-12


def test_below_the_limit_the_current_goes_straight_to_that_of_nominal_admittance_at_half_voltage() -> None:
    current = 0.50 + (0.80 - 0.50) / (0.95 - 0.50) * (1.0 / 0.95 - 0.50)
    assert abs(factor(0.80) - current * 0.80) < 1e-12
    assert abs(factor(0.40) - 0.40**2) < 1e-12


def test_the_law_is_continuous_at_its_limits_and_its_slope_is_its_derivative() -> None:
    for law in (CONSTANT_POWER, MIXED):
        for limit in (0.5, law[0, 10], law[0, 11]):
            assert abs(factor(limit - 1e-9, law) - factor(limit + 1e-9, law)) < 1e-7
    for law in (CONSTANT_POWER, MIXED, CUT_OFF):
        for v in (0.3, 0.69, 0.7, 0.93, 1.0, 1.04, 1.2):
            difference = (factor(v + 1e-6, law) - factor(v - 1e-6, law)) / 2e-6
            assert abs(float(voltage_factor_slopes(np.array([v]), law)[0][0]) - difference) < 2e-3
            q_difference = (q_factor(v + 1e-6, law) - q_factor(v - 1e-6, law)) / 2e-6
            assert abs(float(voltage_factor_slopes(np.array([v]), law)[1][0]) - q_difference) < 2e-3


def test_a_dead_load_takes_nothing() -> None:
    assert factor(0.0) == 0.0
