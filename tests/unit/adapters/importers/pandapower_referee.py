"""pandapower as the referee: its phasors at its buses, and how far ours are from them."""

import copy
import warnings
from typing import Any

import numpy as np
import pandapower as pp

from adms.adapters.importers.pandapower_names import ids_of
from adms.core.ids import BusId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel, NodeRef
from adms.grid.state import GridState, normal_state
from adms.powerflow import PowerFlow, solve_power_flow

TOLERANCE_MVA = 1e-10
_STEPS = 50
_BASE_3PH_MVA = 1e-3
"""`runpp_3ph` stops at a mismatch of 3e-8 of the net's base power, whatever it is told: here that is 0.03 mW."""


def solved(net: Any) -> Any:
    """A copy of the net with the results of `runpp`."""
    result = copy.deepcopy(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower's own, about pandas
        pp.runpp(result, tolerance_mva=TOLERANCE_MVA, calculate_voltage_angles=True, max_iteration=_STEPS)
    return result


def solved_3ph(net: Any, *, base_mva: float = _BASE_3PH_MVA) -> Any:
    """A copy of the net with the results of `runpp_3ph`."""
    result = copy.deepcopy(net)
    result.sn_mva = base_mva
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.runpp_3ph(result, tolerance_mva=TOLERANCE_MVA)
    return result


def phasors(result: Any) -> dict[NodeRef, complex]:
    """Of every live bus of a solved net, under the ids that the importer gives them."""
    found: dict[NodeRef, complex] = {}
    three = "res_bus_3ph" in result and len(result.res_bus_3ph)
    table = result.res_bus_3ph if three else result.res_bus
    ids = ids_of(result.bus, "")
    for phase, letter in ((1, "_a"), (2, "_b"), (3, "_c")) if three else ((0, ""),):
        for index, vm, va in zip(table.index, table[f"vm{letter}_pu"], table[f"va{letter}_degree"], strict=True):
            if index in ids and np.isfinite(vm):
                found[NodeRef(BusId(ids[index]), phase)] = complex(vm * np.exp(1j * np.deg2rad(va)))
    return found


def our_flow(model: NetworkModel, *, grid: GridState | None = None) -> tuple[NetworkArrays, PowerFlow]:
    """The power flow of a model with its own powers."""
    arrays = NetworkArrays(model, version=ModelVersion("referee"))
    flow = solve_power_flow(arrays, grid or normal_state(model), s_nominal_va=arrays.injector_s_nominal_va)
    assert isinstance(flow, PowerFlow), flow
    return arrays, flow


def largest_difference_pu(model: NetworkModel, result: Any, *, grid: GridState | None = None) -> float:
    """Largest difference between phasors of the model and of a solved net. The live buses must be the same."""
    arrays, flow = our_flow(model, grid=grid)
    theirs = phasors(result)
    ids = {BusId(name) for name in ids_of(result.bus, "").values()}
    live = {node for node, fed in zip(arrays.nodes, flow.energised, strict=True) if fed and node.bus in ids}
    assert live == set(theirs)
    return max(float(abs(flow.v_phasor_pu[arrays.node_idx[node]] - v)) for node, v in theirs.items())


def losses_w(result: Any) -> float:
    """What the branches of a solved balanced net lose."""
    tables = ("line", "trafo", "trafo3w", "impedance")
    return 1e6 * sum(float(result[f"res_{table}"].pl_mw.sum()) for table in tables if len(result[table]))
