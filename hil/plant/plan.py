"""Everything of a scenario that the plant does by itself: records of `[calendar]`, `[customers]`, `[weather]`,
`[[ev_charger]]`, `[der_class.x]`, `[[der_defect]]` and `[mismatch]`, read and checked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from adms.client import InputError, Problem
from hil.plant.circuit import Circuit
from hil.plant.customer_day import CustomersPlan, read_customers
from hil.plant.der_class import ClassEntry, DefectEntry, check_against, read_der_classes, read_der_defects
from hil.plant.ev import ChargerEntry, read_ev_chargers
from hil.plant.local_time import LocalTime, read_local_time
from hil.plant.mismatch import MismatchPlan, read_mismatch
from hil.plant.reading import raise_problems
from hil.plant.weather import WeatherPlan, is_new_style, read_weather

T = TypeVar("T")
KEYS = ("calendar", "customers", "der_class", "der_defect", "ev_charger", "mismatch")
"""Keys at the top of a scenario that `read_plant_plan` takes, besides a `weather` with a place."""


@dataclass(frozen=True, kw_only=True)
class PlantPlan:
    """What the feeder does by itself. All empty is a feeder that does what it did before there was a plan."""

    local: LocalTime | None = None
    customers: CustomersPlan | None = None
    weather: WeatherPlan | None = None
    chargers: tuple[ChargerEntry, ...] = ()
    classes: tuple[ClassEntry, ...] = ()
    defects: tuple[DefectEntry, ...] = ()
    mismatch: MismatchPlan | None = None

    def check(self, circuit: Circuit) -> None:
        """Raise InputError with everything that is named here and not on the feeder. Switches and loads of a mismatch
        are checked where it is applied."""
        ders = circuit.overlay.ders
        kinds = {entry.id: entry.kind for entry in ders}
        loads = {load.name for load in circuit.loads}
        problems = check_against(ders, classes=self.classes, defects=self.defects)
        for entry in self.chargers:
            field = f"ev_charger {entry.id}"
            problems += [
                Problem(element=field, field="loads", value=load, message="the feeder has no such load")
                for load in entry.loads
                if load not in loads
            ]
            if entry.der is not None and kinds.get(entry.der) != "ev":
                message = "the feeder has no such DER" if entry.der not in kinds else "is a DER of another kind than ev"
                problems.append(Problem(element=field, field="der", value=entry.der, message=message))
        if self.customers is not None:
            named = {load: name for name, members in self.customers.classes.items() for load in members}
            if self.customers.series is not None:
                named.update(dict.fromkeys(self.customers.series.p_w, "series_file"))
            problems += [
                Problem(element="customers", field=name, value=load, message="the feeder has no such load")
                for load, name in named.items()
                if load not in loads
            ]
        raise_problems(problems)


def read_plant_plan(
    content: Mapping[str, Any],
    *,
    folder: Path,
    loads: Sequence[str] | None = None,
    duration_s: float | None = None,
) -> PlantPlan:
    """Read all that a scenario says about it; other keys are not looked at. `folder` is where files are looked for.
    Raises InputError with every problem of every record."""
    problems: list[Problem] = []

    def record(key: str, read: Callable[[Any], T]) -> T | None:
        if key not in content:
            return None
        try:
            return read(content[key])
        except InputError as refused:
            problems.extend(refused.problems)
            return None

    weather_told = is_new_style(content.get("weather", {}))
    plan = PlantPlan(
        local=record("calendar", read_local_time),
        customers=record(
            "customers", lambda keys: read_customers(keys, folder=folder, loads=loads, duration_s=duration_s)
        ),
        weather=record("weather", read_weather) if weather_told else None,
        chargers=record("ev_charger", read_ev_chargers) or (),
        classes=record("der_class", read_der_classes) or (),
        defects=record("der_defect", read_der_defects) or (),
        mismatch=record("mismatch", read_mismatch),
    )
    if "calendar" not in content:
        told = [key for key in ("customers", "ev_charger") if key in content] + (["weather"] if weather_told else [])
        problems += [
            Problem(element=key, field="", value="", message="needs [calendar] with the date and time of its start")
            for key in told
        ]
    customers = plan.customers
    if customers is not None and customers.cooling is not None and not weather_told:
        message = "needs a [weather] with a place and temperatures"
        problems.append(Problem(element="customers.cooling", field="", value="", message=message))
    if any(entry.loads for entry in plan.chargers) and "customers" not in content:
        message = "chargers behind loads need [customers]"
        problems.append(Problem(element="ev_charger", field="loads", value="", message=message))
    raise_problems(problems)
    return plan
