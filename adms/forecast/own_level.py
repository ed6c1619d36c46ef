"""Each load's own deviation from its class, learned from interval meters that come late, a pair of numbers a load.

A load draws, over its size times its class's multiplier, the nominal share plus g + u: g stays (the customer's habits,
correlation time of weeks), u comes and goes (an Ornstein-Uhlenbeck process, tau of the order of an hour). A meter gives
the mean of g + u over an interval T. With u0 at its start and u1 at its end, a = T / tau, rho = exp(-a), c = (1 - rho)
/ a and V the ratio of `interval_mean_ratio`, the mean of u is c u0 + w and u1 = rho u0 + w1, with Var w = F (V - c^2),
Var w1 = F (1 - rho^2), Cov = F c (1 - rho), F the variance of u: a Kalman filter of two states a load, exact as long as
intervals come in order, held in columns. One that comes out of order still tells g: u's mean over it is then noise of
the density of u, 2 tau / T.

All of it is columns over loads: [2, load], of P, then of Q.
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.ageing import correlation, interval_covariance_ratio, interval_mean_ratio
from adms.grid.arrays import BoolArray

_SAME_INTERVAL_S = 1.0
"""Ends closer than this are one interval, reported again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnLevels:
    """What is known of every load's own deviation."""

    level: FloatArray
    """[2, load] mean of g at `newest_end_s`."""
    fast: FloatArray
    """[2, load] mean of u then."""
    level_var: FloatArray
    """[2, load]."""
    fast_var: FloatArray
    """[2, load]."""
    cross: FloatArray
    """[2, load] covariance of the two."""
    newest_end_s: FloatArray
    """[2, load] end of the newest interval; -inf where there is none."""
    last_end_s: FloatArray
    """[2, load] end of the interval that came last."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Means:
    """Interval means, over size and class multiplier: deviations of g + u."""

    quantity: IntArray
    """[mean] 0 is P, 1 is Q."""
    load: IntArray
    """[mean]. A (quantity, load) occurs once."""
    deviation: FloatArray
    """[mean]."""
    variance: FloatArray
    """[mean] of the meter and of what is not known of the class then."""
    end_s: FloatArray
    """[mean] end of the interval."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnMotion:
    """How own deviations move."""

    level_var: FloatArray
    """[load] of g, cold."""
    fast_var: FloatArray
    """[load] of u, cold."""
    level_tau_s: float
    fast_tau_s: float


def cold_levels(motion: OwnMotion) -> OwnLevels:
    """Nothing learned."""
    shape = (2, len(motion.level_var))
    never = np.full(shape, -np.inf)
    return OwnLevels(
        level=np.zeros(shape),
        fast=np.zeros(shape),
        level_var=np.broadcast_to(motion.level_var, shape).copy(),
        fast_var=np.broadcast_to(motion.fast_var, shape).copy(),
        cross=np.zeros(shape),
        newest_end_s=never,
        last_end_s=never,
    )


def own_deviation(levels: OwnLevels, *, motion: OwnMotion, time_s: float) -> tuple[FloatArray, FloatArray]:
    """([2, load] mean of g + u, [2, load] variance) at a time."""
    age_s = time_s - levels.newest_end_s
    stays, fades = correlation(age_s, tau_s=motion.level_tau_s), correlation(age_s, tau_s=motion.fast_tau_s)
    variance = motion.level_var + motion.fast_var + 2.0 * stays * fades * levels.cross
    variance += stays**2 * (levels.level_var - motion.level_var) + fades**2 * (levels.fast_var - motion.fast_var)
    return stays * levels.level + fades * levels.fast, np.maximum(variance, 0.0)


def new_means(levels: OwnLevels, means: Means) -> Means:
    """Those whose interval is not the one that came last."""
    last = levels.last_end_s[means.quantity, means.load]
    fresh = ~(np.abs(means.end_s - last) < _SAME_INTERVAL_S)
    return Means(
        quantity=means.quantity[fresh],
        load=means.load[fresh],
        deviation=means.deviation[fresh],
        variance=means.variance[fresh],
        end_s=means.end_s[fresh],
    )


