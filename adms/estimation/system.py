"""The estimator's matrix at one point, factored once and used for many steps.

What changes a little from scan to scan costs no new factor: the matrix inversion lemma corrects the inverse for weights
that moved, for rows that dropped out (an infinite variance), and for deviations that loads far apart share.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adms.block_ldu.structure import Pattern
from adms.block_ldu.symmetric import eliminate_symmetric, selected_inverse, substitute_symmetric
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.beliefs import NOTHING_KNOWN_PU, Beliefs, matrix_columns
from adms.estimation.kernel.columns import HoldColumns, MatrixColumns, ReadingColumns
from adms.estimation.kernel.comparing import changed_rows, largest_drift, much_the_same
from adms.estimation.kernel.matrix import assemble, far_directions
from adms.estimation.layout import Layout
from adms.estimation.problem import Problem
from adms.grid.arrays import BoolArray

SAME_FRAC = 0.02
"""A variance that changed by less than this share is left as factored."""
_PRIOR_RATIO = 1.5
"""A factor is replaced where the variance of a power is further off than this."""
MOST_CORRECTED = 24
"""More rows than this are not corrected but factored anew."""
_MOST_HELD = 64
"""Nor more voltages than this that are held."""
_NO_VOLTAGE_PU = 1e-12
"""A power has no current below this."""
_DRIFT_PU = 5e-2
"""A factor of a point further away than this is replaced: the covariance is taken from it."""
_LOST = 1e-9
"""A row whose removal leaves less than this of what the correction divides by cannot be taken out of a factor."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """What turns the inverse of a factored K into that of the readings' own weights."""

    rows: tuple[int, ...]
    """U: rows whose weight is not the factor's."""
    columns: FloatArray
    """[c, size] K^-1 C, transposed: of the far modes, then of U."""
    inner: FloatArray
    """[c, c] -(D^-1 + C^T K^-1 C)^-1"""


@dataclass(frozen=True, kw_only=True)
class Singular:
    """No factor, and why."""

    reason: str


