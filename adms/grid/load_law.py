"""How the power of an injector follows its voltage: powers of it between two limits, given admittances outside.

With v the voltage across the injector over its nominal voltage, each of P and Q follows

    v_low <= v <= v_high     z v^2 + i v + p + e v^a   of its nominal value
    v > v_high               a constant admittance, so the power grows with v^2
    v_floor < v < v_low      the current is on a straight line between those of the admittances at the two ends
    v <= v_floor             nominal admittance (this rule goes before all others)

The admittances at the limits are by `OutsideRule`: where the law follows through they are its own, so that S is
continuous. A cut-off voltage multiplies everything above v_floor by 1 / (1 + exp(-1000 (v - v_cut))). A DER is constant
power inside its limits and has the admittance of its limit outside. All this is what OpenDSS does for its load models 1
to 8; no document has it in full, so each rule was read off its engine (`tests/unit/grid/test_load_law_engine.py`).

A law is a row of `LAW_COLUMNS` numbers: (z, i, p, e, a) of P, the same of Q, v_low, v_high, v_floor, v_cut (0 is none),
then the admittances over nominal (at and below v_floor, just above it, just below v_low, above v_high) of P, and of Q.
"""

import math
from collections.abc import Callable
from typing import assert_never

import numpy as np

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.grid.model import CONSTANT_POWER, Der, Load, OutsideRule, VoltageLaw

LAW_COLUMNS = 22
_LOW, _HIGH, _FLOOR, _CUT, _OUTSIDE_P, _OUTSIDE_Q = 10, 11, 12, 13, 14, 18
LIMITS = (_LOW, _HIGH, _FLOOR)
"""Columns of the voltages at which a law changes."""
_CUT_STEEPNESS = 1000.0
_CUT_REACH = 0.7
"""Further from the cut-off, pu, than the exponential can be written."""


def law_row(element: Load | Der) -> tuple[float, ...]:
    """The row of numbers of a load or DER (constant power inside its limits)."""
    if isinstance(element, Load):
        q_law = element.law if element.q_law is None else element.q_law
        limits = (element.v_low_pu, element.v_high_pu, element.v_floor_pu, element.v_cut_pu)
        outside = [_outside(element, law, reactive=reactive) for law, reactive in ((element.law, False), (q_law, True))]
        return (*_shares(element.law), *_shares(q_law), *limits, *outside[0], *outside[1])
    high = np.inf if element.v_high_pu is None else element.v_high_pu
    constant = _shares(CONSTANT_POWER)
    below = _admittance(CONSTANT_POWER, element.v_low_pu)
    edges = (below, below, below, _admittance(CONSTANT_POWER, high))
    return (*constant, *constant, element.v_low_pu, high, 0.0, 0.0, *edges, *edges)


def _outside(load: Load, law: VoltageLaw, *, reactive: bool) -> tuple[float, ...]:
    """Admittances over nominal: at and below the floor, just above it, just below the lower limit, above the upper."""
    low, high = load.v_low_pu, load.v_high_pu
    match load.outside:
        case OutsideRule.LAW:
            return (1.0, 1.0, _admittance(law, low), _admittance(law, high))
        case OutsideRule.POWER:
            return (1.0, 1.0, _admittance(CONSTANT_POWER, low), _admittance(CONSTANT_POWER, high))
        case OutsideRule.FIXED_Q:
            if reactive:
                return (1.0, 1.0, 1.0, 1.0)
            below = _admittance(CONSTANT_POWER, low)
            return (1.0, below, below, _admittance(CONSTANT_POWER, high))
        case _ as unreachable:
            assert_never(unreachable)


def _admittance(law: VoltageLaw, v: float) -> float:
    """Over nominal; 0 where the voltage has no such limit."""
    if not 0.0 < v < math.inf:
        return 0.0
    y = law.z_frac + law.i_frac / v + law.p_frac / (v * v) + law.e_frac * v ** (law.exponent - 2.0)
    return float(y)


