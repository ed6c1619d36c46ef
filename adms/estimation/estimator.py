"""From one snapshot to one picture of the feeder, or why there is none.

Three-phase weighted least squares with the network law as an exact equality (Abur & Exposito, Power System State
Estimation, 2004, chapters 2, 3 and 5). `kinds` says what the meters measure, one module each; `layout` where each
unknown stands; `problem` what a grid state makes of it; `kernel` is the compiled arithmetic; `system` a factored
matrix, `iterate` the steps, `covariance` what they are worth; `observability` what telemetry alone determines,
`bad_data` which meters lie, `contradiction` which of them say that the switches do.
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.estimate import Estimate, NotEstimated
from adms.core.ids import ElementId
from adms.core.telemetry import PointTable, TelemetrySnapshot
from adms.estimation.bad_data import Verdict
from adms.estimation.beliefs import Beliefs, beliefs_of
from adms.estimation.checks import check_prior, unreadable
from adms.estimation.contradiction import contradictions_of
from adms.estimation.covariance import CovarianceCache
from adms.estimation.iterate import Start
from adms.estimation.layout import Layout, layout_of
from adms.estimation.observability import Observed, observed
from adms.estimation.picture import picture_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, problem_of
from adms.estimation.quarantine import EMPTY, Quarantine, excluded_rows, quarantined, watched
from adms.estimation.readings import readings_of
from adms.estimation.standing import standing_verdict
from adms.estimation.system import System
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatorState:
    """What one scan leaves for the next: where it ended and what it factored. Nothing in it changes the optimum of the
    points in use."""

    problem: Problem
    beliefs: Beliefs
    policy: EstimationPolicy
    optimum: Start
    cache: CovarianceCache
    observed: Observed
    observed_use: BoolArray
    """[M] rows that `observed` is for."""
    use: BoolArray
    """[M] rows in use."""
    quarantine: Quarantine = EMPTY
    """Points that were rejected of late: the one thing in it that later pictures depend on."""

    @property
    def system(self) -> System:
        """The factored matrix."""
        return self.cache.system


def estimate(
    snapshot: TelemetrySnapshot,
    *,
    arrays: NetworkArrays,
    grid: GridState,
    unknown: frozenset[ElementId],
    prior: LoadPrior,
    policy: EstimationPolicy,
    state: EstimatorState | None,
) -> tuple[EstimatorState | None, Estimate | NotEstimated]:
    """One scan.

    Args:
        snapshot: the telemetry of one instant. Points that are missing, flagged, stale, without sigma or at dead nodes
            are not used. A voltage meter that contradicts the switches makes the picture INCONSISTENT, as does a head
            without meters.
        arrays: the network in solver order.
        grid: positions as reported.
        unknown: devices whose position is not known; the picture is then PARTIAL.
        prior: what is believed about the injectors.
        policy: what is believed about the rest, and thresholds.
        state: of the last scan, or None.

    Returns:
        (state for the next scan, the picture or why there is none). After a failure the state is the one given: the
        next scan starts where the last picture ended, and what was in quarantine stays there.

    Raises:
        InputError: the prior is not one of this network, with everything wrong in it. Telemetry that cannot be read is
            no error: there is no picture then, and the reason says why.
    """
    reason = unreadable(snapshot, arrays=arrays)
    if reason is not None:
        return state, _refused(snapshot, reason)
    if not _seen(state, prior=prior, arrays=arrays, table=snapshot.table):
        check_prior(prior, arrays=arrays, points=len(snapshot.table.keys))
    problem = _problem(arrays, grid, table=snapshot.table, policy=policy, state=state)
    if isinstance(problem, NotSolved):
        return state, _refused(snapshot, problem.reason)
    beliefs = _beliefs(problem, prior, state)
    readings = readings_of(snapshot, problem=problem, policy=policy, beliefs=beliefs)
    quarantine = EMPTY if state is None or policy.quarantine is None else state.quarantine
    asked = readings
    readings = asked.excluding(excluded_rows(quarantine, problem.layout))
    cache = None if state is None else state.cache
    verdict = standing_verdict(
        problem, _starts(problem, state), beliefs=beliefs, readings=readings, policy=policy, cache=cache
    )
    if isinstance(verdict, str):
        return state, _refused(snapshot, verdict)
    seen, seen_use = _observed(problem, verdict, policy=policy, state=state)
    verdict = watched(verdict, np.flatnonzero(asked.columns.use & ~readings.columns.use))
    after = EstimatorState(
        problem=problem,
        beliefs=beliefs,
        policy=policy,
        optimum=verdict.optimum,
        cache=verdict.cache,
        observed=seen,
        observed_use=seen_use,
        use=verdict.readings.columns.use,
    )
    picture = picture_of(
        snapshot,
        problem=problem,
        verdict=verdict,
        observed=after.observed,
        contradictions=contradictions_of(snapshot, problem=problem, policy=policy),
        unknown=unknown,
        policy=policy,
    )
    if policy.quarantine is not None:
        after = replace(
            after,
            quarantine=quarantined(quarantine, picture.innovations, time=snapshot.cut_time, policy=policy.quarantine),
        )
    return after, picture


def _refused(snapshot: TelemetrySnapshot, reason: str) -> NotEstimated:
    return NotEstimated(snapshot_id=snapshot.snapshot_id, time=snapshot.cut_time, reason=reason)


def _seen(state: EstimatorState | None, *, prior: LoadPrior, arrays: NetworkArrays, table: PointTable) -> bool:
    """True where the last scan had the same prior (which cannot have changed) on the same places."""
    if state is None or state.beliefs.prior is not prior:
        return False
    return state.problem.layout.arrays is arrays and state.problem.layout.table is table


def _problem(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    table: PointTable,
    policy: EstimationPolicy,
    state: EstimatorState | None,
) -> Problem | NotSolved:
    """The problem of this scan: the last one's, or on the last one's layout, where they are the same."""
    if state is not None and state.problem.layout.arrays is arrays and state.policy == policy:
        layout: Layout = state.problem.layout
        if layout.table is table or layout.table == table:
            same = state.problem.grid is grid or state.problem.grid == grid
            return state.problem if same else problem_of(layout, grid, policy=policy)
    return problem_of(layout_of(arrays, table), grid, policy=policy)


def _beliefs(problem: Problem, prior: LoadPrior, state: EstimatorState | None) -> Beliefs:
    if state is not None and state.problem is problem and state.beliefs.prior is prior:
        return state.beliefs
    return beliefs_of(problem, prior)


def _starts(problem: Problem, state: EstimatorState | None) -> list[tuple[Start | None, System | None]]:
    """Where the last scan ended, with its factor where it fits, and the expected loads."""
    starts: list[tuple[Start | None, System | None]] = [(None, None)]
    if state is not None and state.problem.layout is problem.layout and _same_nodes(state.problem, problem):
        starts.insert(0, (state.optimum, state.system if state.problem is problem else None))
    return starts


def _same_nodes(before: Problem, after: Problem) -> bool:
    return before is after or np.array_equal(before.factor.solved, after.factor.solved)


def _observed(
    problem: Problem, verdict: Verdict, *, policy: EstimationPolicy, state: EstimatorState | None
) -> tuple[Observed, BoolArray]:
    """(What telemetry alone determines, [M] the rows that this is for).

    A tap that moved changes nothing that it would notice. Points that come and go from scan to scan do not count
    either: a set of rows is looked at once it has stayed for two scans.
    """
    use = verdict.readings.columns.use
    if (
        state is not None
        and state.problem.layout is problem.layout
        and state.problem.grid.topology_version == problem.grid.topology_version
        and (np.array_equal(state.observed_use, use) or not np.array_equal(state.use, use))
    ):
        return state.observed, state.observed_use
    return observed(problem, verdict.optimum.x, readings=verdict.readings.columns, policy=policy), use
