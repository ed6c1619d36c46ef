"""How well a network is known at one optimum, and would be with more rows."""

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.candidate import Borders
from adms.estimation.covariance import radial_variance
from adms.estimation.system import System


class Certainty:
    """The inverse of the estimator's matrix, far modes and rows put up so far included."""

    def __init__(self, system: System, *, cap_pu: float) -> None:
        layout = system.problem.layout
        self.system = system
        self.cap_pu = cap_pu
        """Sigma of a node that counts as unobservable."""
        self.live: IntArray = system.problem.live
        self.used: IntArray = np.flatnonzero(system.inside)
        self._node = layout.node
        self.mu = layout.mu[self.used]
        v = layout.phasors(system.x, layout.node)
        size = np.abs(v)
        self.along = np.where(size > 0.0, v / np.where(size > 0.0, size, 1.0), 0.0)
        self.modes, core = system.mode_columns
        self.inner: FloatArray = np.asarray(-np.linalg.inv(core), dtype=np.float64)
        radial, far = self.radial(self.modes), self.modes[:, self.mu]
        self.variance: FloatArray = radial_variance(system, system.x) + _through(radial, self.inner)
        """[node] of the voltage magnitude, per unit squared; 0 at a dead node."""
        self.weight: FloatArray = np.minimum(1.0, cap_pu / np.sqrt(np.maximum(self.variance, 1e-300)))
        """[node] by which no node counts for more than an unobservable one."""
        row = system.inverse[layout.own(self.mu)] + _through(far, self.inner)
        self.residual_frac: FloatArray = -system.variance[self.used] * row
        """[used] variance of each residual over the meter's own."""
        self._solved = np.zeros((0, layout.size))
        self._shares = np.zeros((0, 0))
        self._s = np.zeros((0, 0))

    def radial(self, columns: FloatArray) -> FloatArray:
        """[columns, node] part of solutions along each voltage."""
        return np.asarray(
            columns[:, self._node] * self.along.real + columns[:, self._node + 1] * self.along.imag, dtype=np.float64
        )

    def solve(self, right: FloatArray) -> FloatArray:
        """[columns, size] K^-1 of each, far modes included, rows put up not."""
        solved = np.stack([self.system.solve(one) for one in right]) if len(right) else right
        return np.asarray(solved + (right @ self.modes.T) @ self.inner @ self.modes)

    def with_rows(self, found: Borders, rows: IntArray, *, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """([node] variance of the voltage magnitudes, [used] of the residuals over the meters' own) with rows more.

        Args:
            found: what the rows would add.
            rows: which of them.
            variance: of each, per unit squared.
        """
        columns, solved, shares = self._bordered(found, rows)
        s = np.diag(variance) + shares @ shares.T + columns @ solved.T
        if len(self._s):
            beside = -self._shares @ shares.T
            y = np.linalg.solve(self._s, self._solved @ columns.T - beside)
            solved = solved - y.T @ self._solved
            s = s - (self._solved @ columns.T - beside).T @ y
        fallen: FloatArray = np.asarray(np.linalg.inv(0.5 * (s + s.T)), dtype=np.float64)
        node, row = self.radial(solved), solved[:, self.mu]
        return (
            np.maximum(self.variance - _through(node, fallen), 0.0),
            self.residual_frac + self.system.variance[self.used] * _through(row, fallen),
        )

    def put_up(self, found: Borders, rows: IntArray, *, variance: FloatArray) -> None:
        """Takes rows in, for what is asked from now on."""
        after = self.with_rows(found, rows, variance=variance)
        columns, solved, shares = self._bordered(found, rows)
        s = np.diag(variance) + shares @ shares.T + columns @ solved.T
        if len(self._s):
            cross = self._solved @ columns.T + self._shares @ shares.T
            s = np.block([[self._s, cross], [cross.T, s]])
            shares, solved = np.concatenate([self._shares, shares]), np.concatenate([self._solved, solved])
        self._s, self._shares, self._solved = s, shares, solved
        self.variance, self.residual_frac = after

    def _bordered(self, found: Borders, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        columns = found.columns(rows)
        return columns, self.solve(columns), np.asarray(found.shares[rows].toarray(), dtype=np.float64)


def _through(columns: FloatArray, inner: FloatArray) -> FloatArray:
    """Diagonal of columns^T inner columns."""
    return np.asarray(np.einsum("ci,ci->i", columns, inner @ columns), dtype=np.float64)
