"""Where the sun stands and what a clear sky lets through."""

import math
from datetime import datetime

_CLEAR_W_PER_M2 = 1098.0
_EXTINCTION = 0.057


def sun_cosine(now: datetime, *, latitude_deg: float, longitude_deg: float) -> float:
    """Cosine of the sun's zenith angle; negative below the horizon.

    Declination by Cooper (Solar Energy 12, 1969), equation of time by the usual two-term fit (Duffie and Beckman,
    "Solar Engineering of Thermal Processes"): good to about a degree, which is better than the clear sky is known.

    Args:
        now: with a time zone.
        latitude_deg: north positive.
        longitude_deg: east positive.
    """
    since_midnight = now.timestamp() % 86400.0 / 3600.0
    day = _day_of_year(now)
    declination = math.radians(23.45) * math.sin(2.0 * math.pi * (284.0 + day) / 365.0)
    b = 2.0 * math.pi * (day - 81.0) / 364.0
    equation_min = 9.87 * math.sin(2.0 * b) - 7.53 * math.cos(b) - 1.5 * math.sin(b)
    solar_h = since_midnight + longitude_deg / 15.0 + equation_min / 60.0
    turn = math.radians(15.0 * (solar_h - 12.0))
    latitude = math.radians(latitude_deg)
    upright = math.sin(latitude) * math.sin(declination)
    return upright + math.cos(latitude) * math.cos(declination) * math.cos(turn)


def _day_of_year(now: datetime) -> float:
    """In UTC, 1 on 1 January, with the fraction of the day."""
    offset = now.utcoffset()
    if offset is None:
        raise ValueError("a time without a zone")
    utc = now.replace(tzinfo=None) - offset
    return (utc - datetime(utc.year, 1, 1)).total_seconds() / 86400.0 + 1.0  # noqa: DTZ001


def clear_sky_w_per_m2(cosine: float) -> float:
    """Global horizontal irradiance of a clear sky, W/m2: 1098 cos z exp(-0.057 / cos z); 0 at night.

    B. Haurwitz, "Insolation in relation to cloudiness and cloud density", Journal of Meteorology 2, 1945.
    """
    return _CLEAR_W_PER_M2 * cosine * math.exp(-_EXTINCTION / cosine) if cosine > 1e-3 else 0.0
