"""Every DER of a feeder, stepped together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import Protocol
from zlib import crc32

import numpy as np

from hil.overlay import DerEntry
from hil.plant.der import DerUnit, RideThrough
from hil.plant.der_class import class_of
from hil.plant.ev import Charger, EvUnit, Habits
from hil.plant.inverter import Defect, InverterUnit
from hil.plant.plan import PlantPlan
from hil.plant.terminals import Terminals

STREAM = 30
ROUNDS_MAX = 8
"""Solves in one step while laws that listen to voltage find their rest."""
UNREST_PU = 0.01
"""Of rated power: less than this needs no more than one solve."""
AT_REST_PU = 1e-4
SETTLE_STEPS = 60
SETTLE_WEIGHT = 0.5
"""Share of the way that a law goes at a time when the feeder is put to rest: it converges up to a loop gain of 3."""

Unit = DerUnit | InverterUnit | EvUnit


class SkyAbove(Protocol):
    """What the fleet asks of the weather."""

    def irradiance_frac(self, bus: str, *, time_s: float) -> float:
        """Power of a PV array at a bus over its rating."""
        ...


class Fleet:
    """The units and what they are told of the world. A unit of a class is an inverter after IEEE 1547, one with a
    charger entry an EV charger, any other the simple one of before."""

    def __init__(
        self,
        ders: tuple[DerEntry, ...],
        *,
        ride_through: RideThrough,
        soc_frac: float,
        plan: PlantPlan,
        sky: SkyAbove,
        temperature_c: Callable[[float], float] | None,
        seed: int,
    ) -> None:
        """`temperature_c`: of the air by time; None where there is no weather."""
        self._plan, self._sky, self._temperature_c = plan, sky, temperature_c
        chargers = {entry.der: entry for entry in plan.chargers if entry.der is not None}
        self.units: dict[str, Unit] = {}
        for entry in ders:
            found = class_of(entry, classes=plan.classes)
            if entry.id in chargers and plan.local is not None:
                charger = chargers[entry.id].plan
                habits = Habits(charger, name=entry.id, seed=seed, start_of_day_s=plan.local.start_of_day_s)
                self.units[entry.id] = EvUnit(entry, charger=Charger(charger, habits=habits))
            elif found is not None:
                rng = np.random.default_rng([seed, STREAM, crc32(entry.id.encode())])
                self.units[entry.id] = InverterUnit(entry, plan=found, soc_frac=soc_frac, rng=rng)
            else:
                self.units[entry.id] = DerUnit(entry, ride_through=ride_through, soc_frac=soc_frac)
        self._quickest_s = min((unit.quickest_s for unit in self.inverters.values()), default=float("inf"))

    @property
    def inverters(self) -> Mapping[str, InverterUnit]:
        """Those that are inverters after IEEE 1547; a unit may be put in another's place."""
        return {name: unit for name, unit in self.units.items() if isinstance(unit, InverterUnit)}

    @property
    def settle_steps(self) -> int:
        """Solves that may be needed before its laws are at rest at the start."""
        return SETTLE_STEPS if self.inverters else 0

    def rounds(self, dt_s: float, *, seen: Terminals) -> int:
        """Solves that a step needs: more than one only where it is longer than a law's time constant and a law is not
        at rest."""
        if dt_s <= self._quickest_s:
            return 1
        unrest = max((unit.unrest_pu(seen.of(unit.entry)) for unit in self.inverters.values()), default=0.0)
        return 1 if unrest <= UNREST_PU else min(ceil(dt_s / self._quickest_s), ROUNDS_MAX)

    def step(self, dt_s: float, *, now_s: float, seen: Terminals) -> list[tuple[str, str, str]]:
        """Advance every unit by `dt_s`, which ends at `now_s`; (unit, what, why) of those that tripped or returned."""
        events = []
        temperature_c = self._temperature_c(now_s) if self._temperature_c is not None else None
        for name, unit in self.units.items():
            was_tripped = unit.tripped
            why = "voltage"
            if isinstance(unit, EvUnit):
                unit.step(dt_s, now_s=now_s, live=seen.to_ground(unit.entry).v_low_pu > 0.0)
                continue
            irradiance = self._sky.irradiance_frac(unit.entry.bus, time_s=now_s)
            if isinstance(unit, DerUnit):
                unit.step(dt_s, irradiance_frac=irradiance, v_pu=seen.to_ground(unit.entry).v_low_pu)
            else:
                unit.defect = self._defect(name, now_s=now_s)
                unit.step(
                    dt_s,
                    irradiance_frac=irradiance,
                    terminal=seen.of(unit.entry),
                    temperature_c=temperature_c,
                    law_s=self._quickest_s,
                )
                why = unit.ride.why
            if unit.tripped != was_tripped:
                events.append((name, "der_trip" if unit.tripped else "der_return", why))
        return events

    def settle(self) -> None:
        """Stand at rest at feeder second 0 and nominal voltage."""
        for name, unit in self.units.items():
            if isinstance(unit, EvUnit):
                unit.step(0.0, now_s=0.0, live=True)
                continue
            irradiance = self._sky.irradiance_frac(unit.entry.bus, time_s=0.0)
            if isinstance(unit, InverterUnit):
                unit.defect = self._defect(name, now_s=0.0)
            unit.settle(irradiance_frac=irradiance)

    def settle_on(self, seen: Terminals) -> bool:
        """Go on towards rest at the voltages that there are; whether it had been reached."""
        moved = [
            unit.settle(
                irradiance_frac=self._sky.irradiance_frac(unit.entry.bus, time_s=0.0),
                terminal=seen.of(unit.entry),
                weight=SETTLE_WEIGHT,
            )
            for unit in self.inverters.values()
        ]
        return max(moved, default=0.0) < AT_REST_PU

    def _defect(self, name: str, *, now_s: float) -> Defect | None:
        found = (d.mode for d in self._plan.defects if d.der == name and d.from_s <= now_s < d.until_s)
        return next(found, None)