def _shares(law: VoltageLaw) -> tuple[float, ...]:
    return (law.z_frac, law.i_frac, law.p_frac, law.e_frac, law.exponent)


@compiled
def _inner(v: float, law: FloatArray, first: int) -> float:
    """Admittance over nominal admittance from the polynomial."""
    y = law[first] + law[first + 1] / v + law[first + 2] / (v * v)
    if law[first + 3] != 0.0:
        y += law[first + 3] * v ** (law[first + 4] - 2.0)
    return float(y)


@compiled
def _inner_slope(v: float, law: FloatArray, first: int) -> float:
    y = -law[first + 1] / (v * v) - 2.0 * law[first + 2] / (v * v * v)
    if law[first + 3] != 0.0:
        y += law[first + 3] * (law[first + 4] - 2.0) * v ** (law[first + 4] - 3.0)
    return float(y)


@compiled
def _uncut(v: float, law: FloatArray, first: int) -> float:
    low, floor = law[_LOW], law[_FLOOR]
    outside = _OUTSIDE_P if first == 0 else _OUTSIDE_Q
    if v > law[_HIGH]:
        return float(law[outside + 3])
    if v >= low:
        return _inner(v, law, first) if v > 0.0 else 0.0
    below = law[outside + 2]
    if floor <= 0.0:
        return float(below)
    start = law[outside + 1] * floor
    return float((start + (below * low - start) * (v - floor) / (low - floor)) / v)


@compiled
def _uncut_slope(v: float, law: FloatArray, first: int) -> float:
    low, floor = law[_LOW], law[_FLOOR]
    outside = _OUTSIDE_P if first == 0 else _OUTSIDE_Q
    if v > law[_HIGH]:
        return 0.0
    if v >= low:
        return _inner_slope(v, law, first) if v > 0.0 else 0.0
    if floor <= 0.0:
        return 0.0
    # y = a / v + b with a, b of the straight line of the current.
    start = law[outside + 1] * floor
    return float(-(start - (law[outside + 2] * low - start) * floor / (low - floor)) / (v * v))


@compiled
def _share_left(v: float, law: FloatArray) -> float:
    """What the cut-off leaves."""
    distance = v - law[_CUT]
    if distance > _CUT_REACH:
        return 1.0
    if distance < -_CUT_REACH:
        return 0.0
    return float(1.0 / (1.0 + math.exp(-_CUT_STEEPNESS * distance)))


@compiled
def admittance_at(v: float, law: FloatArray, first: int) -> float:
    """Conductance (`first` 0) or susceptance (`first` 5) over its nominal value, at the magnitude `v` per unit of
    nominal. For use in compiled code."""
    if v <= law[_FLOOR]:
        return float(law[_OUTSIDE_P if first == 0 else _OUTSIDE_Q])
    y = _uncut(v, law, first)
    if law[_CUT] > 0.0:
        y *= _share_left(v, law)
    return float(y)


@compiled
def admittance_slope_at(v: float, law: FloatArray, first: int) -> float:
    """Derivative of `admittance_at` with respect to `v`; at a limit, that of the inner side."""
    if v <= law[_FLOOR]:
        return 0.0
    slope = _uncut_slope(v, law, first)
    if law[_CUT] > 0.0:
        left = _share_left(v, law)
        slope = left * (slope + _uncut(v, law, first) * _CUT_STEEPNESS * (1.0 - left))
    return float(slope)


@compiled
def admittances_at(v: float, law: FloatArray) -> tuple[float, float]:
    """Both of `admittance_at`, sooner where the law is a polynomial and inside its limits."""
    if (
        law[_LOW] <= v <= law[_HIGH]
        and v > max(law[_FLOOR], 0.0)
        and law[3] == 0.0
        and law[8] == 0.0
        and law[_CUT] <= 0.0
    ):
        part = 1.0 / v
        return law[0] + part * (law[1] + part * law[2]), law[5] + part * (law[6] + part * law[7])
    return admittance_at(v, law, 0), admittance_at(v, law, 5)


