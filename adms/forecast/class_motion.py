"""The common deviation of each load class as a stationary linear process, exact for any time step.

State of a class (block of `BLOCK + 2 harmonics` numbers), all over its expected power:

    level, trend (per hour), fast, reactive, day's mean, own parts, (cos, sin) of each harmonic of the day

    d level = (-level / tau_level + trend) dt + noise     d trend = -trend / tau_trend dt + noise
    the others: d x = -x / tau dt + noise

and deviation y(t) = level + fast + mean + sum (cos_k cos(2 pi k h / 24) + sin_k sin(2 pi k h / 24)) + own, h the local
hour; that of Q has `reactive` in it as well. The own parts are what the own deviations of the class's loads leave in
their sum, those that stay and those that come and go, of P and of Q (they fall with the number of loads). The noise is
given by the stationary covariance C: a step F(dt) = expm(A dt) has Q = C - F C F^T. So the spread can never exceed
that of a cold start, whatever is or is not measured: the filter cannot diverge (Harvey, "Forecasting, Structural Time
Series Models and the Kalman Filter", 1989, ch. 2 and 4 for the damped trend and the trigonometric seasonal).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adms.core.telemetry import FloatArray
from adms.forecast.policy import ClassMotion

LEVEL, TREND, FAST, REACTIVE, MEAN = 0, 1, 2, 3, 4
OWN_STAYS, OWN_FAST = (5, 6), (7, 8)
"""Of P, of Q."""
BLOCK = 9
_HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassProcess:
    """The processes of all classes side by side; independent until a measurement ties them."""

    motion: ClassMotion
    common_sigma_frac: FloatArray
    """[class]."""
    own_level_sigma_frac: FloatArray
    """[2, class] of P's and Q's sum over its loads, of what they own for long."""
    own_fast_sigma_frac: FloatArray
    """[2, class] of what comes and goes."""
    own_level_tau_s: float
    own_fast_tau_s: float

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.common_sigma_frac)

    @property
    def block(self) -> int:
        """Numbers a class."""
        return BLOCK + 2 * self.motion.harmonics

    @cached_property
    def stationary(self) -> FloatArray:
        """[class, block, block] covariance of a cold start."""
        m = self.motion
        out = np.zeros((self.classes, self.block, self.block))
        common = self.common_sigma_frac**2
        level = common * m.level_share
        # -2 a P_ll + 2 P_lr + q = 0 and -(a + b) P_lr + P_rr = 0: the trend's part of P_ll is P_rr / (a (a + b)).
        a, b = _HOUR_S / m.level_tau_s, _HOUR_S / m.trend_tau_s
        trend = level * m.trend_share * a * (a + b)
        out[:, LEVEL, LEVEL] = level
        out[:, TREND, TREND] = trend
        out[:, LEVEL, TREND] = out[:, TREND, LEVEL] = trend / (a + b)
        out[:, FAST, FAST] = common * m.fast_share
        out[:, MEAN, MEAN] = common * m.offset_share
        out[:, REACTIVE, REACTIVE] = m.reactive_sigma_frac**2
        for quantity in range(2):
            stays, fast = OWN_STAYS[quantity], OWN_FAST[quantity]
            out[:, stays, stays] = self.own_level_sigma_frac[quantity] ** 2
            out[:, fast, fast] = self.own_fast_sigma_frac[quantity] ** 2
        for k in range(BLOCK, self.block):
            out[:, k, k] = common * (1.0 - m.level_share - m.fast_share - m.offset_share) / m.harmonics
        return out

    def transition(self, elapsed_s: float) -> FloatArray:
        """[block, block] F over a time that is not negative; the same for every class."""
        m = self.motion
        t = elapsed_s / _HOUR_S
        a, b = _HOUR_S / m.level_tau_s, _HOUR_S / m.trend_tau_s
        tau = np.full(self.block, m.shape_tau_s)
        tau[[LEVEL, TREND, FAST, REACTIVE]] = m.level_tau_s, m.trend_tau_s, self.own_fast_tau_s, m.reactive_tau_s
        tau[list(OWN_STAYS)], tau[list(OWN_FAST)] = self.own_level_tau_s, self.own_fast_tau_s
        out = np.diag(np.exp(-elapsed_s / tau))
        # Stable also where the two times are equal: exp(-b t) (1 - exp(-(a - b) t)) / (a - b).
        gap = (a - b) * t
        out[LEVEL, TREND] = math.exp(-b * t) * t if abs(gap) < 1e-9 else (math.exp(-b * t) - math.exp(-a * t)) / (a - b)
        return out

    def noise(self, step: FloatArray) -> FloatArray:
        """[class, block, block] Q that belongs to a transition."""
        return np.asarray(self.stationary - step @ self.stationary @ step.T)

    def reading(self, hour: float) -> FloatArray:
        """[2, block]: how P's and Q's deviation over the expected power read the state at a local hour."""
        row = np.zeros((2, self.block))
        row[:, [LEVEL, FAST, MEAN]] = 1.0
        row[1, REACTIVE] = 1.0
        for quantity in range(2):
            row[quantity, [OWN_STAYS[quantity], OWN_FAST[quantity]]] = 1.0
        for k in range(1, self.motion.harmonics + 1):
            turn = 2.0 * math.pi * k * hour / 24.0
            row[:, BLOCK + 2 * k - 2], row[:, BLOCK + 2 * k - 1] = math.cos(turn), math.sin(turn)
        return row
