"""The estimator's arithmetic a second time, the plain way: SciPy's SuperLU (X. S. Li, ACM Trans. Math. Software 31(3),
2005) on the whole matrix, built anew at every step, with every row at its own weight and every shared deviation inside.

Slow, and nothing in it is approximate or kept: no block factor, no corrections of an inverse, no contraction to wait
for. What the compiled path ends at, this path ends at. It shares the gradient (`kernel.gradient`) and the places of the
matrix's entries (`kernel.matrix`), which are checked on their own against differences.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from adms.block_ldu.structure import Pattern
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.iterate import Start
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.gradient import deviations, negative_gradient
from adms.estimation.kernel.matrix import assemble, input_direction
from adms.estimation.problem import Beliefs, Problem, matrix_columns
from adms.grid.arrays import BoolArray

_STILL_PU = 1e-12
_ROUNDING_PU = 1e-8
"""Steps below this that no longer shrink are rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlainOptimum(Start):
    """Where the plain steps ended."""

    s: ComplexArray
    """[k] powers of the live injectors, S_BASE_VA."""
    residual: FloatArray
    """[M] measured less estimated, per unit."""
    step_pu: float
    """Largest voltage change of the last step; inf where there was none."""
    steps: int


def unpacked(pattern: Pattern, values: FloatArray) -> sp.csc_matrix:
    """A symmetric matrix out of the places of its factor.

    Args:
        pattern: blocks in the order of elimination.
        values: [symmetric_size] diagonal blocks in full, and lower blocks.

    Returns:
        [n, n], both triangles.
    """
    row, column, at = [], [], []
    for j in range(len(pattern.diagonal)):
        mine = np.arange(pattern.start[j], pattern.start[j + 1])
        places = [(mine, int(pattern.diagonal[j]))]
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            places.append((np.arange(pattern.start[i], pattern.start[i + 1]), int(pattern.lower[a])))
        for rows, first in places:
            row.append(np.repeat(rows, len(mine)))
            column.append(np.tile(mine, len(rows)))
            at.append(first + np.arange(len(rows) * len(mine)))
    size = int(pattern.start[-1])
    r, c = np.concatenate(row), np.concatenate(column)
    value = values[np.concatenate(at)]
    block = np.repeat(np.arange(len(pattern.diagonal)), np.diff(pattern.start))
    lower = block[r] > block[c]
    return sp.csc_matrix(
        (np.concatenate([value, value[lower]]), (np.concatenate([r, c[lower]]), np.concatenate([c, r[lower]]))),
        shape=(size, size),
    )


def plain_matrix(
    problem: Problem, x: FloatArray, *, s: ComplexArray, beliefs: Beliefs, inside: BoolArray, variance: FloatArray
) -> sp.csc_matrix:
    """K at a point, as `system_at` factors it: without the deviations that far-apart injectors share.

    Args:
        problem: the network in one state.
        x: [size] the point.
        s: [k] powers there, S_BASE_VA.
        beliefs: about the powers.
        inside: [M] rows that it holds.
        variance: [M] of the rows, per unit squared.
    """
    layout = problem.layout
    values = np.zeros(layout.value_count)
    assemble(
        layout.structure.pattern,
        matrix_columns(problem, beliefs),
        problem.admittance,
        problem.sources,
        problem.injectors,
        problem.no_holds,
        beliefs.columns,
        problem.rows,
        inside,
        variance,
        x,
        s,
        values,
    )
    return unpacked(layout.structure.pattern, values)


def far_directions(problem: Problem, x: FloatArray, *, beliefs: Beliefs, inside: BoolArray) -> FloatArray:
    """[far mode, size] what each deviation that far-apart injectors share adds; K less their squares is the whole."""
    prior = beliefs.columns
    matrix = matrix_columns(problem, beliefs)
    widest = int(np.diff(problem.measured_first).max(initial=0)) + 4
    at, q = np.zeros(widest, dtype=np.int64), np.zeros(widest)
    c = np.zeros((len(beliefs.far), problem.layout.size))
    for row, mode in enumerate(beliefs.far.tolist()):
        for e in range(prior.first[mode], prior.first[mode + 1]):
            k, share = prior.injector[e], prior.share[e]
            count = input_direction(matrix, problem.injectors, problem.rows, inside, k, share, x, at, q, 0)
            np.add.at(c[row], at[:count], q[:count])
    return c


def solve_plain(k: sp.csc_matrix, far: FloatArray, right: FloatArray) -> FloatArray:
    """(K - far^T far)^-1 right: the shared deviations as unknowns of their own, one refinement.

    Args:
        k: [n, n]
        far: [c, n]
        right: [n]
    """
    c = sp.csc_matrix(far)
    whole = k
    if len(far):
        upper, lower = sp.hstack([k, c.T]), sp.hstack([c, sp.eye(len(far))])
        whole = sp.csc_matrix(sp.vstack([upper, lower]))
    padded = np.concatenate([right, np.zeros(len(far))])
    lu = splu(whole)
    x = lu.solve(padded)
    x += lu.solve(padded - whole @ x)
    return np.asarray(x[: len(right)])


def plain_optimum(
    problem: Problem, start: Start, *, beliefs: Beliefs, readings: ReadingColumns, most_steps: int = 60
) -> PlainOptimum:
    """Full Gauss-Newton with SuperLU, as `optimise` does it compiled.

    Args:
        problem: the network in one state.
        start: where from.
        beliefs: about the powers.
        readings: of this scan.
        most_steps: limit; `step_pu` says what was reached.
    """
    layout = problem.layout
    k = len(problem.injectors.fr)
    x, e = start.x.copy(), start.e.copy()
    x[problem.rows.place[~readings.use]] = 0.0
    s, s_before, t = (np.zeros(k, dtype=np.complex128) for _ in range(3))
    residual, right, still = np.zeros(layout.rows.count), np.zeros(layout.size), np.zeros(layout.size)
    around = (problem.network, problem.sources, problem.injectors, problem.no_holds)
    moving = (*around, beliefs.columns, problem.rows, readings)
    injected = (problem.injectors, beliefs.columns, problem.rows, readings)
    deviations(*injected, x, still, e, t, e)
    size, steps = np.inf, 0
    while steps < most_steps and size > _STILL_PU:
        negative_gradient(*moving, x, still, e, s, s_before, t, residual, right)
        use, variance = readings.use, readings.variance
        matrix = plain_matrix(problem, x, s=s_before, beliefs=beliefs, inside=use, variance=variance)
        far = far_directions(problem, x, beliefs=beliefs, inside=use)
        if not (np.isfinite(right).all() and np.isfinite(matrix.data).all() and np.isfinite(far).all()):
            size = np.inf
            break
        try:
            step = solve_plain(matrix, far, right)
        except RuntimeError:  # SuperLU's word for a singular matrix
            size = np.inf
            break
        deviations(*injected, x, step, e, t, e)
        x += step
        before, size = size, float(np.abs(layout.phasors(step, layout.node)).max(initial=0.0))
        steps += 1
        if _ROUNDING_PU > size > 0.5 * before:
            break
    negative_gradient(*moving, x, still, e, s, s_before, t, residual, right)
    return PlainOptimum(x=x, e=e, s=s_before, residual=residual, step_pu=size, steps=steps)
