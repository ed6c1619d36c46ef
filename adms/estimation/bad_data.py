"""Bad data: the largest normalised residual, one after the other.

Only telemetered points are candidates: a pseudo-measurement is a belief, and believing less is no repair. (Abur &
Exposito, chapter 5; measured on gross voltage errors: with pseudo-measurements among the candidates the wrong row was
blamed three times as often.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, ndtri

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.beliefs import Beliefs
from adms.estimation.covariance import Covariance, CovarianceCache, cache_for
from adms.estimation.descent import cost_of, costs_more
from adms.estimation.iterate import Converged, Diverged, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.judging import normalise
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.readings import Readings
from adms.grid.arrays import BoolArray

CRITICAL_FRAC = 1e-3
"""Where the residual's variance is less than this share of the meter's, nothing else checks the meter: its residual is
zero whatever it says, and it has no normalised residual."""
_REPRIEVES = 3
"""So often at most are points taken back."""


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Of one measurement, as of when it was rejected, per unit: against what the others say, which is what it is
    reported with."""

    row: int
    residual: float
    """Measured less what the others say: r R / Omega, R the meter's variance, Omega that of r, its residual in the
    estimate that it was still part of (Cook & Weisberg, Residuals and Influence in Regression, 1982, section 2.2.1)."""
    sigma: float
    """R / sqrt(Omega), of both errors together."""
    normalized: float
    """Their ratio, which is r / sqrt(Omega) as well."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """An optimum with what it says about its measurements."""

    optimum: Converged
    readings: Readings
    """Without the rejected ones."""
    covariance: Covariance
    cache: CovarianceCache
    residual: FloatArray
    """[M] measured less estimated, per unit; of a rejected point as in `Rejection`; NaN where neither."""
    residual_sigma: FloatArray
    """[M] its standard deviation."""
    normalized: FloatArray
    """[M] their ratio; NaN where not used or critical."""
    critical: BoolArray
    """[M] True where nothing else checks a point in use."""
    rejections: tuple[Rejection, ...]
    chi2: float
    degrees_of_freedom: int
    consistent: bool
    """False where chi-squared is far above its limit after the last permitted rejection."""
    more_to_reject: bool
    """True where a point still stands out, and no more may be rejected."""
    iterations: int

    @property
    def rejected(self) -> IntArray:
        """Rows, in the order in which they were rejected."""
        return np.array([each.row for each in self.rejections], dtype=np.int64)


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
    before: Sequence[Rejection] = (),
) -> Verdict | Diverged:
    """Reject telemetered points one after the other until no point stands out. Where there are several, what
    then agrees with the others is taken back: beside a gross error many points can look wrong that are not.

    chi-squared is the whole cost, the prior's part included. Its expectation is the number of telemetered points in
    use, less the inputs of which nothing was known: the law is exact, and every other input has a prior.

    Args:
        problem: the network in one state.
        first: the optimum with all readings.
        beliefs: about the powers.
        readings: of this scan.
        policy: thresholds.
        cache: of an earlier scan.
        before: what is rejected already: `readings` has it no more.

    Returns:
        The verdict, or why an estimate after a rejection failed.
    """
    verdict = _judged(
        problem, first, beliefs=beliefs, readings=readings, policy=policy, cache=cache, before=tuple(before)
    )
    for _ in range(_REPRIEVES):
        if isinstance(verdict, Diverged) or len(verdict.rejections) < 2:
            break
        better = _reprieved(problem, verdict, beliefs=beliefs, policy=policy)
        if better is None:
            break
        verdict = better
    return verdict


def _reprieved(problem: Problem, verdict: Verdict, *, beliefs: Beliefs, policy: EstimationPolicy) -> Verdict | None:
    """The verdict with what agrees with it taken back; None where nothing does, or others had to go instead."""
    limit = stand_out_limit(int(np.isfinite(verdict.normalized).sum()), policy.alarm_probability)
    now = verdict.optimum.residual
    still = tuple(each for each in verdict.rejections if abs(now[each.row]) > limit * each.sigma)
    if len(still) == len(verdict.rejections):
        return None
    back = verdict.readings.including([each.row for each in verdict.rejections if each not in still])
    optimum = _from(problem, verdict.optimum, beliefs=beliefs, readings=back.columns, policy=policy)
    if isinstance(optimum, Diverged):
        return None
    again = _judged(problem, optimum, beliefs=beliefs, readings=back, policy=policy, cache=verdict.cache, before=still)
    if isinstance(again, Diverged) or len(again.rejections) > len(verdict.rejections):
        return None
    if len(again.rejections) == len(verdict.rejections) and not (again.chi2 < verdict.chi2):
        return None
    return replace(again, iterations=verdict.iterations + again.iterations)


def _judged(
    problem: Problem,
    first: Converged,
    *,
    beliefs: Beliefs,
    readings: Readings,
    policy: EstimationPolicy,
    cache: CovarianceCache | None,
    before: tuple[Rejection, ...],
) -> Verdict | Diverged:
    """`judge`, without taking any back."""
    optimum = first
    iterations = first.iterations
    count = problem.layout.rows.count
    rejected = list(before)
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
        if not stands_out or len(rejected) >= policy.max_rejections:
            break
        alone = columns.variance[worst] / sigma[worst]
        there = Rejection(
            row=worst,
            residual=float(normalized[worst] * alone),
            sigma=float(alone),
            normalized=float(normalized[worst]),
        )
        rejected.append(there)
        readings = readings.without(worst, why=rejected_why(there))
        after = _from(problem, optimum, beliefs=beliefs, readings=readings.columns, policy=policy)
        if isinstance(after, Diverged):
            return after
        optimum, iterations = after, iterations + after.iterations
    chi2 = optimum.prior_cost + cost
    freedom = round(used - optimum.system.for_covariance.unknowns_found)
    for each in rejected:
        residual[each.row], sigma[each.row], normalized[each.row] = each.residual, each.sigma, each.normalized
    return Verdict(
        optimum=optimum,
        readings=readings,
        covariance=covariance,
        cache=cache,
        residual=residual,
        residual_sigma=sigma,
        normalized=normalized,
        critical=critical,
        rejections=tuple(rejected),
        chi2=float(chi2),
        degrees_of_freedom=max(freedom, 0),
        consistent=chi2 <= policy.chi2_partial_ratio * chi2_limit(freedom, policy.chi2_confidence),
        more_to_reject=bool(stands_out),
        iterations=iterations,
    )


def rejected_why(there: Rejection) -> str:
    """What to say of a rejected measurement."""
    return f"bad data: {abs(there.normalized):.1f} sigma from what all else says"


def _from(
    problem: Problem, before: Converged, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
) -> Converged | Diverged:
    """The optimum with other measurements: from where the last one is, with its factor. A gross error leaves both far
    from where the others are; then with a new factor, and then from the expected loads."""
    than = cost_of(before, readings)
    for start, system in ((before, before.system), (before, None), (None, None)):
        after = optimise(
            problem,
            expected_start(problem, beliefs) if start is None else start,
            beliefs=beliefs,
            readings=readings,
            system=system,
            policy=policy,
            budget=policy.max_iterations,
        )
        if isinstance(after, Converged) and not costs_more(after, readings, than=than):
            return after
    if isinstance(after, Diverged):
        return after
    return Diverged(reason="steps end at what costs more than before", iterations=after.iterations)
