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

from adms.block_ldu.as_sparse import symmetric_as_sparse
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.beliefs import Beliefs, matrix_columns
from adms.estimation.iterate import Start
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.gradient import deviations, negative_gradient
from adms.estimation.kernel.matrix import assemble
from adms.estimation.kernel.matrix import far_directions as q_of_modes
from adms.estimation.problem import Problem
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
    return sp.csc_matrix(symmetric_as_sparse(layout.structure.pattern, values))


def far_directions(problem: Problem, x: FloatArray, *, beliefs: Beliefs, inside: BoolArray) -> FloatArray:
    """[far mode, size] what each deviation that far-apart injectors share adds; K less their squares is the whole."""
    columns = matrix_columns(problem, beliefs)
    return q_of_modes(columns, problem.injectors, beliefs.columns, problem.rows, inside, beliefs.far, x)


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
