"""What `adms.estimation.kernel`'s passes over rows and injectors work out, as plain NumPy: the second path that they
are tested against."""

import numpy as np

from adms.core.telemetry import FloatArray, Quality, TelemetrySnapshot
from adms.estimation.ageing import correlation
from adms.estimation.beliefs import Beliefs
from adms.estimation.kernel.columns import PriorColumns
from adms.estimation.kinds.ampere import MIN_SIGMAS
from adms.estimation.moving import MovingRows
from adms.estimation.policy import AgeingPolicy, EstimationPolicy
from adms.estimation.problem import Problem
from adms.grid.arrays import S_BASE_VA, BoolArray

STEP = float(np.log(1.1))
LEAST_C = 0.05


def first_reasons(
    snapshot: TelemetrySnapshot, *, problem: Problem, beliefs: Beliefs, policy: EstimationPolicy
) -> list[str]:
    """[M] the first test that a row fails, in words; empty where it fails none."""
    stack, moving = problem.layout.rows, problem.layout.moving
    rows = stack.table_rows
    value, sigma, quality, age = (
        column[rows] for column in (snapshot.value, snapshot.sigma, snapshot.quality, snapshot.age_s)
    )
    z, deviation = value / stack.si_per_unit, sigma / stack.si_per_unit
    oldest = policy.telemetry_max_age_s
    max_age = oldest if policy.ageing is None else np.where(moving.average, policy.ageing.average_max_age_s, oldest)
    fine = (quality == Quality.GOOD) | (moving.average & (quality == Quality.STALE))
    told = np.isin(rows, beliefs.prior.told)
    with np.errstate(invalid="ignore", over="ignore"):
        tests = (
            (~problem.live_rows, "what it measures has no voltage"),
            (quality == Quality.MISSING, "never came"),
            (~(age <= max_age), "too old"),
            (age < -max_age, "dated in the future"),
            (~fine, "flagged by its source"),
            (told, "the forecast rests on it already"),
            (~np.isfinite(value), "no value"),
            (~np.isfinite(sigma), "no sigma"),
            (~((deviation > 1e-9) & (deviation < 1e4)), "sigma out of any range"),
            (~(np.abs(z) < 1e4), "value out of any range"),
            (moving.current_size & ~(z >= MIN_SIGMAS * deviation), "too small to tell from none"),
            (moving.voltage_size & ~((z > 0.1) & (z < 3.0)), "no voltage that a live node has"),
        )
    why = np.full(len(rows), "", dtype=object)
    for failed, reason in tests:
        why[failed & (why == "")] = reason
    lost = moving.angle & (why == "") & ((why[moving.partner] != "") | (moving.partner == np.arange(len(rows))))
    why[lost] = "its current is too small, or not measured"
    return [str(one) for one in why]


def normalised(
    residual: FloatArray, *, use: BoolArray, variance: FloatArray, residual_variance: FloatArray, critical_frac: float
) -> tuple[FloatArray, FloatArray, BoolArray, float]:
    """([M] residual over its deviation, [M] that deviation, [M] critical, the rows' part of chi-squared)."""
    with np.errstate(invalid="ignore"):
        usable = use & (residual_variance > critical_frac * variance)
    deviation = np.sqrt(np.where(use, residual_variance, np.nan))
    over = np.where(usable, residual / np.where(usable, deviation, 1.0), np.nan)
    return over, deviation, use & ~usable, float(np.sum(residual[use] ** 2 / variance[use]))