class System:
    """K at one point with some rows, each at one variance."""

    def __init__(
        self,
        problem: Problem,
        *,
        beliefs: Beliefs,
        x: FloatArray,
        s: ComplexArray,
        values: FloatArray,
        pivot: IntArray,
        inside: BoolArray,
        variance: FloatArray,
        matrix: MatrixColumns,
    ) -> None:
        self.problem = problem
        self.beliefs = beliefs
        self.x = x
        self.s = s
        self.values = values
        self.pivot = pivot
        self.inside = inside
        self.variance = variance
        self._matrix = matrix
        self._row_columns: dict[int, FloatArray] = {}
        self._voltage_columns: dict[int, FloatArray] = {}

    @property
    def pattern(self) -> Pattern:
        """Of the factor."""
        return self.problem.layout.structure.pattern

    @cached_property
    def v_size_pu(self) -> FloatArray:
        """[node] voltage magnitudes where it was made."""
        layout = self.problem.layout
        return np.abs(layout.phasors(self.x, layout.node))

    def solve(self, right: FloatArray) -> FloatArray:
        """K^-1 right, [size], without any correction."""
        x = right.copy()
        substitute_symmetric(self.pattern, self.values, self.pivot, x, 0)
        return x

    @cached_property
    def mode_columns(self) -> tuple[FloatArray, FloatArray]:
        """(K^-1 C [c, size], D^-1 + C^T K^-1 C [c, c]) of the far modes, for which D is -1."""
        problem, beliefs = self.problem, self.beliefs
        far = beliefs.far
        c = far_directions(self._matrix, problem.injectors, beliefs.columns, problem.rows, self.inside, far, self.x)
        solved = np.stack([self.solve(one) for one in c]) if len(far) else c
        # Not a product of BLAS: it would wake its threads, which then wait for work for longer than a scan takes.
        return solved, np.einsum("ci,di->cd", solved, c) - np.eye(len(far))

    def column_of_row(self, row: int) -> FloatArray:
        """[size] K^-1 e of a row's mu."""
        if row not in self._row_columns:
            right = np.zeros(self.problem.layout.size)
            right[self.problem.rows.place[row]] = 1.0
            self._row_columns[row] = self.solve(right)
        return self._row_columns[row]

    @cached_property
    def _of_modes(self) -> Correction:
        modes, core = self.mode_columns
        return Correction(rows=(), columns=modes, inner=np.asarray(-np.linalg.inv(core), dtype=np.float64))

    @cached_property
    def _along(self) -> ComplexArray:
        """[k] directions of the voltages across the injectors."""
        across = self.problem.across(self.x)
        return np.asarray(across / np.abs(across))

    def _along_voltages(self, z: FloatArray, held: IntArray) -> FloatArray:
        """[c, h] what columns [c, size] do to the magnitudes across some injectors."""
        injectors, along = self.problem.injectors, self._along[held]
        fr, to = injectors.fr[held], injectors.to[held]
        of_fr = z[:, fr] * along.real + z[:, fr + 1] * along.imag
        of_to = z[:, to] * along.real + z[:, to + 1] * along.imag
        return np.asarray(of_fr - np.where(to >= 0, injectors.ratio[held] * of_to, 0.0))

    def _column_of_voltage(self, k: int) -> FloatArray:
        """[size] K^-1 times the slope of the magnitude across an injector."""
        if k not in self._voltage_columns:
            injectors, along = self.problem.injectors, complex(self._along[k])
            right = np.zeros(self.problem.layout.size)
            for end, part in ((int(injectors.fr[k]), 1.0), (int(injectors.to[k]), -float(injectors.ratio[k]))):
                if end >= 0:
                    right[end], right[end + 1] = part * along.real, part * along.imag
            self._voltage_columns[k] = self.solve(right)
        return self._voltage_columns[k]

    def correction(self, readings: ReadingColumns, holds: HoldColumns | None = None) -> Correction | None:
        """For readings with weights of their own, some of them not in use, and for voltages that are held but not in
        K; None where it needs a new factor."""
        moved = np.empty(len(self.inside), dtype=np.bool_)
        count = changed_rows(readings, self.inside, self.variance, SAME_FRAC, moved)
        if not 0 <= count <= MOST_CORRECTED:
            return None
        held = np.flatnonzero(holds.weight > 0.0) if holds is not None else np.zeros(0, dtype=np.int64)
        if len(held) > _MOST_HELD:
            return None
        if not count and not len(held):
            return self._of_modes
        rows = np.flatnonzero(moved)
        change = readings.variance - self.variance
        modes, core = self.mode_columns
        mine = np.stack([*(self.column_of_row(int(r)) for r in rows), *(self._column_of_voltage(int(k)) for k in held)])
        place = self.problem.rows.place[rows]
        columns = np.concatenate([modes, mine])
        d_inverse = np.where(readings.use[rows], -1.0 / np.where(readings.use[rows], change[rows], 1.0), 0.0)
        if holds is not None:
            d_inverse = np.concatenate([d_inverse, 1.0 / holds.weight[held]])
        of_modes, of_mine = (
            np.concatenate([z[:, place], self._along_voltages(z, held)], axis=1) for z in (modes, mine)
        )
        full = np.block([[core, of_modes], [of_modes.T, of_mine]])
        at = np.arange(len(modes), len(full))
        scale = np.abs(np.diag(full)[at])
        full[at, at] += d_inverse
        if not np.isfinite(full).all():
            return None
        try:
            inner = np.asarray(-np.linalg.inv(0.5 * (full + full.T)), dtype=np.float64)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(inner).all() or (np.abs(np.diag(inner)[at]) * np.maximum(scale, 1e-300) * _LOST > 1.0).any():
            return None
        return Correction(rows=tuple(rows.tolist()), columns=columns, inner=inner)

    def suits(self, beliefs: Beliefs) -> bool:
        """True where a factor with these beliefs would be much the same."""
        if beliefs is self.beliefs:
            return True
        mine, theirs = self.beliefs.columns, beliefs.columns
        if len(mine.share) != len(theirs.share) or not np.array_equal(mine.injector, theirs.injector):
            return False
        return much_the_same(mine, theirs, _PRIOR_RATIO, np.zeros(len(theirs.mean)))

    @cached_property
    def inverse(self) -> FloatArray:
        """[values] K^-1 at the places of its factor."""
        return selected_inverse(self.pattern, self.values, self.pivot)

    @cached_property
    def for_covariance(self) -> "System":
        """The same where nothing that is not known holds anything."""
        if not self.beliefs.partial:
            return self
        made = system_at(
            self.problem,
            self.x,
            s=self.s,
            beliefs=self.beliefs.for_covariance(),
            inside=self.inside,
            variance=self.variance,
        )
        return made if isinstance(made, System) else self

    @cached_property
    def unknowns_found(self) -> float:
        """How many numbers of which nothing was known the rows determine: what they cost in degrees of freedom.

        Of a power without a prior it is what its variance fell by, over what it was; the open-circuit magnitude of a
        source without a prior counts as found.
        """
        problem, prior = self.problem, self.beliefs.columns
        injectors, layout = problem.injectors, problem.layout
        pattern = self.pattern
        metered = np.diff(problem.measured_first) > 0
        found = 0.0
        for kept, turn in ((prior.keep_p, 1.0), (prior.keep_q, 1.0j)):
            k = np.flatnonzero(kept)
            found += float(np.count_nonzero(metered[k]))
            k = k[~metered[k]]
            if not len(k):
                continue
            fr, to = injectors.fr[k], injectors.to[k]
            current = np.conj(turn * NOTHING_KNOWN_PU / problem.across(self.x)[k])
            block = layout.block[fr]
            together = (to < 0) | (layout.block[to] == block)
            width = pattern.start[block + 1] - pattern.start[block]
            other = np.where(to >= 0, -injectors.ratio[k] * current, 0.0)
            parts = [
                (place + 2 + turned - pattern.start[block], value)
                for place, phasor in ((fr, current), (np.where(to >= 0, to, fr), other))
                for turned, value in ((0, phasor.real), (1, phasor.imag))
            ]
            fallen = np.zeros(len(k))
            for row, a in parts:
                for column, b in parts:
                    at = np.where(together, pattern.diagonal[block] + row * width + column, 0)
                    fallen -= a * b * self.inverse[at]
            found += float(np.clip(np.where(together, fallen, 1.0), 0.0, 1.0).sum())
        return found + problem.free_magnitudes


