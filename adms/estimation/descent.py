"""An optimum by descent, for readings from which steps lead elsewhere.

Gauss-Newton's direction always leads down, but its whole length need not: from sets of current magnitudes with few
powers it can end at powers that are a thousand times anything believed. Here each point is a power flow, and a step is
taken only as far along its line as the whole cost falls (Nocedal & Wright, Numerical Optimization, 2nd ed. 2006,
sections 3.5 and 10.3). Powers and sources move as the step asks; the voltages follow by the network law. It is for
powers of all of which something is believed: without that there are valleys without a floor.
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.beliefs import Beliefs
from adms.estimation.iterate import LOOSE_PU, Converged, Diverged, Start, expected_start, optimise, optimum_at
from adms.estimation.kernel.columns import PriorColumns, ReadingColumns
from adms.estimation.kernel.gradient import deviations, negative_gradient
from adms.estimation.kernel.rows import row_part
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.system import Singular, system_at
from adms.grid.arrays import S_BASE_VA

_MOST_LOOKS = 12
"""At one step's length."""
_MOST_OF_A_FLOW = 20
"""Steps: a power flow that needs more is none to go to."""
_STILL_PU = 1e-8
_FLAT_STEPS, _FLAT_CHI2 = 8, 1e-6
"""So many steps that lower the cost by less than this go along the floor of a valley: nothing there is better known."""
_STILL_CHI2 = 1e-2
"""So many steps that lower it by more than this may have far to go: a tenth of a standard deviation."""
_SLOWLY_FRAC = 0.9
"""A step that leaves more of the cost than this is looked at more closely: it may have gone too far."""
_WORSE_FRAC, _WORSE_CHI2 = 1e-3, 1.0
"""An optimum may cost so much more than a point nearby, by rounding and by corners of loads' laws."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Point(Start):
    """A power flow, with what it costs."""

    t: ComplexArray
    """[k] the deviations e over their covariance."""
    residual: FloatArray
    """[M] measured less estimated."""
    prior_cost: float
    """The prior's part of the cost, sources included."""
    cost: float
    """The whole of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Step:
    """A Gauss-Newton step from a power flow."""

    dx: FloatArray
    """[size] of the unknowns; multipliers after it."""
    e: ComplexArray
    """[k] deviations after it."""
    t: ComplexArray
    """[k] those over their covariance."""


def optimise_by_descent(
    problem: Problem, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
) -> Converged | Diverged:
    """The optimum below the power flow of the expected powers, or why none was reached.

    Args:
        problem: the network in one state.
        beliefs: about the powers.
        readings: of this scan.
        policy: tolerance, and the largest number of steps, also of each power flow.
    """
    descent = _Descent(problem, beliefs=beliefs, readings=readings, policy=policy)
    start = expected_start(problem, beliefs)
    here = descent.point(start, t=np.zeros(len(start.e), dtype=np.complex128))
    costs, moved, stands = [here.cost], np.inf, False
    while len(costs) <= policy.max_iterations and not stands:
        lower = descent.lower(here)
        if lower is not None:
            moved = float(np.abs(problem.layout.phasors(lower.x - here.x, problem.layout.node)).max(initial=0.0))
            here = lower
        costs.append(here.cost)
        stands = lower is None or moved < _STILL_PU or _fell(costs) < _FLAT_CHI2
    taken = len(costs) - 1
    left = policy.max_iterations - taken
    found = optimise(problem, here, beliefs=beliefs, readings=readings, system=None, policy=policy, budget=left)
    if isinstance(found, Converged) and not costs_more(found, readings, than=here.cost):
        return replace(found, iterations=found.iterations + taken)
    if not moved < LOOSE_PU or not (stands or _fell(costs) < _STILL_CHI2):
        reason = f"descent was still under way after {taken} steps, the last of {moved:.1e} pu"
        return Diverged(reason=reason, iterations=taken)
    loose_pu = 0.0 if moved < policy.tolerance_pu else moved
    last = optimum_at(
        problem, here.x, e=here.e, beliefs=beliefs, readings=readings, iterations=taken, loose_pu=loose_pu
    )
    # Its multipliers are those of the step before.
    return last if isinstance(last, Diverged) else replace(last, residual=here.residual, prior_cost=here.prior_cost)


def _fell(costs: list[float]) -> float:
    """By how much the last steps lowered the cost."""
    return np.inf if len(costs) <= _FLAT_STEPS else costs[-1 - _FLAT_STEPS] - costs[-1]


def cost_of(found: Converged, readings: ReadingColumns) -> float:
    """The whole cost of an optimum: chi-squared, the prior's part included."""
    return found.prior_cost + _of_readings(found.residual, readings)


