"""Scenarios from TOML files. Everything that is wrong with one is found at once, and what nobody knows is refused.

A file may begin with `base = "..."`, the name of another file in its folder or in the folder `base` there: its tables
are what that file says, except where they say otherwise. Tables are merged key by key; lists are taken whole, but for
`[[acceptance]]`, where an entry replaces the one of its name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from adms.client import InputError, Problem
from hil.feeders import FEEDERS
from hil.measures import check_names
from hil.plant.customers import LoadStatistics
from hil.plant.der import RideThrough
from hil.plant.incident_plan import IncidentPlan, read_incidents
from hil.plant.plan import KEYS, PlantPlan, read_plant_plan
from hil.plant.protection import ProtectionTimes
from hil.plant.reading import Table, raise_problems
from hil.plant.switch_defect import SwitchDefect, read_switch_defects
from hil.plant.weather import Cloud, is_new_style
from hil.scenario import (
    AcceptanceLimit,
    FaultEvent,
    ImportLimitEvent,
    MeterPlan,
    Outage,
    Scenario,
    Timing,
)
from hil.sensors.faults import TABLES, SensorPlan, read_sensor_plan

T = TypeVar("T")
_INCIDENTS = ("protective_device", "indicators", "last_gasps")
_MOST_BASES = 8
_NO_DEFECTS: tuple[SwitchDefect, ...] = ()


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises InputError with everything that is wrong with it."""
    content = _merged(path)
    problems: list[Problem] = []
    top = Table(content, name=path.name, problems=problems)

    def part(reader: Callable[[], T], otherwise: T) -> T:
        try:
            return reader()
        except InputError as refused:
            problems.extend(refused.problems)
            return otherwise

    def of(kind: type[T], key: str) -> T | None:
        table = top.table(key)
        if table is None:
            top.wrong(key, "", "is missing")
            return None
        return record(kind, table)

    def of_optional(kind: type[T], key: str) -> T | None:
        table = top.table(key)
        return None if table is None else record(kind, table)

    timing = of(Timing, "timing")
    duration_s = timing.duration_s if timing is not None else None
    given_weather = content.get("weather", {})
    clear_frac = 0.0
    clouds: tuple[Cloud, ...] = ()
    if isinstance(given_weather, Mapping) and not is_new_style(given_weather):
        weather = top.table("weather")
        if weather is not None:
            clear_frac = weather.number("clear_frac", low=0.0, high=1.0)
            clouds = tuple(record(Cloud, table) for table in weather.tables("cloud"))
            weather.end()
    for key in ("weather", *KEYS, *TABLES, *_INCIDENTS):
        top.take(key, default=None)
    many = isinstance(top.take("fault", default=None), list)
    protection = Table(top.take("protection"), name=f"{path.name}.protection", problems=problems)
    neighbour_pickup_a = protection.number("neighbour_pickup_a", low=0.0)
    values: dict[str, Any] = {
        "name": top.text("name"),
        "title": top.text("title", default=path.stem),
        "tells": top.text("tells", default="nothing more is said"),
        "feeder": top.text("feeder", among=FEEDERS, default="123-operated"),
        "fast": top.flag("fast", default=False),
        "timing": timing,
        "loads": of(LoadStatistics, "loads"),
        "clear_frac": clear_frac,
        "clouds": clouds,
        "ride_through": of(RideThrough, "ride_through"),
        "soc_frac": _one(top, "storage", "soc_frac", low=0.0, high=1.0),
        "protection": record(ProtectionTimes, protection),
        "neighbour_pickup_a": neighbour_pickup_a,
        "supervision_lapse_s": _one(top, "local_control", "supervision_lapse_s", low=0.0),
        "meters": of(MeterPlan, "meters"),
        "control_time_s": _one(top, "operator", "control_time_s", low=0.0),
        "fault": None if many else of_optional(FaultEvent, "fault"),
        "import_limit": of_optional(ImportLimitEvent, "import_limit"),
        "tap_min_interval_s": _one(top, "referee", "tap_min_interval_s", low=0.0),
        "outage": of_optional(Outage, "service_outage"),
        "acceptance": _limits(top),
        "service": _settings(top),
        "plant": part(
            lambda: read_plant_plan(content, folder=path.parent, duration_s=duration_s), otherwise=PlantPlan()
        ),
        "switch_defects": part(
            lambda: read_switch_defects(top.take("switch_defect", default=())), otherwise=_NO_DEFECTS
        ),
        "incidents": part(lambda: read_incidents(content), otherwise=IncidentPlan()),
        "sensors": part(
            lambda: read_sensor_plan({key: content[key] for key in TABLES if key in content}), otherwise=SensorPlan()
        ),
    }
    top.end()
    raise_problems([_in_file(problem, path) for problem in problems])
    return Scenario(**values)


