"""Irradiance at a place: clear sky, and clouds that cross the feeder; temperature, and what it takes from PV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, exp, nan, pi, radians, sin

import numpy as np

from adms.client import Problem
from hil.plant.clear_sky import haurwitz_w_per_m2, sun_at
from hil.plant.clouds import CloudField, FieldPlan, Front
from hil.plant.local_time import LocalTime
from hil.plant.reading import Table, raise_problems


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A front with a Gaussian shadow."""

    start_s: float
    """When its middle reaches the first bus on its way."""
    crossing_s: float
    """From the first to the last bus."""
    heading_deg: float
    """Where it goes on the map, from the x axis towards the y axis."""
    width_frac: float
    """Standard deviation of the shadow, as a share of the way across the feeder."""
    depth_frac: float
    """Share of the irradiance that its middle takes."""


class Sky:
    """Share of the rated irradiance at each bus over time."""

    def __init__(
        self, coordinates: Mapping[str, tuple[float, float]], *, clear_frac: float, clouds: tuple[Cloud, ...]
    ) -> None:
        self._clear_frac = clear_frac
        self._clouds = clouds
        self._way: list[dict[str, float]] = []
        for cloud in clouds:
            along, across = cos(radians(cloud.heading_deg)), sin(radians(cloud.heading_deg))
            raw = {bus: x * along + y * across for bus, (x, y) in coordinates.items()}
            low, span = min(raw.values()), max(raw.values()) - min(raw.values())
            self._way.append({bus: (value - low) / span for bus, value in raw.items()})

    def irradiance_frac(self, bus: str, *, time_s: float) -> float:
        """0 to 1 of rated irradiance. A bus without coordinates counts as the middle of the feeder."""
        left = self._clear_frac
        for cloud, way in zip(self._clouds, self._way, strict=True):
            middle = (time_s - cloud.start_s) / cloud.crossing_s
            distance = (way.get(bus, 0.5) - middle) / cloud.width_frac
            left *= 1.0 - cloud.depth_frac * exp(-0.5 * distance * distance)
        return left


