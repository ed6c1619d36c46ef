"""The power flow's equations linearised at a solved state, and their solution forwards and backwards.

With M = (Y + Y_s)^-1, A the injectors' incidence, d = A^T V the voltage across each injector and S(|d|) its power, a
small nodal current b changes the voltages by the solution of

    dV = M [ b + A (p . dd + q . conj(dd)) ],   dd = A^T dV
    p = conj(S' / d) conj(u) / 2,   q = conj(S' / d) u / 2 - conj(S / d^2),   u = d / |d|,  S' = dS / d|d|

(the derivative of conj(S(|d|) / d)): linear over the real numbers only, since power flows have conj(V) in them. Under
the inner product Re(y^H x) the adjoint of x -> p x + q conj(x) is y -> conj(p) y + q conj(y), and that of M is its
conjugate transpose, so that lambda with  lambda = M^H [ c + A (conj(p) . A^T lambda + q . conj(A^T lambda)) ]  gives
the change Re(c^H dV) = Re(lambda^H b) of one output for every b at once.

Both are iterated as the power flow is. Columns for which that does not contract (near the collapse, where Newton found
the state) are solved by GMRES (Y. Saad, M. H. Schultz, SIAM J. Sci. Stat. Comput. 7(3), 1986, 856-869) over the reals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.admittance import S_BASE_VA
from adms.grid.arrays import BoolArray
from adms.grid.load_law import at_nominal, voltage_factor_slopes, voltage_factors
from adms.powerflow.factor import Factor
from adms.powerflow.solve import PowerFlow

_UNSYMMETRIC = 1e-10
"""Of the diagonal: below this a difference of Y and its transpose is rounding."""
_STEPS_BEFORE_GIVING_UP = 4
_KRYLOV_COLUMNS = 8
"""Columns at once in GMRES, whose every step keeps its vectors."""

Operator = Callable[[ComplexArray], ComplexArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linearised:
    """A solved state and the linear answer of its loads and DER."""

    factor: Factor
    flow: PowerFlow
    v_pu: ComplexArray
    """[live]"""
    per_w: ComplexArray
    """[live injector] current of 1 W more at nominal voltage, at the state's voltage; NaN where it has no voltage."""
    per_var: ComplexArray
    p: ComplexArray
    """[live injector] answer to dd."""
    q: ComplexArray
    """[live injector] answer to conj(dd)."""

    @cached_property
    def live_of_injector(self) -> IntArray:
        """[injector] row among the live injectors, -1 where dead."""
        place = np.full(len(self.factor.arrays.injectors), -1, dtype=np.int64)
        place[self.factor.injectors] = np.arange(len(self.factor.injectors))
        return place

    @cached_property
    def y_live(self) -> sp.csr_matrix:
        """[live, live] admittance of the network without sources and loads."""
        live = self.factor.live
        return self.factor.arrays.admittance_pu(self.factor.grid).tocsr()[live][:, live]

    def forward(
        self, current_pu: ComplexArray, *, tolerance: float, max_iterations: int
    ) -> tuple[ComplexArray, BoolArray]:
        """Voltage changes of small currents.

        Args:
            current_pu: [live, column].
            tolerance: relative, of the estimated error of each column.
            max_iterations: of the contraction, and as many again of GMRES.

        Returns:
            ([live, column], [column] whether it converged; NaN where not).
        """

        def answer(dv: ComplexArray) -> ComplexArray:
            dd = self._transposed @ dv
            moved = self.p[:, None] * dd + self.q[:, None] * np.conj(dd)
            return self.factor.solve(np.asarray(self.factor.incidence @ moved))

        return _solve(answer, self.factor.solve(current_pu), tolerance=tolerance, max_iterations=max_iterations)

    def backward(
        self, gradient: ComplexArray, *, tolerance: float, max_iterations: int
    ) -> tuple[ComplexArray, BoolArray]:
        """For outputs Re(c^H dV): lambda, so that a current b changes them by Re(lambda^H b). As `forward`, with
        `gradient` [live, output] for the currents."""

        def adjoint(rhs: ComplexArray) -> ComplexArray:
            return np.conj(self._solve_transposed(np.conj(rhs)))

        def answer(one: ComplexArray) -> ComplexArray:
            across = self._transposed @ one
            moved = np.conj(self.p)[:, None] * across + self.q[:, None] * np.conj(across)
            return adjoint(np.asarray(self.factor.incidence @ moved))

        return _solve(answer, adjoint(gradient), tolerance=tolerance, max_iterations=max_iterations)

    @cached_property
    def _transposed(self) -> sp.csr_matrix:
        return self.factor.incidence.T.tocsr()

    @cached_property
    def _unsymmetric(self) -> tuple[IntArray, ComplexArray, ComplexArray] | None:
        """(nodes n where Y and its transpose differ, M E, (I + D E^T M E)^-1 D) with D = (Y^T - Y)[n, n] and E the
        columns n of the identity; None where Y is symmetric. Sources are symmetric or treated as the rest."""
        live = self.factor.live
        y_source, _ = self.factor.arrays.source_norton_pu()
        y = (self.y_live + y_source.tocsr()[live][:, live]).tocsr()
        size = np.sqrt(np.abs(y.diagonal()))
        apart = (y.T - y).tocoo()
        real = np.abs(apart.data) > _UNSYMMETRIC * size[apart.row] * size[apart.col]
        nodes = np.unique(apart.row[real]).astype(np.int64)
        if nodes.size == 0:
            return None
        difference = apart.tocsr()[nodes][:, nodes].toarray()
        unit = np.zeros((len(live), len(nodes)), dtype=np.complex128)
        unit[nodes, np.arange(len(nodes))] = 1.0
        column = self.factor.solve(unit)
        inner = np.linalg.solve(np.eye(len(nodes)) + difference @ column[nodes], difference)
        return nodes, column, inner

    def _solve_transposed(self, current: ComplexArray) -> ComplexArray:
        """(Y + Y_s)^-T current by the same factor: Y^T = Y + E D E^T is a low-rank change (Woodbury) where there are
        phase shifters, and none elsewhere."""
        first = self.factor.solve(current)
        if self._unsymmetric is None:
            return first
        nodes, column, inner = self._unsymmetric
        return np.asarray(first - column @ (inner @ first[nodes]))


