"""Are the reported positions true? Each switch the other way and each tap some steps off, against the positions as
reported, over one scan and over many.

Odds are ratios of the probabilities of the readings (`hypotheses_evidence`). `hypotheses_window` says how scans are put
together, `hypotheses_examination` what is done with their readings, `hypotheses_verdict` what is said of a device.
`weighed` says all that can be said after each scan; `in_turns` does so much in a scan and no more, and says it some
scans later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation.estimator import EstimatorState
from adms.estimation.hypotheses_candidates import Candidate, candidates_of
from adms.estimation.hypotheses_evidence import Heard, heard_of
from adms.estimation.hypotheses_examination import Examination
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.hypotheses_separation import expected_separation
from adms.estimation.hypotheses_sight import Change, change_of
from adms.estimation.hypotheses_verdict import View, verdicts_of
from adms.estimation.hypotheses_window import Window, with_bias
from adms.estimation.iterate import Start
from adms.estimation.layout import Layout, layout_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, beliefs_of, problem_of
from adms.estimation.quarantine import excluded_rows
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved

_SEPARATIONS_EACH_SCAN = 4
_SEPARATION_MS, _SEPARATION_MS_EACH = 10.0, 2e-4
"""What the separation of one candidate takes, and for each entry of the matrix besides."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Given:
    """What one scan brings."""

    snapshot: TelemetrySnapshot
    unknown: frozenset[ElementId]
    prior: LoadPrior
    policy: EstimationPolicy
    hypotheses: HypothesisPolicy
    estimator: EstimatorState | None


def weighed(
    state: PositionBelief | None,
    *,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    grid: GridState,
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    unknown: frozenset[ElementId] = frozenset(),
    estimator: EstimatorState | None = None,
) -> tuple[PositionBelief | None, tuple[PositionVerdict, ...]]:
    """What one more scan says of the reported positions.

    Args:
        state: of the last scan, or None.
        snapshot: the telemetry of one instant.
        arrays: the network in solver order.
        grid: positions as reported. Where they change, what was seen before counts no more.
        prior: what is believed about the injectors.
        policy: of the estimator.
        hypotheses: thresholds, and what is believed of constant errors.
        unknown: devices whose position is not known: no verdict is given of them.
        estimator: of this scan where there is one: a start, the layout, and which meters are in quarantine.

    Returns:
        (state for the next scan, a verdict for each device, in model order). No state and no verdicts where the network
        has no voltages at all.
    """
    given = _Given(
        snapshot=snapshot, unknown=unknown, prior=prior, policy=policy, hypotheses=hypotheses, estimator=estimator
    )
    belief, heard = _with_scan(state, given, arrays=arrays, grid=grid)
    if belief is None:
        return None, ()
    belief = _begun(belief, heard, given)
    belief = replace(belief, at_work=tuple(each.finished() for each in belief.at_work))
    belief, _ = _concluded(belief, given, separations=_SEPARATIONS_EACH_SCAN)
    return belief, belief.verdicts


def in_turns(
    state: PositionBelief | None,
    *,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    grid: GridState,
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    unknown: frozenset[ElementId] = frozenset(),
    estimator: EstimatorState | None = None,
) -> tuple[PositionBelief | None, tuple[PositionVerdict, ...]]:
    """The same with `hypotheses.work_ms_each_scan` in each scan, on average: every scan is heard, and the readings that
    were there when the last verdicts were given are examined over as many scans as it takes. One piece of work is not
    cut in two; scans after a long one rest.

    Args:
        state: of the last scan, or None.
        snapshot: the telemetry of one instant.
        arrays: the network in solver order.
        grid: positions as reported. Where they change, what was seen before counts no more.
        prior: what is believed about the injectors.
        policy: of the estimator.
        hypotheses: thresholds, what is believed of constant errors, and how much work a scan may be.
        unknown: devices whose position is not known: no verdict is given of them.
        estimator: of this scan where there is one: a start, the layout, and which meters are in quarantine.

    Returns:
        (state for the next scan, the last verdicts: none before the first, or where there are no voltages at all).
    """
    given = _Given(
        snapshot=snapshot, unknown=unknown, prior=prior, policy=policy, hypotheses=hypotheses, estimator=estimator
    )
    belief, heard = _with_scan(state, given, arrays=arrays, grid=grid)
    if belief is None:
        return None, ()
    if not belief.at_work:
        belief = _begun(belief, heard, given)
    credit_ms = min(belief.credit_ms + hypotheses.work_ms_each_scan, hypotheses.work_ms_each_scan)
    at_work = list(belief.at_work)
    for i in range(len(at_work)):
        while credit_ms > 0.0 and at_work[i].view is None:
            at_work[i], cost_ms = at_work[i].further()
            credit_ms -= cost_ms
    belief = replace(belief, at_work=tuple(at_work))
    if all(each.view is not None for each in at_work):
        belief, cost_ms = _concluded(belief, given, separations=1)
        credit_ms -= cost_ms
    return replace(belief, credit_ms=credit_ms), belief.verdicts


