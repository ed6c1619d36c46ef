"""From one snapshot to one picture of the feeder, or why there is none.

Three-phase weighted least squares with the network law as an exact equality (Abur & Exposito, chapters 2, 3 and 5).
`adms.estimation.layout` names the unknowns, `inputs` what is believed about them, one module per measurement kind what
the meters say, `augmented` the system, `iterate` the steps, `covariance` what they are worth, `bad_data` which meters
lie, `contradiction` which of them say that the switches do.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import Estimate, NotEstimated
from adms.core.ids import ElementId
from adms.core.telemetry import PointKind, PointTable, Quality, TelemetrySnapshot
from adms.estimation.ampere import MIN_SIGMAS, current_block
from adms.estimation.augmented import AugmentedSystem, Iterate, Problem, Readings
from adms.estimation.bad_data import Verdict, judge
from adms.estimation.blocks import stacked
from adms.estimation.contradiction import contradictions_of, voltage_witnesses
from adms.estimation.covariance import CovarianceCache
from adms.estimation.injection import injection_block
from adms.estimation.inputs import InputPrior
from adms.estimation.iterate import Converged, Diverged, cold_start, optimise
from adms.estimation.law import NetworkLaw
from adms.estimation.layout import layout_of
from adms.estimation.picture import picture_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.power import flow_block, source_block
from adms.estimation.prior import LoadPrior
from adms.estimation.voltage import LARGEST_V_PU, LEAST_V_PU, voltage_block
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

_LEAST_SIGMA_PU = 1e-9
_LARGEST_PU = 1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatorState:
    """What one scan leaves for the next: where it ended and what it factored. Nothing in it changes the optimum."""

    problem: Problem
    table: PointTable
    prior: LoadPrior
    policy: EstimationPolicy
    iterate: Iterate
    system: AugmentedSystem
    cache: CovarianceCache


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
            are not used. A voltage meter that contradicts the switches makes the picture
            INCONSISTENT, as does a head without meters.
        arrays: the network in solver order.
        grid: positions as reported.
        unknown: devices whose position is not known; the picture is then PARTIAL.
        prior: what is believed about the injectors.
        policy: what is believed about the rest, and thresholds.
        state: of the last scan, or None.

    Returns:
        (state for the next scan, the picture or why there is none). After a failure the state is None: the next scan
        starts cold.
    """
    if snapshot.model_version != arrays.version:
        reason = f"the snapshot is of model {snapshot.model_version}, the network of {arrays.version}"
        return None, _refused(snapshot, reason)
    problem, start = _prepared(snapshot, arrays=arrays, grid=grid, prior=prior, policy=policy, state=state)
    if isinstance(start, Diverged):
        return None, _refused(snapshot, start.reason)
    readings = readings_of(snapshot, problem=problem, policy=policy)
    system, cache = _reusable(problem, state)
    optimum = optimise(problem, start, readings=readings, system=system, policy=policy, budget=policy.max_iterations)
    if isinstance(optimum, Diverged) and state is not None:
        cold = cold_start(problem)
        if isinstance(cold, Iterate):
            optimum = optimise(
                problem, cold, readings=readings, system=None, policy=policy, budget=policy.max_iterations
            )
    if isinstance(optimum, Diverged):
        return None, _refused(snapshot, f"the estimate did not converge: {optimum.reason}")
    return _judged(
        snapshot, optimum, problem=problem, readings=readings, cache=cache, unknown=unknown, prior=prior, policy=policy
    )


def _judged(
    snapshot: TelemetrySnapshot,
    optimum: Converged,
    *,
    problem: Problem,
    readings: Readings,
    cache: CovarianceCache | None,
    unknown: frozenset[ElementId],
    prior: LoadPrior,
    policy: EstimationPolicy,
) -> tuple[EstimatorState | None, Estimate | NotEstimated]:
    verdict = judge(problem, optimum, readings=readings, policy=policy, cache=cache)
    if not isinstance(verdict, Verdict):
        return None, _refused(snapshot, f"after a rejection the estimate did not converge: {verdict.reason}")
    after = EstimatorState(
        problem=problem,
        table=snapshot.table,
        prior=prior,
        policy=policy,
        iterate=verdict.optimum.iterate,
        system=verdict.optimum.system,
        cache=verdict.cache,
    )
    against = contradictions_of(snapshot, layout=problem.layout, witnesses=problem.witnesses, policy=policy)
    picture = picture_of(
        snapshot, problem=problem, verdict=verdict, contradictions=against, unknown=unknown, policy=policy
    )
    return after, picture


