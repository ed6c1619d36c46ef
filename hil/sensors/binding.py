"""A sensor plan on the meters that there are: every pattern must mean something, or the plan is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from adms.client import InputError
from hil.sensors.channel import Channel, ChannelPlan
from hil.sensors.faults import SensorPlan
from hil.sensors.lies import Inverted, PhasesSwapped, SensorFault
from hil.sensors.meter import MAGNITUDES, TWO_STATE, Meter, name_of
from hil.sensors.scan_class import ScanClass
from hil.sensors.sensor import Sensor, SensorClass, errors_of
from hil.sensors.streams import meter_stream
from hil.sensors.tables import Reading, near
from hil.sensors.terms import matches

_COMPARED = 2000
"""So many names are compared with one that means nothing."""

C = TypeVar("C", SensorClass, ScanClass)


def check(plan: SensorPlan, meters: Sequence[Meter]) -> None:
    """Raises InputError with everything in the plan that these meters give no meaning to."""
    reading = Reading()
    for k, sensor in enumerate(plan.sensors, start=1):
        where = f"[[sensor]] {k}"
        if _some(sensor, meters, where=where, reading=reading) and all(
            meter.rating is None for meter in _meant(sensor, meters)
        ):
            reading.problem(where, "point", value=sensor.point, why="means only points that are exact")
    for k, scan_class in enumerate(plan.scan_classes, start=1):
        where = f"[[scan_class]] {k}"
        if _some(scan_class, meters, where=where, reading=reading) and all(
            meter.interval_meter for meter in _meant(scan_class, meters)
        ):
            reading.problem(where, "point", value=scan_class.point, why="means only means over intervals")
    for k, fault in enumerate(plan.faults, start=1):
        where = f"[[sensor_fault]] {k}"
        if _some(fault, meters, where=where, reading=reading):
            _check_lie(fault, meters, where=where, reading=reading)
    owners = tuple(dict.fromkeys(meter.owner for meter in meters))
    for k, channel in enumerate(plan.channels, start=1):
        meant = [owner for owner in owners if matches(channel.source, owner)]
        if not meant:
            why = "means no source" + near(channel.source, owners)
            reading.problem(f"[[channel]] {k}", "source", value=channel.source, why=why)
        names = [name_of(meter.point) for meter in meters if meter.owner in meant]
        for n, flag in enumerate(channel.flags, start=1):
            if meant and not any(matches(flag.point, name) for name in names):
                why = "means no point of these sources" + near(flag.point, tuple(names[:_COMPARED]))
                reading.problem(f"[[channel {k}.flag]] {n}", "point", value=flag.point, why=why)
    if reading.problems:
        raise InputError(reading.problems)


def _means(plan: SensorClass | ScanClass | SensorFault, meter: Meter) -> bool:
    return matches(plan.source, meter.owner) and matches(plan.point, name_of(meter.point))


def _meant(plan: SensorClass | ScanClass | SensorFault, meters: Sequence[Meter]) -> list[Meter]:
    return [meter for meter in meters if _means(plan, meter)]


def _some(
    plan: SensorClass | ScanClass | SensorFault, meters: Sequence[Meter], *, where: str, reading: Reading
) -> bool:
    if _meant(plan, meters):
        return True
    whose = "" if plan.source == "*" else f" of source {plan.source}"
    names = tuple(name_of(meter.point) for meter in meters if matches(plan.source, meter.owner))
    close = near(plan.point, names[:_COMPARED])
    reading.problem(where, "point", value=plan.point, why=f"means no point{whose}{close}")
    return False


def _check_lie(fault: SensorFault, meters: Sequence[Meter], *, where: str, reading: Reading) -> None:
    names = {name_of(meter.point) for meter in meters}
    meant = _meant(fault, meters)
    match fault.lie:
        case Inverted():
            for meter in meant:
                if meter.point.kind not in TWO_STATE:
                    why = "has more than two states; inverted is for positions of switches, indicators and flags"
                    reading.problem(where, "point", value=name_of(meter.point), why=why)
        case PhasesSwapped(phases=(first, second)):
            swapped = [meter.point for meter in meant if meter.point.phase in (first, second)]
            if not swapped:
                reading.problem(where, "point", value=fault.point, why=f"means no point of phase {first} or {second}")
            for point in swapped:
                other = name_of(point, phase=second if point.phase == first else first)
                if other not in names:
                    why = f"cannot show {other}: nothing is metered there"
                    reading.problem(where, "point", value=name_of(point), why=why)
        case _:
            pass


def sensor_for(meter: Meter, plan: SensorPlan, *, seed: int, drop_out_frac: float) -> Sensor:
    """The sensor of one point. A point without a declared sigma never drops out."""
    point, name = meter.point, name_of(meter.point)
    sigma = point.sigma
    errors = errors_of(
        last_of(plan.sensors, meter),
        name=name,
        seed=seed,
        rating=meter.rating,
        sigma=sigma,
        drop_out_frac=None if sigma is None else drop_out_frac,
        not_negative=sigma is not None and point.kind in MAGNITUDES,
    )
    return Sensor(
        errors,
        noise=meter_stream(seed, point=name, owner=meter.owner),
        noisy=sigma is not None or errors.noise_sigma > 0.0,
        faults=tuple(fault for fault in plan.faults if _means(fault, meter)),
    )


def last_of(classes: Sequence[C], meter: Meter) -> C | None:
    """The class of a meter: the last that means it."""
    return next((one for one in reversed(classes) if _means(one, meter)), None)


def channel_for(owner: str, plan: SensorPlan, *, points: Sequence[str], seed: int) -> Channel:
    """The channel of a source: the last plan that means it, else a perfect one."""
    found = next((one for one in reversed(plan.channels) if matches(one.source, owner)), ChannelPlan(source=owner))
    return Channel(found, source=owner, points=points, seed=seed)
