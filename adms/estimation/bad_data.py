"""Bad data: the largest normalised residual, one after the other.

Only telemetered points are candidates: a pseudo-measurement is a belief, and believing less is no repair. (Abur &
Exposito, chapter 5; measured on gross voltage errors: with pseudo-measurements among the candidates the wrong row was
blamed three times as often.)
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, ndtri

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.covariance import Covariance, CovarianceCache, cache_for
from adms.estimation.iterate import Converged, Diverged, optimise
from adms.estimation.kernel.judging import normalise
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Beliefs, Problem
from adms.estimation.readings import Readings
from adms.grid.arrays import BoolArray

CRITICAL_FRAC = 1e-3
"""Where the residual's variance is less than this share of the meter's, nothing else checks the meter: its residual is
zero whatever it says, and it has no normalised residual."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """An optimum with what it says about its measurements."""

    optimum: Converged
    readings: Readings
    """Without the rejected ones."""
    covariance: Covariance
    cache: CovarianceCache
    residual: FloatArray
    """[M] measured less estimated, per unit; NaN where neither used nor rejected."""
    residual_sigma: FloatArray
    """[M] its standard deviation; of a rejected point, what it was when rejected."""
    normalized: FloatArray
    """[M] NaN where not used or critical; of a rejected point, what it was when rejected."""
    critical: BoolArray
    """[M] True where nothing else checks a point in use."""
    rejected: IntArray
    chi2: float
    degrees_of_freedom: int
    consistent: bool
    """False where chi-squared is far above its limit after the last permitted rejection."""
    more_to_reject: bool
    """True where a point still stands out, and no more may be rejected."""
    iterations: int


@lru_cache(maxsize=1024)
def chi2_limit(degrees_of_freedom: int, confidence: float) -> float:
    """Quantile of chi-squared."""
    return float(chdtri(degrees_of_freedom, 1.0 - confidence)) if degrees_of_freedom > 0 else np.inf


@lru_cache(maxsize=1024)
def stand_out_limit(candidates: int, alarm_probability: float) -> float:
    """Size that the largest of so many normalised residuals exceeds with this probability when all is well (Sidak, J.
    Am. Stat. Assoc. 62(318), 1967: an upper bound where they are dependent).

    Args:
        candidates: how many there are.
        alarm_probability: in one scan, 0..1.
    """
    if candidates < 1:
        return np.inf
    each = -np.expm1(np.log1p(-alarm_probability) / candidates)
    return float(-ndtri(0.5 * each))


def judge(
    problem: Problem,
    first: Converged,
    *,
    beliefs: Beliefs,
    readings: Readings,
    policy: EstimationPolicy,
    cache: CovarianceCache | None,
) -> Verdict | Diverged:
    """Reject telemetered points one after the other until no point stands out.

    chi-squared is the whole cost, the prior's part included. Its expectation is the number of telemetered points in
    use, less the inputs of which nothing was known: the law is exact, and every other input has a prior.

    Args:
        problem: the network in one state.
        first: the optimum with all readings.
        beliefs: about the powers.
        readings: of this scan.
        policy: thresholds.
        cache: of an earlier scan.

    Returns:
        The verdict, or why an estimate after a rejection failed.
    """
    optimum = first
    iterations = first.iterations
    count = problem.layout.rows.count
    kept: list[tuple[int, float, float]] = []
    while True:
        cache = cache_for(optimum.system, cache)
        columns = readings.columns
        covariance = cache.of(optimum.correction, readings=columns)
        residual, sigma, normalized = np.empty(count), np.empty(count), np.empty(count)
        critical = np.empty(count, dtype=np.bool_)
        worst, size, candidates, used, cost = normalise(
            optimum.residual,
            columns.use,
            columns.variance,
            covariance.residual_variance,
            CRITICAL_FRAC,
            residual,
            sigma,
            normalized,
            critical,
        )
        stands_out = candidates > 0 and size > stand_out_limit(candidates, policy.alarm_probability)
        if not stands_out or len(kept) >= policy.max_rejections:
            break
        kept.append((worst, float(sigma[worst]), float(normalized[worst])))
        readings = readings.without(worst, why=f"bad data: {size:.1f} sigma from what all else says")
        after = optimise(
            problem,
            optimum,
            beliefs=beliefs,
            readings=readings.columns,
            system=optimum.system,
            policy=policy,
            budget=policy.max_iterations,
        )
        if isinstance(after, Diverged):
            return after
        optimum, iterations = after, iterations + after.iterations
    for row, deviation, over in kept:
        residual[row], sigma[row], normalized[row] = optimum.residual[row], deviation, over
    chi2 = optimum.prior_cost + cost
    freedom = round(used - optimum.system.for_covariance.unknowns_found)
    return Verdict(
        optimum=optimum,
        readings=readings,
        covariance=covariance,
        cache=cache,
        residual=residual,
        residual_sigma=sigma,
        normalized=normalized,
        critical=critical,
        rejected=np.array([row for row, *_ in kept], dtype=np.int64),
        chi2=float(chi2),
        degrees_of_freedom=max(freedom, 0),
        consistent=chi2 <= policy.chi2_partial_ratio * chi2_limit(freedom, policy.chi2_confidence),
        more_to_reject=bool(stands_out),
        iterations=iterations,
    )