def _in_file(problem: Problem, path: Path) -> Problem:
    element = problem.element if path.name in problem.element else f"{path.name}: {problem.element}"
    return Problem(element=element, field=problem.field, value=problem.value, message=problem.message)


def _merged(path: Path) -> dict[str, Any]:
    """The file's content over that of its bases."""
    layers: list[dict[str, Any]] = []
    at: Path | None = path
    while at is not None:
        content = _parsed(at)
        base = content.pop("base", None)
        layers.append(content)
        if len(layers) > _MOST_BASES:
            raise InputError([_wrong(path, "base", base, "the bases have no end")])
        if base is None:
            break
        at = _base(path, at, base)
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _over(merged, layer)
    return merged


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError([_wrong(path, "", "", f"cannot be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError([_wrong(path, "", "", f"is no TOML: {error}")]) from None


def _base(path: Path, at: Path, base: object) -> Path:
    places = [at.parent / f"{base}.toml", at.parent / "base" / f"{base}.toml"]
    found = next((place for place in places if isinstance(base, str) and place.is_file()), None)
    if found is None:
        raise InputError([_wrong(path, "base", base, f"there is no file {base}.toml beside it or in its folder base")])
    return found


def _wrong(path: Path, field: str, value: object, message: str) -> Problem:
    return Problem(element=path.name, field=field, value=f"{value}", message=message)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = _over(before, value)
        elif key == "acceptance" and isinstance(before, list) and isinstance(value, list):
            named = {entry.get("name"): entry for entry in (*before, *value) if isinstance(entry, Mapping)}
            merged[key] = [*named.values()]
        else:
            merged[key] = value
    return merged


def _one(top: Table, key: str, field: str, *, low: float, high: float = float("inf")) -> float:
    table = top.table(key)
    if table is None:
        top.wrong(key, "", "is missing")
        return float("nan")
    value = table.number(field, low=low, high=high)
    table.end()
    return value


def _limits(top: Table) -> dict[str, AcceptanceLimit]:
    limits = [record(AcceptanceLimit, table) for table in top.tables("acceptance")]
    names = [limit.name for limit in limits]
    for name in sorted({name for name in names if names.count(name) > 1}):
        top.wrong("acceptance", name, "is there twice")
    try:
        check_names(names)
    except InputError as refused:
        top.problems.extend(refused.problems)
    return {limit.name: limit for limit in limits}


def _settings(top: Table) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    table = top.table("service")
    if table is None:
        return found
    for name in table.keys:
        inner = table.table(name)
        if inner is not None:
            found[name] = {key: inner.take(key) for key in inner.keys}
    return found


def record(kind: type[T], table: Table) -> T:
    """A record of plain fields from the table of the same keys; after a problem fields are NaN, empty or None."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        needed = field.default is MISSING and field.default_factory is MISSING
        if field.name in table or needed:
            values[field.name] = _value(table, field.name, hints[field.name])
    table.end()
    return kind(**values)


def _value(table: Table, key: str, hint: Any) -> Any:
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    if float in kinds:
        return table.number(key)
    if bool in kinds:
        return table.flag(key)
    if int in kinds:
        return table.whole(key, low=0)
    if str in kinds:
        return table.text(key)
    match get_args(hint):
        case (inner, _) if inner is str:
            return table.texts(key)
        case (inner, _) if inner is float:
            return table.numbers(key)
        case _:
            return table.course(key)
