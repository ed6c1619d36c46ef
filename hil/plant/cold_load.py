"""Cold-load pickup: what loads draw above normal after an outage, because thermostats lost their diversity.

The delayed exponential of C. Ucak and A. Pahwa, "An analytical approach for step-by-step restoration of distribution
systems following extended outages", IEEE Trans. Power Delivery 9 (1994) 1717-1723: undiversified demand for a while,
then an exponential decay to normal. How much diversity is lost, and how long the demand stays, grow with the outage as
1 - exp(-outage / build).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hil.engine import FloatArray


@dataclass(frozen=True, kw_only=True)
class ColdLoadPlan:
    """How a feeder's loads come back."""

    factor: float
    """Undiversified demand over normal, after a very long outage; 1 is none."""
    build_s: float
    """Outage after which 63 % of the diversity is lost."""
    hold_s: float
    """How long the undiversified demand stays after a very long outage."""
    decay_s: float
    """Time constant of the return to normal."""


class ColdLoad:
    """State of every load."""

    def __init__(self, plan: ColdLoadPlan, *, count: int) -> None:
        self._plan = plan
        self._outage_s: FloatArray = np.zeros(count)
        self._extra: FloatArray = np.zeros(count)
        self._hold_s: FloatArray = np.zeros(count)

    @property
    def factor(self) -> FloatArray:
        """What each load draws over normal."""
        return np.asarray(1.0 + self._extra, dtype=np.float64)

    def step(self, dt_s: float, *, live: npt.NDArray[np.bool_]) -> None:
        """Advance by `dt_s`; exact for any step as long as `live` holds for all of it."""
        plan = self._plan
        self._outage_s = np.where(live, 0.0, self._outage_s + dt_s)
        lost = 1.0 - np.exp(-self._outage_s / plan.build_s)
        held = np.minimum(self._hold_s, dt_s)
        decayed = self._extra * np.exp(-(dt_s - held) / plan.decay_s)
        self._extra = np.where(live, decayed, np.maximum(self._extra, (plan.factor - 1.0) * lost))
        self._hold_s = np.where(live, self._hold_s - held, np.maximum(self._hold_s, plan.hold_s * lost))
