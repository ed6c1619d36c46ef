"""What the optimum is worth: standard deviations of voltages and residuals, from the augmented matrix's inverse.

With K as in `adms.estimation.augmented`, the (V, V) block of K^-1 is the covariance of the estimated voltages, and
(K^-1)_mu,mu = -R^-1 Omega R^-1 with Omega = R - H Sigma H^T the covariance of the residuals (Abur & Exposito,
chapter 5). Both depend on topology, weights and, weakly, on the point: they are computed once per factor. Taking
measurements out is a correction by the inversion lemma, exact and without a new factor.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray
from adms.estimation.augmented import AugmentedSystem, Correction, Readings


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariance:
    """Second moments of one scan."""

    sigma_v_pu: FloatArray
    """[n] of each live node's magnitude."""
    sigma_v_prior_pu: FloatArray
    """[n] the same without any telemetry."""
    residual_variance: FloatArray
    """[M] diagonal of Omega, per unit squared; NaN where not in use."""


class CovarianceCache:
    """The parts of K^-1 that every scan on one factor needs."""

    def __init__(self, system: AugmentedSystem) -> None:
        """Solve for one column per node and one per measurement."""
        self.system = system
        v = system.at.v
        n = len(v)
        u = v / np.abs(v)
        right = np.zeros((system.size, n))
        right[np.arange(n), np.arange(n)] = u.real
        right[np.arange(n) + n, np.arange(n)] = u.imag
        x = system.solve(right)
        self._variance: FloatArray = np.einsum("ij,ij->j", right[: 2 * n], x[: 2 * n])
        self._cross: FloatArray = x[system.mu_rows]
        everything = self._cross.T @ np.linalg.solve(system.mu_block, self._cross) if len(self._cross) else None
        self._prior: FloatArray = self._variance if everything is None else self._variance - np.diag(everything)

    def of(self, correction: Correction, *, readings: Readings) -> Covariance:
        """Second moments for the readings that a correction was made for."""
        block, u = self.system.mu_block, correction.rows
        diagonal, variance = np.diag(block), self._variance
        if u.size:
            part, cross = block[:, u], self._cross[u]
            diagonal = diagonal - np.einsum("ij,ij->i", part @ correction.inner, part)
            variance = variance - np.einsum("ij,ij->j", cross, correction.inner @ cross)
        return Covariance(
            sigma_v_pu=np.sqrt(np.maximum(variance, 0.0)),
            sigma_v_prior_pu=np.sqrt(np.maximum(self._prior, 0.0)),
            residual_variance=np.where(readings.use, -(readings.variance**2) * diagonal, np.nan),
        )
