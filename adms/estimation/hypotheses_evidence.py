"""How probable the readings are if the grid is in some state.

The powers and open-circuit voltages are integrated out (Laplace's approximation, exact in a linear model):

    -2 log p(z | grid) = chi-squared at the optimum + log det S + m log 2 pi,      S = R + H Sigma H^T

with m readings in use. Eliminating everything but the rows' multipliers from the estimator's K leaves -S, so that
log det S = log |det K| with the rows - log |det K| without: two factors, no dense matrix. What has no voltage in a
state reads zero there. A reading that a state cannot explain may be a gross error, at the price of one: otherwise one
failed meter would open a switch (Bishop, Pattern Recognition and Machine Learning, 2006, sections 3.4 and 4.4.1).
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.block_ldu.symmetric import log_determinant
from adms.core.telemetry import FloatArray, IntArray, Quality, TelemetrySnapshot
from adms.estimation.bad_data import Verdict, chi2_limit, judge
from adms.estimation.beliefs import Beliefs
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.iterate import Converged, Diverged, Start, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kinds.ampere import MIN_SIGMAS
from adms.estimation.kinds.row import Form
from adms.estimation.layout import Layout
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.readings import LARGEST_PU, LARGEST_V_PU, LEAST_SIGMA_PU, LEAST_V_PU, Readings, readings_of
from adms.estimation.system import Singular, System, system_at
from adms.grid.arrays import BoolArray

_TOLERANCE_PU, _LOOSE_PU = 1e-6, 1e-4
"""Of an optimum: where the least cost is at a limit of a load law, steps go on from one side to the other; the odds do
not care."""
_STEPS = 40
_NEAR_PU = 1e-3
"""A factor of a point as near as this is the optimum's."""
_LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """What the meters say, whatever the positions are."""

    z: FloatArray
    """[M] per unit; 0 where nothing is heard."""
    variance: FloatArray
    """[M] per unit squared, without any constant error; 1 where nothing is heard."""
    use: BoolArray
    """[M] True where a good and fresh value with a sigma is there."""


def heard_of(snapshot: TelemetrySnapshot, *, problem: Problem, beliefs: Beliefs, policy: EstimationPolicy) -> Heard:
    """The good and fresh points of a snapshot, also those that the reported positions call dead or impossible.

    Args:
        snapshot: the telemetry of one instant.
        problem: the network as reported; its layout says which rows of the table are measurements.
        beliefs: say how values age, and which points the prior rests on already.
        policy: says what is stale.
    """
    stack = problem.layout.rows
    rows = stack.table_rows
    aged = readings_of(snapshot, problem=problem, policy=policy, beliefs=beliefs).columns
    told = np.isin(rows, beliefs.prior.told)
    z, sigma = snapshot.value[rows] / stack.si_per_unit, snapshot.sigma[rows] / stack.si_per_unit
    with np.errstate(invalid="ignore"):
        use = (
            (snapshot.quality[rows] == Quality.GOOD)
            & (snapshot.age_s[rows] <= policy.telemetry_max_age_s)
            & (np.abs(z) < LARGEST_PU)
            & (sigma > LEAST_SIGMA_PU)
            & (sigma < LARGEST_PU)
            & ~told
        )
        variance = np.where(aged.use, aged.variance, np.where(use, sigma, 1.0) ** 2)
    use = use | aged.use
    return Heard(z=np.where(aged.use, aged.z, np.where(use, z, 0.0)), variance=variance, use=use)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """How well one grid state explains the readings."""

    problem: Problem
    optimum: Converged
    """With all that can be used."""
    columns: ReadingColumns
    """Of that optimum."""
    system: System
    """K there, with exactly these readings,"""
    unmeasured: System
    """and with none."""
    log_evidence: float
    """log p(readings | grid), with the gross errors that it takes."""
    bad: IntArray
    """[gross errors] rows that this grid state calls grossly wrong."""
    fits: bool
    """False where chi-squared is above its quantile all the same."""


