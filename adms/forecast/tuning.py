"""How fast a class moves, from a series of what it drew: the motion under which its innovations are most likely.

The Gaussian log-likelihood of a series is that of its one-step innovations, -1/2 sum (ln(2 pi S) + nu^2 / S) (Schweppe,
IEEE Transactions on Information Theory 11, 1965; Harvey 1989, section 3.4). It is maximised by Nelder and Mead's
simplex over logarithms, so the same series gives the same answer. An analyst's tool, run on recorded series; the
service does not.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.telemetry import FloatArray
from adms.forecast.class_motion import ClassProcess
from adms.forecast.policy import ClassMotion

_SHARES = (0.02, 0.98)
_FEWEST = 48


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a series says."""

    common_sigma_frac: float
    fast_sigma_frac: float
    """Of what comes and goes within `fast_tau_s`."""
    motion: ClassMotion
    log_likelihood: float
    iterations: int


def series_innovations(
    deviation: FloatArray, *, process: ClassProcess, step_s: float, first_hour: float, sigma: float
) -> tuple[FloatArray, FloatArray]:
    """One-step innovations of a class's series and their variances, from a cold start.

    Args:
        deviation: [time] power over what the profile expects, less 1; NaN where missing.
        process: of one class.
        step_s: between two of them.
        first_hour: local hour of the first.
        sigma: of the measurement, over the expected power.

    Returns:
        ([time] innovation, NaN where missing, [time] variance).
    """
    step = process.transition(step_s)
    noise = process.noise(step)[0]
    x, p = np.zeros(process.block), process.stationary[0].copy()
    hour = first_hour + np.arange(len(deviation)) * step_s / 3600.0
    rows = np.array([process.reading(float(h))[0] for h in hour])
    out, variance = np.full(len(deviation), np.nan), np.zeros(len(deviation))
    for k, row in enumerate(rows):
        if k:
            x, p = step @ x, step @ p @ step.T + noise
        half = p @ row
        variance[k] = float(row @ half) + sigma**2
        if math.isfinite(deviation[k]):
            out[k] = deviation[k] - float(row @ x)
            x = x + half * (out[k] / variance[k])
            p = p - np.outer(half, half) / variance[k]
    return out, variance


def log_likelihood(innovation: FloatArray, variance: FloatArray) -> float:
    """Of a series from its innovations; missing ones do not count."""
    there = np.isfinite(innovation)
    s = variance[there]
    return float(-0.5 * np.sum(np.log(2.0 * math.pi * s) + innovation[there] ** 2 / s))


def tuned_motion(
    deviation: FloatArray,
    *,
    step_s: float,
    first_hour: float,
    sigma: float,
    start: ClassMotion,
    fast_tau_s: float = 2700.0,
    max_iterations: int = 150,
) -> Tuned:
    """The class's spread, its shares and correlation times that fit a series best.

    Fitted: common sigma, fast sigma, share and time of the level, share of the trend; what is left is shared between
    the day's mean and shape as before. The times of the trend and of the daily shape stay as given: weeks of data do
    not tell them.

    Args:
        deviation: as in `series_innovations`; a month or more.
        step_s: between two of them.
        first_hour: local hour of the first.
        sigma: of the measurement.
        start: where the search starts.
        fast_tau_s: correlation time of what comes and goes.
        max_iterations: of the simplex.

    Returns:
        The best found.

    Raises:
        InputError: too short a series.
    """
    from scipy.optimize import minimize

    count = int(np.isfinite(deviation).sum())
    if count < _FEWEST:
        message = f"needs at least {_FEWEST} values"
        raise InputError([Problem(element="series", field="deviation", value=str(count), message=message)])

    def process_at(at: FloatArray) -> ClassProcess:
        share, trend = (float(np.clip(1.0 / (1.0 + math.exp(-v)), *_SHARES)) for v in (at[2], at[4]))
        offset = start.offset_share / max(1.0 - start.level_share - start.fast_share, 1e-6)
        motion = replace(
            start,
            level_share=share,
            fast_share=0.0,
            offset_share=(1.0 - share) * min(offset, 1.0),
            level_tau_s=math.exp(at[3]),
            trend_share=trend,
        )
        return ClassProcess(
            motion=motion,
            common_sigma_frac=np.array([math.exp(at[0])]),
            own_level_sigma_frac=np.zeros((2, 1)),
            own_fast_sigma_frac=np.full((2, 1), math.exp(at[1])),
            own_level_tau_s=start.shape_tau_s,
            own_fast_tau_s=fast_tau_s,
        )

    def cost(at: FloatArray) -> float:
        # Outside of these the numbers mean nothing: sigma of 0.1 % to 300 %, times of an hour to a year.
        outside = np.maximum(np.abs(at[[0, 1]] + 3.0) - 4.1, 0.0).sum() + max(abs(at[3] - 12.7) - 4.6, 0.0)
        inside = np.clip(at, [-7.1, -7.1, -8.0, 8.1, -8.0], [1.1, 1.1, 8.0, 17.3, 8.0])
        nu, s = series_innovations(
            deviation, process=process_at(inside), step_s=step_s, first_hour=first_hour, sigma=sigma
        )
        return -log_likelihood(nu, s) + 1e3 * float(outside)

    spread = max(float(np.nanstd(deviation)), 1e-3)
    first = np.array(
        [
            math.log(spread),
            math.log(0.3 * spread),
            math.log(start.level_share / (1.0 - start.level_share)),
            math.log(start.level_tau_s),
            math.log(start.trend_share / (1.0 - start.trend_share)),
        ]
    )
    found = minimize(
        cost, first, method="Nelder-Mead", options={"maxiter": max_iterations, "xatol": 1e-2, "fatol": 1e-2}
    )
    best = process_at(found.x)
    return Tuned(
        common_sigma_frac=float(best.common_sigma_frac[0]),
        fast_sigma_frac=float(best.own_fast_sigma_frac[0, 0]),
        motion=best.motion,
        log_likelihood=-float(found.fun),
        iterations=int(found.nit),
    )
