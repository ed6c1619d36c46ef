"""Three-phase power flow and its sensitivities, on one factor."""

from adms.powerflow.factor import Factor, NotSolved, factorise
from adms.powerflow.sensitivity import voltage_sensitivity
from adms.powerflow.solve import PowerFlow, solve_cases, solve_power_flow

__all__ = ["Factor", "NotSolved", "PowerFlow", "factorise", "solve_cases", "solve_power_flow", "voltage_sensitivity"]