def _refused(snapshot: TelemetrySnapshot, reason: str) -> NotEstimated:
    return NotEstimated(snapshot_id=snapshot.snapshot_id, time=snapshot.cut_time, reason=reason)


def _prepared(
    snapshot: TelemetrySnapshot,
    *,
    arrays: NetworkArrays,
    grid: GridState,
    prior: LoadPrior,
    policy: EstimationPolicy,
    state: EstimatorState | None,
) -> tuple[Problem, Iterate | Diverged]:
    """The problem of this scan and where to start: where the last one ended, if the same nodes are live."""
    if state is not None:
        old = state.problem.layout
        same = old.arrays is arrays and old.grid == grid and state.prior is prior and state.policy == policy
        if same and (state.table is snapshot.table or state.table == snapshot.table):
            return state.problem, state.iterate
    problem = problem_of(arrays, grid, table=snapshot.table, prior=prior, policy=policy)
    layout = problem.layout
    if layout.n == 0:
        return problem, Diverged(reason="no node is connected to a source", iterations=0)
    start = cold_start(problem)
    if state is not None and isinstance(start, Iterate):
        old = state.problem.layout
        if old.arrays is arrays and np.array_equal(old.live, layout.live):
            start = Iterate(point=state.iterate.point, mu=start.mu, multiplier=start.multiplier)
    return problem, start


def problem_of(
    arrays: NetworkArrays, grid: GridState, *, table: PointTable, prior: LoadPrior, policy: EstimationPolicy
) -> Problem:
    """Everything that does not change from scan to scan.

    Args:
        arrays: the network in solver order.
        grid: positions as reported.
        table: the points known to the service.
        prior: what is believed about the injectors.
        policy: what is believed about the rest.
    """
    layout = layout_of(arrays, grid)
    blocks = [
        block(layout, table) for block in (voltage_block, flow_block, source_block, current_block, injection_block)
    ]
    return Problem(
        layout=layout,
        law=NetworkLaw(layout),
        inputs=InputPrior(layout, prior=prior, policy=policy),
        stack=stacked(layout, blocks),
        witnesses=voltage_witnesses(layout, table),
    )


def _reusable(problem: Problem, state: EstimatorState | None) -> tuple[AugmentedSystem | None, CovarianceCache | None]:
    if state is None or state.problem is not problem:
        return None, None
    return state.system, state.cache


def readings_of(snapshot: TelemetrySnapshot, *, problem: Problem, policy: EstimationPolicy) -> Readings:
    """Points of a snapshot that can be used, per unit. What no meter can say at a live node is not used either; where
    it contradicts the switches, `contradictions_of` says so.

    Args:
        snapshot: the telemetry of one instant.
        problem: says which rows of the table are measurements here.
        policy: says what is stale.
    """
    stack = problem.stack
    rows = stack.table_rows
    kinds = [snapshot.table.keys[int(r)].kind for r in rows]
    is_current = np.array([kind is PointKind.I_MAGNITUDE for kind in kinds], dtype=np.bool_)
    is_voltage = np.array([kind is PointKind.V_MAGNITUDE for kind in kinds], dtype=np.bool_)
    value, sigma = snapshot.value[rows], snapshot.sigma[rows]
    use = (
        (snapshot.quality[rows] == Quality.GOOD)
        & (snapshot.age_s[rows] <= policy.telemetry_max_age_s)
        & np.isfinite(value)
        & np.isfinite(sigma)
    )
    z = np.where(use, value, 0.0) / stack.si_per_unit
    deviation = np.where(use, sigma, 0.0) / stack.si_per_unit
    use &= (deviation > _LEAST_SIGMA_PU) & (deviation < _LARGEST_PU) & (np.abs(z) < _LARGEST_PU)
    use &= ~is_current | (z >= MIN_SIGMAS * deviation)
    use &= ~is_voltage | ((z > LEAST_V_PU) & (z < LARGEST_V_PU))
    return Readings(z=np.where(use, z, np.nan), variance=np.where(use, deviation**2, np.nan), use=use)
