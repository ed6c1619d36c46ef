"""Clouds that move over the map: fronts, and a broken sky of cells. A share of 1 is a clear sky."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, pi, radians, sin, sqrt
from statistics import NormalDist
from zlib import crc32

import numpy as np

STREAM = 32
WAVES = 48


@dataclass(frozen=True, kw_only=True)
class Front:
    """A band of cloud that crosses the feeder once."""

    reaches_s: float
    """When its middle passes the map's reference point."""
    speed_m_per_s: float
    heading_deg: float
    """Where it goes, from the x axis towards the y axis."""
    width_m: float
    """Standard deviation of its shadow along its way."""
    depth_frac: float
    """Share of the irradiance that its middle takes."""

    def share_frac(self, x_m: float, y_m: float, *, time_s: float) -> float:
        """What it leaves at a place; coordinates from the reference point."""
        along_m = x_m * cos(radians(self.heading_deg)) + y_m * sin(radians(self.heading_deg))
        ahead = (along_m - self.speed_m_per_s * (time_s - self.reaches_s)) / self.width_m
        return 1.0 - self.depth_frac * exp(-0.5 * ahead * ahead)


@dataclass(frozen=True, kw_only=True)
class FieldPlan:
    """A broken sky that drifts as it is."""

    cover_frac: float
    """Share of the sky under cloud, in the mean."""
    cell_m: float
    """Size of a cell: half the mean wave length."""
    depth_frac: float
    """Share of the irradiance that a cloud takes."""
    edge_frac: float
    """Width of the edges, in standard deviations of the field below."""
    speed_m_per_s: float
    heading_deg: float


class CloudField:
    """A frozen random field (a sum of plane waves with random directions, lengths and phases, which is nearly Gaussian
    with unit variance), drifting with the wind; cloud where it is above the quantile of the cover."""

    def __init__(self, plan: FieldPlan, *, seed: int) -> None:
        self._plan = plan
        rng = np.random.default_rng([seed, STREAM, crc32(b"cloud_field")])
        direction = rng.uniform(0.0, 2.0 * pi, WAVES)
        wave_m = 2.0 * plan.cell_m * rng.uniform(0.7, 1.3, WAVES)
        self._kx = 2.0 * pi / wave_m * np.cos(direction)
        self._ky = 2.0 * pi / wave_m * np.sin(direction)
        self._phase = rng.uniform(0.0, 2.0 * pi, WAVES)
        self._edge = NormalDist().inv_cdf(1.0 - plan.cover_frac)

    def share_frac(self, x_m: float, y_m: float, *, time_s: float) -> float:
        """What it leaves at a place."""
        plan = self._plan
        way_m = plan.speed_m_per_s * time_s
        x_m -= way_m * cos(radians(plan.heading_deg))
        y_m -= way_m * sin(radians(plan.heading_deg))
        level = sqrt(2.0 / WAVES) * float(np.cos(self._kx * x_m + self._ky * y_m + self._phase).sum())
        inside = min(max((level - self._edge) / plan.edge_frac + 0.5, 0.0), 1.0)
        return 1.0 - plan.depth_frac * inside
