"""PV without telemetry from PV with: what its neighbours make of the clear sky, and how far away they are.

Each site's power over what a clear sky would give it is a random field: a mean, plus the day's weather that all share,
plus a part that loses correlation with distance (cloud), plus a part of the site's own (tilt, shade, dirt). The best
linear estimate from the sites with telemetry (kriging: Cressie, "Statistics for Spatial Data", 1993, ch. 3) gives mean
and sigma; sigma grows with distance by itself. Where the neighbours contradict each other by more than the field's
spread allows, the spread is scaled up (the square root of chi-squared over its degrees of freedom, never below 1, less
two of its standard deviations: what chance does in one scan is none of the sky's, and the next one takes it back).

Powers are injections, W. At night, nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray


@dataclass(frozen=True, kw_only=True)
class SolarPolicy:
    """What is believed of sun and cloud."""

    latitude_deg: float | None = None
    """None where the place is unknown: then it is never known to be night, and the bound is the site's rating."""
    longitude_deg: float | None = None
    rating_w_per_m2: float = 1000.0
    """Irradiance at which a site gives its `p_max_w`."""
    tilt_gain: float = 1.3
    """What tilt and cold air may give above a horizontal plane, as a factor on the clear-sky bound."""
    mean_ratio: float = 0.55
    """Of a site's power over its clear-sky bound, when nobody measures any."""
    weather_sigma: float = 0.20
    """Of that ratio, common to the whole feeder (overcast or not)."""
    cloud_sigma: float = 0.18
    """Of that ratio, common to a place (single clouds)."""
    cloud_tau_s: float = 600.0
    """Correlation time of single clouds at a place: old telemetry of a neighbour says less."""
    own_sigma: float = 0.10
    """Of that ratio, each site's own."""
    range_m: float = 5000.0
    """Distance over which the clouds' correlation falls to 1 / e."""
    same_zone_m: float = 2000.0
    """Distance assumed within a zone, where coordinates are missing."""
    other_zone_m: float = 10000.0
    """And between two."""
    neighbours_max: int = 64
    """Sites with telemetry that are used, spread evenly over those there are."""

    @property
    def shared_variance(self) -> float:
        """Of the ratio, of all that is not a site's own."""
        return self.weather_sigma**2 + self.cloud_sigma**2


@dataclass(frozen=True, kw_only=True, eq=False)
class SolarSites:
    """PV sites in a fixed order."""

    p_max_w: FloatArray
    """[site]."""
    x_m: FloatArray
    """[site], NaN where unknown."""
    y_m: FloatArray
    zone: tuple[str, ...]
    """[site], empty where none is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SolarForecast:
    """What each site gives now, judged by the others only: a site's own telemetry is not in its own figures."""

    mean_w: FloatArray
    """[site]."""
    shared_sigma_w: FloatArray
    """[site] of the part that the sites have in common."""
    own_sigma_w: FloatArray
    """[site] of its own part."""


def clear_bound_w(p_max_w: FloatArray, *, clear_w_per_m2: float | None, policy: SolarPolicy) -> FloatArray:
    """[site] the most that the sky allows, W: the rating where the place is unknown (None), zero at night."""
    if clear_w_per_m2 is None:
        return p_max_w.copy()
    return p_max_w * min(1.0, policy.tilt_gain * clear_w_per_m2 / policy.rating_w_per_m2)


def solar_forecast(
    sites: SolarSites,
    *,
    measured_w: FloatArray,
    sigma_w: FloatArray,
    clear_w_per_m2: float | None,
    policy: SolarPolicy,
) -> SolarForecast:
    """Mean and sigma of every site.

    Args:
        sites: the sites.
        measured_w: [site] telemetry brought to one time; NaN where there is none.
        sigma_w: [site] of it.
        clear_w_per_m2: clear-sky irradiance now; None where the place is unknown.
        policy: what is believed.

    Returns:
        The forecast. Sigma is zero where the sky is dark.
    """
    bound = clear_bound_w(sites.p_max_w, clear_w_per_m2=clear_w_per_m2, policy=policy)
    lit = bound > 1e-3 * np.maximum(sites.p_max_w, 1.0)
    known = np.flatnonzero(lit & np.isfinite(measured_w) & np.isfinite(sigma_w))
    if len(known) > policy.neighbours_max:
        known = known[np.linspace(0, len(known) - 1, policy.neighbours_max).round().astype(np.int64)]
    ratio = np.full(len(bound), policy.mean_ratio)
    shared = np.full(len(bound), policy.shared_variance)
    scale = 1.0
    if len(known):
        ratio, shared, scale = _kriged(
            sites, known, ratio=measured_w[known] / bound[known], sigma=sigma_w[known] / bound[known], policy=policy
        )
    bound = np.where(lit, bound, 0.0)
    return SolarForecast(
        mean_w=bound * np.clip(ratio, 0.0, 1.0),
        shared_sigma_w=bound * scale * np.sqrt(shared),
        own_sigma_w=bound * scale * policy.own_sigma,
    )


def _kriged(
    sites: SolarSites, known: np.ndarray, *, ratio: FloatArray, sigma: FloatArray, policy: SolarPolicy
) -> tuple[FloatArray, FloatArray, float]:
    """([site] mean ratio, [site] variance of its shared part, factor on the spread). Leaving a measured site out of its
    own estimate uses the identities of the inverse: r_i - [K^-1 r]_i / [K^-1]_ii, variance 1 / [K^-1]_ii (Dubrule,
    Mathematical Geology 15, 1983)."""
    among = _shared_covariance(sites, known, policy=policy)
    # [site, known]; with the own parts and the meters on the diagonal it is what the telemetry should scatter by.
    noise = policy.own_sigma**2 + np.square(sigma)
    inverse = np.linalg.inv(among[known] + np.diag(noise))
    off = ratio - policy.mean_ratio
    weighted = inverse @ off
    chi2 = float(off @ weighted)
    mean = policy.mean_ratio + among @ weighted
    shared = policy.shared_variance - np.einsum("sk,kl,sl->s", among, inverse, among)
    by_chance = 2.0 * math.sqrt(2.0 / len(known))
    left_out = 1.0 / np.diag(inverse)
    mean[known] = policy.mean_ratio + off - weighted * left_out
    shared[known] = left_out - noise
    return mean, np.clip(shared, 1e-6, policy.shared_variance), math.sqrt(max(1.0, chi2 / len(known) - by_chance))


def _shared_covariance(sites: SolarSites, known: np.ndarray, *, policy: SolarPolicy) -> FloatArray:
    """[site, known]. Distances are all from coordinates or all from zones: a mixture need not be a covariance."""
    if np.isfinite(sites.x_m).all() and np.isfinite(sites.y_m).all():
        far = np.hypot(sites.x_m[:, None] - sites.x_m[known], sites.y_m[:, None] - sites.y_m[known])
    else:
        number = {name: i for i, name in enumerate(sorted(set(sites.zone)))}
        zone = np.array([number[name] for name in sites.zone], dtype=np.int64)
        named = np.array([bool(name) for name in sites.zone], dtype=np.bool_)
        same = (zone[:, None] == zone[known]) & named[:, None]
        far = np.where(same, policy.same_zone_m, policy.other_zone_m)
        far[known, np.arange(len(known))] = 0.0
    return np.asarray(policy.weather_sigma**2 + policy.cloud_sigma**2 * np.exp(-far / policy.range_m))


def coordinates(values: Sequence[float | None]) -> FloatArray:
    """[site] with NaN for None."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
