"""Newton's method on the node currents, for where the fixed point contracts slowly or not at all.

Solves F(V) = (Y + Y_s) V - J - A I(A^T V) = 0 in real and imaginary parts (current injection method: V. M. da Costa,
N. Martins, J. L. R. Pereira, IEEE Trans. Power Systems 14(4), 1999, 1320-1326, here with delta loads as two-node
injectors). The Jacobian is kept while steps shrink by `_KEEP_BELOW`, and steps are cut until the next one, on the same
Jacobian, is shorter (natural monotonicity test: P. Deuflhard, Newton Methods for Nonlinear Problems, Springer 2004,
section 3.3). At no load the Jacobian's determinant is positive, and it changes its sign at every fold of the
solution curve: a solution where it is negative is beyond the nose and refused. (One beyond two folds is not seen so.)
"""

import math
from dataclasses import dataclass

import numpy as np

from adms.block_ldu import BlockStructure, structure_of
from adms.block_ldu.factor import eliminate, substitute
from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.kept import kept
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.load_law import admittance_at, admittance_slope_at
from adms.powerflow.factor import Factor
from adms.powerflow.fixed_point import ROUNDING_PU, add_currents
from adms.powerflow.layout import layout_of
from adms.powerflow.mismatch import subtract_flow, subtract_flow_carefully

_ONE_CASE = np.ones(1, dtype=np.bool_)
_KEEP_BELOW = 0.25
_SHORTEST = 1e-3
"""Part of a step below which it is given up."""
_MAX_STEP_PU = 0.3
"""Longer steps are shortened to this: the linearisation means nothing so far away."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _RealLayout:
    """The Jacobian's structure. Unknown 2p is the real part at place p of the complex layout, 2p + 1 the imaginary."""

    structure: BlockStructure
    network: IntArray
    """[entry of the complex layout, 4] of (re re, re im, im re, im im)."""
    injector: IntArray
    """[injector, pair of ends (4), 4]; -1 where the injector is grounded there."""


