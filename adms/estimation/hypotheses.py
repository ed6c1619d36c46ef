"""Are the reported positions true? Each switch the other way and each tap some steps off, against the positions as
reported, over one scan and over many.

Odds are ratios of the probabilities of the readings (`hypotheses_evidence`). `hypotheses_window` says how scans are put
together, `hypotheses_examination` what is done with their readings, `hypotheses_verdict` what is said of a device.
`weighed` says all that can be said after each scan; `in_turns` does so much in a scan and no more, and says it some
scans later.
"""

from dataclasses import replace

import numpy as np

from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation.estimator import EstimatorState
from adms.estimation.hypotheses_belief import Given, PositionBelief, start_of, with_scan
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Heard
from adms.estimation.hypotheses_examination import Examination
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.hypotheses_separation import expected_separation
from adms.estimation.hypotheses_verdict import View, verdicts_of
from adms.estimation.hypotheses_window import Window, with_bias
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

_SEPARATIONS_EACH_SCAN = 4
_SEPARATION_MS, _SEPARATION_MS_EACH = 10.0, 2e-4
"""What the separation of one candidate takes, and for each entry of the matrix besides."""


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
    given = Given(
        snapshot=snapshot, unknown=unknown, prior=prior, policy=policy, hypotheses=hypotheses, estimator=estimator
    )
    belief, heard = with_scan(state, given, arrays=arrays, grid=grid)
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
    troubled: bool = False,
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
        troubled: the picture of this scan is contradicted by its own readings: those before it do not matter now.

    Returns:
        (state for the next scan, the last verdicts: none before the first, or where there are no voltages at all).
    """
    given = Given(
        snapshot=snapshot, unknown=unknown, prior=prior, policy=policy, hypotheses=hypotheses, estimator=estimator
    )
    belief, heard = with_scan(state, given, arrays=arrays, grid=grid)
    if belief is None:
        return None, ()
    if not belief.at_work or (troubled and not belief.troubled):
        belief = replace(_begun(belief, heard, given), troubled=troubled)
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


def _begun(belief: PositionBelief, heard: Heard, given: Given) -> PositionBelief:
    """With the readings of now at work."""
    layout, window, hypotheses = belief.layout, belief.window, given.hypotheses
    least = hypotheses.least_separation(len(belief.candidates))
    averaged = Examination(
        problem=belief.problem,
        candidates=belief.candidates,
        changes=belief.changes,
        solved_at=belief.solved_at,
        undecidable=frozenset(c for c, d in belief.separation.items() if d < least),
        known=belief.exact if window.scans > 1 else {},
        prior=given.prior,
        policy=given.policy,
        hypotheses=hypotheses,
        heard=window.heard(layout=layout, hypotheses=hypotheses),
        scans=window.scans,
        start=start_of(belief.problem, given.estimator),
    )
    at_work = [averaged]
    if window.scans > 1:
        now = with_bias(heard, layout=layout, hypotheses=hypotheses)
        at_work.append(replace(averaged, heard=now, scans=1, known={}))
    most = hypotheses.window_scans
    since = Window.empty(layout).after(heard, snapshot=given.snapshot, layout=layout, most=most)
    begun_at = (*belief.begun_at, given.snapshot.cut_time)[-hypotheses.named_in_a_row - 1 :]
    return replace(belief, at_work=tuple(at_work), since=since, begun_at=begun_at)


def _concluded(belief: PositionBelief, given: Given, *, separations: int) -> tuple[PositionBelief, float]:
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


def _separated(
    belief: PositionBelief, view: View, *, named: tuple[Candidate, ...], given: Given, most: int
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
