"""Steps with one factor, compiled.

A step solves K' dx = -gradient with K' = K + C D C^T: the factor is K's, and columns Z = K^-1 C correct it for what the
factor leaves out: shared deviations of far-apart injectors, rows whose variance changed, rows that dropped out. Because
K is symmetric, C^T K^-1 b = Z^T b.
"""

import math

from adms.block_ldu.structure import Pattern
from adms.block_ldu.symmetric import substitute_symmetric
from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import (
    HoldColumns,
    InjectorColumns,
    NetworkColumns,
    PriorColumns,
    ReadingColumns,
    RowColumns,
    SourceColumns,
)
from adms.estimation.kernel.gradient import deviations, negative_gradient
from adms.estimation.kernel.rows import residual_of, row_value

CONVERGED, SLOW, NOT_A_NUMBER, FAR, EXHAUSTED = 1, 2, 3, 4, 5
SAFETY = 4.0
"""What is left to go is believed to be this much more than the last two steps say."""
LEAST_RATE = 0.1
"""Steps are not believed to shrink faster: what shrinks slowest shows last."""
ROUNDING_PU = 1e-7
"""Steps below this that no longer shrink with a new factor are rounding."""


@compiled
def solve_corrected(
    pattern: Pattern,
    values: FloatArray,
    pivot: IntArray,
    columns: FloatArray,
    inner: FloatArray,
    x: FloatArray,
    part: FloatArray,
) -> None:
    """x <- K'^-1 x, from the first block that is not idle; x is zero before it and stays so.

    Args:
        pattern: of K's factor.
        values: of K's factor.
        pivot: of K's factor.
        columns: [c, size] Z^T
        inner: [c, c] -(D^-1 + C^T K^-1 C)^-1
        x: [size]
        part: [c] scratch
    """
    count = len(columns)
    begin = pattern.start[pattern.lead]
    for c in range(count):
        total = 0.0
        for i in range(begin, len(x)):
            total += columns[c, i] * x[i]
        part[c] = total
    substitute_symmetric(pattern, values, pivot, x, pattern.lead)
    for c in range(count):
        weight = 0.0
        for b in range(count):
            weight += inner[c, b] * part[b]
        if weight != 0.0:
            for i in range(begin, len(x)):
                x[i] += weight * columns[c, i]


@compiled
def take_steps(
    pattern: Pattern,
    values: FloatArray,
    pivot: IntArray,
    columns: FloatArray,
    inner: FloatArray,
    network: NetworkColumns,
    sources: SourceColumns,
    injectors: InjectorColumns,
    holds: HoldColumns,
    prior: PriorColumns,
    rows: RowColumns,
    readings: ReadingColumns,
    x: FloatArray,
    e: ComplexArray,
    s: ComplexArray,
    s_before: ComplexArray,
    t: ComplexArray,
    residual: FloatArray,
    right: FloatArray,
    still: FloatArray,
    part: FloatArray,
    budget: int,
    tolerance: float,
    contraction: float,
    far: float,
    last: float,
) -> tuple[int, int, float, float]:
    """Steps at `x`, in place, until what is left to go is below `tolerance`, by the size of the last step and how much
    smaller it was than the one before (`last`: than the first one).

    Returns (verdict, steps, size of the last step, the prior's part of chi-squared). SLOW: a step shrank by less than
    `contraction`, or would have grown and was not taken; FAR: one was larger than `far`; both leave `x` after it, with
    the deviations `e` of the powers that go with it. `s_before` and the residuals are those of the last point. `still`
    [size] is zero.
    """
    moved, rate = math.inf, LEAST_RATE
    begin = pattern.start[pattern.lead]
    verdict = EXHAUSTED
    taken = 0
    # Where nothing is known of a power, voltages may stand still before it does.
    partial = bool(prior.keep_p.any() or prior.keep_q.any())
    polish = 2 if partial else 0
    while taken < budget:
        negative_gradient(
            network, sources, injectors, holds, prior, rows, readings, x, still, e, s, s_before, t, residual, right
        )
        solve_corrected(pattern, values, pivot, columns, inner, right, part)
        square = 0.0
        for i in range(len(network.place)):
            a = network.place[i]
            square = max(square, right[a] * right[a] + right[a + 1] * right[a + 1])
        moved = math.sqrt(square)
        taken += 1
        if verdict == CONVERGED and not moved <= last:
            break
        if taken > 1 and not moved <= last:
            # Not taken: the factor is of another place.
            verdict = SLOW
            moved = last
            break
        deviations(injectors, prior, rows, readings, x, right, e, t, e)
        for i in range(begin, len(x)):
            x[i] += right[i]
        if not moved < math.inf:
            verdict = NOT_A_NUMBER
            break
        rate, rate_before = max(moved / last, LEAST_RATE), rate
        slowest = max(rate, rate_before)
        left = SAFETY * moved * slowest / (1.0 - slowest) if slowest < contraction else math.inf
        if moved < tolerance or (left < tolerance and last < far):
            verdict = CONVERGED
            if polish <= 0:
                break
            polish -= 1
        if moved > far:
            verdict = FAR
            break
        if verdict == CONVERGED:
            last = moved
            continue
        if rate > contraction:
            verdict = SLOW
            break
        last = moved
    cost = negative_gradient(
        network, sources, injectors, holds, prior, rows, readings, x, still, e, s, s_before, t, residual, right
    )
    if partial:
        # S as the last step left it: where nothing is known of a power, rounding of t is many times that of the step.
        for r in range(len(rows.form)):
            residual[r] = residual_of(rows, r, readings.z[r], row_value(rows, r, x, s_before)[0])
    return verdict, taken, moved, cost
