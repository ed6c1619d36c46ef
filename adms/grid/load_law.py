"""How the power of a load follows its voltage: ZIP between two limits, constant impedance outside.

The rule of OpenDSS (load models 1, 2 and 5; `Load.pas`, technical note "Load models"): with v the voltage across the
load over its nominal voltage,

    v_low <= v <= v_high   S = S_nominal (z v^2 + i v + p)
    v > v_high             admittance frozen at its value at v_high, so S grows with v^2
    v < v_low              admittance between its value at v_low and the nominal one at `V_FLOOR_PU`, linear in v
    v < V_FLOOR_PU         nominal admittance

S is continuous everywhere. DER have z = i = 0, p = 1 and no limits.
"""

import numpy as np

from adms.core.telemetry import FloatArray

V_FLOOR_PU = 0.5
"""Below this a load is its nominal admittance (OpenDSS `VLowpu`)."""


def voltage_factor(v_pu: FloatArray, law: FloatArray) -> FloatArray:
    """Power at a voltage over nominal power.

    Args:
        v_pu: [injector, ...] magnitude across each injector, per unit of its nominal voltage.
        law: [injector, (z, i, p, v_low_pu, v_high_pu)], as `NetworkArrays.injector_zip`.

    Returns:
        [injector, ...] the factor.
    """
    return _admittance(v_pu, law) * v_pu**2


def voltage_factor_slope(v_pu: FloatArray, law: FloatArray) -> FloatArray:
    """Derivative of `voltage_factor` with respect to `v_pu`; at a limit, that of the inner side.

    Args:
        v_pu: [injector, ...] as above.
        law: as above.

    Returns:
        [injector, ...] the derivative.
    """
    z, i, p, low, high = _columns(v_pu, law)
    inside = (v_pu >= low) & (v_pu <= high)
    ramp = (v_pu < low) & (v_pu > V_FLOOR_PU)
    slope = (_at_limit(z, i, p, low) - 1.0) / np.where(low > V_FLOOR_PU, low - V_FLOOR_PU, 1.0)
    bent = np.where(ramp & (low > V_FLOOR_PU), slope * v_pu**2, 0.0)
    return np.asarray(np.where(inside, 2.0 * z * v_pu + i, 2.0 * v_pu * _admittance(v_pu, law) + bent))


def _columns(v_pu: FloatArray, law: FloatArray) -> tuple[FloatArray, ...]:
    shape = (len(law),) + (1,) * (v_pu.ndim - 1)
    return tuple(law[:, column].reshape(shape) for column in range(5))


def _at_limit(z: FloatArray, i: FloatArray, p: FloatArray, limit: FloatArray) -> FloatArray:
    usable = np.isfinite(limit) & (limit > 0.0)
    v = np.where(usable, limit, 1.0)
    return np.asarray(z + i / v + p / v**2)


def _admittance(v_pu: FloatArray, law: FloatArray) -> FloatArray:
    """Admittance over nominal admittance, [injector, ...]."""
    z, i, p, low, high = _columns(v_pu, law)
    at_low, at_high = _at_limit(z, i, p, low), _at_limit(z, i, p, high)
    inner = np.where(v_pu > 0.0, v_pu, 1.0)
    y = z + i / inner + p / inner**2
    share = np.where(low > V_FLOOR_PU, (v_pu - V_FLOOR_PU) / np.where(low > V_FLOOR_PU, low - V_FLOOR_PU, 1.0), 1.0)
    below = 1.0 + (at_low - 1.0) * np.clip(share, 0.0, 1.0)
    y = np.where(v_pu < low, below, y)
    return np.asarray(np.where(v_pu > high, at_high, y))
