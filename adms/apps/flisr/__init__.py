"""FLISR: locate, isolate, restore on the section graph, every step proved before and confirmed after."""

from adms.apps.flisr.decide import decide
from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import FlisrState

__all__ = ["FlisrPolicy", "FlisrState", "decide"]
