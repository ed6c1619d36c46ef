"""What is believed of the powers, and what of a factor still fits, compiled."""

import math

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import PriorColumns, ReadingColumns
from adms.grid.arrays import BoolArray


@compiled
def changed_rows(
    readings: ReadingColumns, inside: BoolArray, variance: FloatArray, same_frac: float, changed: BoolArray
) -> int:
    """Fills which rows' weights are not the factor's, and returns how many; -1 where one is not in the factor.

    Args:
        readings: of a scan.
        inside: [M] rows of the factor.
        variance: [M] theirs.
        same_frac: a variance that changed by less than this share counts as the same.
        changed: [M] out
    """
    count = 0
    for r in range(len(inside)):
        if readings.use[r] and not inside[r]:
            return -1
        gone = not readings.use[r] or abs(readings.variance[r] - variance[r]) > same_frac * variance[r]
        changed[r] = inside[r] and gone
        count += changed[r]
    return count


@compiled
def much_the_same(mine: PriorColumns, theirs: PriorColumns, ratio: float, size: FloatArray) -> bool:
    """True where variances of powers differ by less than `ratio`, and entries of shared modes by less than `ratio` - 1
    of all that their injector shares: the entry of one mode may be nothing, or change its sign.

    Args:
        mine: of the factor.
        theirs: of a scan; the same entries.
        ratio: above 1.
        size: [k] zeros; what each injector shares, squared.
    """
    for k in range(len(mine.variance_p)):
        a, b = mine.variance_p[k], theirs.variance_p[k]
        c, d = mine.variance_q[k], theirs.variance_q[k]
        if a > ratio * b or b > ratio * a or c > ratio * d or d > ratio * c:
            return False
    for i in range(len(theirs.share)):
        size[theirs.injector[i]] += abs(theirs.share[i]) ** 2
    for i in range(len(theirs.share)):
        if not abs(mine.share[i] - theirs.share[i]) <= (ratio - 1.0) * size[theirs.injector[i]] ** 0.5:
            return False
    return True


@compiled
def largest_drift(x: FloatArray, place: IntArray, size_pu: FloatArray) -> float:
    """Largest change of a voltage's magnitude.

    Args:
        x: [size]
        place: [node] of V.
        size_pu: [node] magnitudes before.
    """
    largest = 0.0
    for i in range(len(place)):
        largest = max(largest, abs(abs(complex(x[place[i]], x[place[i] + 1])) - size_pu[i]))
    return largest


@compiled
def fill_own(
    s_nominal_va: ComplexArray,
    sigma_p_va: FloatArray,
    sigma_q_va: FloatArray,
    injectors: IntArray,
    base_va: float,
    floor_pu: float,
    free_step_pu: float,
    mean: ComplexArray,
    own: FloatArray,
) -> None:
    """What is believed of the powers of the live injectors. Where a sigma is infinite the mean says nothing.

    Args:
        s_nominal_va: [injector] mean.
        sigma_p_va: [injector]
        sigma_q_va: [injector]
        injectors: [k] the live ones.
        base_va: of per unit.
        floor_pu: smallest sigma.
        free_step_pu: how far one step may go where nothing is known.
        mean: [k] out
        own: [4, k] out: variances of P and of Q, then 1 where nothing is known of P and of Q.
    """
    for i in range(len(injectors)):
        k = injectors[i]
        p, q = s_nominal_va[k].real / base_va, s_nominal_va[k].imag / base_va
        told = math.isfinite(p) and math.isfinite(q)
        for part in range(2):
            sigma = (sigma_p_va[k] if part == 0 else sigma_q_va[k]) / base_va
            known = told and math.isfinite(sigma)
            own[part, i] = (max(sigma, floor_pu) if known else free_step_pu) ** 2
            own[2 + part, i] = 0.0 if known else 1.0
        mean[i] = complex(0.0 if own[2, i] == 1.0 else p, 0.0 if own[3, i] == 1.0 else q)
