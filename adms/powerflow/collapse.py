"""How much of its injections a network can carry before its voltages collapse.

All injections are scaled by one factor from no load upwards; Newton's method follows the solution (a continuation with
steps in the load: V. Ajjarapu, C. Christy, IEEE Trans. Power Systems 7(1), 1992, without its corrector along the curve,
so it ends below the nose by at most the last step).
"""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.grid.arrays import S_BASE_VA
from adms.powerflow.factor import Factor
from adms.powerflow.newton import NewtonOutcome, newton

_LAST_STEP = 0.01
_MARGIN_TOLERANCE_PU = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """The end of a continuation."""

    share: float
    """Largest part of the injections that was solved, to one percent of them."""
    v: ComplexArray
    """[place] voltages there."""
    iterations: int
    outcome: NewtonOutcome | None
    """Of the last share solved; None where that is no load."""
    reason: str
    """What stopped it; empty where the aim was reached."""


def carry(
    factor: Factor, *, s_nominal_pu: ComplexArray, tolerance_pu: float, aim: float, first_step: float | None = None
) -> Carried:
    """Raises the injections from none to `aim` times themselves as far as they have a solution.

    Args:
        factor: of the grid state.
        s_nominal_pu: [injector], 0 where dead.
        tolerance_pu: of Newton's last step.
        aim: share at which to stop.
        first_step: first share tried; the aim itself if None.
    """
    good = factor.v_no_load_placed_pu
    share, step, iterations, reason = 0.0, aim if first_step is None else first_step, 0, ""
    solved: NewtonOutcome | None = None
    while share < aim and step >= _LAST_STEP / 2.0:
        tried = min(aim, share + step)
        at = good.copy()
        outcome = newton(factor, s_nominal_pu=tried * s_nominal_pu, v=at, tolerance_pu=tolerance_pu)
        iterations += outcome.iterations
        if outcome.reason:
            step /= 2.0
            reason = outcome.reason
        else:
            share, good, solved = tried, at, outcome
    return Carried(share=share, v=good, iterations=iterations, outcome=solved, reason="" if share >= aim else reason)


def load_margin(factor: Factor, *, s_nominal_va: ComplexArray, aim: float = 2.0) -> float:
    """Largest multiple of the injections, up to `aim`, that has a solution, to one percent of them.

    Args:
        factor: of the grid state.
        s_nominal_va: [injector] at nominal voltage, VA; finite.
        aim: multiple at which to stop looking.
    """
    s = np.zeros(len(s_nominal_va), dtype=np.complex128)
    s[factor.injectors] = s_nominal_va[factor.injectors] / S_BASE_VA
    return carry(factor, s_nominal_pu=s, tolerance_pu=_MARGIN_TOLERANCE_PU, aim=aim, first_step=1.0).share


def weakest_node(factor: Factor, v: ComplexArray) -> str:
    """Energised node with the lowest voltage in words; `v` [place]."""
    order = factor.layout.structure.order
    size = np.where(factor.energised[order], np.abs(v), np.inf)
    at = int(np.argmin(size))
    node = factor.arrays.nodes[int(order[at])]
    return f"{node.bus}.{node.phase} ({size[at]:.3f} pu)"