def with_means(
    levels: OwnLevels, *, means: Means, motion: OwnMotion, interval_s: float, gate_sigma: float
) -> tuple[OwnLevels, FloatArray]:
    """Levels after interval means arrived.

    A mean outside the gate is moved to its edge, not dropped: one bad reading moves the level by a bounded amount, and
    a customer who really changed is followed.

    Args:
        levels: before.
        means: arrivals, none twice (`new_means`).
        motion: how own deviations move.
        interval_s: over which the means are.
        gate_sigma: of an innovation.

    Returns:
        (levels after, [mean] innovation over its standard deviation).
    """
    at = (means.quantity, means.load)
    fine = np.isfinite(means.deviation) & np.isfinite(means.variance) & (means.variance >= 0.0)
    meter = np.where(fine, means.variance, 0.0)
    slow_cold, fast_cold = motion.level_var[means.load], motion.fast_var[means.load]
    newest_s = levels.newest_end_s[at]
    in_order = means.end_s > newest_s + _SAME_INTERVAL_S
    end_s = np.where(in_order, means.end_s, newest_s)

    # To the interval's start (g: to its end, it hardly moves within).
    stays = correlation(end_s - newest_s, tau_s=motion.level_tau_s)
    fades = correlation(np.where(in_order, means.end_s - interval_s - newest_s, 0.0), tau_s=motion.fast_tau_s)
    level, fast = stays * levels.level[at], fades * levels.fast[at]
    p_ll = slow_cold + stays**2 * (levels.level_var[at] - slow_cold)
    p_ff = fast_cold + fades**2 * (levels.fast_var[at] - fast_cold)
    p_lf = stays * fades * levels.cross[at]

    # Over the interval; one out of order leaves u where it is.
    rho = np.where(in_order, correlation(interval_s, tau_s=motion.fast_tau_s), 1.0)
    c = np.where(in_order, interval_covariance_ratio(interval_s, age_s=0.0, tau_s=motion.fast_tau_s), 0.0)
    ratio = interval_mean_ratio(interval_s, tau_s=motion.fast_tau_s)
    new = np.where(in_order, ratio - c * c, max(float(ratio), 2.0 * motion.fast_tau_s / interval_s))
    spread = p_ll + 2.0 * c * p_lf + c * c * p_ff + fast_cold * new + meter
    with_level = p_ll + c * p_lf
    with_fast = rho * (p_lf + c * p_ff) + fast_cold * c * (1.0 - rho)
    level_fast, fast_fast = rho * p_lf, rho**2 * p_ff + fast_cold * (1.0 - rho**2)

    safe = np.where(spread > 0.0, spread, np.inf)
    normalized = np.where(fine, np.where(fine, means.deviation, 0.0) - level - c * fast, 0.0) / np.sqrt(safe)
    held = np.clip(normalized, -gate_sigma, gate_sigma) * np.sqrt(spread)
    gain_level, gain_fast = with_level / safe, with_fast / safe
    after = replace(
        levels,
        level=_put(levels.level, at, level + gain_level * held, where=fine),
        fast=_put(levels.fast, at, rho * fast + gain_fast * held, where=fine),
        level_var=_put(levels.level_var, at, np.maximum(p_ll - gain_level * with_level, 0.0), where=fine),
        fast_var=_put(levels.fast_var, at, np.maximum(fast_fast - gain_fast * with_fast, 0.0), where=fine),
        cross=_put(levels.cross, at, level_fast - gain_level * with_fast, where=fine),
        newest_end_s=_put(levels.newest_end_s, at, end_s, where=fine),
        last_end_s=_put(levels.last_end_s, at, means.end_s, where=np.ones_like(fine)),
    )
    return after, np.where(fine, normalized, np.nan)


def _put(column: FloatArray, at: tuple[IntArray, IntArray], value: FloatArray, *, where: BoolArray) -> FloatArray:
    out = column.copy()
    out[at] = np.where(where, value, column[at])
    return out
