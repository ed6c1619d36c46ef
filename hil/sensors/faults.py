"""What a scenario says about sensors and channels, as records, and their reader.

```toml
[[sensor]]                     # how good meters are; shares of their rating
point = "v_magnitude_v/*"
bias_sigma_frac = 0.002
quantum_frac = 0.0005

[[scan_class]]                 # when they are read
source = "der.*"
point = "*"
period_s = 4.0

[interval_meters]              # the loads of [meters] ami_loads report means, late
interval_s = 900.0
power_sigma_frac = 0.01
report_delay_s = 120.0
report_spread_s = 1800.0
report_distribution = "exponential"

[[sensor_fault]]               # a meter that lies
point = "p_flow_w/switch.x/0/*"
kind = "scaled"
factor = 10.0
start_s = 120.0
duration_s = 300.0

[[channel]]                    # how frames travel
source = "gateway"
latency_s = 0.2
loss_frac = 0.01
clock_skew_s = -1.5
[[channel.outage]]
start_s = 200.0
duration_s = 60.0
[[channel.flag]]
point = "v_magnitude_v/*"
quality = "suspect"
chance_frac = 0.05
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adms.client import InputError, Quality
from hil.sensors.channel import ChannelPlan, Flag
from hil.sensors.lies import LIES, PhasesSwapped, SensorFault
from hil.sensors.scan_class import IntervalMeters, ScanClass
from hil.sensors.sensor import SensorClass
from hil.sensors.tables import Reading, near
from hil.sensors.terms import Span

TABLES = ("sensor", "scan_class", "interval_meters", "sensor_fault", "channel")
"""The tables of a scenario that make a sensor plan."""

__all__ = ["TABLES", "SensorFault", "SensorPlan", "read_sensor_plan"]


@dataclass(frozen=True, kw_only=True)
class SensorPlan:
    """Everything between the plant and the telemetry frames that is not in the meter plan. An empty one changes
    nothing: every meter is read at every scan, with the plan's noise and drop-outs, and every frame arrives at once."""

    sensors: tuple[SensorClass, ...] = ()
    scan_classes: tuple[ScanClass, ...] = ()
    intervals: IntervalMeters | None = None
    """None: the loads of `ami_loads` show their voltage at every scan."""
    faults: tuple[SensorFault, ...] = ()
    channels: tuple[ChannelPlan, ...] = ()


def read_sensor_plan(content: Mapping[str, Any]) -> SensorPlan:
    """The plan in the tables of a scenario (those of `TABLES`, and no other). Raises InputError with all problems."""
    reading = Reading()
    reading.unknown(content, known=TABLES)
    sensors = [reading.record(SensorClass, e, where=w) for w, e in reading.entries(content, "sensor")]
    classes = [reading.record(ScanClass, e, where=w) for w, e in reading.entries(content, "scan_class")]
    intervals = _intervals(content, reading=reading)
    faults = [_fault(e, where=w, reading=reading) for w, e in reading.entries(content, "sensor_fault")]
    channels = [_channel(e, where=w, reading=reading) for w, e in reading.entries(content, "channel")]
    if reading.problems:
        raise InputError(reading.problems)
    return SensorPlan(
        sensors=tuple(one for one in sensors if one is not None),
        scan_classes=tuple(one for one in classes if one is not None),
        intervals=intervals,
        faults=tuple(one for one in faults if one is not None),
        channels=tuple(one for one in channels if one is not None),
    )


def _intervals(content: Mapping[str, Any], *, reading: Reading) -> IntervalMeters | None:
    table, where = content.get("interval_meters"), "[interval_meters]"
    if table is None:
        return None
    if not isinstance(table, dict):
        reading.problem(where, "", value=table, why="must be one table")
        return None
    return reading.record(IntervalMeters, table, where=where)


def _split(table: Mapping[str, Any], *, keys: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of some keys, and the others."""
    return (
        {key: value for key, value in table.items() if key in keys},
        {key: value for key, value in table.items() if key not in keys},
    )


_SPAN = ("start_s", "duration_s")


def _fault(table: Mapping[str, Any], *, where: str, reading: Reading) -> SensorFault | None:
    kind, kinds = str(table.get("kind", "")), tuple(LIES)
    when, rest = _split(table, keys=_SPAN)
    whom, what = _split(rest, keys=("point", "source"))
    what.pop("kind", None)
    lie = None
    if kind in LIES:
        lie = reading.record(LIES[kind], what, where=where)
    elif "kind" in table:
        reading.problem(where, "kind", value=kind, why="no such kind" + near(kind, kinds))
    else:
        reading.problem(where, "kind", why=f"is missing; one of {', '.join(kinds)}")
    if isinstance(lie, PhasesSwapped) and lie.phases[0] == lie.phases[1]:
        reading.problem(where, "phases", value=list(lie.phases), why="must be two different phases")
    span = reading.record(Span, when, where=where)
    if "start_s" not in table:
        reading.problem(where, "start_s", why="is missing")
    return reading.record(SensorFault, whom, where=where, given={"span": span, "lie": lie})


def _channel(table: Mapping[str, Any], *, where: str, reading: Reading) -> ChannelPlan | None:
    nested, own = _split(table, keys=("outage", "flag"))
    place = where.removeprefix("[[").replace("]] ", " ")
    outages = [reading.record(Span, entry, where=at) for at, entry in reading.entries(nested, "outage", where=place)]
    flags = [_flag(entry, where=at, reading=reading) for at, entry in reading.entries(nested, "flag", where=place)]
    return reading.record(
        ChannelPlan,
        own,
        where=where,
        given={
            "outages": tuple(one for one in outages if one is not None),
            "flags": tuple(one for one in flags if one is not None),
        },
    )


def _flag(table: Mapping[str, Any], *, where: str, reading: Reading) -> Flag | None:
    when, rest = _split(table, keys=_SPAN)
    word = rest.pop("quality", None)
    words = tuple(quality.name.lower() for quality in Quality)
    quality = Quality[word.upper()] if isinstance(word, str) and word in words else None
    if quality is None:
        reading.problem(where, "quality", value=word or "", why=f"must be one of {', '.join(words)}")
    span = reading.record(Span, when, where=where)
    return reading.record(Flag, rest, where=where, given={"quality": quality, "span": span})
