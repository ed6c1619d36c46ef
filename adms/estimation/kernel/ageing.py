"""What each row measured may have done since, compiled (`adms.estimation.aged` says what is worked out)."""

import math
from typing import NamedTuple

import numpy as np

from adms.core.compiled import compiled
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import PriorColumns
from adms.grid.arrays import BoolArray

_STEP = math.log(1.1)
"""Of the logarithm of a variance."""
_LEAST_C = 0.05
"""A value of less correlation with the present is not carried on: it says nothing."""


class AgeingRows(NamedTuple):
    """What does not change from scan to scan, [M]."""

    voltage: BoolArray
    """Sizes and angles."""
    angle: BoolArray
    """Of currents."""
    carried: BoolArray
    """Powers of loads and DER alone."""
    reactive: BoolArray
    partner: IntArray
    """Row of the other part of a power, of the size of an angle's current; its own where there is none."""
    interval: BoolArray
    """Means over one."""
    tau_s: FloatArray
    mean_ratio: FloatArray
    """Variance of such a mean over that of an instant."""
    end_ratio: FloatArray
    """Covariance of such a mean with the instant of its end, over the same."""


class AgeingLaws(NamedTuple):
    """Numbers of the policy."""

    skew_s: float
    load_stays_share: float
    der_tau_s: float
    v_sigma_pu: float
    load_sigma_frac: float
    """Of a load of whose power nothing is known."""


@compiled
def spread_of(
    prior: PriorColumns,
    near: BoolArray,
    size: FloatArray,
    load: BoolArray,
    stays_share: float,
    otherwise_frac: float,
    spread: FloatArray,
    known: BoolArray,
) -> None:
    """Variances of the live injectors.

    Args:
        prior: about their powers.
        near: [mode] True where all that it moves belongs to one bus.
        size: [k] nominal apparent power, S_BASE_VA.
        load: [k] False of DER.
        stays_share: of a load's own variance, that does not come and go.
        otherwise_frac: sigma over size where nothing is known.
        spread: [2, 4, k] of P and of Q: own, what comes and goes of it, shared, what comes and goes of that.
        known: [2, k] out: False where the prior knows nothing.
    """
    spread[:] = 0.0
    for mode in range(len(near)):
        for entry in range(prior.first[mode], prior.first[mode + 1]):
            k, share = prior.injector[entry], prior.share[entry]
            for part in range(2):
                square = share.real * share.real if part == 0 else share.imag * share.imag
                spread[part, 2, k] += square
                # What one load's phases share is the load's own; what all loads share moves over hours.
                if near[mode] or not load[k]:
                    spread[part, 3, k] += square
    for k in range(len(size)):
        goes = 1.0 - stays_share if load[k] else 1.0
        for part in range(2):
            known[part, k] = (prior.keep_p[k] if part == 0 else prior.keep_q[k]) == 0.0
            told = prior.variance_p[k] if part == 0 else prior.variance_q[k]
            own = told if known[part, k] else (otherwise_frac * size[k]) ** 2
            spread[part, 0, k], spread[part, 1, k] = own, goes * own
            spread[part, 3, k] *= goes