def linearise(factor: Factor, flow: PowerFlow) -> Linearised:
    """The equations at `flow`, which must be a solution for the grid state of `factor`.

    Raises InvariantError where it is of another one.
    """
    flow.check_state_of(factor)
    arrays = factor.arrays
    v = flow.v_phasor_pu[factor.live]
    across = np.asarray(factor.incidence.T @ v)
    size = np.abs(across)
    law = arrays.injector_law[factor.injectors]
    scale = arrays.injector_v_scale[factor.injectors]
    of_p, of_q = voltage_factors(size * scale, law)
    slope_p, slope_q = voltage_factor_slopes(size * scale, law)
    s = flow.s_injection_va[factor.injectors] / S_BASE_VA
    nominal = at_nominal(s, size * scale, law)
    slope = (nominal.real * slope_p + 1j * (nominal.imag * slope_q)) * scale
    has_voltage = size > 0.0
    safe = np.where(has_voltage, across, 1.0)
    unit = safe / np.abs(safe)
    grown = np.conj(slope / safe)
    gone = np.where(has_voltage, 1.0, np.nan)
    return Linearised(
        factor=factor,
        flow=flow,
        v_pu=v,
        per_w=np.asarray(gone * np.conj(of_p / safe) / S_BASE_VA, dtype=np.complex128),
        per_var=np.asarray(gone * np.conj(1j * of_q / safe) / S_BASE_VA, dtype=np.complex128),
        p=np.where(has_voltage, grown * np.conj(unit) / 2.0, 0.0),
        q=np.where(has_voltage, grown * unit / 2.0 - np.conj(s / safe**2), 0.0),
    )


