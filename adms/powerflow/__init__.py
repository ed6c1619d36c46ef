"""Three-phase power flow and its sensitivities, on one factor."""

from adms.powerflow.collapse import load_margin
from adms.powerflow.factor import Factor, NotSolved, factorise
from adms.powerflow.sensitivity import (
    Sensitivities,
    VoltageResponse,
    sensitivities,
    voltage_response,
    voltage_sensitivity,
)
from adms.powerflow.sensitivity_inputs import Inputs
from adms.powerflow.sensitivity_outputs import BranchEnd, Outputs
from adms.powerflow.solve import PowerFlow, solve_cases, solve_power_flow

__all__ = [
    "BranchEnd",
    "Factor",
    "Inputs",
    "NotSolved",
    "Outputs",
    "PowerFlow",
    "Sensitivities",
    "VoltageResponse",
    "factorise",
    "load_margin",
    "sensitivities",
    "solve_cases",
    "solve_power_flow",
    "voltage_response",
    "voltage_sensitivity",
]
