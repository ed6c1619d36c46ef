"""A second look from far away: which readings nothing near the expected loads explains.

Steps to the optimum of all readings can end nowhere, or at an optimum of collapsed voltages, where a reading is far
beyond what the network could carry; residuals there say nothing of who is wrong. From the power flow of the expected
loads the same test is a matter of one linear step, exact in the covariances: with d what the meters say less what is
expected there, and S the covariance of d by meters and prior together, the normalised residuals are
(S^-1 d)_i / sqrt((S^-1)_ii), and without row i S^-1 is S^-1 - c c^T / c_i, c its column (Abur & Exposito, Power System
State Estimation, 2004, chapter 5; the matrix inversion lemma). S^-1 is what stands in K^-1 at the multipliers of the
rows. One step is no optimum, so what it blames is asked again: who agrees with the
estimate of the others is taken back.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.bad_data import Rejection, Verdict, judge, rejected_why, stand_out_limit
from adms.estimation.beliefs import Beliefs
from adms.estimation.covariance import CovarianceCache
from adms.estimation.iterate import Converged, Diverged, Start, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.quarantine import innovation_sigma
from adms.estimation.readings import Readings
from adms.estimation.system import Singular, system_at

COLLAPSED_PU = 0.5
"""A network that runs has no voltage so low; at an optimum that has, it is not the rejected meters that are wrong."""

_ROUNDING = 1e-9
"""A smaller share of a meter's variance that its residual has is none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Screened:
    """Readings without those that are blamed, and their optimum."""

    optimum: Converged
    readings: Readings
    rejected: tuple[Rejection, ...]


def holds(verdict: Verdict) -> bool:
    """True where a verdict's measurements agree, without voltages for which others had to be rejected."""
    if not verdict.consistent or verdict.more_to_reject:
        return False
    if not len(verdict.rejected):
        return True
    layout = verdict.optimum.system.problem.layout
    v = layout.phasors(verdict.optimum.x, layout.node)[verdict.optimum.system.problem.factor.solved]
    return bool(np.abs(v).min(initial=1.0) > COLLAPSED_PU)


def judge_from_afar(
    problem: Problem, *, beliefs: Beliefs, readings: Readings, policy: EstimationPolicy, cache: CovarianceCache | None
) -> Verdict | None:
    """A verdict on readings for which `judge` found none, or none that holds.

    Args:
        problem: the network in one state.
        beliefs: about the powers.
        readings: of this scan.
        policy: thresholds.
        cache: of an earlier scan.

    Returns:
        The verdict where it holds, else None.
    """
    if beliefs.partial:  # what is not expected is no ground to judge from
        return None
    found = _screened(problem, beliefs=beliefs, readings=readings, policy=policy)
    if found is None:
        return None
    verdict = judge(
        problem,
        found.optimum,
        beliefs=beliefs,
        readings=found.readings,
        policy=policy,
        cache=cache,
        before=found.rejected,
    )
    return verdict if isinstance(verdict, Verdict) and holds(verdict) else None


def _screened(problem: Problem, *, beliefs: Beliefs, readings: Readings, policy: EstimationPolicy) -> _Screened | None:
    def optimum_of(columns: ReadingColumns, start: Start) -> Converged | Diverged:
        budget = policy.max_iterations
        return optimise(problem, start, beliefs=beliefs, readings=columns, system=None, policy=policy, budget=budget)

    unread = readings.columns._replace(use=np.zeros_like(readings.columns.use))
    expected = optimum_of(unread, expected_start(problem, beliefs))
    if isinstance(expected, Diverged):
        return None
    blamed = _blamed(expected, beliefs=beliefs, readings=readings, policy=policy)
    if blamed is None or not len(blamed):
        return None
    fewer = readings.excluding(dict.fromkeys(blamed.tolist(), ""))
    optimum = optimum_of(fewer.columns, expected)
    if isinstance(optimum, Diverged):
        return None
    rejected = _still_against(optimum, blamed, readings=fewer, policy=policy)
    if rejected is None:
        return None
    kept = readings.excluding({each.row: rejected_why(each) for each in rejected})
    if len(rejected) < len(blamed):
        optimum = optimum_of(kept.columns, optimum)
        if isinstance(optimum, Diverged):
            return None
    return _Screened(optimum=optimum, readings=kept, rejected=rejected)


def _blamed(expected: Converged, *, beliefs: Beliefs, readings: Readings, policy: EstimationPolicy) -> IntArray | None:
    """Rows that stand out in one linear step from the expected loads; None where too many do."""
    problem, columns = expected.system.problem, readings.columns
    made = system_at(problem, expected.x, s=expected.s, beliefs=beliefs, inside=columns.use, variance=columns.variance)
    if isinstance(made, Singular):
        return None
    correction = made.correction(columns)
    if correction is None:
        return None
    place, used = problem.rows.place, columns.use

    def weighed(right: FloatArray) -> FloatArray:
        """[M] S^-1 times what stands at the rows' multipliers."""
        through = correction.columns.T @ (correction.inner @ (correction.columns @ right))
        return np.where(used, -(made.solve(right) + through)[place], 0.0)

    right = np.zeros(problem.layout.size)
    right[place] = np.where(used, expected.residual, 0.0)
    pull = weighed(right)
    omega = CovarianceCache(made).of(correction, readings=columns).residual_variance
    size = np.where(used, omega / columns.variance**2, 0.0)
    # What only the prior checks is asked, too: here a power can be beyond all that it allows.
    asked = used & (size * columns.variance > _ROUNDING)
    taken: list[tuple[int, FloatArray]] = []
    while True:
        normalized = np.where(asked, np.abs(pull) / np.sqrt(np.where(asked, size, 1.0)), 0.0)
        worst = int(np.argmax(normalized))
        if not normalized[worst] > stand_out_limit(int(asked.sum()), policy.alarm_probability):
            return np.array([row for row, _ in taken], dtype=np.int64)
        if len(taken) >= policy.max_rejections:
            return None
        right = np.zeros(problem.layout.size)
        right[place[worst]] = 1.0
        column = weighed(right)
        for row, other in taken:
            column = column - other * (column[row] / other[row])
        pull = pull - column * (pull[worst] / column[worst])
        size = size - column**2 / column[worst]
        taken.append((worst, column))
        asked[worst] = False
        asked &= size * columns.variance > _ROUNDING


def _still_against(
    optimum: Converged, blamed: IntArray, *, readings: Readings, policy: EstimationPolicy
) -> tuple[Rejection, ...] | None:
    """Those of the blamed that the estimate without them contradicts."""
    sigma = innovation_sigma(optimum, readings.columns, rows=blamed)
    if sigma is None:
        return None
    normalized = np.divide(optimum.residual[blamed], sigma, out=np.full(len(blamed), np.inf), where=sigma > 0.0)
    limit = stand_out_limit(int(readings.columns.use.sum()) + len(blamed), policy.alarm_probability)
    return tuple(
        Rejection(row=row, residual=float(optimum.residual[row]), sigma=float(of), normalized=float(size))
        for row, of, size in zip(blamed.tolist(), sigma, normalized, strict=True)
        if abs(size) > limit
    )
