"""The augmented (Hachtel) system of the estimator, factored once and used for many steps.

Minimise half of the prior's cost plus r^T R^-1 r, with r = h(V, u) - z, subject to the network law c(V, u) = 0, where u
are the inputs (S, E, a). With mu = R^-1 r and the law's multiplier lambda, a Gauss-Newton step solves

    [ 0    0    H_V^T  J_V^T ] [ dV      ]
    [ 0    W    H_u^T  J_u^T ] [ du      ]  = - gradient of the Lagrangian
    [ H_V  H_u  -R     0     ] [ dmu     ]
    [ J_V  J_u  0      0     ] [ dlambda ]

(Hachtel's form; Abur & Exposito, Power System State Estimation, 2004, chapter 3; Gjelsvik, Aam, Holten, IEEE Trans. PAS
104(11), 1985). The matrix may be of an older point or of slightly other weights: the right-hand side is always exact,
so that where the steps end is the optimum.

Columns are ordered (lambda, u, mu, V), which puts J_V^T, W, -R and J_V on the diagonal.

Weights change without a new factor. With B = (K^-1)_mu,mu and the rows U whose variance changes by D, the matrix
inversion lemma gives
K'^-1 = K^-1 - (K^-1)_.,U (B_UU - D^-1)^-1 (K^-1)_U,. ; a measurement is taken out by D = inf, that
is D^-1 = 0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.blocks import MeasurementStack
from adms.estimation.contradiction import VoltageWitnesses
from adms.estimation.inputs import InputPrior
from adms.estimation.law import NetworkLaw
from adms.estimation.layout import Layout, Point
from adms.grid.arrays import BoolArray

_COLUMNS = 16
"""Columns solved at once: more of them start BLAS threads on tiny blocks (450 at once took 811 ms on two busy cores, by
16 41 ms; with one BLAS thread 34 and 20 ms)."""
_SAME_FRAC = 0.02
"""A variance that changed by less than this share is left as factored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Everything about an estimate that does not change from scan to scan in one grid state."""

    layout: Layout
    law: NetworkLaw
    inputs: InputPrior
    stack: MeasurementStack
    witnesses: VoltageWitnesses


@dataclass(frozen=True, kw_only=True, eq=False)
class Readings:
    """What the meters say in one scan, per unit."""

    z: FloatArray
    """[M] NaN where not in use."""
    variance: FloatArray
    """[M] NaN where not in use."""
    use: BoolArray
    """[M]"""

    def without(self, row: int) -> "Readings":
        """The same with one measurement taken out."""
        use = self.use.copy()
        use[row] = False
        return Readings(z=self.z, variance=self.variance, use=use)


@dataclass(frozen=True, kw_only=True, eq=False)
class Iterate:
    """A point with its multipliers."""

    point: Point
    mu: FloatArray
    """[M]"""
    multiplier: FloatArray
    """[2n] lambda, (Re, Im)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """What turns the inverse of a factored K into that of the readings' own weights."""

    rows: IntArray
    """U"""
    inner: FloatArray
    """[U, U] (B_UU - D^-1)^-1"""