@compiled
def _fill(v: FloatArray, law: FloatArray, of_p: FloatArray, of_q: FloatArray) -> None:
    for k in range(v.shape[0]):
        at_k = law[k]
        for c in range(v.shape[1]):
            g, b = admittances_at(v[k, c], at_k)
            of_p[k, c], of_q[k, c] = g * v[k, c] ** 2, b * v[k, c] ** 2


@compiled
def _fill_slopes(v: FloatArray, law: FloatArray, of_p: FloatArray, of_q: FloatArray) -> None:
    for k in range(v.shape[0]):
        at_k = law[k]
        for c in range(v.shape[1]):
            u = v[k, c]
            g, b = admittances_at(u, at_k)
            of_p[k, c] = 2.0 * u * g + u**2 * admittance_slope_at(u, at_k, 0)
            of_q[k, c] = 2.0 * u * b + u**2 * admittance_slope_at(u, at_k, 5)


def constant_power_range(law: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Voltages, per unit of nominal, between which both powers are constant.

    Args:
        law: [injector, LAW_COLUMNS].

    Returns:
        ([injector] lowest, [injector] highest); lowest above highest where there are none.
    """
    shares = law[:, [0, 1, 2, 3, 5, 6, 7, 8]]
    constant = (shares == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).all(axis=1) & (law[:, _CUT] <= 0.0)
    tiny = np.finfo(np.float64).tiny ** 0.25
    lowest = np.maximum(law[:, _LOW], np.maximum(np.nextafter(law[:, _FLOOR], np.inf), tiny))
    return np.where(constant, lowest, 1.0), np.where(constant, law[:, _HIGH], 0.0)


def voltage_factors(v_pu: FloatArray, law: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Powers at a voltage over nominal powers.

    Args:
        v_pu: [injector, ...] magnitude across each injector, per unit of its nominal voltage.
        law: [injector, LAW_COLUMNS], as `NetworkArrays.injector_law`.

    Returns:
        ([injector, ...] of P, the same of Q).
    """
    return _evaluate(_fill, v_pu, law)


def at_voltage(s_nominal: ComplexArray, v_pu: FloatArray, law: FloatArray) -> ComplexArray:
    """Complex powers at a voltage from nominal ones.

    Args:
        s_nominal: [injector, ...] complex.
        v_pu: [injector, ...] as in `voltage_factors`.
        law: as there.

    Returns:
        [injector, ...] complex, in the unit of `s_nominal`.
    """
    of_p, of_q = voltage_factors(v_pu, law)
    return np.asarray(s_nominal.real * of_p + 1j * (s_nominal.imag * of_q))


def at_nominal(s: ComplexArray, v_pu: FloatArray, law: FloatArray) -> ComplexArray:
    """Nominal powers from complex powers at a voltage: `at_voltage` backwards. A part whose factor is 0 stays 0."""
    of_p, of_q = voltage_factors(v_pu, law)
    p = np.where(of_p > 0.0, s.real / np.where(of_p > 0.0, of_p, 1.0), 0.0)
    q = np.where(of_q > 0.0, s.imag / np.where(of_q > 0.0, of_q, 1.0), 0.0)
    return np.asarray(p + 1j * q)


def voltage_factor_slopes(v_pu: FloatArray, law: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives of `voltage_factors` with respect to `v_pu`; at a limit, those of the inner side.

    Args:
        v_pu: [injector, ...] as above.
        law: as above.

    Returns:
        ([injector, ...] of P, the same of Q).
    """
    return _evaluate(_fill_slopes, v_pu, law)


def _evaluate(
    fill: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], None], v_pu: FloatArray, law: FloatArray
) -> tuple[FloatArray, FloatArray]:
    flat = np.ascontiguousarray(v_pu.reshape(len(law), math.prod(v_pu.shape[1:])))
    of_p, of_q = np.empty_like(flat), np.empty_like(flat)
    fill(flat, np.ascontiguousarray(law), of_p, of_q)
    return of_p.reshape(v_pu.shape), of_q.reshape(v_pu.shape)