def costs_more(found: Converged, readings: ReadingColumns, *, than: float) -> bool:
    """True where an optimum costs more than a point that is known: then it is not the lowest."""
    return cost_of(found, readings) > than + _WORSE_CHI2 + _WORSE_FRAC * than


def cost_at_expected(
    problem: Problem, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
) -> float:
    """The whole cost of the power flow of the expected powers, as `optimise_by_descent` takes them."""
    start = expected_start(problem, beliefs)
    descent = _Descent(problem, beliefs=beliefs, readings=readings, policy=policy)
    return descent.point(start, t=np.zeros(len(start.e), dtype=np.complex128)).cost


class _Descent:
    """Steps down from one power flow to the next."""

    def __init__(
        self, problem: Problem, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
    ) -> None:
        self._problem = problem
        self._beliefs = beliefs
        self._readings = readings
        self._policy = policy
        # Costs are compared to more digits than voltages.
        self._of_flows = replace(policy, tolerance_pu=1e-2 * policy.tolerance_pu)
        self._unread = readings._replace(use=np.zeros_like(readings.use))
        self._given = _as_given(beliefs)
        self._mean_va = np.zeros(len(problem.layout.arrays.injectors), dtype=np.complex128)
        self._mean_va[problem.factor.injectors] = beliefs.columns.mean * S_BASE_VA

    def point(self, at: Start, *, t: ComplexArray) -> _Point:
        """What a power flow with deviations `at.e` costs."""
        problem, readings = self._problem, self._readings
        s = problem.powers_at(at.x, self._mean_va) + at.e
        residual, right = np.zeros(problem.layout.rows.count), np.zeros(problem.layout.size)
        row_part(problem.rows, readings, at.x, s, residual, right)
        prior = _of_sources(problem, at.x) + _of_powers(self._beliefs.columns, t)
        cost = prior + _of_readings(residual, readings)
        return _Point(
            x=at.x, e=at.e, t=t, residual=residual, prior_cost=prior, cost=cost if np.isfinite(cost) else np.inf
        )

    def lower(self, here: _Point) -> _Point | None:
        """The best point that was found on the line of a step; None where none costs less."""
        step = self._step(here)
        if step is None:
            return None
        best: _Point | None = None
        tried: dict[float, float] = {}
        share = 1.0
        for _ in range(_MOST_LOOKS):
            there = self._along(here, step, share=share)
            tried[share] = np.inf if there is None else there.cost
            if there is not None and there.cost < (here.cost if best is None else best.cost):
                best = there
            if best is not None and (best.cost < _SLOWLY_FRAC * here.cost or len(tried) > 2):
                break
            share = _next_share(here.cost, tried, share)
        return best

    def _along(self, here: _Point, step: _Step, *, share: float) -> _Point | None:
        """The power flow after a share of a step, with the multipliers that go with it; None where there is none."""
        problem = self._problem
        emf = problem.sources.place
        x, e = here.x + share * step.dx, here.e + share * (step.e - here.e)
        flow = optimise(
            replace(problem, sources=problem.sources._replace(mean=x[emf] + 1j * x[emf + 1])),
            Start(x=_without_multipliers(problem, x), e=e),
            beliefs=self._given,
            readings=self._unread,
            system=None,
            policy=self._of_flows,
            budget=min(_MOST_OF_A_FLOW, self._policy.max_iterations),
        )
        if isinstance(flow, Diverged) or flow.loose_pu > 0.0:
            return None
        there = self.point(Start(x=flow.x.copy(), e=e), t=here.t + share * (step.t - here.t))
        node = problem.network.place
        for place in (problem.rows.place, node + 2, node + 3):
            there.x[place] = step.dx[place]
        return there

    def _step(self, here: _Point) -> _Step | None:
        """One Gauss-Newton step; None where there is no factor. Multipliers are left out of it: they are what makes
        its direction lead up."""
        problem, readings, beliefs = self._problem, self._readings, self._beliefs
        k = len(here.e)
        x = _without_multipliers(problem, here.x)
        s, s_before, t, e = (np.zeros(k, dtype=np.complex128) for _ in range(4))
        residual, right, still = np.zeros(problem.layout.rows.count), np.zeros(len(x)), np.zeros(len(x))
        given = (beliefs.columns, problem.rows, readings)
        around = (problem.network, problem.sources, problem.injectors, problem.no_holds)
        negative_gradient(*around, *given, x, still, here.e, s, s_before, t, residual, right)
        used, variance = readings.use, readings.variance
        made = system_at(problem, x, s=s_before, beliefs=beliefs, inside=used, variance=variance)
        correction = None if isinstance(made, Singular) else made.correction(readings)
        if isinstance(made, Singular) or correction is None:
            return None
        step = made.solve(right) + correction.columns.T @ (correction.inner @ (correction.columns @ right))
        if not np.isfinite(step).all():
            return None
        deviations(problem.injectors, *given, x, step, here.e, t, e)
        return _Step(dx=step, e=e, t=t)