class AugmentedSystem:
    """K at one point with all measurements, each at one variance."""

    def __init__(self, problem: Problem, at: Point, *, variance: FloatArray) -> None:
        """Factor K with measurement variances [M], per unit squared.

        Raises:
            RuntimeError: the matrix is singular.
        """
        layout, stack = problem.layout, problem.stack
        self.problem = problem
        self.at = at
        self.variance = variance
        n2 = 2 * layout.n
        _, h = stack.evaluate(at)
        h_v, h_u = h[:, :n2], h[:, n2:]
        j_v, j_in = problem.law.jacobian(at)
        j_u = sp.hstack([j_in, sp.csr_matrix((n2, problem.inputs.common_count))], format="csr")
        w = problem.inputs.curvature(at)
        k = sp.csc_matrix(
            sp.bmat(
                [
                    [j_v.T, None, h_v.T, None],
                    [j_u.T, w, h_u.T, None],
                    [None, h_u, -sp.diags(self.variance), h_v],
                    [None, j_u, None, j_v],
                ],
            )
        )
        k.eliminate_zeros()
        self._u = slice(n2, n2 + w.shape[0])
        self._mu = slice(self._u.stop, self._u.stop + stack.count)
        self._n2 = n2
        self.size = k.shape[0]
        self._lu: SuperLU = splu(k, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options={"SymmetricMode": True})

    def solve(self, right: FloatArray) -> FloatArray:
        """K^-1 right for `right` [size] or [size, cases] in the order (V, u, mu, lambda), answer in the same order."""
        if right.ndim == 1:
            x = np.asarray(self._lu.solve(right))
        else:
            cuts = range(_COLUMNS, right.shape[1], _COLUMNS)
            parts = np.split(right, cuts, axis=1)
            x = np.concatenate([self._lu.solve(np.ascontiguousarray(part)) for part in parts], axis=1)
        n2 = self._n2
        return np.concatenate([x[self.size - n2 :], x[n2 : self.size - n2], x[:n2]])

    @property
    def mu_rows(self) -> slice:
        """Where mu stands in (V, u, mu, lambda)."""
        return self._mu

    @cached_property
    def mu_columns(self) -> FloatArray:
        """[size, M] columns of K^-1 that belong to mu."""
        count = self._mu.stop - self._mu.start
        right = np.zeros((self.size, count))
        right[self._mu] = np.eye(count)
        return self.solve(right)

    @cached_property
    def mu_block(self) -> FloatArray:
        """[M, M] B = (K^-1)_mu,mu, made symmetric."""
        block = self.mu_columns[self._mu]
        return np.asarray(0.5 * (block + block.T))

    def correction(self, readings: Readings) -> Correction:
        """For readings with weights of their own, some perhaps not in use.

        Raises:
            numpy.linalg.LinAlgError: a measurement that cannot be taken out of this factor.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            change = readings.variance - self.variance
            inverse = np.where(readings.use, 1.0 / change, 0.0)
            moved = ~readings.use | (np.abs(change) > _SAME_FRAC * self.variance)
        rows = np.flatnonzero(moved)
        inner = self.mu_block[np.ix_(rows, rows)] - np.diag(inverse[rows]) if rows.size else np.zeros((0, 0))
        return Correction(rows=rows, inner=np.linalg.inv(inner))

    def step(self, iterate: Iterate, *, readings: Readings, correction: Correction) -> tuple[Iterate, float]:
        """One step towards the optimum for the readings, and the largest voltage change it makes, per unit."""
        x = -self.solve(self._gradient(iterate, readings))
        u = correction.rows
        if u.size:
            x = x - self.mu_columns[:, u] @ (correction.inner @ x[self._mu][u])
        mu = np.where(readings.use, iterate.mu + x[self._mu], 0.0)
        after = Iterate(
            point=iterate.point.moved(x[: self._u.stop]),
            mu=mu,
            multiplier=iterate.multiplier + x[self._mu.stop :],
        )
        dv = x[: self._n2]
        return after, float(np.hypot(dv[: self._n2 // 2], dv[self._n2 // 2 :]).max())

    def _gradient(self, iterate: Iterate, readings: Readings) -> FloatArray:
        problem, point = self.problem, iterate.point
        n = problem.layout.n
        h, jacobian = problem.stack.evaluate(point)
        multiplier = iterate.multiplier[:n] + 1j * iterate.multiplier[n:]
        of_v, of_s, of_e = problem.law.adjoint(point, multiplier)
        own = problem.inputs.gradient(point)
        gradient = np.zeros(self.size)
        gradient[: self._u.stop] = jacobian.T @ np.where(readings.use, iterate.mu, 0.0)
        gradient[: self._n2] += np.concatenate([of_v.real, of_v.imag])
        gradient[self._u] += np.concatenate(
            [own.s + np.concatenate([of_s.real, of_s.imag]), own.e + np.concatenate([of_e.real, of_e.imag]), own.a]
        )
        gradient[self._mu] = np.where(readings.use, h - readings.z - readings.variance * iterate.mu, 0.0)
        gradient[self._mu.stop :] = problem.law.residual(point)
        return gradient
