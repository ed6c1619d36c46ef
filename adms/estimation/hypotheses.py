"""Are the reported positions true? Each switch the other way and each tap some steps off, against the positions as
reported, over one scan and over many.

Odds are ratios of the probabilities of the readings (`hypotheses_evidence`). Every candidate is tested by the optimum's
own matrix first (`hypotheses_linear`); solved exactly are those that this cannot do, switches that part a section from
its source or join one to it, and whatever is about to be named. `hypotheses_window` says how scans are put together,
`hypotheses_verdict` what is said of a device.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from adms.core.telemetry import TelemetrySnapshot
from adms.estimation.estimator import EstimatorState
from adms.estimation.hypotheses_candidates import Candidate, candidates_of
from adms.estimation.hypotheses_evidence import Fit, Heard, fit_of, heard_of, log_of_nothing
from adms.estimation.hypotheses_linear import LinearTest, linear_test
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.hypotheses_separation import expected_separation
from adms.estimation.hypotheses_sight import Change, change_of, first_sight
from adms.estimation.hypotheses_verdict import PositionVerdict, View, verdicts_of
from adms.estimation.hypotheses_window import Window, with_bias
from adms.estimation.iterate import Start
from adms.estimation.layout import Layout, layout_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, beliefs_of, problem_of
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved

_HOPELESS = -1e7
"""Log odds of a candidate that has no optimum."""
_NOT_YET = -1e6
"""Of what has to be solved and had no turn yet: at first sight it is impossible."""
_REFUTED = -5.0
"""Log odds by first sight below which a switch is solved by turn only."""
_FAR_BEHIND = 50.0
"""Log odds by which a candidate is behind the best so far when no gross errors are looked for."""
_BY_TURN = 2
"""Of switches that are refuted at first sight, so many are solved in a scan all the same."""
_SEPARATIONS_EACH_SCAN = 4


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    """One set of readings, and what is asked of it."""

    problem: Problem
    prior: LoadPrior
    policy: EstimationPolicy
    hypotheses: HypothesisPolicy
    heard: Heard
    scans: int
    reported: Fit | None

    def fit(self, problem: Problem, *, start: Start | None, floor: float = -np.inf) -> Fit | None:
        """Of one grid state."""
        return fit_of(
            problem,
            self.heard,
            beliefs=beliefs_of(problem, self.prior),
            policy=self.policy,
            hypotheses=self.hypotheses,
            start=start,
            floor=floor,
        )

    def exact(self, candidate: Candidate, *, best: float) -> tuple[float, Fit | None]:
        """(log odds, fit) of a candidate, solved; `best` are the log odds of the best one so far."""
        other = problem_of(self.problem.layout, candidate.applied(self.problem.grid), policy=self.policy)
        if isinstance(other, NotSolved):
            return _HOPELESS, None
        near = self.reported is not None and np.array_equal(other.factor.solved, self.problem.factor.solved)
        nothing = log_of_nothing(self.heard, self.hypotheses)
        reported = nothing if self.reported is None else self.reported.log_evidence
        start = self.reported.optimum if near and self.reported is not None else None
        found = self.fit(other, start=start, floor=reported + best - _FAR_BEHIND)
        return (_HOPELESS, None) if found is None else (found.log_evidence - reported, found)


def weighed(
    state: PositionBelief | None,
    *,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    grid: GridState,
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
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
        estimator: of this scan where there is one: a start, and the layout.

    Returns:
        (state for the next scan, a verdict for each device, in model order). No state and no verdicts where the network
        has no voltages at all.
    """
    belief = _continued(
        state, snapshot=snapshot, arrays=arrays, grid=grid, policy=policy, hypotheses=hypotheses, estimator=estimator
    )
    if belief is None:
        return None, ()
    layout = belief.layout
    heard = heard_of(snapshot, problem=belief.problem, beliefs=beliefs_of(belief.problem, prior), policy=policy)
    window = belief.window.after(heard, snapshot=snapshot, layout=layout, most=hypotheses.window_scans)
    start = _start(belief.problem, estimator)
    if window.scans > 1:
        now = with_bias(heard, layout=layout, hypotheses=hypotheses)
        last, _ = _viewed(belief, heard=now, scans=1, prior=prior, policy=policy, hypotheses=hypotheses, start=start)
        named_now = last.named(hypotheses)
    else:
        last, named_now = None, ()
    averaged = window.heard(layout=layout, hypotheses=hypotheses)
    view, belief = _viewed(
        replace(belief, window=window),
        heard=averaged,
        scans=window.scans,
        prior=prior,
        policy=policy,
        hypotheses=hypotheses,
        start=start,
    )
    named = view.named(hypotheses)
    if last is not None:
        if named_now and not set(named_now) & set(named):
            # It happened in this scan or a little ago: what was seen before is of another grid.
            fresh = Window.empty(layout).after(heard, snapshot=snapshot, layout=layout, most=hypotheses.window_scans)
            view, named = last, named_now
            belief = replace(belief, window=fresh, exact={}, solved_at={})
        else:
            # What the last scan speaks against is over.
            limit = -np.log(hypotheses.least_odds)
            named = tuple(c for c in named if last.log_odds.get(c, 0.0) > limit)
    belief = _separated(belief, view, named=named, prior=prior, policy=policy, hypotheses=hypotheses)
    verdicts = verdicts_of(view, named=named, separation=belief.separation, grid=grid, hypotheses=hypotheses)
    return belief, verdicts