def system_at(
    problem: Problem,
    x: FloatArray,
    *,
    s: ComplexArray,
    beliefs: Beliefs,
    inside: BoolArray,
    variance: FloatArray,
    holds: HoldColumns | None = None,
) -> System | Singular:
    """K at a point, factored.

    Args:
        problem: the network in one state.
        x: [size] the point.
        s: [k] powers there.
        beliefs: about the powers.
        inside: [M] rows that it holds.
        variance: [M] of the rows, per unit squared.
        holds: voltages held at a limit of a load's law.
    """
    layout = problem.layout
    across = np.abs(problem.across(x))
    if not across.min(initial=1.0) > _NO_VOLTAGE_PU:
        lost = layout.block[problem.injectors.fr[int(np.argmin(across))]]
        return Singular(reason=f"no voltage is left across a load at {place_in_words(layout, int(lost))}")
    values = np.empty(layout.value_count)
    matrix = matrix_columns(problem, beliefs)
    assemble(
        layout.structure.pattern,
        matrix,
        problem.admittance,
        problem.sources,
        problem.injectors,
        problem.no_holds if holds is None else holds,
        beliefs.columns,
        problem.rows,
        inside,
        variance,
        x,
        s,
        values,
    )
    pivot = np.zeros(layout.size, dtype=np.int64)
    bad = eliminate_symmetric(layout.structure.pattern, values, pivot)
    if bad >= 0 or not np.isfinite(values).all():
        return Singular(reason=f"the estimator's matrix is singular at {place_in_words(layout, bad)}")
    return System(
        problem,
        beliefs=beliefs,
        x=x.copy(),
        s=s.copy(),
        values=values,
        pivot=pivot,
        inside=inside,
        variance=variance,
        matrix=matrix,
    )


def drifted(system: System, x: FloatArray) -> bool:
    """True where a point is too far from where a factor was made for its covariance to hold there. By magnitude: what
    an angle does to the matrix, it does to all of it."""
    return largest_drift(x, system.problem.layout.node, system.v_size_pu) > _DRIFT_PU


def place_in_words(layout: Layout, block: int) -> str:
    """A bus of a block."""
    here = np.flatnonzero(layout.block[layout.node] == block)
    return layout.arrays.nodes[int(here[0])].bus if len(here) else "an unknown place"
