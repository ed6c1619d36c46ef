"""What the scans so far say of reported positions, and one scan more: what is carried from scan to scan."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict
from adms.core.telemetry import PointKey, TelemetrySnapshot
from adms.estimation.beliefs import beliefs_of
from adms.estimation.estimator import EstimatorState
from adms.estimation.hypotheses_candidates import Candidate, candidates_of
from adms.estimation.hypotheses_evidence import Heard, heard_of
from adms.estimation.hypotheses_examination import Examination
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.hypotheses_sight import Change, change_of
from adms.estimation.hypotheses_window import Window
from adms.estimation.iterate import Start
from adms.estimation.layout import Layout, layout_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, problem_of
from adms.estimation.quarantine import EMPTY, Quarantine, excluded_rows
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionBelief:
    """What the scans so far say of the reported positions."""

    layout: Layout
    grid: GridState
    problem: Problem
    candidates: tuple[Candidate, ...]
    changes: Mapping[Candidate, Change]
    """Of each switch."""
    window: Window
    solved_at: Mapping[Candidate, int] = field(default_factory=dict)
    """Scan in which a candidate was last solved exactly."""
    exact: Mapping[Candidate, float] = field(default_factory=dict)
    """Log odds of the window, then."""
    separation: Mapping[Candidate, float] = field(default_factory=dict)
    """Sigmas that a full window of readings would put between a candidate and the reported positions."""
    rows: BoolArray | None = None
    """[M] rows that `separation` is for."""
    in_a_row: Mapping[Candidate, int] = field(default_factory=dict)
    """How often a candidate stood out, without a break."""
    at_work: tuple[Examination, ...] = ()
    """Of the window and, where that is of several scans, of the last one by itself."""
    since: Window | None = None
    """The window since the readings at work."""
    credit_ms: float = 0.0
    """Work that may be done before the next scan; below zero where too much was done."""
    verdicts: tuple[PositionVerdict, ...] = ()
    """The last ones; none before the first."""
    begun_at: tuple[datetime, ...] = ()
    """When the readings of the last examinations were taken, as many as it takes to name a position; of what is at work
    last."""
    troubled: bool = False
    """What is at work was begun with a picture that its own readings contradict."""
    set_aside: frozenset[PointKey] = frozenset()
    """Points that are not listened to: in quarantine, and so long that what they said was examined before."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What one scan brings."""

    snapshot: TelemetrySnapshot
    unknown: frozenset[ElementId]
    prior: LoadPrior
    policy: EstimationPolicy
    hypotheses: HypothesisPolicy
    estimator: EstimatorState | None


def with_scan(
    state: PositionBelief | None, given: Given, *, arrays: NetworkArrays, grid: GridState
) -> tuple[PositionBelief | None, Heard]:
    """(The belief with one scan more in its window, what was heard in it)."""
    nothing = Heard(z=np.zeros(0), variance=np.ones(0), use=np.zeros(0, dtype=np.bool_))
    belief = _continued(state, given, arrays=arrays, grid=grid)
    if belief is None:
        return None, nothing
    layout, problem = belief.layout, belief.problem
    heard = heard_of(given.snapshot, problem=problem, beliefs=beliefs_of(problem, given.prior), policy=given.policy)
    aside = _set_aside(belief, given)
    rows = np.array(sorted(excluded_rows(aside, layout)), dtype=np.int64)
    if len(rows):
        use = heard.use.copy()
        use[rows] = False
        heard = replace(heard, use=use)
    most = given.hypotheses.window_scans

    def after(window: Window) -> Window:
        return window.without(rows).after(heard, snapshot=given.snapshot, layout=layout, most=most)

    since = None if belief.since is None else after(belief.since)
    return replace(belief, window=after(belief.window), since=since, set_aside=frozenset(aside.records)), heard


def _set_aside(belief: PositionBelief, given: Given) -> Quarantine:
    """Meters in quarantine, but for those whose readings were not examined yet: what a wrong position makes look wrong
    is what speaks against it."""
    if given.estimator is None or len(belief.begun_at) <= given.hypotheses.named_in_a_row:
        return EMPTY
    first = belief.begun_at[0]
    records = given.estimator.quarantine.records
    return Quarantine(records={k: r for k, r in records.items() if r.since is not None and r.since < first})


def _continued(
    state: PositionBelief | None, given: Given, *, arrays: NetworkArrays, grid: GridState
) -> PositionBelief | None:
    """The last scan's belief where it is about the same network, points and positions; else a new one."""
    table, estimator = given.snapshot.table, given.estimator
    same_layout = (
        state is not None
        and state.layout.arrays is arrays
        and (state.layout.table is table or state.layout.table == table)
    )
    if state is not None and same_layout and state.grid == grid:
        return state
    if state is not None and same_layout:
        layout = state.layout
    elif estimator is not None and estimator.problem.layout.arrays is arrays:
        layout = estimator.problem.layout
    else:
        layout = layout_of(arrays, table)
    if layout.table != table:
        layout = layout_of(arrays, table)
    problem = problem_of(layout, grid, policy=given.policy)
    if isinstance(problem, NotSolved):
        return None
    candidates = candidates_of(arrays, grid, tap_steps=given.hypotheses.tap_steps)
    return PositionBelief(
        layout=layout,
        grid=grid,
        problem=problem,
        candidates=candidates,
        changes={c: change_of(c, problem=problem) for c in candidates if not c.is_tap},
        window=Window.empty(layout),
    )


def start_of(problem: Problem, estimator: EstimatorState | None) -> Start | None:
    """Where the estimator ended, where that is of the same nodes."""
    if estimator is None or estimator.problem.layout is not problem.layout:
        return None
    same = np.array_equal(estimator.problem.factor.solved, problem.factor.solved)
    return estimator.optimum if same else None
