"""How a class of customers draws over a day, as a share of its own peak."""

from __future__ import annotations

from math import exp

import numpy as np

from hil.engine import FloatArray

CLASSES = ("residential", "commercial", "flat", "deck")
"""`deck` follows the daily load shape that the deck gives the load."""


def _hump(hour: float, *, at_h: float, sigma_h: float) -> float:
    """Gaussian around an hour of the day, the nearer way round midnight."""
    away = (hour - at_h + 12.0) % 24.0 - 12.0
    return exp(-0.5 * (away / sigma_h) ** 2)


def _residential(hour: float) -> float:
    return 0.30 + 0.30 * _hump(hour, at_h=7.5, sigma_h=1.4) + 0.70 * _hump(hour, at_h=19.0, sigma_h=2.4)


def _commercial(hour: float, *, weekend: bool) -> float:
    opens, closes = 1.0 / (1.0 + exp(-(hour - 7.5) / 0.5)), 1.0 / (1.0 + exp((hour - 18.0) / 0.7))
    return 0.30 + 0.70 * (0.4 if weekend else 1.0) * opens * closes


_MINUTES = [minute / 60.0 for minute in range(1440)]
_RESIDENTIAL_PEAK = max(_residential(hour) for hour in _MINUTES)
_COMMERCIAL_PEAK = max(_commercial(hour, weekend=False) for hour in _MINUTES)


def class_share(name: str, *, hour: float, weekend: bool) -> float:
    """Share of the peak of a working day.

    residential: 0.30 + 0.30 G(7.5 h, 1.4 h) + 0.70 G(19 h, 2.4 h), over its peak; G is a Gaussian of height 1. Every
    day.
    commercial: 0.30 + 0.70 times a logistic opening at 7.5 h (0.5 h) and closing at 18 h (0.7 h), over its peak; at the
    weekend 0.4 of what is above the base.
    flat: 1. Raises ValueError for another class."""
    match name:
        case "residential":
            return _residential(hour) / _RESIDENTIAL_PEAK
        case "commercial":
            return _commercial(hour, weekend=weekend) / _COMMERCIAL_PEAK
        case "flat":
            return 1.0
    raise ValueError(f"no class shape {name}")


class DeckShape:
    """A load shape of the deck: multipliers at a fixed interval, over and over. As in OpenDSS each is the value at the
    end of its interval, and the nearest is taken."""

    def __init__(self, values: FloatArray, *, interval_s: float) -> None:
        self._values = values
        self._interval_s = interval_s

    def share(self, seconds: float) -> float:
        """Multiplier so long after the local midnight before feeder second 0."""
        return float(self._values[(round(seconds / self._interval_s) - 1) % self._values.size])


def day_of(name: str, *, weekend: bool = False) -> FloatArray:
    """A class over one day, minute by minute, for plots and checks."""
    return np.array([class_share(name, hour=hour, weekend=weekend) for hour in _MINUTES], dtype=np.float64)
