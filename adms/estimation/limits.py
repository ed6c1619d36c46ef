"""Loads whose best voltage is just at a limit of their law.

There the law has a corner: the slope on either side leads back across it, and steps go to and fro for ever. So corners
are rounded: within a width on either side of its limit a load's pull on the voltage goes evenly from what one slope
says to what the other says, which a step can aim at, and the width shrinks as steps settle, until it is nothing (a
smoothing method; Chen, Math. Programming 134, 2012). Only where the cost has its least at the corner: where it has its
most, steps leave by themselves. Whose pull is beyond both slopes once steps have settled is let go, and held again when
it comes back across.
"""

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import HoldColumns
from adms.estimation.kernel.scan import CONVERGED, SLOW
from adms.estimation.problem import Problem
from adms.grid.load_law import LIMITS, voltage_factor_slopes

_SLOW_STEPS = 2
"""New factors in a row whose steps hardly shrink and turn back, or go round, before corners are rounded."""
_ROUND, _CONTRACTING = 3, 0.5
"""Steps go round where the last is not smaller than this share of the one so many before."""
_WIDEST_PU, _NARROWEST_PU = 1e-2, 1e-8
_WELL_WITHIN = 0.1
"""Of the tolerance."""
_NARROWER = 0.1
_FURTHEST = 0.2
"""Of those that their corner does not hold, the ones beyond this share of the furthest are let go at once: all of them
would come back together."""
_FIRST = 0.1
"""The first width, of how far voltages go to and fro. Wider ones take in many that have nothing to do with it."""
_JUMP = 10.0
"""Times its reach: what goes so far once it is let go comes where other corners are still sharp."""
_SETTLED = 0.3
"""Voltages that move by less than this share of the width have settled."""
_BELOW, _ABOVE = 1.0 - 1e-9, 1.0 + 1e-9


class Limits:
    """What is held in one optimisation."""

    def __init__(self, problem: Problem, x: FloatArray, *, tolerance_pu: float) -> None:
        """Of steps from `x` [size] to an optimum within a tolerance."""
        self._narrowest = max(_NARROWEST_PU, _WELL_WITHIN * tolerance_pu)
        self._problem = problem
        self.holds = problem.no_holds
        self.narrowed = False
        """True where the last step settled: the next one moves as far as the width shrank."""
        self._slow = 0
        self._width = 0.0
        self._reach = 0.0
        """The width at which voltages last settled: from as far off a narrower one still draws them in."""
        self._let_go = np.zeros(len(problem.injectors.fr), dtype=np.bool_)
        """[k] Within reach, but with a pull that the corner does not hold."""
        self._moved: list[float] = []
        self._step = np.zeros(0)
        self._start = x
        self._before: FloatArray | None = None

    @property
    def held(self) -> bool:
        """True where corners are rounded."""
        return self._width > 0.0

    def after(self, verdict: int, x: FloatArray, step: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> bool:
        """Looks at the steps with a new factor.

        Args:
            verdict: of the steps.
            x: [size] after the step.
            step: [node] real parts of the voltages' changes.
            t: [k] what the powers' deviations weigh.
            mean: [k] expected powers at nominal voltage, S_BASE_VA.

        Returns:
            True where the optimum is not there yet, because corners are still round.
        """
        v, width = np.abs(self._problem.across(x)), self._width
        before = np.abs(self._problem.across(self._start)) if self._before is None else self._before
        moved = np.abs(v - before)
        if self.held:
            if moved.max(initial=0.0) < _SETTLED * self._width:
                outside = np.where(self.holds.weight > 0.0, np.abs(v - self.holds.size), 0.0)
                furthest = float(outside.max())
                if furthest > self._width:
                    self._let_go |= outside > max(_FURTHEST * furthest, self._width)
                else:
                    self._reach = self._width
                    self._width = max(_NARROWER * self._width, self._narrowest)
            elif moved.max() > _JUMP * self._reach:
                self._width = self._reach = min(float(moved.max()), _WIDEST_PU)
                self._let_go[:] = False
            self._round(v, before, t=t, mean=mean)
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                turned = len(self._step) == len(step) and float(self._step @ step) < 0.0
            self._moved = [*self._moved[-_ROUND:], float(moved.max(initial=0.0))]
            around = len(self._moved) > _ROUND and self._moved[-1] > _CONTRACTING * self._moved[0]
            self._slow = self._slow + 1 if verdict == SLOW and (turned or around) else 0
            if self._slow >= _SLOW_STEPS:
                self._width = self._reach = float(np.clip(_FIRST * moved.max(initial=0.0), self._narrowest, _WIDEST_PU))
                self._round(v, before, t=t, mean=mean)
                if self.holds is self._problem.no_holds:
                    self._width, self._slow = 0.0, 0
        self._step, self._before = step, v
        self.narrowed = self._width < width
        return verdict == CONVERGED and self._width > self._narrowest and self.holds is not self._problem.no_holds

    def _round(self, v: FloatArray, before: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> None:
        """Rounds the corners of the loads that are within reach of one or crossed one in the last step."""
        scale = self._problem.injectors.scale
        limits = self._problem.injectors.law[:, LIMITS] / scale[:, None]
        low, high = np.minimum(v, before)[:, None], np.maximum(v, before)[:, None]
        near = np.abs(v[:, None] - limits) <= self._reach
        crossed = (low <= limits) & (limits <= high)
        self._let_go &= ~crossed.any(axis=1)
        there = (near | crossed) & ~self._let_go[:, None]
        away = np.where(there, np.abs(v[:, None] - limits), np.inf)
        k = np.flatnonzero(there.any(axis=1))
        size = limits[k, np.argmin(away[k], axis=1)]
        change = self._pull(k, size * _BELOW, t=t, mean=mean) - self._pull(k, size * _ABOVE, t=t, mean=mean)
        least = change > 0.0
        k, size, change = k[least], size[least], change[least]
        if not len(k):
            self.holds = self._problem.no_holds
            return
        weight, held, force = (np.zeros(len(v)) for _ in range(3))
        weight[k], held[k], force[k] = 0.5 * change / self._width, size, 0.5 * change
        self.holds = HoldColumns(weight=weight, size=held, force=force)

    def _pull(self, k: IntArray, v: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> FloatArray:
        """[k] what the slope of the law does to the voltage across, at `v`."""
        scale = self._problem.injectors.scale[k]
        p, q = voltage_factor_slopes(v * scale, self._problem.injectors.law[k])
        return np.asarray(scale * (t[k].real * mean[k].real * p + t[k].imag * mean[k].imag * q))
