"""Each load's own deviation from its class, learned from interval meters that come late, one pair of numbers a load.

A load draws, over its size times its class's multiplier, the nominal share plus g + u: g stays (the customer's habits,
correlation time of weeks), u comes and goes (an Ornstein-Uhlenbeck process, tau of the order of an hour). A meter gives
the mean of g + u over an interval. For g that mean of u is noise: successive intervals see the same u, so its variance
is taken as at least that of white noise of the same density, 2 tau / (time since the interval before)
(`adms.forecast.ageing`). For u at the present it is evidence that fades with age. An interval long past still tells g;
for u only the newest interval counts, so the order of arrival matters little.

All of it is columns over loads: [2, load], of P, then of Q.
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.forecast.ageing import correlation, interval_covariance_ratio, interval_mean_ratio

_SAME_INTERVAL_S = 1.0
"""Ends closer than this are one interval, reported again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnLevels:
    """What is known of every load's own deviation."""

    level: FloatArray
    """[2, load] mean of g at `level_s`."""
    level_var: FloatArray
    """[2, load]."""
    level_s: FloatArray
    """[2, load] time that they are of; -inf where nothing was learned."""
    fast: FloatArray
    """[2, load] mean of u at `newest_end_s`."""
    fast_known: FloatArray
    """[2, load] share of u's variance that the newest interval explained, 0..1."""
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
        level_var=np.broadcast_to(motion.level_var, shape).copy(),
        level_s=never,
        fast=np.zeros(shape),
        fast_known=np.zeros(shape),
        newest_end_s=never,
        last_end_s=never,
    )


def own_deviation(levels: OwnLevels, *, motion: OwnMotion, time_s: float) -> tuple[FloatArray, FloatArray]:
    """([2, load] mean of g + u, [2, load] variance) at a time."""
    stays = correlation(time_s - levels.level_s, tau_s=motion.level_tau_s)
    fades = correlation(time_s - levels.newest_end_s, tau_s=motion.fast_tau_s)
    level_var = motion.level_var + stays**2 * (levels.level_var - motion.level_var)
    fast_var = motion.fast_var * (1.0 - fades**2 * levels.fast_known)
    return stays * levels.level + fades * levels.fast, level_var + fast_var


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
    deviation = np.where(fine, means.deviation, 0.0)
    cold, fast_cold = motion.level_var[means.load], motion.fast_var[means.load]
    # An interval before the level's own time is taken as of that time: g hardly moved since, and going back is not
    # needed.
    known_s = np.where(np.isfinite(levels.level_s[at]), levels.level_s[at], means.end_s)
    time_s = np.maximum(known_s, means.end_s)
    stays = correlation(time_s - known_s, tau_s=motion.level_tau_s)
    level = stays * levels.level[at]
    level_var = cold + stays**2 * (levels.level_var[at] - cold)

    ratio = interval_mean_ratio(interval_s, tau_s=motion.fast_tau_s)
    gap = np.maximum(np.abs(means.end_s - levels.last_end_s[at]), interval_s)
    white = np.maximum(ratio, 2.0 * motion.fast_tau_s / gap)
    # What is no longer new about u is noise for g; what u itself adds to the mean is only its own variance.
    spread = np.sqrt(level_var + fast_cold * ratio + np.where(fine, means.variance, 0.0))
    innovation = deviation - level
    normalized = innovation / np.where(spread > 0.0, spread, 1.0)
    held = np.clip(normalized, -gate_sigma, gate_sigma) * spread
    noise = fast_cold * white + means.variance
    gain = np.where(fine & (level_var + noise > 0.0), level_var / np.maximum(level_var + noise, 1e-300), 0.0)
    level = level + gain * held
    level_var = (1.0 - gain) * level_var

    left = held * (1.0 - gain)
    total = level_var + fast_cold * ratio + np.where(fine, means.variance, 0.0)
    shared = interval_covariance_ratio(interval_s, age_s=0.0, tau_s=motion.fast_tau_s)
    share = np.where(fine & (total > 0.0), fast_cold * shared / np.maximum(total, 1e-300), 0.0)
    newest = fine & (means.end_s > levels.newest_end_s[at])
    after = replace(
        levels,
        level=_put(levels.level, at, np.where(fine, level, levels.level[at])),
        level_var=_put(levels.level_var, at, np.where(fine, level_var, levels.level_var[at])),
        level_s=_put(levels.level_s, at, np.where(fine, time_s, levels.level_s[at])),
        fast=_put(levels.fast, at, np.where(newest, share * left, levels.fast[at])),
        fast_known=_put(levels.fast_known, at, np.where(newest, share * shared, levels.fast_known[at])),
        newest_end_s=_put(levels.newest_end_s, at, np.where(newest, means.end_s, levels.newest_end_s[at])),
        last_end_s=_put(levels.last_end_s, at, means.end_s),
    )
    return after, np.where(fine, normalized, np.nan)


def _put(column: FloatArray, at: tuple[IntArray, IntArray], value: FloatArray) -> FloatArray:
    out = column.copy()
    out[at] = value
    return out
