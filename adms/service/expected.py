"""What the configuration says of loads and sun: [forecast], [load_motion], [solar] and [[class_profile]]."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adms.core.errors import Problem
from adms.forecast import ClassMotion, ClassProfile, DailyShape, ForecastPolicy, SolarPolicy, Swing
from adms.forecast.policy import policy_problems
from adms.service.tables import Tables, near

TABLES = ("forecast", "load_motion", "solar", "class_profile")
_PROFILE = ("name", "level_frac", "own_sigma_frac", "common_sigma_frac", "weekday", "weekend")
_DAY = ("mean_frac", "swings")
_SWING = ("per_day", "amplitude_frac", "peak_h")


def forecast_policy(tables: Tables) -> ForecastPolicy | None:
    """The forecast's policy; None where there is a problem, which is then among `tables.problems`."""
    before = len(tables.problems)
    motion = tables.record(ClassMotion, "load_motion", named=True)
    solar = tables.record(SolarPolicy, "solar", named=True)
    if solar is not None and (solar.latitude_deg is None) is not (solar.longitude_deg is None):
        message = "latitude_deg and longitude_deg go together"
        tables.problems.append(Problem(element="[solar]", field="longitude_deg", value="", message=message))
    profiles = _profiles(tables)
    # What no number by itself can violate: shares that add up to more than all there is.
    for wrong in [] if motion is None else policy_problems(ForecastPolicy(motion=motion)):
        tables.problems.append(replace(wrong, element="[load_motion]"))
    given = {"motion": motion, "solar": solar, "profiles": profiles}
    policy = tables.record(ForecastPolicy, "forecast", given=given, named=True)
    return policy if len(tables.problems) == before else None


def _profiles(tables: Tables) -> tuple[ClassProfile, ...] | None:
    before = len(tables.problems)
    found: list[ClassProfile] = []
    for number, entry in enumerate(tables.entries("class_profile"), start=1):
        where = f"[[class_profile]] {entry.get('name') or number}"
        reader = _Reader(tables, where)
        reader.known(entry, _PROFILE)
        name = reader.get(str, entry, "name", "")
        spread = {
            key: reader.get(float | None, entry, key, None)
            for key in ("level_frac", "own_sigma_frac", "common_sigma_frac")
        }
        weekday = _day(reader, entry, "weekday", otherwise=DailyShape())
        weekend = _day(reader, entry, "weekend", otherwise=weekday)
        if not reader.failed:
            profile = ClassProfile(name=name, weekday=weekday, weekend=weekend, **spread)
            for wrong in profile.problems():
                reader.bad(wrong.field, wrong.value, wrong.message)
            if profile.name in {other.name for other in found}:
                reader.bad("name", profile.name, "is given more than once")
            found.append(profile)
    return tuple(found) if len(tables.problems) == before else None


def _day(reader: "_Reader", entry: Mapping[str, Any], day: str, *, otherwise: DailyShape) -> DailyShape:
    content = entry.get(day)
    if content is None:
        return otherwise
    if not isinstance(content, dict):
        reader.bad(day, content, "must be a table with mean_frac and swings")
        return otherwise
    reader.known(content, _DAY, within=day)
    swings = []
    for swing in reader.get(list[dict[str, Any]], content, "swings", [], within=day):
        reader.known(swing, _SWING, within=f"{day}.swings")
        values = {
            key: reader.get(kind, swing, key, None, within=f"{day}.swings")
            for key, kind in (("per_day", int), ("amplitude_frac", float), ("peak_h", float))
        }
        if None not in values.values():
            swings.append(Swing(**values))
        elif not set(_SWING) <= set(swing):
            reader.bad(f"{day}.swings", swing, f"needs {', '.join(_SWING)}")
    return DailyShape(mean_frac=reader.get(float, content, "mean_frac", 1.0, within=day), swings=tuple(swings))


class _Reader:
    """Keys of one profile."""

    def __init__(self, tables: Tables, where: str) -> None:
        self._problems = tables.problems
        self._where = where
        self.failed = False

    def bad(self, field: str, value: object, message: str) -> None:
        """Notes a problem."""
        self.failed = True
        self._problems.append(Problem(element=self._where, field=field, value=str(value), message=message))

    def known(self, content: Mapping[str, Any], names: tuple[str, ...], *, within: str = "") -> None:
        """Notes keys that nobody reads."""
        for key in content:
            if key not in names:
                self.bad(f"{within}.{key}" if within else key, content[key], "no such key" + near(key, names))

    def get(self, kind: Any, content: Mapping[str, Any], key: str, otherwise: Any, *, within: str = "") -> Any:
        """The value of a key, or what stands for it where it is left out or wrong."""
        if key not in content:
            return otherwise
        try:
            return TypeAdapter(kind).validate_python(content[key], strict=True)
        except ValidationError as error:
            self.bad(f"{within}.{key}" if within else key, content[key], error.errors(include_url=False)[0]["msg"])
            return otherwise