@dataclass(frozen=True, kw_only=True)
class HeatWave:
    """A time that is warmer than usual."""

    start_s: float
    end_s: float
    rise_k: float
    ramp_s: float
    """From usual to warm, and back after `end_s`."""

    def rise_at(self, time_s: float) -> float:
        """How much warmer it is, K."""
        up = (time_s - self.start_s) / self.ramp_s
        down = (self.end_s + self.ramp_s - time_s) / self.ramp_s
        return self.rise_k * min(max(min(up, down), 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class WeatherPlan:
    """Sun, clouds and temperature of a run."""

    latitude_deg: float
    longitude_deg: float
    """East is positive."""
    metres_per_unit: float
    """Of the drawing coordinates."""
    index: tuple[tuple[float, float], ...]
    """(time in s, share of the clear sky everywhere), linear between; empty is 1."""
    fronts: tuple[Front, ...]
    field: FieldPlan | None
    temperature_mean_c: float
    temperature_swing_k: float
    """Half of the range over a day; warmest at 15:00 local time."""
    heat_waves: tuple[HeatWave, ...]
    pv_temperature_per_k: float
    """Change of a module's power per K above 25 °C, negative."""
    pv_noct_c: float
    """Nominal operating cell temperature (IEC 61215): of the cell at 800 W/m² and 20 °C."""


STANDARD_W_PER_M2 = 1000.0
WARMEST_H = 15.0


class Weather:
    """Irradiance and temperature over the feeder."""

    def __init__(
        self, plan: WeatherPlan, *, coordinates: Mapping[str, tuple[float, float]], local: LocalTime, seed: int
    ) -> None:
        self._plan = plan
        self._local = local
        scale = plan.metres_per_unit
        xs, ys = ([place[i] for place in coordinates.values()] or [0.0] for i in (0, 1))
        x_mid, y_mid = (min(xs) + max(xs)) / 2.0, (min(ys) + max(ys)) / 2.0
        self._place = {bus: ((x - x_mid) * scale, (y - y_mid) * scale) for bus, (x, y) in coordinates.items()}
        self._field = CloudField(plan.field, seed=seed) if plan.field is not None else None
        self._clear: tuple[float, float] = (nan, 0.0)

    def clear_w_per_m2(self, time_s: float) -> float:
        """Horizontal irradiance without clouds."""
        if self._clear[0] != time_s:
            sun = sun_at(
                self._local.days_since_j2000(time_s),
                latitude_deg=self._plan.latitude_deg,
                longitude_deg=self._plan.longitude_deg,
            )
            self._clear = (time_s, haurwitz_w_per_m2(sun.zenith_deg))
        return self._clear[1]

    def irradiance_w_per_m2(self, bus: str, *, time_s: float) -> float:
        """Horizontal irradiance. A bus without coordinates counts as the middle of the map, the reference point."""
        clear = self.clear_w_per_m2(time_s)
        if clear <= 0.0:
            return 0.0
        x_m, y_m = self._place.get(bus, (0.0, 0.0))
        share = on_course(self._plan.index, time_s, empty=1.0)
        for front in self._plan.fronts:
            share *= front.share_frac(x_m, y_m, time_s=time_s)
        if self._field is not None:
            share *= self._field.share_frac(x_m, y_m, time_s=time_s)
        return clear * share

    def temperature_c(self, time_s: float) -> float:
        """Of the air, everywhere."""
        plan = self._plan
        swing = cos(2.0 * pi * (self._local.hour(time_s) - WARMEST_H) / 24.0)
        return (
            plan.temperature_mean_c
            + plan.temperature_swing_k * swing
            + sum(wave.rise_at(time_s) for wave in plan.heat_waves)
        )

    def irradiance_frac(self, bus: str, *, time_s: float) -> float:
        """Power of a PV array over its rating, flat on the ground: irradiance over 1000 W/m², less what its heat takes.
        Cell temperature: air + (NOCT - 20) / 800 W/m² times irradiance (R. G. Ross, 12th IEEE PVSC, 1976)."""
        sun = self.irradiance_w_per_m2(bus, time_s=time_s)
        cell_c = self.temperature_c(time_s) + (self._plan.pv_noct_c - 20.0) / 800.0 * sun
        return max(sun / STANDARD_W_PER_M2 * (1.0 + self._plan.pv_temperature_per_k * (cell_c - 25.0)), 0.0)


def on_course(points: Sequence[tuple[float, float]], time_s: float, *, empty: float) -> float:
    """Value of a course of (time in s, value), linear between and constant outside."""
    if not points:
        return empty
    times, values = zip(*points, strict=True)
    return float(np.interp(time_s, times, values))


def is_new_style(content: Mapping[str, object]) -> bool:
    """Whether a `[weather]` table describes sun and place, and not only shares of rated irradiance."""
    return bool(set(content) - {"clear_frac", "cloud"})


def read_weather(content: Mapping[str, object]) -> WeatherPlan:
    """Read a `[weather]` with a place. Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="weather", problems=problems)
    field = table.table("cloud_field")
    plan = WeatherPlan(
        latitude_deg=table.number("latitude_deg", low=-90.0, high=90.0),
        longitude_deg=table.number("longitude_deg", low=-180.0, high=180.0),
        metres_per_unit=table.positive("metres_per_unit"),
        index=table.course("clear_sky_index", low=0.0, high=1.5),
        fronts=tuple(_front(entry) for entry in table.tables("cloud_front")),
        field=None if field is None else _field(field),
        temperature_mean_c=table.number("temperature_mean_c", low=-60.0, high=60.0),
        temperature_swing_k=table.number("temperature_swing_k", low=0.0, high=40.0),
        heat_waves=tuple(_heat_wave(entry) for entry in table.tables("heat_wave")),
        pv_temperature_per_k=table.number("pv_temperature_per_k", low=-0.01, high=0.0, default=-0.004),
        pv_noct_c=table.number("pv_noct_c", low=20.0, high=80.0, default=45.0),
    )
    table.end()
    raise_problems(problems)
    return plan


def _front(table: Table) -> Front:
    front = Front(
        reaches_s=table.number("reaches_s"),
        speed_m_per_s=table.positive("speed_m_per_s"),
        heading_deg=table.number("heading_deg", low=-360.0, high=360.0),
        width_m=table.positive("width_m"),
        depth_frac=table.number("depth_frac", low=0.0, high=1.0),
    )
    table.end()
    return front


def _field(table: Table) -> FieldPlan:
    plan = FieldPlan(
        cover_frac=table.number("cover_frac", low=0.001, high=0.999),
        cell_m=table.positive("cell_m"),
        depth_frac=table.number("depth_frac", low=0.0, high=1.0),
        edge_frac=table.positive("edge_frac", default=0.5),
        speed_m_per_s=table.number("speed_m_per_s", low=0.0),
        heading_deg=table.number("heading_deg", low=-360.0, high=360.0),
    )
    table.end()
    return plan


def _heat_wave(table: Table) -> HeatWave:
    wave = HeatWave(
        start_s=table.number("start_s"),
        end_s=table.number("end_s"),
        rise_k=table.number("rise_k", low=0.0, high=30.0),
        ramp_s=table.positive("ramp_s"),
    )
    if wave.end_s <= wave.start_s + wave.ramp_s:
        table.wrong("end_s", wave.end_s, "must be after start_s and ramp_s")
    table.end()
    return wave
