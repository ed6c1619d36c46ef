"""The referee's linear system: a step, and what the optimum is worth."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from adms.core.telemetry import FloatArray, IntArray

_SCALINGS = 6
_COLUMNS = 256


class Saddle:
    """min |r - H dx|^2 + (x + dx)' W (x + dx) subject to c + C dx = 0, as

        [W  H'  C'] [dx ]   [-W x]
        [H  -1  0 ] [-mu] = [ r  ]
        [C  0   0 ] [lam]   [-c  ]

    of which the inverse holds the covariance of x (first block) and, but for the sign, that of the residuals r - H dx
    (second block; Abur & Exposito, chapters 3 and 5). Rows and columns are scaled alike before the factor is made.
    """

    def __init__(self, *, weight: FloatArray, h: sp.csr_matrix, c: sp.csr_matrix) -> None:
        """Factor.

        Args:
            weight: [unknown] diagonal of W.
            h: [point, unknown] slopes over sigma.
            c: [equation, unknown].

        Raises:
            RuntimeError: the matrix is singular.
        """
        blocks: list[list[Any]] = [[sp.diags(weight), h.T, c.T], [h, -sp.eye(h.shape[0]), None], [c, None, None]]
        k = sp.csc_matrix(sp.bmat(blocks))
        self._k = k.astype(np.longdouble)
        self._unknowns, self._points = len(weight), h.shape[0]
        scale = np.ones(k.shape[0])
        for _ in range(_SCALINGS):
            scaled: sp.csc_matrix = abs(sp.csc_matrix(sp.diags(scale) @ k @ sp.diags(scale)))
            scale /= np.sqrt(scaled.max(axis=0).toarray().ravel())
        self._scale = np.exp2(np.round(np.log2(scale)))
        self._lu = splu((sp.diags(self._scale) @ k @ sp.diags(self._scale)).tocsc())

    def _solve(self, right: FloatArray) -> FloatArray:
        scale = self._scale if right.ndim == 1 else self._scale[:, None]
        return np.asarray(scale * self._lu.solve(scale * right))

    def solve(self, right: FloatArray) -> FloatArray:
        """K^-1 right, [rows] or [rows, cases], refined once with what is left in long double."""
        x = self._solve(right)
        return np.asarray(x + self._solve((right - self._k @ x).astype(np.float64)))

    def variance(self, directions: sp.csc_matrix) -> FloatArray:
        """[case] variances of linear functions of the unknowns, given as columns [unknown, case]."""
        found = []
        for first in range(0, directions.shape[1], _COLUMNS):
            part = directions[:, first : first + _COLUMNS].toarray()
            right = np.vstack([part, np.zeros((self._k.shape[0] - self._unknowns, part.shape[1]))])
            found.append(np.einsum("ij,ij->j", part, self._solve(right)[: self._unknowns]))
        return np.concatenate([np.zeros(0), *found])

    def residual_covariance(self, points: IntArray | None = None) -> FloatArray:
        """[case, case] of the residuals in sigmas, of all points or of some."""
        rows = np.arange(self._points) if points is None else points
        right = np.zeros((self._k.shape[0], len(rows)))
        right[self._unknowns + rows, np.arange(len(rows))] = 1.0
        block = -self._solve(right)[self._unknowns + rows]
        return np.asarray(0.5 * (block + block.T))
