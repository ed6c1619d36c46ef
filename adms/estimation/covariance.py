"""What the optimum is worth: standard deviations of voltages and residuals, from the inverse of the estimator's matrix.

With K as in `adms.estimation.kernel.matrix`, the (V, V) part of K^-1 is the covariance of the estimated voltages, and
(K^-1)_mu,mu = -R^-1 Omega R^-1 with Omega = R - H Sigma H^T the covariance of the residuals (Abur & Exposito, Power
System State Estimation, 2004, chapter 5). Both depend on topology, weights and, weakly, on the point: they are computed
once per factor. What corrects a factor corrects them, exactly.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.system import SAME_FRAC, Correction, System, drifted


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariance:
    """Second moments of one scan."""

    sigma_v_pu: FloatArray
    """[node] of the magnitude; 0 at a dead node."""
    residual_variance: FloatArray
    """[M] diagonal of Omega, per unit squared; NaN where not in use."""
    correction: Correction


def _directions(system: System, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[node] cosine and sine of each voltage's angle; 0 at a dead node."""
    layout = system.problem.layout
    v = layout.phasors(x, layout.node)
    size = np.abs(v)
    along = np.where(size > 0.0, v / np.where(size > 0.0, size, 1.0), 0.0)
    return along.real, along.imag


def radial_variance(system: System, x: FloatArray) -> FloatArray:
    """[node] variance of each voltage's magnitude, without any correction of the factor; 0 at a dead node.

    Args:
        system: a factored matrix.
        x: [size] the voltages.
    """
    layout, inverse = system.problem.layout, system.inverse
    c, s = _directions(system, x)
    own, cross = inverse[layout.own(layout.node)], inverse[layout.with_next(layout.node)]
    return np.asarray(c * c * own + 2.0 * c * s * cross + s * s * inverse[layout.own(layout.node + 1)])


def _diagonals(system: System) -> tuple[FloatArray, FloatArray]:
    base, layout = system.for_covariance, system.problem.layout
    return radial_variance(base, system.x), base.inverse[layout.own(layout.mu)]


class CovarianceCache:
    """The parts of K^-1 that every scan on one factor needs."""

    def __init__(self, system: System, *, lent: "CovarianceCache | None" = None) -> None:
        """Of a factor; `lent` is of another one that is nearly the same, and serves for a scan."""
        self.system = system
        self.origin: System = system if lent is None else lent.origin
        """The factor that the diagonals are of."""
        self._cos, self._sin = _directions(system, system.x)
        self._node, self._row = _diagonals(system) if lent is None else lent.diagonals
        self._last: Covariance | None = None
        self._last_use: bytes = b""

    @property
    def diagonals(self) -> tuple[FloatArray, FloatArray]:
        """([node] variances of the magnitudes, [M] diagonal of K^-1 at mu), of the factor without corrections."""
        return self._node, self._row

    def of(self, correction: Correction, *, readings: ReadingColumns) -> Covariance:
        """Second moments for the readings that a correction was made for."""
        use = readings.use.tobytes()
        if self._last is not None and self._last.correction is correction and use == self._last_use:
            return self._last
        layout = self.system.problem.layout
        base = self.system.for_covariance
        if base is not self.system:
            own = base.correction(readings)
            columns, inner = (correction.columns, correction.inner) if own is None else (own.columns, own.inner)
        else:
            columns, inner = correction.columns, correction.inner
        of_node = columns[:, layout.node] * self._cos + columns[:, layout.node + 1] * self._sin
        of_row = columns[:, layout.mu]
        node = self._node + np.einsum("ci,ci->i", of_node, inner @ of_node)
        row = self._row + np.einsum("ci,ci->i", of_row, inner @ of_row)
        weight = self.system.variance.copy()
        changed = list(correction.rows)
        weight[changed] = readings.variance[changed]
        self._last = Covariance(
            sigma_v_pu=np.sqrt(np.where(node < 0.0, np.inf, node)),
            residual_variance=np.where(readings.use, np.maximum(-(weight**2) * row, 0.0), np.nan),
            correction=correction,
        )
        self._last_use = use
        return self._last


def cache_for(system: System, before: CovarianceCache | None) -> CovarianceCache:
    """The parts for a factor. Where only taps moved, by a step, what the last factor gave serves for one scan more:
    such a step changes a sigma by about a percent, and working it out costs more than the rest of the scan.

    Args:
        system: the factor.
        before: of the last one.
    """
    if before is None:
        return CovarianceCache(system)
    if before.system is system:
        return before if before.origin is system else CovarianceCache(system)
    return CovarianceCache(system, lent=before if _much_alike(before, system) else None)


def _much_alike(before: CovarianceCache, system: System) -> bool:
    old = before.origin
    mine, theirs = old.problem.grid, system.problem.grid
    taps = zip(mine.tap_position.values(), theirs.tap_position.values(), strict=True)
    return (
        old.problem is not system.problem
        and old.problem.layout is system.problem.layout
        and not old.beliefs.partial
        and mine.topology_version == theirs.topology_version
        and mine.capacitor_steps == theirs.capacitor_steps
        and all(abs(a - b) <= 1 for a, b in taps)
        and old.suits(system.beliefs)
        and not drifted(old, system.x)
        and np.array_equal(old.inside, system.inside)
        and bool((np.abs(old.variance - system.variance) <= SAME_FRAC * old.variance).all())
    )