def _solve(
    answer: Operator, first: ComplexArray, *, tolerance: float, max_iterations: int
) -> tuple[ComplexArray, BoolArray]:
    """x = first + answer(x), column by column. The error left after a step is taken as the rest of the geometric
    series with the slower of the last two ratios."""
    x = first.copy()
    size = np.abs(first).max(axis=0, initial=0.0)
    converged = size == 0.0
    given = np.isfinite(size)
    open_ = np.flatnonzero(given & ~converged)
    last, ratio = size.copy(), np.zeros(len(size))
    for iteration in range(1, max_iterations + 1):
        if open_.size == 0:
            break
        after = first[:, open_] + answer(x[:, open_])
        change = np.abs(after - x[:, open_]).max(axis=0)
        x[:, open_] = after
        shrinks = change / last[open_]
        slower = np.maximum(shrinks, ratio[open_])
        ratio[open_], last[open_] = shrinks, change
        error = change * np.where(slower < 1.0, slower / np.where(slower < 1.0, 1.0 - slower, 1.0), np.inf)
        done = (error <= tolerance * np.abs(after).max(axis=0)) | (change == 0.0)
        converged[open_[done]] = True
        hopeless = (slower >= 1.0) & (iteration >= _STEPS_BEFORE_GIVING_UP)
        open_ = open_[~done & ~hopeless & (change > 0.0)]
    left = np.flatnonzero(given & ~converged)
    for start in range(0, len(left), _KRYLOV_COLUMNS):
        part = left[start : start + _KRYLOV_COLUMNS]
        x[:, part], converged[part] = _krylov(
            answer, first[:, part], tolerance=tolerance, dimension=min(max_iterations, 2 * len(x))
        )
    x[:, ~converged] = np.nan
    return x, converged


def _krylov(
    answer: Operator, first: ComplexArray, *, tolerance: float, dimension: int
) -> tuple[ComplexArray, BoolArray]:
    """GMRES for x - answer(x) = first, each column with its own space. The error is taken as the residual over the
    smallest singular value of the projected operator."""
    count = first.shape[1]
    beta = np.linalg.norm(first, axis=0)
    basis = [first / beta]
    hessenberg = np.zeros((count, dimension + 1, dimension))
    x, converged = np.zeros_like(first), np.zeros(count, dtype=np.bool_)
    for step in range(dimension):
        w = basis[step] - answer(basis[step])
        for _ in range(2):
            for i, vector in enumerate(basis):
                part = np.sum(np.conj(vector) * w, axis=0).real
                hessenberg[:, i, step] += part
                w = w - part * vector
        length = np.linalg.norm(w, axis=0)
        hessenberg[:, step + 1, step] = length
        weights, error = _least_squares(hessenberg[:, : step + 2, : step + 1], beta)
        good = ~converged & (error <= tolerance * np.linalg.norm(weights, axis=1))
        for column in np.flatnonzero(good):
            x[:, column] = sum(
                (w_i * vector[:, column] for w_i, vector in zip(weights[column], basis, strict=True)),
                start=np.zeros(len(first), dtype=np.complex128),
            )
        converged |= good
        if converged.all():
            break
        basis.append(np.where(length > 0.0, w / np.where(length > 0.0, length, 1.0), 0.0))
    return x, converged


def _least_squares(h: FloatArray, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """([column, step] minimisers of |beta e1 - h w|, [column] estimated error)."""
    u, s, vt = np.linalg.svd(h, full_matrices=False)
    along = u[:, 0, :] * beta[:, None]
    smallest = s[:, -1]
    safe = np.where(s > 0.0, s, np.inf)
    weights = np.einsum("kji,kj->ki", vt, along / safe)
    target = np.zeros(h.shape[:2])
    target[:, 0] = beta
    residual = np.linalg.norm(target - np.einsum("kij,kj->ki", h, weights), axis=1)
    return weights, np.where(smallest > 0.0, residual / np.where(smallest > 0.0, smallest, 1.0), np.inf)
