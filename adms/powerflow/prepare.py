"""What the first solution of a model costs, paid beforehand: machine code and the order of elimination."""

import numpy as np

from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow.factor import NotSolved, factorise
from adms.powerflow.newton import newton
from adms.powerflow.solve import solve_cases

_TOLERANCE_PU = 1e-8


def prepare(arrays: NetworkArrays) -> None:
    """Solves the model's normal state by every method, alone and in columns, and forgets the results.

    Takes seconds where nothing is compiled yet (once after an installation), milliseconds otherwise. A model that has
    no solution is none of its business.
    """
    factor = factorise(arrays, normal_state(arrays.model))
    if isinstance(factor, NotSolved):
        return
    s = np.zeros(len(arrays.injectors), dtype=np.complex128)
    s[factor.injectors] = arrays.injector_s_nominal_va[factor.injectors] / S_BASE_VA
    for cases in (1, 2):
        solve_cases(arrays, factor.grid, s_nominal_va=np.repeat(s[:, None], cases, axis=1) * S_BASE_VA, factor=factor)
    newton(factor, s_nominal_pu=s, v=factor.v_no_load_placed_pu.copy(), tolerance_pu=_TOLERANCE_PU)