def _next_share(cost: float, tried: dict[float, float], share: float) -> float:
    """Where to look next: half as far, or at the bottom of the parabola through what was seen."""
    if share == 0.5 and np.isfinite(list(tried.values())).all():
        half, full = tried[0.5] - cost, tried[1.0] - cost
        bend = 2.0 * full - 4.0 * half
        if bend > 0.0:
            return float(np.clip((full - 4.0 * half) / (2.0 * bend), 0.05, 1.5))
    return 0.5 * share


def _of_readings(residual: FloatArray, readings: ReadingColumns) -> float:
    used = readings.use
    return float((residual[used] ** 2 / readings.variance[used]).sum())


def _of_sources(problem: Problem, x: FloatArray) -> float:
    sources = problem.sources
    re, im = x[sources.place] - sources.mean.real, x[sources.place + 1] - sources.mean.imag
    return float((sources.w_re * re * re + 2.0 * sources.w_cross * re * im + sources.w_im * im * im).sum())


def _of_powers(prior: PriorColumns, t: ComplexArray) -> float:
    own = (1.0 - prior.keep_p) * prior.variance_p * t.real**2 + (1.0 - prior.keep_q) * prior.variance_q * t.imag**2
    of = t[prior.injector]
    modes = len(prior.first) - 1
    mode = np.repeat(np.arange(modes), np.diff(prior.first))
    moved = np.bincount(mode, prior.share.real * of.real + prior.share.imag * of.imag, modes)
    return float(own.sum() + (moved**2).sum())


def _without_multipliers(problem: Problem, x: FloatArray) -> FloatArray:
    kept = np.zeros(len(x), dtype=np.bool_)
    for place in (problem.layout.node, problem.layout.emf):
        kept[place] = kept[place + 1] = True
    return np.where(kept, x, 0.0)


def _as_given(beliefs: Beliefs) -> Beliefs:
    """The same with all powers as the start has them."""
    columns = beliefs.columns
    none, whole = np.zeros_like(columns.variance_p), np.ones_like(columns.variance_p)
    return replace(
        beliefs,
        columns=columns._replace(
            variance_p=none,
            variance_q=none,
            keep_p=whole,
            keep_q=whole,
            first=np.zeros(1, dtype=np.int64),
            injector=columns.injector[:0],
            share=columns.share[:0],
        ),
        near=beliefs.near[:0],
    )
