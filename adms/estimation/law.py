"""The network law as an exact equality of the estimator.

With d = A^T V the voltage across each injector,

    c(V, S, E) = (Y + Y_s) V - Y_s E - A conj(S / d) = 0

holds exactly: a node without an injector has exactly zero injection (equality constraints in place of heavy weights,
Abur & Exposito, Power System State Estimation, 2004, chapter 3).
"""

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.estimation.layout import Layout, Point


def _linear(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Real form of dx -> M dx on (Re, Im)."""
    re, im = matrix.real, matrix.imag
    return sp.csr_matrix(sp.bmat([[re, -im], [im, re]]))


def _conjugate_linear(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Real form of dx -> M conj(dx) on (Re, Im)."""
    re, im = matrix.real, matrix.imag
    return sp.csr_matrix(sp.bmat([[re, im], [im, -re]]))


class NetworkLaw:
    """c, its Jacobian J = (J_V, J_S, J_E), and J^T lambda without forming J."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._y_hermitian = layout.y.conj().T.tocsr()
        self._y_source_hermitian = layout.y_source.conj().T.tocsr()
        self._y_real = _linear(layout.y)
        self._y_source_real = _linear(-layout.y_source)

    def residual(self, point: Point) -> FloatArray:
        """[2n] c at a point, (Re, Im), per unit current."""
        lay = self.layout
        current = np.conj(point.s / (lay.incidence_t @ point.v))
        c = lay.y @ point.v - lay.y_source @ point.e - lay.incidence @ current
        return np.concatenate([c.real, c.imag])

    def adjoint(self, point: Point, multiplier: ComplexArray) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
        """J^T lambda as gradients (real part: of the real unknown) with respect to V [n], S [k] and E [m]."""
        lay = self.layout
        across = lay.incidence_t @ point.v
        turned = np.conj(lay.incidence_t @ multiplier)
        through = lay.incidence @ (np.conj(point.s / across**2) * turned)
        of_v = np.asarray(self._y_hermitian @ multiplier + through, dtype=np.complex128)
        of_e = np.asarray(-(self._y_source_hermitian @ multiplier), dtype=np.complex128)
        of_s = np.asarray(-turned / np.conj(across), dtype=np.complex128)
        return of_v, of_s, of_e

    def jacobian(self, point: Point) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """(J_V [2n, 2n], J_u [2n, 2k + 2m]) at a point."""
        lay = self.layout
        across = lay.incidence_t @ point.v
        load = lay.incidence @ sp.diags(np.conj(point.s / across**2)) @ lay.incidence_t
        of_s = lay.incidence @ sp.diags(-1.0 / np.conj(across))
        of_v = self._y_real + _conjugate_linear(load.tocsr())
        return of_v, sp.hstack([_conjugate_linear(of_s.tocsr()), self._y_source_real], format="csr")