def fit_of(
    problem: Problem,
    heard: Heard,
    *,
    beliefs: Beliefs,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    start: Start | None,
    floor: float = -np.inf,
) -> Fit | None:
    """Solve one grid state.

    Args:
        problem: the network in that state.
        heard: the readings.
        beliefs: about its powers.
        policy: of the estimator.
        hypotheses: what is believed of gross errors.
        start: where from; the expected loads where left out.
        floor: log evidence below which it does not matter how much it is: no gross errors are looked for.

    Returns:
        The fit, or None where it has no optimum: this state does not explain the readings at all.
    """
    use = heard.use & problem.live_rows & _possible(problem.layout, heard)
    columns = ReadingColumns(z=heard.z, variance=heard.variance, use=use)
    first = start or expected_start(problem, beliefs)
    for tolerance_pu in (_TOLERANCE_PU, _LOOSE_PU):
        optimum = optimise(
            problem,
            first,
            beliefs=beliefs,
            readings=columns,
            system=None,
            policy=replace(policy, tolerance_pu=max(tolerance_pu, policy.tolerance_pu)),
            budget=_STEPS,
        )
        if isinstance(optimum, Converged):
            break
    if isinstance(optimum, Diverged):
        return None
    outlier = _log_outlier(heard, hypotheses)
    unused = _log_unused(problem, optimum, heard, use=use, outlier=outlier)
    systems = _systems(optimum, columns)
    if systems is None:
        return None
    best = _log_used(optimum, columns, systems) + unused
    bad = np.flatnonzero(heard.use & ~use & _grossly_wrong(problem, optimum, heard, outlier=outlier))
    chi2, count = _chi2(optimum, columns), int(use.sum())
    if chi2 > chi2_limit(count, policy.chi2_confidence) and best + 0.5 * chi2 > floor:
        readings = Readings(columns=columns, why=("",) * len(use))
        verdict = judge(problem, optimum, beliefs=beliefs, readings=readings, policy=policy, cache=None)
        if isinstance(verdict, Verdict) and len(verdict.rejected):
            kept = verdict.readings.columns
            remaining = _systems(verdict.optimum, kept)
            if remaining is not None:
                gross = unused + float(outlier[verdict.rejected].sum())
                other = _log_used(verdict.optimum, kept, remaining) + gross
                if other > best:
                    best, bad = other, np.concatenate([bad, verdict.rejected])
                    chi2, count = verdict.chi2, count - len(verdict.rejected)
    return Fit(
        problem=problem,
        optimum=optimum,
        columns=columns,
        system=systems[0],
        unmeasured=systems[1],
        log_evidence=best,
        bad=bad,
        fits=chi2 <= chi2_limit(count, 1.0 - hypotheses.misfit_probability),
    )


def log_of_nothing(heard: Heard, hypotheses: HypothesisPolicy) -> float:
    """Log evidence of a state that has no optimum: every reading is a gross error."""
    return float(_log_outlier(heard, hypotheses)[heard.use].sum())


def _possible(layout: Layout, heard: Heard) -> BoolArray:
    """[M] what a reading of something live can be."""
    moving = layout.moving
    small = moving.current_size & ~(heard.z >= MIN_SIGMAS * np.sqrt(heard.variance))
    odd = moving.voltage_size & ~((heard.z > LEAST_V_PU) & (heard.z < LARGEST_V_PU))
    return np.asarray(~small & ~odd)


def _log_outlier(heard: Heard, hypotheses: HypothesisPolicy) -> FloatArray:
    """[M] log probability that a meter is grossly wrong and says this: anything is as likely, within limits."""
    count = max(int(heard.use.sum()), 1)
    width = 2.0 * hypotheses.gross_error_sigmas * np.sqrt(heard.variance)
    return np.asarray(np.log(hypotheses.bad_meter_odds / count) - np.log(width))


def _log_each(problem: Problem, optimum: Converged, heard: Heard) -> FloatArray:
    """[M] log density of each reading by itself: what is dead reads zero, and of no angle every one is as likely."""
    off = np.where(problem.live_rows, optimum.residual, heard.z)
    log = -0.5 * (off * off / heard.variance + np.log(heard.variance) + _LOG_TWO_PI)
    angle = (problem.rows.form == Form.ANGLE) & ~problem.live_rows
    return np.where(angle, -_LOG_TWO_PI, log)


def _log_unused(problem: Problem, optimum: Converged, heard: Heard, *, use: BoolArray, outlier: FloatArray) -> float:
    """Of the readings that take no part in the optimum."""
    rest = heard.use & ~use
    return float(np.maximum(_log_each(problem, optimum, heard), outlier)[rest].sum())


def _grossly_wrong(problem: Problem, optimum: Converged, heard: Heard, *, outlier: FloatArray) -> BoolArray:
    return np.asarray(_log_each(problem, optimum, heard) < outlier)


def _chi2(optimum: Converged, columns: ReadingColumns) -> float:
    use = columns.use
    return optimum.prior_cost + float(np.sum(optimum.residual[use] ** 2 / columns.variance[use]))


def _log_used(optimum: Converged, columns: ReadingColumns, systems: tuple[System, System]) -> float:
    log_det = _log_det(systems[0]) - _log_det(systems[1])
    return -0.5 * (_chi2(optimum, columns) + log_det + int(columns.use.sum()) * _LOG_TWO_PI)


def _systems(optimum: Converged, columns: ReadingColumns) -> tuple[System, System] | None:
    """K at an optimum with the readings in use, and with none; None where a factor fails."""
    at = optimum.system

    def of(inside: BoolArray) -> System | Singular:
        return system_at(
            at.problem, optimum.x, s=optimum.s, beliefs=at.beliefs, inside=inside, variance=columns.variance
        )

    near = np.abs(at.x[at.problem.layout.node] - optimum.x[at.problem.layout.node]).max() < _NEAR_PU
    exact = near and np.array_equal(at.inside, columns.use) and np.array_equal(at.variance, columns.variance)
    measured, unmeasured = at if exact else of(columns.use), of(np.zeros_like(columns.use))
    if not isinstance(measured, System) or not isinstance(unmeasured, System):
        return None
    return measured, unmeasured


def _log_det(system: System) -> float:
    """log |det K|, the far modes' part included."""
    total = float(log_determinant(system.pattern, system.values))
    _, core = system.mode_columns
    return total + (float(np.linalg.slogdet(core)[1]) if len(core) else 0.0)
