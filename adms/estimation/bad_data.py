"""Bad data: chi-squared as the gate, then the largest normalised residual, one after the other.

Only telemetered points are candidates: a pseudo-measurement is a belief, and believing less is no repair. (Abur &
Exposito, chapter 5; measured on gross voltage errors: with pseudo-measurements among the candidates the wrong row was
blamed three times as often.)
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.augmented import Problem, Readings
from adms.estimation.covariance import Covariance, CovarianceCache
from adms.estimation.iterate import Converged, Diverged, optimise
from adms.estimation.policy import EstimationPolicy

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
    normalized: FloatArray
    """[M] NaN where not used or critical; of a rejected point, what it was when rejected."""
    rejected: IntArray
    chi2: float
    degrees_of_freedom: int
    consistent: bool
    """False where chi-squared is far above its limit after the last permitted rejection."""
    more_to_reject: bool
    """True where chi-squared is above its limit and a point still stands out, and no more may be rejected."""
    iterations: int


def chi2_limit(degrees_of_freedom: int, confidence: float) -> float:
    """Quantile of chi-squared."""
    return float(chdtri(degrees_of_freedom, 1.0 - confidence)) if degrees_of_freedom > 0 else np.inf


def judge(
    problem: Problem,
    first: Converged,
    *,
    readings: Readings,
    policy: EstimationPolicy,
    cache: CovarianceCache | None,
) -> Verdict | Diverged:
    """Reject telemetered points one after the other until chi-squared is believable or no point stands out.

    chi-squared is the whole cost, the prior's part included. Its expectation is the number of telemetered points in
    use: the law is exact, and every input has a prior.

    Args:
        problem: the network, its inputs and its measurements.
        first: the optimum with all readings.
        readings: of this scan.
        policy: thresholds.
        cache: of an earlier scan.

    Returns:
        The verdict, or why an estimate after a rejection failed.
    """
    optimum = first
    iterations = first.iterations
    rejected: list[int] = []
    kept = np.full(problem.stack.count, np.nan)
    while True:
        if cache is None or cache.system is not optimum.system:
            cache = CovarianceCache(optimum.system)
        covariance = cache.of(optimum.correction, readings=readings)
        residual = readings.z - problem.stack.evaluate(optimum.iterate.point)[0]
        chi2 = problem.inputs.gradient(optimum.iterate.point).cost
        chi2 += float(np.sum(residual[readings.use] ** 2 / readings.variance[readings.use]))
        freedom = int(readings.use.sum())
        normalized = _normalized(residual, readings, covariance)
        believable = chi2 <= chi2_limit(freedom, policy.chi2_confidence)
        size = np.where(np.isfinite(normalized), np.abs(normalized), 0.0)
        worst = int(np.argmax(size)) if size.size else 0
        stands_out = size.size > 0 and size[worst] > policy.reject_normalized
        if believable or not stands_out or len(rejected) >= policy.max_rejections:
            break
        kept[worst] = normalized[worst]
        rejected.append(worst)
        readings = readings.without(worst)
        after = optimise(
            problem,
            optimum.iterate,
            readings=readings,
            system=optimum.system,
            policy=policy,
            budget=policy.max_iterations - iterations,
        )
        if isinstance(after, Diverged):
            return after
        optimum, iterations = after, iterations + after.iterations
    reported = readings.use.copy()
    reported[rejected] = True
    return Verdict(
        optimum=optimum,
        readings=readings,
        covariance=covariance,
        cache=cache,
        residual=np.where(reported, residual, np.nan),
        normalized=np.where(np.isfinite(kept), kept, normalized),
        rejected=np.array(rejected, dtype=np.int64),
        chi2=float(chi2),
        degrees_of_freedom=freedom,
        consistent=chi2 <= policy.chi2_partial_ratio * chi2_limit(freedom, policy.chi2_confidence),
        more_to_reject=bool(stands_out and not believable),
        iterations=iterations,
    )


def _normalized(residual: FloatArray, readings: Readings, covariance: Covariance) -> FloatArray:
    """[M] residual over its standard deviation; NaN where not in use or critical."""
    with np.errstate(invalid="ignore"):
        usable = readings.use & (covariance.residual_variance > CRITICAL_FRAC * readings.variance)
        deviation = np.sqrt(np.where(usable, covariance.residual_variance, 1.0))
    return np.asarray(np.where(usable, residual / deviation, np.nan))
