"""Irradiance at a place: clear sky, and clouds that cross the feeder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, exp, radians, sin


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