def _continued(
    state: PositionBelief | None,
    *,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    grid: GridState,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    estimator: EstimatorState | None,
) -> PositionBelief | None:
    """The last scan's belief where it is about the same network, points and positions; else a new one."""
    same_layout = (
        state is not None
        and state.layout.arrays is arrays
        and (state.layout.table is snapshot.table or state.layout.table == snapshot.table)
    )
    if state is not None and same_layout and state.grid == grid:
        return state
    if state is not None and same_layout:
        layout = state.layout
    elif estimator is not None and estimator.problem.layout.arrays is arrays:
        layout = estimator.problem.layout
    else:
        layout = layout_of(arrays, snapshot.table)
    if layout.table != snapshot.table:
        layout = layout_of(arrays, snapshot.table)
    problem = problem_of(layout, grid, policy=policy)
    if isinstance(problem, NotSolved):
        return None
    candidates = candidates_of(arrays, grid, tap_steps=hypotheses.tap_steps)
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


def _viewed(
    belief: PositionBelief,
    *,
    heard: Heard,
    scans: int,
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
    start: Start | None,
) -> tuple[View, PositionBelief]:
    """Odds of every candidate for one set of readings."""
    case = _Case(
        problem=belief.problem,
        prior=prior,
        policy=policy,
        hypotheses=hypotheses,
        heard=heard,
        scans=scans,
        reported=None,
    )
    reported = case.fit(belief.problem, start=start)
    case = replace(case, reported=reported)
    linear: dict[Candidate, LinearTest] = {}
    if reported is not None:
        tests = ((c, linear_test(reported, c)) for c in belief.candidates)
        linear = {c: test for c, test in tests if test is not None}
    parting = {c for c, change in belief.changes.items() if change.parts}
    odds = {c: linear[c].log_odds if c in linear and c not in parting else _NOT_YET for c in belief.candidates}
    if scans > 1:
        odds |= {c: value for c, value in belief.exact.items() if odds[c] == _NOT_YET}
    sight = {c: linear[c].log_odds if c in linear else 0.0 for c in belief.candidates}
    sight |= first_sight(belief.changes, sight=sight, heard=heard, layout=belief.layout, hypotheses=hypotheses)
    chosen = _chosen(belief, odds, sight=sight, hypotheses=hypotheses)
    fits: dict[Candidate, Fit | None] = {}
    best_so_far = 0.0
    for candidate in chosen:
        odds[candidate], fits[candidate] = case.exact(candidate, best=best_so_far)
        best_so_far = max(best_so_far, odds[candidate])
    explained = reported is not None and reported.fits
    best = max(odds, key=lambda c: odds[c], default=None)
    if best is not None and odds[best] > 0.0 and not explained:
        fit = fits.get(best)
        explained = fit is not None and fit.fits
    after = replace(
        belief,
        solved_at={**belief.solved_at, **dict.fromkeys(chosen, belief.window.scans)},
        exact={**belief.exact, **{c: odds[c] for c in chosen}},
    )
    waiting = frozenset(c for c, value in odds.items() if value == _NOT_YET)
    return View(log_odds=odds, waiting=waiting, fits=explained, scans=scans), after


def _chosen(
    belief: PositionBelief,
    odds: Mapping[Candidate, float],
    *,
    sight: Mapping[Candidate, float],
    hypotheses: HypothesisPolicy,
) -> tuple[Candidate, ...]:
    """Those to solve: a few by turn, switches that part a section and are not refuted at first sight, and whatever else
    is about to be named."""
    least = hypotheses.least_log_odds(len(odds)) - np.log(hypotheses.odds_apart)
    parting = {c for c, change in belief.changes.items() if change.parts}
    urgent = sorted((c for c in odds if sight[c] >= (_REFUTED if c in parting else least)), key=lambda c: -sight[c])
    rest = [c for c in belief.candidates if c in parting and c not in set(urgent)]
    by_turn = sorted(rest, key=lambda c: belief.solved_at.get(c, -1))[:_BY_TURN]
    return tuple([*by_turn, *urgent][: hypotheses.exact_each_scan])


def _separated(
    belief: PositionBelief,
    view: View,
    *,
    named: tuple[Candidate, ...],
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
) -> PositionBelief:
    """With the separations of candidates that the readings neither name nor refute."""
    rows = belief.window.count > 0.0
    if belief.rows is None or not np.array_equal(belief.rows, rows):
        belief = replace(belief, separation={}, rows=rows)
    limit = -np.log(hypotheses.least_odds)
    pending = [c for c in view.log_odds if c not in belief.separation and c not in named]
    taps = [c for c in pending if c.is_tap]
    switches = [c for c in pending if not c.is_tap and view.log_odds[c] >= limit and c not in view.waiting][
        :_SEPARATIONS_EACH_SCAN
    ]
    if not taps and not switches:
        return belief
    ultimate = belief.window.heard(layout=belief.layout, hypotheses=hypotheses, count=float(hypotheses.window_scans))
    found = expected_separation(
        (*taps, *switches),
        problem=belief.problem,
        heard=ultimate,
        prior=prior,
        policy=policy,
        hypotheses=hypotheses,
    )
    return replace(belief, separation={**belief.separation, **found})
