"""DER dispatch: shares the limits of the interface to the transmission system over DER within their capability."""

from adms.apps.dispatch.decide import decide
from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.dispatch.state import DispatchState

__all__ = ["DispatchPolicy", "DispatchState", "decide"]
