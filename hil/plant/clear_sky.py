"""The sun and a sky without clouds."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, atan2, cos, degrees, exp, fmod, radians, sin


@dataclass(frozen=True, kw_only=True)
class Sun:
    """Where the sun stands. No refraction."""

    zenith_deg: float
    azimuth_deg: float
    """From north over east."""


def sun_at(days_since_j2000: float, *, latitude_deg: float, longitude_deg: float) -> Sun:
    """Position of the sun by the low-precision formulas of the Astronomical Almanac, good to 0.01 degrees between 1950
    and 2050 (J. J. Michalsky, Solar Energy 40 (1988) 227-235, equations 1 to 12). East longitudes are positive."""
    n = days_since_j2000
    mean_anomaly = radians(fmod(357.528 + 0.9856003 * n, 360.0))
    longitude = radians(
        fmod(280.460 + 0.9856474 * n + 1.915 * sin(mean_anomaly) + 0.020 * sin(2.0 * mean_anomaly), 360.0)
    )
    tilt = radians(23.439 - 0.0000004 * n)
    ascension = atan2(cos(tilt) * sin(longitude), cos(longitude))
    declination = asin(sin(tilt) * sin(longitude))
    # Sidereal time at Greenwich: 0.0657098242 h a day more than universal time, which begins at noon of n = 0.
    sidereal_h = fmod(6.697375 + 0.0657098242 * n + fmod(n + 0.5, 1.0) * 24.0, 24.0)
    hour_angle = radians(sidereal_h * 15.0 + longitude_deg) - ascension
    place = radians(latitude_deg)
    height = sin(place) * sin(declination) + cos(place) * cos(declination) * cos(hour_angle)
    east = -cos(declination) * sin(hour_angle)
    north = sin(declination) * cos(place) - cos(declination) * sin(place) * cos(hour_angle)
    zenith_deg = 90.0 - degrees(asin(min(max(height, -1.0), 1.0)))
    return Sun(zenith_deg=zenith_deg, azimuth_deg=degrees(atan2(east, north)) % 360.0)


def haurwitz_w_per_m2(zenith_deg: float) -> float:
    """Global horizontal irradiance under a clear sky: B. Haurwitz, J. Meteorology 2 (1945) 154 and 3 (1946) 123, in the
    form of M. Reno, C. Hansen, J. Stein, SAND2012-2389 (2012), equation 17."""
    height = cos(radians(zenith_deg))
    return 1098.0 * height * exp(-0.059 / height) if zenith_deg < 90.0 and height > 0.0 else 0.0