def aged_rows(
    z: FloatArray,
    variance: FloatArray,
    *,
    age_s: FloatArray,
    problem: Problem,
    beliefs: Beliefs,
    policy: EstimationPolicy,
    how: AgeingPolicy,
) -> tuple[FloatArray, FloatArray]:
    """Values and variances as measurements of the present, by the formulas of `adms.estimation.aged`."""
    rows = problem.layout.moving
    age = np.maximum(age_s, 0.0) + how.skew_s
    laws = rows.laws(how)
    moved = (age > 0.0) | laws.interval
    with_now = laws.end_ratio * np.exp(-age / laws.tau_s)
    parted = np.maximum(1.0 + laws.mean_ratio - 2.0 * with_now, 0.0)
    own, goes, shared, shared_goes, known = _spread(problem, beliefs.columns, beliefs.near, policy=policy, how=how)
    held = variance + _held(z, rows, problem=problem, moves=goes + shared_goes, how=how, age_s=age, parted=parted)
    k = np.maximum(problem.rows.inputs, 0)
    q = rows.reactive[rows.owner].astype(np.int64)

    def summed(weights: FloatArray) -> FloatArray:
        return np.bincount(rows.owner, weights=weights, minlength=len(z)).astype(np.float64)

    total = summed(own[q, k]) + summed(np.sqrt(shared[q, k])) ** 2
    moves = summed(goes[q, k]) + summed(np.sqrt(shared_goes[q, k])) ** 2
    expected = beliefs.columns.mean[k]
    mean = summed(np.where(q == 1, expected.imag, expected.real))
    all_known = summed(np.where(known[q, k], 0.0, 1.0)) == 0.0
    share = moves / np.maximum(total, 1e-300)
    c = 1.0 - share * (1.0 - with_now)
    safe = np.maximum(c, LEAST_C)
    left = variance + total * np.maximum(1.0 - share * (1.0 - laws.mean_ratio) - c * c, 0.0)
    carried = rows.carried & all_known
    after = np.where(carried, np.where(c > LEAST_C, left / (safe * safe), np.inf), variance + moves * parted)
    after = np.where(rows.carried, after, held)
    brought = np.where(carried & moved, mean + (z - mean) / safe, z)
    steps = np.rint(np.log(after / variance) / STEP)
    return brought, np.where(moved & (steps != 0.0), variance * np.exp(STEP * steps), variance)


def _spread(
    problem: Problem, prior: PriorColumns, near: BoolArray, *, policy: EstimationPolicy, how: AgeingPolicy
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
    """[2, k] of P and of Q: own variance, what moves of it, shared variance, what moves of that, whether known."""
    injectors = problem.factor.injectors
    load, count = problem.layout.moving.load[injectors], len(injectors)
    known = np.array([prior.keep_p, prior.keep_q]) == 0.0
    size = np.abs(problem.layout.arrays.injector_s_nominal_va[injectors]) / S_BASE_VA
    own = np.where(known, np.array([prior.variance_p, prior.variance_q]), (policy.load_sigma_frac * size) ** 2)
    within = np.repeat(near, np.diff(prior.first))
    shares = np.array([prior.share.real, prior.share.imag]) ** 2
    shared = np.array([np.bincount(prior.injector, weights=one, minlength=count) for one in shares])
    close = np.array([np.bincount(prior.injector, weights=one * within, minlength=count) for one in shares])
    goes = np.where(load, 1.0 - how.load_stays_share, 1.0)
    return own, goes * own, shared, goes * np.where(load, close, shared), known


def _held(
    z: FloatArray,
    rows: MovingRows,
    *,
    problem: Problem,
    moves: FloatArray,
    how: AgeingPolicy,
    age_s: FloatArray,
    parted: FloatArray,
) -> FloatArray:
    """[M] what flows, currents and voltages add."""
    twin, alone = np.abs(z)[rows.partner], rows.partner == np.arange(len(z))
    apparent = np.where(alone, np.abs(z), np.where(rows.angle, twin, np.hypot(z, twin)))
    load = rows.load[problem.factor.injectors]
    nominal = problem.layout.arrays.injector_s_nominal_va[problem.factor.injectors[load]]
    part = np.minimum(apparent / max(float(np.abs(nominal).sum()) / S_BASE_VA, 1e-300), 1.0)
    of = np.where(rows.reactive, moves[1, load].sum(), moves[0, load].sum())
    of_der = np.where(rows.reactive, moves[1, ~load].sum(), moves[0, ~load].sum())
    flow = part * (of * parted + 2.0 * of_der * (1.0 - correlation(age_s, tau_s=how.der_tau_s)))
    flow = np.where(rows.angle, flow / np.maximum(apparent, 1e-9) ** 2, flow)
    return np.where(rows.voltage, how.v_sigma_pu**2 * parted, flow)
