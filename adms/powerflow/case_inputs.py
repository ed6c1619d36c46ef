"""What a power flow is given, checked and brought into the factor's order."""

import math
from dataclasses import dataclass

import numpy as np

from adms.core.errors import InvariantError
from adms.core.estimate import ComplexArray
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow.factor import Factor, NotSolved, factorise

_V_COLLAPSED_PU = 0.2
_LARGEST_TOLERANCE_PU = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseInputs:
    """Cases ready to be solved."""

    factor: Factor
    s_nominal_pu: ComplexArray
    """[injector, case] 0 where dead, and in the cases of `refused`."""
    refused: dict[int, NotSolved]
    """Cases that lack a power."""


def case_inputs(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    factor: Factor | None,
    s_nominal_va: ComplexArray,
    tolerance_pu: float,
    max_iterations: int,
) -> CaseInputs | NotSolved:
    """Cases of one grid state; `NotSolved` where that has no factor.

    Raises InvariantError: a factor of something else, another number of injectors, or a limit that is none.
    """
    if not 0.0 < tolerance_pu <= _LARGEST_TOLERANCE_PU:
        raise InvariantError(f"tolerance_pu {tolerance_pu} is not above 0 and up to {_LARGEST_TOLERANCE_PU}")
    if max_iterations < 1:
        raise InvariantError(f"max_iterations {max_iterations} is below 1")
    if len(s_nominal_va) != len(arrays.injectors):
        raise InvariantError(f"{len(s_nominal_va)} powers for {len(arrays.injectors)} injectors")
    if factor is None:
        made = factorise(arrays, grid)
        if isinstance(made, NotSolved):
            return made
        factor = made
    elif factor.arrays is not arrays:
        raise InvariantError("the factor belongs to another network")
    elif factor.grid is not grid and factor.grid != grid:
        raise InvariantError("the factor belongs to another grid state")
    s = np.asarray(s_nominal_va / S_BASE_VA, dtype=np.complex128)
    if len(factor.injectors) < len(s):
        dead = np.ones(len(s), dtype=np.bool_)
        dead[factor.injectors] = False
        s[dead] = 0.0
    refused: dict[int, NotSolved] = {}
    missing = ~np.isfinite(s)
    for case in np.flatnonzero(missing.any(axis=0)):
        bad = sorted({arrays.injectors[int(k)].element for k in np.flatnonzero(missing[:, case])})
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        refused[int(case)] = NotSolved(reason=f"no power is given for {', '.join(bad[:5])}{more}", iterations=0)
        s[:, case] = 0.0
    return CaseInputs(factor=factor, s_nominal_pu=s, refused=refused)


def start_voltages(factor: Factor, v_start_pu: ComplexArray | None, *, cases: int) -> ComplexArray:
    """[place, case] voltages to start from; `v_start_pu` [node, case], used where it is a voltage.

    Raises InvariantError: voltages of another number of nodes.
    """
    order = factor.layout.structure.order
    idle = np.repeat(factor.v_no_load_placed_pu[:, None], cases, axis=1)
    if v_start_pu is None:
        return idle
    if v_start_pu.shape != idle.shape:
        raise InvariantError(f"start voltages of shape {v_start_pu.shape}, not {idle.shape}")
    given = v_start_pu[order]
    size = np.abs(given)
    usable = (size > _V_COLLAPSED_PU) & (size < math.inf) & factor.solved[order, None]
    return np.where(usable, given, idle)
