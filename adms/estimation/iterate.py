"""Steps to the optimum: a constant factor while it contracts, a new one at the present point where it does not."""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.beliefs import Beliefs
from adms.estimation.kernel.columns import HoldColumns, ReadingColumns
from adms.estimation.kernel.gradient import deviations, negative_gradient
from adms.estimation.kernel.scan import CONVERGED, EXHAUSTED, NOT_A_NUMBER, ROUNDING_PU, SLOW, take_steps
from adms.estimation.limits import Limits
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.system import Correction, Singular, System, drifted, system_at

_CONTRACTION = 0.5
"""A factor whose steps shrink less than this is replaced: it costs as much as a dozen steps."""
_FAR_PU = 5e-2
"""A step larger than this is followed by a new factor. Noise has to stay below: a bus without load behind an open tie,
held by one meter of 0.4 %, jumps by up to 0.02 pu from scan to scan. Between, contraction alone decides."""
LOOSE_PU = 3e-3
"""Steps that do not end are no estimate where they are larger."""
EXACT_PU = 1e-9
"""A point that steps go round by less is as good as the optimum."""
_STANDING = 0.9
"""Steps that shrink less than this stand still."""
_KEPT_ROWS = 12
"""More rows than this that dropped out are left out of a new factor."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Where steps begin."""

    x: FloatArray
    """[size] in the order of elimination."""
    e: ComplexArray
    """[k] deviations of the live injectors' powers, S_BASE_VA; they matter where nothing is known of a power."""