@kept
def _real_layout(arrays: NetworkArrays) -> _RealLayout:
    layout = layout_of(arrays)
    row, col = layout.row, layout.col
    fr, to = layout.fr, layout.to
    paired = to >= 0
    ends_row = np.stack([fr, fr, to, to], axis=1)
    ends_col = np.stack([fr, to, fr, to], axis=1)
    there = np.stack([np.ones_like(paired), paired, paired, paired], axis=1)
    all_row = np.concatenate([row, ends_row[there]])
    all_col = np.concatenate([col, ends_col[there]])
    real_row = np.stack([2 * all_row, 2 * all_row, 2 * all_row + 1, 2 * all_row + 1], axis=1)
    real_col = np.stack([2 * all_col, 2 * all_col + 1, 2 * all_col, 2 * all_col + 1], axis=1)
    block = np.repeat(layout.block_of_node[layout.structure.order], 2)
    structure = structure_of(block, row=real_row.ravel(), col=real_col.ravel())
    entry = structure.entry.reshape(-1, 4)
    injector = np.full((len(fr), 4, 4), -1, dtype=np.int64)
    injector[there] = entry[len(row) :]
    return _RealLayout(structure=structure, network=np.ascontiguousarray(entry[: len(row)]), injector=injector)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tangent:
    """The Jacobian at some state, factored."""

    values: FloatArray
    """Of the factor, as `adms.block_ldu.structure.Pattern` lays them out."""
    negative: bool
    """True where its determinant is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NewtonOutcome:
    """Where the iteration ended."""

    reason: str
    """Why it did not converge; empty where it did."""
    iterations: int
    step_pu: float
    tangent: Tangent | None
    """The last Jacobian, for states nearby."""


class _Problem:
    """One case: its mismatch and its Jacobian."""

    def __init__(self, factor: Factor, s_nominal_pu: ComplexArray) -> None:
        self._factor = factor
        self._s = np.ascontiguousarray(s_nominal_pu[:, None])
        self._real = _real_layout(factor.arrays)
        self.careful = False
        """Whether sums must not round."""
        self._dead = ~factor.solved[factor.layout.structure.order]

    def tangent(self, v: ComplexArray) -> Tangent | None:
        """At `v`; None where it is singular."""
        real, factor = self._real, self._factor
        values = np.zeros(real.structure.size)
        diagonal = real.structure.diagonal
        columns = factor.layout.injector_columns
        _jacobian(
            real.network, real.injector, factor.entry_value, diagonal, self._dead, *columns, self._s[:, 0], v, values
        )
        bad, negative = eliminate(real.structure.pattern, values, len(real.structure.pattern.diagonal))
        return None if bad >= 0 else Tangent(values=values, negative=negative)

    def direction(self, tangent: Tangent, v: ComplexArray) -> ComplexArray:
        """[place] the step from `v` on a Jacobian."""
        layout, order = self._factor.layout, self._real.structure.order
        missing = layout.norton_pu.copy()
        add_currents(layout.injector_columns, self._s, v[:, None], missing[:, None])
        if self.careful:
            subtract_flow_carefully(
                self._factor.flow_columns, self._factor.entry_value, v[:, None], _ONE_CASE, missing[:, None]
            )
        else:
            subtract_flow(self._factor.flow_columns, v[:, None], _ONE_CASE, missing[:, None])
        dv = missing.view(np.float64)[order]
        substitute(self._real.structure.pattern, tangent.values, dv, 0)
        moved = np.empty_like(dv)
        moved[order] = dv
        return moved.view(np.complex128)


def newton(
    factor: Factor,
    *,
    s_nominal_pu: ComplexArray,
    v: ComplexArray,
    tolerance_pu: float,
    tangent: Tangent | None = None,
    max_iterations: int = 40,
) -> NewtonOutcome:
    """Improves `v` [place] in place.

    Args:
        factor: of the grid state.
        s_nominal_pu: [injector], 0 where dead.
        v: [place] start and, where converged, the solution.
        tolerance_pu: of the last step.
        tangent: Jacobian of a state nearby, of the same factor.
        max_iterations: limit of steps.
    """
    problem = _Problem(factor, s_nominal_pu)
    fresh = tangent is None
    if tangent is None:
        tangent = problem.tangent(v)
    step, dv = math.inf, v
    for iteration in range(1, max_iterations + 1):
        if tangent is None:
            return NewtonOutcome(reason="the Jacobian is singular", iterations=iteration, step_pu=step, tangent=None)
        if fresh or iteration == 1:
            dv = problem.direction(tangent, v)
            step = _length(dv)
        if not math.isfinite(step):
            return NewtonOutcome(reason="a voltage is not a number", iterations=iteration, step_pu=step, tangent=None)
        if step < tolerance_pu:
            v += dv
            return NewtonOutcome(reason=_side(tangent), iterations=iteration, step_pu=step, tangent=tangent)
        share = min(1.0, _MAX_STEP_PU / step)
        trial = v + share * dv
        ahead = problem.direction(tangent, trial)
        after = _length(ahead)
        while fresh and not after <= (1.0 - share / 4.0) * step and share > _SHORTEST:
            share /= 2.0
            trial = v + share * dv
            ahead = problem.direction(tangent, trial)
            after = _length(ahead)
        if after <= _KEEP_BELOW * step:
            v[:], dv, step, fresh = trial, ahead, after, False
            continue
        if step < ROUNDING_PU:
            if problem.careful:  # neither shorter steps nor another Jacobian help: this is what numbers can hold
                return NewtonOutcome(reason=_side(tangent), iterations=iteration, step_pu=step, tangent=tangent)
            problem.careful = fresh = True
            continue
        if fresh:
            if share <= _SHORTEST:
                reason = "no step brings the currents closer to balance"
                return NewtonOutcome(reason=reason, iterations=iteration, step_pu=step, tangent=None)
            v[:] = trial
        tangent, fresh = problem.tangent(v), True
    return NewtonOutcome(reason="too many steps", iterations=max_iterations, step_pu=step, tangent=None)


def on_lower_side(factor: Factor, *, s_nominal_pu: ComplexArray, v: ComplexArray) -> bool:
    """True where a solution `v` [place] is on the lower side of the nose curve, or on the nose."""
    tangent = _Problem(factor, s_nominal_pu).tangent(v)
    return tangent is None or tangent.negative


def _side(tangent: Tangent) -> str:
    return "it ends on the lower side of the nose curve" if tangent.negative else ""


def _length(dv: ComplexArray) -> float:
    return float(np.abs(dv).max(initial=0.0))


@compiled
def _jacobian(
    network: IntArray,
    injector: IntArray,
    entry_value: ComplexArray,
    diagonal: IntArray,
    dead: BoolArray,
    fr: IntArray,
    to: IntArray,
    ratio: FloatArray,
    scale: FloatArray,
    law: FloatArray,
    lowest: FloatArray,
    highest: FloatArray,
    s: ComplexArray,
    v: ComplexArray,
    values: FloatArray,
) -> None:
    """Adds the derivative of F into `values`."""
    for k in range(len(entry_value)):
        y = entry_value[k]
        values[network[k, 0]] += y.real
        values[network[k, 1]] -= y.imag
        values[network[k, 2]] += y.imag
        values[network[k, 3]] += y.real
    m = np.empty(4)
    for k in range(len(fr)):
        power = s[k]
        if power == 0.0:
            continue
        a, b = fr[k], to[k]
        d = v[a]
        if b >= 0:
            d -= ratio[k] * v[b]
        size = math.sqrt(d.real * d.real + d.imag * d.imag)
        at = size * scale[k]
        squared = scale[k] * scale[k]
        y = squared * complex(power.real * admittance_at(at, law[k], 0), -power.imag * admittance_at(at, law[k], 5))
        slope = (
            squared
            * scale[k]
            * complex(power.real * admittance_slope_at(at, law[k], 0), -power.imag * admittance_slope_at(at, law[k], 5))
        )
        # current = y(|d|) d, so its derivative is y + y'(|d|) d (Re d, Im d) / |d|.
        bend = slope * d / size if size > 0.0 else 0j
        by_re = y + bend * d.real
        by_im = 1j * y + bend * d.imag
        m[0], m[1], m[2], m[3] = by_re.real, by_im.real, by_re.imag, by_im.imag
        for ends in range(4):
            if injector[k, ends, 0] < 0:
                continue
            weight = -1.0
            if ends == 1 or ends == 2:
                weight = ratio[k]
            elif ends == 3:
                weight = -ratio[k] * ratio[k]
            for part in range(4):
                values[injector[k, ends, part]] += weight * m[part]
    for place in range(len(dead)):
        if dead[place]:
            values[diagonal[2 * place]] = 1.0
            values[diagonal[2 * place + 1]] = 1.0
