"""Loads whose best voltage is just at a limit of their law.

There the law has a corner: the slope on either side leads back across it, and steps go to and fro for ever. Such a
voltage is held at the limit by a force of its own, which settles between what the two sides ask for.
"""

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import HoldColumns
from adms.estimation.kernel.scan import CONVERGED, SLOW
from adms.estimation.problem import Problem
from adms.grid.arrays import BoolArray
from adms.grid.load_law import LIMITS, voltage_factor_slopes

_SLOW_STEPS = 2
"""New factors in a row whose first step hardly shrinks and turns back, before what it crosses is held."""
_WEIGHT = 1e8
"""Of what is held, per unit of voltage squared: a hundred times that of a meter of a thousandth, and few enough
digits."""
_INSIDE, _OUTSIDE = 1.0 - 1e-9, 1.0 + 1e-9
_SLACK, _SLACK_SETTLING = 0.05, 100.0
"""By how much of the slopes' pulls a force may be outside of what they ask for: when it has settled, and before."""
_SETTLED_PU = 1e-8
_SETTLING_PU = 1e-6
"""Off its limit by more than this a force says nothing yet."""


class Limits:
    """What is held in one optimisation."""

    def __init__(self, problem: Problem, x: FloatArray) -> None:
        self._problem = problem
        self.holds = problem.no_holds
        self._slow = 0
        self._step = np.zeros(0)
        self._v = np.abs(self._problem.across(x))

    @property
    def held(self) -> bool:
        """True where some voltage is."""
        return self.holds is not self._problem.no_holds

    def after(self, verdict: int, x: FloatArray, step: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> bool:
        """Looks at the first step with a new factor.

        Args:
            verdict: of the steps.
            x: [size] after the step.
            step: [node] real parts of the voltages' changes.
            t: [k] what the powers' deviations weigh.
            mean: [k] expected powers at nominal voltage, S_BASE_VA.

        Returns:
            True where the optimum is not there yet, because what is held is not where it should be.
        """
        v = np.abs(self._problem.across(x))
        off = 0.0
        if self.held:
            weight, size, force = self.holds
            there = weight > 0.0
            away = np.where(there, v - size, 0.0)
            force = force + weight * away
            off = float(np.abs(away).max())
            slack = _SLACK if off < _SETTLING_PU else _SLACK_SETTLING
            weight = np.where(self._belongs(size, force, slack=slack, t=t, mean=mean), weight, 0.0)
            self.holds = HoldColumns(weight=weight, size=size, force=np.where(weight > 0.0, force, 0.0))
            if not (weight > 0.0).any():
                self.holds = self._problem.no_holds
        with np.errstate(over="ignore", invalid="ignore"):
            turned = len(self._step) == len(step) and float(self._step @ step) < 0.0
        self._slow = self._slow + 1 if verdict == SLOW and turned else 0
        if self._slow >= _SLOW_STEPS:
            self._hold(v, t=t, mean=mean)
            self._slow = 0
        self._step, self._v = step, v
        return verdict == CONVERGED and off > _SETTLED_PU

    def _belongs(
        self, size: FloatArray, force: FloatArray, *, slack: float, t: ComplexArray, mean: ComplexArray
    ) -> BoolArray:
        """[k] True where the force is between nothing and what the other side's slope would change."""
        k = np.flatnonzero(self.holds.weight > 0.0)
        belongs = np.zeros(len(size), dtype=np.bool_)
        pull = [self._pull(k, size[k] * side, t=t, mean=mean) for side in (_INSIDE, _OUTSIDE)]
        change = pull[0] - pull[1]
        wide = slack * (np.abs(pull[0]) + np.abs(pull[1]))
        low, high = np.minimum(change, 0.0) - wide, np.maximum(change, 0.0) + wide
        belongs[k] = (low <= force[k]) & (force[k] <= high)
        return belongs

    def _pull(self, k: IntArray, v: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> FloatArray:
        """[k] what the slope of the law does to the voltage across, at `v`."""
        scale = self._problem.injectors.scale[k]
        p, q = voltage_factor_slopes(v * scale, self._problem.injectors.law[k])
        return np.asarray(scale * (t[k].real * mean[k].real * p + t[k].imag * mean[k].imag * q))

    def _hold(self, v: FloatArray, *, t: ComplexArray, mean: ComplexArray) -> None:
        """Holds one more: of those whose limit the last step crossed, the one whose slopes differ most."""
        scale = self._problem.injectors.scale
        limits = self._problem.injectors.law[:, LIMITS] / scale[:, None]
        low, high = np.minimum(v, self._v)[:, None], np.maximum(v, self._v)[:, None]
        crossed = (low <= limits) & (limits <= high)
        found = crossed.any(axis=1) & (self.holds.weight == 0.0)
        if not found.any():
            return
        at = np.where(found, limits[np.arange(len(v)), np.argmax(crossed, axis=1)], 1.0)
        k = np.flatnonzero(found)
        inside, outside = (self._pull(k, at[k] * side, t=t, mean=mean) for side in (_INSIDE, _OUTSIDE))
        most = k[np.argmax(np.abs(inside - outside))]
        found[:] = False
        found[most] = True
        self.holds = HoldColumns(
            weight=np.where(found, _WEIGHT, self.holds.weight),
            size=np.where(found, at, self.holds.size),
            force=self.holds.force.copy(),
        )
