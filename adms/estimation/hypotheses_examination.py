"""One set of readings under examination, piece by piece, so that a scan need not do all of it.

Every candidate is tested by the optimum's own matrix first (`hypotheses_linear`); solved exactly are those that this
cannot do, switches that part a section from its source or join one to it, and whatever is about to be named. What then
stands out is held against meters that are constantly wrong (`hypotheses_bias`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from adms.core.positions import Witness
from adms.estimation.beliefs import beliefs_of
from adms.estimation.hypotheses_bias import log_marginal, sizes_of
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Fit, Heard, fit_of, log_of_nothing
from adms.estimation.hypotheses_linear import LinearTest, linear_test
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.hypotheses_sight import Change, first_sight
from adms.estimation.hypotheses_verdict import View, witnesses_of
from adms.estimation.hypotheses_window import with_more_bias
from adms.estimation.iterate import Start
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, problem_of
from adms.powerflow import NotSolved

_HOPELESS = -1e7
"""Log odds of a candidate that has no optimum."""
_NOT_YET = -1e6
"""Of what has to be solved and had no turn yet: at first sight it is impossible."""
_REFUTED = -5.0
"""Log odds by first sight below which a switch is solved by turn only."""
_FAR_BEHIND = 50.0
"""Log odds by which a candidate is behind the best so far when no gross errors are looked for."""
_LINEAR_AT_ONCE = 6
_MOST_DOUBTED = 4
"""Candidates that are held against the meters' constant errors."""
_FIT_MS, _FIT_MS_EACH, _FIT_FACTORS = 2.5, 6e-6, 4
"""What solving a grid state takes, and for each entry of the matrix, in each step and so many times besides: measured
on 44,000 and 680,000 entries."""
_INVERSES_MS_EACH, _LINEAR_MS = 3e-5, 0.4


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """Where it has got to."""

    problem: Problem
    """As reported."""
    candidates: tuple[Candidate, ...]
    changes: Mapping[Candidate, Change]
    """Of each switch."""
    solved_at: Mapping[Candidate, int]
    undecidable: frozenset[Candidate]
    """What no readings could tell from the reported positions: solved by turn only, unless it stands out."""
    known: Mapping[Candidate, float]
    """Log odds of candidates that were solved before, for readings much like these."""
    prior: LoadPrior
    policy: EstimationPolicy
    hypotheses: HypothesisPolicy
    heard: Heard
    scans: int
    start: Start | None
    begun: bool = False
    reported: Fit | None = None
    linear: Mapping[Candidate, LinearTest | None] = field(default_factory=dict)
    odds: Mapping[Candidate, float] = field(default_factory=dict)
    """Log odds, of all once they were chosen from."""
    chosen: tuple[Candidate, ...] | None = None
    """To be solved; None before the choice."""
    fits: Mapping[Candidate, Fit | None] = field(default_factory=dict)
    """Of those that are solved; None where there is no optimum, or the reported positions explain the readings better.
    """
    biased: Mapping[tuple[Candidate | None, float], float] = field(default_factory=dict)
    """Log evidence of (candidate, or None for as reported; size of constant errors)."""
    view: View | None = None
    """What came of it."""

    def further(self) -> tuple["Examination", float]:
        """(With one piece of work more, what that takes in ms: counted, not timed). Nothing once `view` is there."""
        if self.view is not None:
            return self, 0.0
        if not self.begun:
            fit = self._fit(self.problem, self.heard, start=self.start)
            return replace(self, begun=True, reported=fit), self._cost(fit)
        if self.reported is not None and len(self.linear) < len(self.candidates):
            return self._tested()
        if self.chosen is None:
            return self._choice(), 0.0
        waiting = [c for c in self.chosen if c not in self.fits]
        if waiting:
            return self._solved(waiting[0])
        return self._doubted()

    def finished(self) -> "Examination":
        """All of it."""
        at = self
        while at.view is None:
            at, _ = at.further()
        return at

    def _fit(self, problem: Problem, heard: Heard, *, start: Start | None, floor: float = -np.inf) -> Fit | None:
        return fit_of(
            problem,
            heard,
            beliefs=beliefs_of(problem, self.prior),
            policy=self.policy,
            hypotheses=self.hypotheses,
            start=start,
            floor=floor,
        )

    def _cost(self, fit: Fit | None) -> float:
        steps = self.policy.max_iterations if fit is None else fit.optimum.iterations
        return _FIT_MS + _FIT_MS_EACH * self.problem.layout.value_count * (steps + _FIT_FACTORS)

    def _tested(self) -> tuple["Examination", float]:
        """The next few linear tests."""
        assert self.reported is not None
        next_ones = self.candidates[len(self.linear) : len(self.linear) + _LINEAR_AT_ONCE]
        found = {c: linear_test(self.reported, c) for c in next_ones}
        cost = _LINEAR_MS * len(next_ones)
        if not self.linear:
            cost += _INVERSES_MS_EACH * self.problem.layout.value_count
        return replace(self, linear={**self.linear, **found}), cost

    def _choice(self) -> "Examination":
        """Which to solve: a few by turn, switches that part a section and are not refuted at first sight, and whatever
        else is about to be named."""
        hypotheses = self.hypotheses
        linear = {c: test for c, test in self.linear.items() if test is not None}
        parting = {c for c, change in self.changes.items() if change.parts}
        odds = {c: linear[c].log_odds if c in linear and c not in parting else _NOT_YET for c in self.candidates}
        odds |= {c: value for c, value in self.known.items() if odds[c] == _NOT_YET}
        # Where a section is parted from its source, 1 + Z E is singular: what the linear test says there is rounding.
        sight = {c: linear[c].log_odds if c in linear and c not in parting else 0.0 for c in self.candidates}
        layout = self.problem.layout
        sight |= first_sight(self.changes, sight=sight, heard=self.heard, layout=layout, hypotheses=hypotheses)
        least = hypotheses.least_log_odds(len(odds)) - np.log(hypotheses.odds_apart)
        worth = {c: _REFUTED if c in parting and c not in self.undecidable else least for c in odds}
        urgent = sorted((c for c in odds if sight[c] >= worth[c]), key=lambda c: -sight[c])
        told = set(linear) - parting
        rest = [c for c in self.candidates if c not in told and c not in set(urgent)]
        by_turn = sorted(rest, key=lambda c: self.solved_at.get(c, -1))[: hypotheses.by_turn]
        return replace(self, odds=odds, chosen=(*by_turn, *urgent)[: hypotheses.exact_each_scan])

    def _solved(self, candidate: Candidate) -> tuple["Examination", float]:
        """One candidate more."""
        best = max((self.odds[c] for c in self.fits), default=0.0)
        floor = self._reported_evidence(0.0) + max(best, 0.0) - _FAR_BEHIND
        evidence, fit = self._exact(candidate, heard=self.heard, floor=floor)
        log_odds = max(evidence - self._reported_evidence(0.0), _HOPELESS)
        # A fit is two factors: those that nobody asks for again are not kept.
        kept = fit if log_odds > 0.0 else None
        odds, fits = {**self.odds, candidate: log_odds}, {**self.fits, candidate: kept}
        return replace(self, odds=odds, fits=fits), self._cost(fit)

    def _exact(self, candidate: Candidate, *, heard: Heard, floor: float) -> tuple[float, Fit | None]:
        other = problem_of(self.problem.layout, candidate.applied(self.problem.grid), policy=self.policy)
        if isinstance(other, NotSolved):
            return -np.inf, None
        start = None if self.reported is None else _start_from(self.reported, other)
        found = self._fit(other, heard, start=start, floor=floor)
        return (-np.inf, None) if found is None else (found.log_evidence, found)

    def _reported_evidence(self, size: float) -> float:
        if size in (known := {b: value for (c, b), value in self.biased.items() if c is None}):
            return known[size]
        return log_of_nothing(self.heard, self.hypotheses) if self.reported is None else self.reported.log_evidence

    def _doubted(self) -> tuple["Examination", float]:
        """One solution with constant errors of the meters more, or the end of it."""
        sizes = sizes_of(self.hypotheses)
        named = self._standing_out()
        if not named:
            return self._ended(named, withdrawn=()), 0.0
        for size in sizes:
            if (None, size) not in self.biased:
                return self._with_bias(None, size)
        against = self._marginal(None, sizes)
        least = self._least
        kept: list[Candidate] = []
        for candidate in named[:_MOST_DOUBTED]:
            alone = self._reported_evidence(0.0) + self.odds[candidate]
            # The candidate without constant errors, and no more than that, is a bound from below.
            if alone - np.log1p(self.hypotheses.unstated_bias_odds) - against < least:
                for size in sizes:
                    if (candidate, size) not in self.biased:
                        return self._with_bias(candidate, size)
                if self._marginal(candidate, sizes) - against < least:
                    continue
            kept.append(candidate)
        if not kept:
            return self._ended((), withdrawn=named), 0.0
        return self._ended((*kept, *named[_MOST_DOUBTED:]), withdrawn=()), 0.0

    @property
    def _least(self) -> float:
        return self.hypotheses.least_log_odds(len(self.odds))

    def _with_bias(self, candidate: Candidate | None, size: float) -> tuple["Examination", float]:
        heard = with_more_bias(self.heard, layout=self.problem.layout, frac=size)
        if candidate is None:
            start = self.start if self.reported is None else self.reported.optimum
            fit = self._fit(self.problem, heard, start=start)
            evidence = log_of_nothing(heard, self.hypotheses) if fit is None else fit.log_evidence
        else:
            evidence, fit = self._exact(candidate, heard=heard, floor=-np.inf)
        return replace(self, biased={**self.biased, (candidate, size): evidence}), self._cost(fit)

    def _marginal(self, candidate: Candidate | None, sizes: tuple[float, ...]) -> float:
        nothing = self._reported_evidence(0.0) + (0.0 if candidate is None else self.odds[candidate])
        found = {size: self.biased[candidate, size] for size in sizes}
        return log_marginal({0.0: nothing, **found}, hypotheses=self.hypotheses)

    def _fits(self) -> bool:
        explained = self.reported is not None and self.reported.fits
        best = max(self.odds, key=lambda c: self.odds[c], default=None)
        if best is not None and self.odds[best] > 0.0 and not explained:
            fit = self.fits.get(best)
            explained = fit is not None and fit.fits
        return explained

    def _standing_out(self) -> tuple[Candidate, ...]:
        """The best candidate and those that cannot be told from it, where its odds are large enough."""
        best = max(self.odds.values(), default=-np.inf)
        if best < self._least or not self._fits():
            return ()
        near = [c for c, odds in self.odds.items() if odds >= best - np.log(self.hypotheses.odds_apart)]
        return tuple(sorted(near, key=lambda c: -self.odds[c]))

    def _ended(self, named: tuple[Candidate, ...], *, withdrawn: tuple[Candidate, ...]) -> "Examination":
        return replace(
            self,
            view=View(
                log_odds=self.odds,
                waiting=frozenset(c for c, value in self.odds.items() if value == _NOT_YET),
                fits=self._fits(),
                scans=self.scans,
                named=named,
                withdrawn=frozenset(withdrawn),
                witnesses={c: self._witnesses(c) for c in named},
            ),
        )

    def _witnesses(self, candidate: Candidate) -> tuple[Witness, ...]:
        fit = self.fits.get(candidate)
        if fit is None or self.reported is None:
            return ()
        return witnesses_of(self.reported, fit, heard=self.heard)


def _start_from(reported: Fit, other: Problem) -> Start | None:
    """Where the reported positions ended, without what has no voltage in the other ones; None where more has."""
    solved = reported.problem.factor.solved
    if (other.factor.solved & ~solved).any():
        return None
    if np.array_equal(other.factor.solved, solved):
        return reported.optimum
    layout = other.layout
    x = reported.optimum.x.copy()
    x[(layout.node[~other.factor.solved][:, None] + np.arange(4)).ravel()] = 0.0
    before = np.flatnonzero(reported.problem.row_of_injector >= 0)
    after = np.flatnonzero(other.row_of_injector >= 0)
    e = np.zeros(len(other.injectors.fr), dtype=np.complex128)
    kept = np.isin(after, before)
    rows = after[kept]
    e[other.row_of_injector[rows]] = reported.optimum.e[reported.problem.row_of_injector[rows]]
    return Start(x=x, e=e)
