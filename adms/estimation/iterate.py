"""Steps to the optimum: a constant factor while it contracts, a new one at the present point where it does not."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import splu

from adms.core.telemetry import FloatArray
from adms.estimation.augmented import AugmentedSystem, Correction, Iterate, Problem, Readings
from adms.estimation.policy import EstimationPolicy

_CONTRACTION = 0.2
"""A factor whose steps shrink less than this is replaced."""
_FAR_PU = 5e-2
"""A step larger than this is followed by a new factor. Noise has to stay below: a bus without load behind an open tie,
held by one meter of 0.4 %, jumps by up to 0.02 pu from scan to scan. Between, contraction alone decides."""
_DRIFT_PU = 2e-2
"""A factor of a point further away than this is replaced: the covariance is taken from it."""
_VARIANCE_RATIO = 100.0
"""A factor with a variance further off than this is replaced."""
_UNSEEN_VARIANCE = 1.0
_COLD_PASSES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Converged:
    """An optimum."""

    iterate: Iterate
    system: AugmentedSystem
    correction: Correction
    iterations: int


@dataclass(frozen=True, kw_only=True)
class Diverged:
    """No optimum, and why."""

    reason: str
    iterations: int


def cold_start(problem: Problem) -> Iterate | Diverged:
    """A power flow on the expected inputs: a few passes of V <- Y^-1 (Y_s E + A conj(S / d))."""
    layout = problem.layout
    try:
        lu = splu(layout.y.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1, options={"SymmetricMode": True})
    except RuntimeError as error:
        return Diverged(reason=f"the network matrix is singular ({error}): a node floats", iterations=0)
    point = problem.inputs.start()
    driven = layout.y_source @ point.e
    v = lu.solve(driven)
    for _ in range(_COLD_PASSES):
        point = problem.inputs.follow(replace(point, v=v))
        after = lu.solve(driven + layout.incidence @ np.conj(point.s / (layout.incidence_t @ v)))
        v = np.where(np.abs(after) > 0.5 * np.abs(v), after, v)
    if not np.isfinite(v).all():
        return Diverged(reason="the expected loads have no power flow: voltage collapse suspected", iterations=0)
    point = replace(point, v=v)
    return Iterate(point=point, mu=np.zeros(problem.stack.count), multiplier=np.zeros(2 * layout.n))


def _variances(system: AugmentedSystem | None, readings: Readings) -> FloatArray:
    """For a new factor: of the readings, else of the last factor, else so large that it says nothing. A point that
    drops out and comes back costs no factor."""
    before = np.full(len(readings.use), _UNSEEN_VARIANCE) if system is None else system.variance
    return np.where(readings.use, readings.variance, before)


def _far_weights(system: AugmentedSystem, readings: Readings) -> bool:
    """True where the correction of a factor would lose digits."""
    ratio = readings.variance[readings.use] / system.variance[readings.use]
    return bool(((ratio > _VARIANCE_RATIO) | (ratio < 1.0 / _VARIANCE_RATIO)).any())


def optimise(
    problem: Problem,
    start: Iterate,
    *,
    readings: Readings,
    system: AugmentedSystem | None,
    policy: EstimationPolicy,
    budget: int,
    refactor_always: bool = False,
) -> Converged | Diverged:
    """Steps until the voltages move by less than the tolerance.

    Args:
        problem: the network, its inputs and its measurements.
        start: where from.
        readings: of this scan.
        system: a factor to begin with, if there is one that fits.
        policy: tolerance.
        budget: largest number of steps.
        refactor_always: full Gauss-Newton (the referee in tests).

    Returns:
        The optimum, or why there is none. A NaN never counts as converged.
    """
    variance = _variances(system, readings)
    if system is not None and _far_weights(system, readings):
        system = None
    correction: Correction | None = None
    iterate, last = start, np.inf
    for iteration in range(1, budget + 1):
        try:
            if system is None:
                system, correction = AugmentedSystem(problem, iterate.point, variance=variance), None
            if correction is None:
                correction = system.correction(readings)
        except (RuntimeError, np.linalg.LinAlgError) as error:
            return Diverged(reason=f"the estimator's matrix is singular ({error})", iterations=iteration)
        with np.errstate(all="ignore"):
            iterate, size = system.step(iterate, readings=readings, correction=correction)
        if not np.isfinite(size) or not np.isfinite(iterate.point.s).all():
            reason = "a step is not a number: the measurements contradict the model"
            return Diverged(reason=reason, iterations=iteration)
        if size < policy.tolerance_pu:
            if np.abs(iterate.point.v - system.at.v).max() > _DRIFT_PU:
                system = AugmentedSystem(problem, iterate.point, variance=variance)
                correction = system.correction(readings)
            return Converged(iterate=iterate, system=system, correction=correction, iterations=iteration)
        slow = size > _CONTRACTION * last and size > 10.0 * policy.tolerance_pu
        if refactor_always or size > _FAR_PU or slow:
            system = None
        last = size
    return Diverged(reason=f"the last of {budget} steps still moved a voltage by {last:.1e} pu", iterations=budget)
