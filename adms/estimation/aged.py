"""What each row measured may have done since: the variance that age, time skew and intervals add to a meter's own.

A power of loads or DER is carried on by its own law. Its deviation x from the prior's mean has the prior's variance V,
own and shared, of which a part M comes and goes with correlation time tau and the rest stays (habits; what loads have
in common moves over hours). A value of age d then has Cov(z, x) = c V with c = 1 - (M / V) (1 - exp(-d / tau)), and

    mean + (z - mean) / c   is a measurement of x with variance   (sigma_meter^2 + Var z - c^2 V) / c^2

whose innovation has exactly the variance that the estimator takes it to have, at any age. A mean over an interval is
the same with the ratios of `adms.estimation.ageing`; an instant is an interval of no length. What several injectors
share is taken to move them all one way, which is so for the phases of a load and for loads of a class.

Flows, currents and voltages are held: z stands for the present, with 2 M (1 - exp(-d / tau)) more. M of a flow is that
of all loads and DER times its share of all power: what independent loads of one size behind it would have. Of a voltage
it is the policy's.

The sum is rounded to steps of a tenth of itself (a twentieth of its sigma), counted from the meter's own variance: the
factored matrix leaves variances within 2 % as they are, so ages that jitter cost no new factor. At age 0, without skew,
nothing changes.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray
from adms.estimation.ageing import correlation
from adms.estimation.moving import MovingRows
from adms.estimation.policy import AgeingPolicy, EstimationPolicy
from adms.estimation.problem import Beliefs, Problem
from adms.grid.arrays import S_BASE_VA, BoolArray

_STEP = float(np.log(1.1))
"""Of the logarithm of a variance."""
_LEAST_C = 0.05
"""A value of less correlation with the present is not carried on: it says nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Spread:
    """[2, k] variances of the live injectors, of P and of Q, S_BASE_VA squared."""

    own: FloatArray
    moves: FloatArray
    """Of the own one, what comes and goes."""
    shared: FloatArray
    shared_moves: FloatArray
    known: BoolArray
    """[2, k] False where the prior knows nothing: `own` is then the policy's."""


def aged(
    z: FloatArray,
    variance: FloatArray,
    *,
    age_s: FloatArray,
    problem: Problem,
    beliefs: Beliefs,
    policy: EstimationPolicy,
) -> tuple[FloatArray, FloatArray]:
    """Values and variances as measurements of the present.

    Args:
        z: [M] per unit.
        variance: [M] of the meters, per unit squared.
        age_s: [M] of the values, of means from the ends of their intervals; finite.
        problem: the network in one state.
        beliefs: about its injectors.
        policy: how fast things move.

    Returns:
        ([M] values, [M] variances). inf where an age leaves nothing of a value.
    """
    how = policy.ageing
    if how is None:
        return z, variance
    rows = problem.layout.moving
    age = np.maximum(age_s, 0.0) + how.skew_s
    laws = rows.laws(how)
    moved = (age > 0.0) | laws.interval
    if not moved.any():
        return z, variance
    spread = _spread(problem, beliefs, policy=policy, how=how)
    mean_ratio = laws.mean_ratio
    with_now = laws.end_ratio * np.exp(-age / laws.tau_s)
    parted = np.maximum(1.0 + mean_ratio - 2.0 * with_now, 0.0)
    held = variance + _held(z, rows, problem=problem, spread=spread, how=how, age_s=age, parted=parted)
    total, moves, mean, known = _behind(rows, problem, beliefs, spread)
    share = moves / np.maximum(total, 1e-300)
    c = 1.0 - share * (1.0 - with_now)
    safe = np.maximum(c, _LEAST_C)
    left = variance + total * np.maximum(1.0 - share * (1.0 - mean_ratio) - c * c, 0.0)
    carried = rows.carried & known
    still = variance + moves * parted
    after = np.where(carried, np.where(c > _LEAST_C, left / (safe * safe), np.inf), np.where(rows.carried, still, held))
    brought = np.where(carried & moved, mean + (z - mean) / safe, z)
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.rint(np.log(after / variance) / _STEP)
    return brought, np.where(moved & (steps != 0.0), variance * np.exp(_STEP * steps), variance)


