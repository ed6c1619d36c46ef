"""Volt/VAR optimisation: taps, capacitors and inverter reactive power, proved on a power flow before they move."""

from adms.apps.voltvar.decide import decide
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.state import VoltVarState

__all__ = ["VoltVarPolicy", "VoltVarState", "decide"]