@compiled
def age_rows(
    rows: AgeingRows,
    laws: AgeingLaws,
    input_first: IntArray,
    inputs: IntArray,
    prior: PriorColumns,
    near: BoolArray,
    size: FloatArray,
    load: BoolArray,
    age_s: FloatArray,
    use: BoolArray,
    z: FloatArray,
    variance: FloatArray,
    brought: FloatArray,
    after: FloatArray,
) -> bool:
    """Fills values and variances as measurements of the present. False, and nothing is filled, where nothing ages.

    Args:
        rows: how they move.
        laws: of the policy.
        input_first: [M + 1] where a row's injectors start.
        inputs: [input] live injector; -1 where dead.
        prior: about their powers.
        near: [mode] True where all that it moves belongs to one bus.
        size: [k] nominal apparent power, S_BASE_VA.
        load: [k] False of DER.
        age_s: [M] of the values; of means from the ends of their intervals.
        use: [M] the others stay as they are.
        z: [M] per unit.
        variance: [M] of the meters, per unit squared.
        brought: [M] out: values.
        after: [M] out: variances; inf where an age leaves nothing of a value.
    """
    ageing = laws.skew_s > 0.0
    for r in range(len(z)):
        ageing = ageing or (use[r] and (age_s[r] > 0.0 or rows.interval[r]))
    if not ageing:
        return False
    count = len(size)
    spread, known = np.empty((2, 4, count)), np.empty((2, count), dtype=np.bool_)
    spread_of(prior, near, size, load, laws.load_stays_share, laws.load_sigma_frac, spread, known)
    everything = 0.0
    of_load, of_der = np.zeros(2), np.zeros(2)
    for k in range(count):
        everything += size[k] if load[k] else 0.0
        for part in range(2):
            every = spread[part, 1, k] + spread[part, 3, k]
            of_load[part] += every if load[k] else 0.0
            of_der[part] += 0.0 if load[k] else every
    everything = max(everything, 1e-300)
    for r in range(len(z)):
        brought[r], after[r] = z[r], variance[r]
        age = max(age_s[r], 0.0) + laws.skew_s
        if not use[r] or not (age > 0.0 or rows.interval[r]):
            continue
        part = 1 if rows.reactive[r] else 0
        with_now = rows.end_ratio[r] * math.exp(-age / rows.tau_s[r])
        parted = max(1.0 + rows.mean_ratio[r] - 2.0 * with_now, 0.0)
        if rows.voltage[r]:
            left = variance[r] + laws.v_sigma_pu**2 * parted
        elif rows.carried[r]:
            total, moves, mean, all_known = _behind(
                prior, spread, known, part, inputs, input_first[r], input_first[r + 1]
            )
            if all_known:
                share = moves / max(total, 1e-300)
                c = 1.0 - share * (1.0 - with_now)
                safe = max(c, _LEAST_C)
                left = variance[r] + total * max(1.0 - share * (1.0 - rows.mean_ratio[r]) - c * c, 0.0)
                left = left / (safe * safe) if c > _LEAST_C else math.inf
                brought[r] = mean + (z[r] - mean) / safe
            else:
                left = variance[r] + moves * parted
        else:
            twin = z[rows.partner[r]]
            alone = rows.partner[r] == r
            apparent = abs(z[r]) if alone else abs(twin) if rows.angle[r] else math.hypot(z[r], twin)
            behind = min(apparent / everything, 1.0)
            der = 2.0 * of_der[part] * (1.0 - math.exp(-age / laws.der_tau_s))
            flow = behind * (of_load[part] * parted + der)
            left = variance[r] + (flow / max(apparent, 1e-9) ** 2 if rows.angle[r] else flow)
        steps = np.rint(math.log(left / variance[r]) / _STEP)
        if steps != 0.0:
            after[r] = variance[r] * math.exp(_STEP * steps)
    return True


@compiled
def _behind(
    prior: PriorColumns, spread: FloatArray, known: BoolArray, part: int, inputs: IntArray, begin: int, end: int
) -> tuple[float, float, float, bool]:
    """Of the injectors that a row sums up: variance, what of it moves, mean; True where the prior knows them all.

    What several share is taken to move them all one way.
    """
    own, moves, shared, shared_moves, mean, all_known = 0.0, 0.0, 0.0, 0.0, 0.0, True
    for i in range(begin, end):
        k = inputs[i]
        if k < 0:
            continue
        own += spread[part, 0, k]
        moves += spread[part, 1, k]
        shared += math.sqrt(spread[part, 2, k])
        shared_moves += math.sqrt(spread[part, 3, k])
        mean += prior.mean[k].real if part == 0 else prior.mean[k].imag
        all_known = all_known and known[part, k]
    return own + shared * shared, moves + shared_moves * shared_moves, mean, all_known