def _held(
    z: FloatArray,
    rows: MovingRows,
    *,
    problem: Problem,
    spread: _Spread,
    how: AgeingPolicy,
    age_s: FloatArray,
    parted: FloatArray,
) -> FloatArray:
    """[M] what flows, currents and voltages add."""
    size = np.where(np.isfinite(z), np.abs(z), 0.0)
    twin = size[rows.partner]
    apparent = np.where(rows.partner == np.arange(len(z)), size, np.where(rows.angle, twin, np.hypot(size, twin)))
    load = rows.load[problem.factor.injectors]
    nominal = problem.layout.arrays.injector_s_nominal_va[problem.factor.injectors[load]]
    everything = max(float(np.abs(nominal).sum()) / S_BASE_VA, 1e-300)
    part = np.minimum(apparent / everything, 1.0)
    every = spread.moves + spread.shared_moves
    of = np.where(rows.reactive, every[1, load].sum(), every[0, load].sum())
    of_der = np.where(rows.reactive, every[1, ~load].sum(), every[0, ~load].sum())
    der = 2.0 * of_der * (1.0 - correlation(age_s, tau_s=how.der_tau_s))
    flow = part * (of * parted + der)
    flow = np.where(rows.angle, flow / np.maximum(apparent, 1e-9) ** 2, flow)
    return np.where(rows.voltage, how.v_sigma_pu**2 * parted, flow)


def _behind(
    rows: MovingRows, problem: Problem, beliefs: Beliefs, spread: _Spread
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Of the injectors that each row sums up: [M] variance, what of it moves, mean; True where the prior knows it."""
    k = np.maximum(problem.rows.inputs, 0)
    count = len(rows.partner)
    q = rows.reactive[rows.owner].astype(np.int64)

    def summed(weights: FloatArray) -> FloatArray:
        return np.bincount(rows.owner, weights=weights, minlength=count).astype(np.float64)

    own, moves = summed(spread.own[q, k]), summed(spread.moves[q, k])
    shared = summed(np.sqrt(spread.shared[q, k])) ** 2
    shared_moves = summed(np.sqrt(spread.shared_moves[q, k])) ** 2
    mean = summed(np.where(q == 1, beliefs.columns.mean.imag[k], beliefs.columns.mean.real[k]))
    unknown = summed(np.where(spread.known[q, k], 0.0, 1.0))
    return own + shared, moves + shared_moves, mean, unknown == 0.0


def _spread(problem: Problem, beliefs: Beliefs, *, policy: EstimationPolicy, how: AgeingPolicy) -> _Spread:
    prior = beliefs.columns
    injectors = problem.factor.injectors
    load = problem.layout.moving.load[injectors]
    count = len(injectors)
    known = np.array([prior.keep_p, prior.keep_q]) == 0.0
    size = np.abs(problem.layout.arrays.injector_s_nominal_va[injectors]) / S_BASE_VA
    otherwise = (policy.load_sigma_frac * size) ** 2
    own = np.where(known, np.array([prior.variance_p, prior.variance_q]), otherwise)
    of_mode = np.diff(prior.first)
    near = np.repeat(beliefs.near, of_mode)
    shares = np.array([prior.share.real, prior.share.imag]) ** 2
    shared = np.array([np.bincount(prior.injector, weights=one, minlength=count) for one in shares])
    # What one load's phases share is the load's own; what all loads share moves over hours.
    close = np.array([np.bincount(prior.injector, weights=one * near, minlength=count) for one in shares])
    goes = np.where(load, 1.0 - how.load_stays_share, 1.0)
    return _Spread(
        own=own,
        moves=goes * own,
        shared=shared,
        shared_moves=goes * np.where(load, close, shared),
        known=known,
    )