def expected_start(problem: Problem, beliefs: Beliefs) -> Start:
    """The power flow of the expected powers."""
    x = problem.expected_flow(beliefs.prior)
    s = problem.powers_at(x, np.nan_to_num(beliefs.prior.s_nominal_va))
    columns = beliefs.columns
    return Start(x=x, e=np.asarray(columns.keep_p * s.real + 1j * (columns.keep_q * s.imag)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Converged(Start):
    """An optimum."""

    s: ComplexArray
    """[k] powers of the live injectors, S_BASE_VA."""
    residual: FloatArray
    """[M] measured less estimated, per unit, of all rows."""
    prior_cost: float
    """The prior's part of chi-squared."""
    system: System
    correction: Correction
    iterations: int
    loose_pu: float = 0.0
    """Above 0 where steps went to and fro by so much across corners of loads' laws, and this is the middle."""


@dataclass(frozen=True, kw_only=True)
class Diverged:
    """No optimum, and why."""

    reason: str
    iterations: int


def optimise(
    problem: Problem,
    start: Start,
    *,
    beliefs: Beliefs,
    readings: ReadingColumns,
    system: System | None,
    policy: EstimationPolicy,
    budget: int,
) -> Converged | Diverged:
    """Steps until the voltages move by less than the tolerance.

    Args:
        problem: the network in one state.
        start: where from.
        beliefs: about the powers.
        readings: of this scan.
        system: a factor to begin with, if there is one that fits.
        policy: tolerance.
        budget: largest number of steps.

    Returns:
        The optimum, or why there is none. A NaN never counts as converged.
    """
    layout = problem.layout
    k, rows = len(problem.injectors.fr), layout.rows.count
    x = start.x.copy()
    x[problem.rows.place[~readings.use]] = 0.0
    e = start.e.copy()
    s, s_before, t = (np.zeros(k, dtype=np.complex128) for _ in range(3))
    residual, right, still = np.zeros(rows), np.zeros(layout.size), np.zeros(layout.size)
    deviations(problem.injectors, beliefs.columns, problem.rows, readings, x, still, e, t, e)
    if system is not None and not system.suits(beliefs):
        system = None
    correction = None if system is None else system.correction(readings)
    taken, moved, last, fresh, base, shrinking = 0, np.inf, np.inf, False, True, True
    earlier = x
    limits = Limits(problem, start.x, tolerance_pu=policy.tolerance_pu)
    around = (problem.network, problem.sources, problem.injectors)
    given = (beliefs.columns, problem.rows, readings)
    while taken < budget:
        made_anew = correction is None
        if correction is None:
            negative_gradient(*around, limits.holds, *given, x, still, e, s, s_before, t, residual, right)
            problem.complete(x)
            # What is held is corrected for where a factor without it did well enough.
            inside = problem.no_holds if limits.held and shrinking else limits.holds
            made = _factored(problem, x, s=s_before, beliefs=beliefs, readings=readings, before=system, holds=inside)
            if isinstance(made, Singular):
                return Diverged(reason=made.reason, iterations=taken)
            system, correction = made
            base = inside is problem.no_holds
            if limits.held and base:
                corrected = system.correction(readings, limits.holds)
                if corrected is None:
                    shrinking, correction = False, None
                    continue
                correction = corrected
        assert system is not None
        earlier = x.copy()
        single = limits.held
        verdict, more, moved, cost = take_steps(
            layout.structure.pattern,
            system.values,
            system.pivot,
            correction.columns,
            correction.inner,
            *around,
            limits.holds,
            *given,
            x,
            e,
            s,
            s_before,
            t,
            residual,
            right,
            still,
            np.zeros(len(correction.inner)),
            1 if single else budget - taken,
            policy.tolerance_pu,
            _CONTRACTION,
            _FAR_PU,
            last,
        )
        fresh, fresh_before = made_anew and more == 1, fresh
        taken += more
        if verdict == NOT_A_NUMBER or not np.isfinite(s_before).all():
            reason = "a step is not a number: the measurements contradict the model"
            return Diverged(reason=reason, iterations=taken)
        if verdict == SLOW and fresh and fresh_before and _STANDING * last < moved < ROUNDING_PU:
            verdict = CONVERGED  # as small as rounding lets it be
        if (made_anew or single) and limits.after(
            verdict, x, right[problem.network.place], t=t, mean=beliefs.columns.mean
        ):
            verdict = SLOW
        if verdict == CONVERGED:
            problem.complete(x)
            if not drifted(system, x):
                if limits.held:
                    # What is held there is no measurement: covariance and later scans are without it.
                    free = system.correction(readings) if base else None
                    if free is None:
                        none = problem.no_holds
                        made = _factored(
                            problem, x, s=s_before, beliefs=beliefs, readings=readings, before=None, holds=none
                        )
                        if isinstance(made, Singular):
                            return Diverged(reason=made.reason, iterations=taken)
                        system, free = made
                    correction = free
                return Converged(
                    x=x,
                    e=e,
                    s=s_before,
                    residual=residual,
                    prior_cost=cost,
                    system=system,
                    correction=correction,
                    iterations=taken,
                )
            moved, last = 0.0, np.inf
        elif verdict == EXHAUSTED and not single:
            break
        else:
            if single:
                shrinking = moved < _CONTRACTION * last or limits.narrowed
            last = moved
        again = limits.held and single and base and shrinking and verdict != CONVERGED and moved < _FAR_PU
        correction = system.correction(readings, limits.holds) if again else None
    if moved < LOOSE_PU and taken >= budget:
        middle = x + 0.5 * (earlier - x)
        return optimum_at(
            problem, middle, e=e, beliefs=beliefs, readings=readings, iterations=taken, loose_pu=float(moved)
        )
    return Diverged(reason=f"the last of {taken} steps still moved a voltage by {moved:.1e} pu", iterations=taken)


def optimum_at(
    problem: Problem,
    x: FloatArray,
    *,
    e: ComplexArray,
    beliefs: Beliefs,
    readings: ReadingColumns,
    iterations: int,
    loose_pu: float = 0.0,
) -> Converged | Diverged:
    """A point that is as good as the optimum, with what is worked out at an optimum.

    Args:
        problem: the network in one state.
        x: [size] the point; V at idle nodes is worked out, in place.
        e: [k] deviations of the powers, S_BASE_VA.
        beliefs: about the powers.
        readings: of this scan.
        iterations: that it took.
        loose_pu: how far from the optimum it may be.
    """
    k = len(problem.injectors.fr)
    s, s_before, t = (np.zeros(k, dtype=np.complex128) for _ in range(3))
    residual, right, still = np.zeros(problem.layout.rows.count), np.zeros(len(x)), np.zeros(len(x))
    problem.complete(x)
    given = (problem.no_holds, beliefs.columns, problem.rows, readings)
    cost = negative_gradient(
        problem.network, problem.sources, problem.injectors, *given, x, still, e, s, s_before, t, residual, right
    )
    made = _factored(problem, x, s=s_before, beliefs=beliefs, readings=readings, before=None, holds=problem.no_holds)
    if isinstance(made, Singular):
        return Diverged(reason=made.reason, iterations=iterations)
    return Converged(
        x=x,
        e=e,
        s=s_before,
        residual=residual,
        prior_cost=cost,
        system=made[0],
        correction=made[1],
        iterations=iterations,
        loose_pu=loose_pu,
    )


def _factored(
    problem: Problem,
    x: FloatArray,
    *,
    s: ComplexArray,
    beliefs: Beliefs,
    readings: ReadingColumns,
    before: System | None,
    holds: HoldColumns,
) -> tuple[System, Correction] | Singular:
    """A new factor, and its correction for these readings. Rows of the last factor that dropped out stay in it and are
    corrected: when they come back that costs no factor."""
    tries = [(readings.use, readings.variance)]
    if before is not None and before.problem is problem:
        missing = before.inside & ~readings.use
        if 0 < missing.sum() <= _KEPT_ROWS:
            tries.insert(0, (readings.use | missing, np.where(missing, before.variance, readings.variance)))
    for inside, variance in tries:
        made = system_at(problem, x, s=s, beliefs=beliefs, inside=inside, variance=variance, holds=holds)
        if isinstance(made, System):
            correction = made.correction(readings)
            if correction is not None:
                return made, correction
    if isinstance(made, Singular):
        return made
    return Singular(reason="the shared deviations of the loads contradict each other")
