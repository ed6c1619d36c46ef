"""What is believed about the inputs S and E before any telemetry.

    S_k = s_k f(|d_k|) (1 + a_all + a_phase(k)) + e_k      loads
    S_k = s_k + (a_p + j a_q) / pairs + e_k                multi-phase DER: its total deviates, its phases hardly
    E   = E_model (1 + r + j t)                            r: source_v_sigma_pu, t: source_angle_sigma_rad

with independent zero-mean Gaussian e, a, r, t. The deviations `a` that are common to many loads are unknowns of their
own with a wide sigma, so that the meters decide the level of the whole feeder. Independent 40 % errors alone would say
that the sum of a hundred loads is known to 4 %; the picture would follow the model's level and the covariance would be
far too small. With them, the prior covariance of the loads is diag(sigma^2) + B diag(sigma_a^2) B^T, and the
posterior one follows without approximation.

f is the load law at the present voltage. Its slope is left out of the gradient: the mean follows the voltage, but the
deviation of a load says nothing about its voltage (the term left out is below 1 % of one voltage meter's).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from adms.core.telemetry import FloatArray
from adms.estimation.layout import Layout, Point
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.grid.arrays import S_BASE_VA
from adms.grid.load_law import at_voltage

_NOTHING_KNOWN_PU = 1e3
_SIGMA_FLOOR_PU = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class InputGradient:
    """Gradient and value of the prior's quadratic cost."""

    s: FloatArray
    """[2k] (P, Q)"""
    e: FloatArray
    """[2m] (Re, Im)"""
    a: FloatArray
    cost: float
    """Twice the value: the prior's part of chi-squared."""


class InputPrior:
    """Quadratic cost of the inputs: value, gradient and curvature."""

    def __init__(self, layout: Layout, *, prior: LoadPrior, policy: EstimationPolicy) -> None:
        self.layout = layout
        arrays = layout.arrays
        rows = layout.injectors
        self._mean = prior.s_nominal_va[rows] / S_BASE_VA
        sigma = prior.sigma_p_va[rows] / S_BASE_VA
        known = np.isfinite(sigma) & np.isfinite(self._mean)
        self._mean = np.where(known, self._mean, 0.0)
        sigma = np.where(known, np.maximum(sigma, _SIGMA_FLOOR_PU), _NOTHING_KNOWN_PU)
        self._w = np.concatenate([sigma**-2.0, sigma**-2.0])
        self._law = arrays.injector_law[rows]
        self._scale = arrays.injector_v_scale[rows]
        self._build_common(policy)
        radial, tangential = policy.source_v_sigma_pu**-2.0, policy.source_angle_sigma_rad**-2.0
        u = layout.emf_pu / np.abs(layout.emf_pu)
        c, s, size = u.real, u.imag, np.abs(layout.emf_pu) ** 2
        self._e_rr = radial * c * c + tangential / size * s * s
        self._e_ri = (radial - tangential / size) * c * s
        self._e_ii = radial * s * s + tangential / size * c * c

    def _build_common(self, policy: EstimationPolicy) -> None:
        """`_load_modes` [k, g] scale a load's mean; `_der_modes` [2k, g] add to P or Q."""
        lay = self.layout
        arrays = lay.arrays
        rows = lay.injectors
        load = ~arrays.injector_is_der[rows]
        phase = np.array([arrays.nodes[int(i)].phase for i in arrays.injector_fr[rows]], dtype=np.int64)
        sigma: list[float] = []
        load_at: list[tuple[int, int]] = []
        der_at: list[tuple[int, int, float]] = []
        if load.any():
            load_at += [(int(k), 0) for k in np.flatnonzero(load)]
            sigma.append(policy.load_scale_sigma_frac)
            phases = sorted({int(p) for p in phase[load]})
            for p in phases if len(phases) > 1 else ():
                load_at += [(int(k), len(sigma)) for k in np.flatnonzero(load & (phase == p))]
                sigma.append(policy.phase_scale_sigma_frac)
        for der in arrays.model.ders:
            place = lay.row_of_injector[arrays.injector_rows[der.id]]
            place = place[place >= 0]
            if len(arrays.injector_rows[der.id]) < 2 or place.size == 0:
                continue
            for offset in (0, lay.k):
                der_at += [(int(k) + offset, len(sigma), 1.0 / place.size) for k in place]
                sigma.append(max(policy.pv_sigma_frac * der.s_max_va / S_BASE_VA, _SIGMA_FLOOR_PU))
        self.common_count = len(sigma)
        self._w_common = np.array(sigma) ** -2.0
        at = np.array(load_at, dtype=np.int64).reshape(-1, 2)
        self._load_modes = sp.csr_matrix((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(lay.k, len(sigma)))
        self._der_modes = sp.csr_matrix(
            ([x for _, _, x in der_at], ([r for r, _, _ in der_at], [c for _, c, _ in der_at])),
            shape=(2 * lay.k, len(sigma)),
        )

    def start(self) -> Point:
        """Inputs at their means, at nominal voltage; voltages are the caller's."""
        lay = self.layout
        v = np.ones(lay.n, dtype=np.complex128)
        return Point(v=v, s=self._mean.copy(), e=lay.emf_pu.copy(), a=np.zeros(self.common_count))

    def follow(self, point: Point) -> Point:
        """The same voltages with S at its mean there."""
        mean, _ = self._expected(point)
        return Point(v=point.v, s=mean[: self.layout.k] + 1j * mean[self.layout.k :], e=point.e, a=point.a)

    def _expected(self, point: Point) -> tuple[FloatArray, sp.csr_matrix]:
        """Mean of (P, Q) given `a`, [2k], and its modes B [2k, g]."""
        across = np.abs(self.layout.incidence_t @ point.v)
        mean = at_voltage(self._mean, across * self._scale, self._law)
        stacked = np.concatenate([mean.real, mean.imag])
        scaled = sp.vstack([sp.diags(mean.real) @ self._load_modes, sp.diags(mean.imag) @ self._load_modes])
        modes = sp.csr_matrix(scaled + self._der_modes)
        return stacked + modes @ point.a, modes

    def gradient(self, point: Point) -> InputGradient:
        """Gradient of the cost at a point (the load law's slope left out)."""
        mean, modes = self._expected(point)
        off = np.concatenate([point.s.real, point.s.imag]) - mean
        weighted = self._w * off
        de = point.e - self.layout.emf_pu
        g_re = self._e_rr * de.real + self._e_ri * de.imag
        g_im = self._e_ri * de.real + self._e_ii * de.imag
        cost = off @ weighted + point.a @ (self._w_common * point.a) + de.real @ g_re + de.imag @ g_im
        return InputGradient(
            s=weighted,
            e=np.concatenate([g_re, g_im]),
            a=self._w_common * point.a - modes.T @ weighted,
            cost=float(cost),
        )

    def curvature(self, point: Point) -> sp.csr_matrix:
        """Second derivative over (P, Q, Re E, Im E, a)."""
        _, modes = self._expected(point)
        w = sp.diags(self._w)
        of_a = modes.T @ w @ modes + sp.diags(self._w_common)
        emf = sp.bmat([[sp.diags(self._e_rr), sp.diags(self._e_ri)], [sp.diags(self._e_ri), sp.diags(self._e_ii)]])
        cross = -(w @ modes)
        if self.common_count == 0:
            return sp.csr_matrix(sp.block_diag([w, emf]))
        return sp.csr_matrix(sp.bmat([[w, None, cross], [None, emf, None], [cross.T, None, of_a]]))