def _with_scan(
    state: PositionBelief | None, given: _Given, *, arrays: NetworkArrays, grid: GridState
) -> tuple[PositionBelief | None, Heard]:
    """(The belief with one scan more in its window, what was heard in it)."""
    nothing = Heard(z=np.zeros(0), variance=np.ones(0), use=np.zeros(0, dtype=np.bool_))
    belief = _continued(state, given, arrays=arrays, grid=grid)
    if belief is None:
        return None, nothing
    layout, problem = belief.layout, belief.problem
    heard = heard_of(given.snapshot, problem=problem, beliefs=beliefs_of(problem, given.prior), policy=given.policy)
    excluded = {} if given.estimator is None else excluded_rows(given.estimator.quarantine, layout)
    rows = np.array(sorted(excluded), dtype=np.int64)
    if len(rows):
        use = heard.use.copy()
        use[rows] = False
        heard = replace(heard, use=use)
    most = given.hypotheses.window_scans

    def after(window: Window) -> Window:
        return window.without(rows).after(heard, snapshot=given.snapshot, layout=layout, most=most)

    since = None if belief.since is None else after(belief.since)
    return replace(belief, window=after(belief.window), since=since), heard


def _begun(belief: PositionBelief, heard: Heard, given: _Given) -> PositionBelief:
    """With the readings of now at work."""
    layout, window, hypotheses = belief.layout, belief.window, given.hypotheses
    averaged = Examination(
        problem=belief.problem,
        candidates=belief.candidates,
        changes=belief.changes,
        solved_at=belief.solved_at,
        known=belief.exact if window.scans > 1 else {},
        prior=given.prior,
        policy=given.policy,
        hypotheses=hypotheses,
        heard=window.heard(layout=layout, hypotheses=hypotheses),
        scans=window.scans,
        start=_start(belief.problem, given.estimator),
    )
    at_work = [averaged]
    if window.scans > 1:
        now = with_bias(heard, layout=layout, hypotheses=hypotheses)
        at_work.append(replace(averaged, heard=now, scans=1, known={}))
    most = hypotheses.window_scans
    since = Window.empty(layout).after(heard, snapshot=given.snapshot, layout=layout, most=most)
    return replace(belief, at_work=tuple(at_work), since=since)


def _concluded(belief: PositionBelief, given: _Given, *, separations: int) -> tuple[PositionBelief, float]:
    """(With verdicts, and nothing at work; the work that took, ms)."""
    hypotheses = given.hypotheses
    averaged = belief.at_work[0]
    view = averaged.view
    assert view is not None
    last = belief.at_work[1].view if len(belief.at_work) > 1 else None
    named = view.named
    solved = averaged.chosen or ()
    belief = replace(
        belief,
        at_work=(),
        solved_at={**belief.solved_at, **dict.fromkeys(solved, belief.window.scans)},
        exact={**belief.exact, **{c: view.log_odds[c] for c in solved}},
    )
    if last is not None:
        if last.named and not set(last.named) & set(named):
            # It happened in this scan or a little ago: what was seen before is of another grid.
            assert belief.since is not None
            view, named = last, last.named
            belief = replace(belief, window=belief.since, exact={}, solved_at={})
        else:
            # What the last scan speaks against is over.
            limit = -np.log(hypotheses.least_odds)
            named = tuple(c for c in named if last.log_odds.get(c, 0.0) > limit)
    in_a_row = {c: belief.in_a_row.get(c, 0) + 1 for c in named}
    again = frozenset(c for c in named if in_a_row[c] < hypotheses.named_in_a_row)
    belief, cost_ms = _separated(belief, view, named=named, given=given, most=separations)
    verdicts = verdicts_of(
        view,
        named=tuple(c for c in named if c not in again),
        again=again,
        separation=belief.separation,
        grid=belief.grid,
        unknown=given.unknown,
        hypotheses=hypotheses,
    )
    return replace(belief, in_a_row=in_a_row, since=None, verdicts=verdicts), cost_ms


def _continued(
    state: PositionBelief | None, given: _Given, *, arrays: NetworkArrays, grid: GridState
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


def _start(problem: Problem, estimator: EstimatorState | None) -> Start | None:
    """Where the estimator ended, where that is of the same nodes."""
    if estimator is None or estimator.problem.layout is not problem.layout:
        return None
    same = np.array_equal(estimator.problem.factor.solved, problem.factor.solved)
    return estimator.optimum if same else None


def _separated(
    belief: PositionBelief, view: View, *, named: tuple[Candidate, ...], given: _Given, most: int
) -> tuple[PositionBelief, float]:
    """(With the separations of candidates that the readings neither name nor refute, so many switches at most; the work
    that took, ms)."""
    hypotheses = given.hypotheses
    rows = belief.window.count > 0.0
    if belief.rows is None or not np.array_equal(belief.rows, rows):
        belief = replace(belief, separation={}, rows=rows)
    limit = -np.log(hypotheses.least_odds)
    pending = [c for c in view.log_odds if c not in belief.separation and c not in named]
    taps = [c for c in pending if c.is_tap]
    switches = [c for c in pending if not c.is_tap and view.log_odds[c] >= limit and c not in view.waiting][:most]
    if not taps and not switches:
        return belief, 0.0
    ultimate = belief.window.heard(layout=belief.layout, hypotheses=hypotheses, count=float(hypotheses.window_scans))
    found = expected_separation(
        (*taps, *switches),
        problem=belief.problem,
        heard=ultimate,
        prior=given.prior,
        policy=given.policy,
        hypotheses=hypotheses,
    )
    cost_ms = _SEPARATION_MS + _SEPARATION_MS_EACH * belief.layout.value_count
    return replace(belief, separation={**belief.separation, **found}), cost_ms * (bool(taps) + len(switches))
