"""Steps to the optimum: a constant factor while it contracts, a new one at the present point where it does not."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import splu

from adms.core.telemetry import FloatArray
from adms.estimation.augmented import AugmentedSystem, Iterate, Problem, Readings
from adms.estimation.policy import EstimationPolicy
from adms.grid.arrays import BoolArray

_CONTRACTION = 0.2
"""A factor whose steps shrink less than this is replaced."""
_FAR_PU = 1e-2
"""A step larger than this is followed by a new factor."""
_DRIFT_PU = 2e-2
"""A factor of a point further away than this is replaced: the covariance is taken from it."""
_WEIGHT_RATIO = 1.25
"""A sigma that changed more makes a new factor."""
_COLD_PASSES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Converged:
    """An optimum."""

    iterate: Iterate
    system: AugmentedSystem
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


def fits(system: AugmentedSystem, readings: Readings) -> bool:
    """True where a factor can serve these readings: all are in it, with about the same weights."""
    if (readings.use & ~system.base).any():
        return False
    ratio = readings.variance[readings.use] / system.variance[readings.use]
    return bool(((ratio < _WEIGHT_RATIO**2) & (ratio > _WEIGHT_RATIO**-2)).all())


def _remembered(system: AugmentedSystem | None, readings: Readings) -> tuple[BoolArray, FloatArray]:
    """Measurements for a new factor and their variances: those in use, and those that were in the last one, so that a
    point that drops out and comes back costs no factor."""
    if system is None:
        return readings.use, readings.variance
    return readings.use | system.base, np.where(readings.use, readings.variance, system.variance)


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
    base, variance = _remembered(system, readings)
    if system is not None and not fits(system, readings):
        system = None
    iterate, last = start, np.inf
    for iteration in range(1, budget + 1):
        if system is None:
            try:
                system = AugmentedSystem(problem, iterate.point, variance=variance, base=base)
            except RuntimeError as error:
                return Diverged(reason=f"the estimator's matrix is singular ({error})", iterations=iteration)
        with np.errstate(all="ignore"):
            try:
                iterate, size = system.step(iterate, readings)
            except np.linalg.LinAlgError:
                size = np.nan
        if not np.isfinite(size) or not np.isfinite(iterate.point.s).all():
            return Diverged(
                reason="a step is not a number: the measurements contradict the model", iterations=iteration
            )
        if size < policy.tolerance_pu:
            if np.abs(iterate.point.v - system.at.v).max() > _DRIFT_PU:
                system = AugmentedSystem(problem, iterate.point, variance=variance, base=base)
            return Converged(iterate=iterate, system=system, iterations=iteration)
        slow = size > _CONTRACTION * last and size > 10.0 * policy.tolerance_pu
        if refactor_always or size > _FAR_PU or slow:
            system = None
        last = size
    return Diverged(reason=f"the last of {budget} steps still moved a voltage by {last:.1e} pu", iterations=budget)
