"""How the power of an injector follows its voltage: powers of it between two limits, constant impedance outside.

With v the voltage across the injector over its nominal voltage, each of P and Q follows

    v_low <= v <= v_high     z v^2 + i v + p + e v^a   of its nominal value
    v > v_high               admittance frozen at its value at v_high, so the power grows with v^2
    v_floor < v < v_low      admittance on the straight line from its value at v_low to the nominal one at v_floor
    v <= v_floor             nominal admittance; where v_low <= v_floor, the admittance at v_low instead

which is what OpenDSS does for its load models 1, 2, 4, 5 and 8 (`Load.pas`, technical note "Load models"). S is
continuous everywhere but for the last rule.

A law is a row of `LAW_COLUMNS` numbers: (z, i, p, e, a) of P, the same of Q, then v_low, v_high, v_floor.
"""

import math

import numpy as np

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.grid.model import Der, Load, VoltageLaw

LAW_COLUMNS = 13
_LOW, _HIGH, _FLOOR = 10, 11, 12


def law_row(element: Load | Der) -> tuple[float, ...]:
    """The row of numbers of a load or DER (constant power inside its limits)."""
    if isinstance(element, Load):
        q_law = element.law if element.q_law is None else element.q_law
        return (*_shares(element.law), *_shares(q_law), element.v_low_pu, element.v_high_pu, element.v_floor_pu)
    constant = (0.0, 0.0, 1.0, 0.0, 0.0)
    high = np.inf if element.v_high_pu is None else element.v_high_pu
    return (*constant, *constant, element.v_low_pu, high, element.v_low_pu)


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
def admittance_at(v: float, law: FloatArray, first: int) -> float:
    """Conductance (`first` 0) or susceptance (`first` 5) over its nominal value, at the magnitude `v` per unit of
    nominal. For use in compiled code."""
    low, high, floor = law[_LOW], law[_HIGH], law[_FLOOR]
    if v > high:
        return _inner(high, law, first)
    if v >= low:
        return _inner(v, law, first) if v > 0.0 else 0.0
    if low <= floor:
        return _inner(low, law, first)
    if v <= floor:
        return 1.0
    return float(1.0 + (_inner(low, law, first) - 1.0) * (v - floor) / (low - floor))


@compiled
def admittance_slope_at(v: float, law: FloatArray, first: int) -> float:
    """Derivative of `admittance_at` with respect to `v`; at a limit, that of the inner side."""
    low, high, floor = law[_LOW], law[_HIGH], law[_FLOOR]
    if v > high:
        return 0.0
    if v >= low:
        return _inner_slope(v, law, first) if v > 0.0 else 0.0
    if low <= floor or v <= floor:
        return 0.0
    return float((_inner(low, law, first) - 1.0) / (low - floor))


@compiled
def _fill(v: FloatArray, law: FloatArray, first: int, factor: FloatArray, slope: FloatArray) -> None:
    for k in range(v.shape[0]):
        for c in range(v.shape[1]):
            y = admittance_at(v[k, c], law[k], first)
            factor[k, c] = y * v[k, c] ** 2
            slope[k, c] = 2.0 * v[k, c] * y + v[k, c] ** 2 * admittance_slope_at(v[k, c], law[k], first)


def voltage_factors(v_pu: FloatArray, law: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Powers at a voltage over nominal powers.

    Args:
        v_pu: [injector, ...] magnitude across each injector, per unit of its nominal voltage.
        law: [injector, LAW_COLUMNS], as `NetworkArrays.injector_law`.

    Returns:
        ([injector, ...] of P, the same of Q).
    """
    return _evaluate(v_pu, law, first=0)[0], _evaluate(v_pu, law, first=5)[0]


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
    return _evaluate(v_pu, law, first=0)[1], _evaluate(v_pu, law, first=5)[1]


def _evaluate(v_pu: FloatArray, law: FloatArray, *, first: int) -> tuple[FloatArray, FloatArray]:
    flat = np.ascontiguousarray(v_pu.reshape(len(law), math.prod(v_pu.shape[1:])))
    factor, slope = np.empty_like(flat), np.empty_like(flat)
    _fill(flat, np.ascontiguousarray(law), first, factor, slope)
    return factor.reshape(v_pu.shape), slope.reshape(v_pu.shape)
