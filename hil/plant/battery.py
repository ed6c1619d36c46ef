"""What a battery can take and give: state of charge, losses, limits near its ends, heat."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, kw_only=True)
class BatteryPlan:
    """A class of batteries. Energy and power belong to the unit."""

    charge_efficiency_frac: float
    """Stored over drawn at the terminals."""
    discharge_efficiency_frac: float
    """Given at the terminals over taken from the store."""
    soc_min_frac: float = 0.0
    soc_max_frac: float = 1.0
    taper_frac: float = 0.0
    """Width of the band below `soc_max_frac` in which charging power falls linearly to nothing (constant voltage), and
    above `soc_min_frac` for discharging; 0 is a hard end."""
    standby_w: float = 0.0
    """Drawn from the store whatever it does, until it is empty."""
    derate_from_c: float | None = None
    """Ambient temperature from which power falls; None: it never does."""
    derate_to_c: float | None = None
    """Ambient temperature at which nothing is left."""


class Battery:
    """One battery. Power at the terminals is an injection: positive discharges."""

    def __init__(self, plan: BatteryPlan, *, energy_wh: float, soc_frac: float) -> None:
        self._plan = plan
        self.energy_wh = energy_wh
        self.soc_frac = soc_frac
        self.given_wh = 0.0
        """Through the terminals since the start."""
        self.drawn_wh = 0.0
        self.lost_wh = 0.0
        """In conversion and standby since the start."""

    def limits_w(
        self, dt_s: float, *, p_min_w: float, p_max_w: float, temperature_c: float | None = None
    ) -> tuple[float, float]:
        """Lowest and highest injection that it can hold for `dt_s`, within the ratings of its unit."""
        plan, hours = self._plan, dt_s / 3600.0
        left_wh = max(self.soc_frac - plan.soc_min_frac, 0.0) * self.energy_wh
        room_wh = max(plan.soc_max_frac - self.soc_frac, 0.0) * self.energy_wh
        cool = self._cool(temperature_c)
        high = p_max_w * cool * self._taper(self.soc_frac - plan.soc_min_frac)
        low = p_min_w * cool * self._taper(plan.soc_max_frac - self.soc_frac)
        high = min(high, left_wh * plan.discharge_efficiency_frac / hours if hours > 0.0 else inf)
        low = max(low, -room_wh / plan.charge_efficiency_frac / hours if hours > 0.0 else -inf)
        return min(low, 0.0), max(high, 0.0)

    def step(self, dt_s: float, *, p_w: float) -> None:
        """Hold an injection for `dt_s`."""
        plan, hours = self._plan, dt_s / 3600.0
        terminal_wh = p_w * hours
        if terminal_wh >= 0.0:
            taken_wh = terminal_wh / plan.discharge_efficiency_frac
            self.given_wh += terminal_wh
        else:
            taken_wh = terminal_wh * plan.charge_efficiency_frac
            self.drawn_wh -= terminal_wh
        store_wh = self.soc_frac * self.energy_wh
        left_wh = store_wh - taken_wh
        standby_wh = min(plan.standby_w * hours, max(left_wh, 0.0))
        self.lost_wh += taken_wh - terminal_wh + standby_wh
        self.soc_frac = (left_wh - standby_wh) / self.energy_wh

    def _taper(self, room_frac: float) -> float:
        width = self._plan.taper_frac
        return 1.0 if width <= 0.0 else min(max(room_frac / width, 0.0), 1.0)

    def _cool(self, temperature_c: float | None) -> float:
        start, end = self._plan.derate_from_c, self._plan.derate_to_c
        if temperature_c is None or start is None or end is None:
            return 1.0
        return min(max((end - temperature_c) / (end - start), 0.0), 1.0)
