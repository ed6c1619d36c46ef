"""Sun, clear sky, and PV from its neighbours."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from adms.core.telemetry import FloatArray
from adms.forecast.clear_sky import clear_sky_w_per_m2, sun_cosine
from adms.forecast.solar import SolarForecast, SolarPolicy, SolarSites, solar_forecast

POLICY = SolarPolicy(latitude_deg=50.0, longitude_deg=8.0)
NOON_W_PER_M2 = 900.0


def sites_at(x_m: list[float], *, zone: tuple[str, ...] | None = None) -> SolarSites:
    count = len(x_m)
    return SolarSites(
        p_max_w=np.full(count, 10e3),
        x_m=np.array(x_m),
        y_m=np.zeros(count),
        zone=("",) * count if zone is None else zone,
    )


def forecast(
    sites: SolarSites, measured_w: FloatArray | list[float], *, clear: float | None = NOON_W_PER_M2
) -> SolarForecast:
    measured = np.array(measured_w, dtype=np.float64)
    return solar_forecast(
        sites, measured_w=measured, sigma_w=np.full(len(measured), 50.0), clear_w_per_m2=clear, policy=POLICY
    )


def test_the_sun_stands_where_the_almanac_says() -> None:
    # Northern solstice, declination 23.44 degrees: at 50 degrees north the sun culminates 63.44 degrees high. Equinox
    # at the equator: 90 degrees. A degree is allowed (formula of Cooper).
    def height_deg(now: datetime, latitude_deg: float) -> float:
        day = [
            sun_cosine(now + timedelta(minutes=5 * k), latitude_deg=latitude_deg, longitude_deg=0.0) for k in range(288)
        ]
        return float(np.degrees(np.arcsin(max(day))))

    assert height_deg(datetime(2026, 6, 21, tzinfo=UTC), 50.0) == pytest.approx(63.44, abs=1.0)
    assert height_deg(datetime(2026, 12, 21, tzinfo=UTC), 50.0) == pytest.approx(16.56, abs=1.0)
    assert height_deg(datetime(2026, 3, 20, tzinfo=UTC), 0.0) == pytest.approx(90.0, abs=1.0)


def test_the_sun_is_at_its_highest_when_the_equation_of_time_says() -> None:
    # Greenwich, 3 November: the sun is 16.4 min ahead of the clock; 11 February: 14.2 min behind (published extremes).
    for day, minutes in (
        (datetime(2026, 11, 3, tzinfo=UTC), 720.0 - 16.4),
        (datetime(2026, 2, 11, tzinfo=UTC), 720.0 + 14.2),
    ):
        cosine = [sun_cosine(day + timedelta(minutes=k), latitude_deg=51.5, longitude_deg=0.0) for k in range(1440)]
        assert float(np.argmax(cosine)) == pytest.approx(minutes, abs=2.0)


def test_the_time_zone_of_the_clock_does_not_move_the_sun() -> None:
    utc = datetime(2026, 5, 1, 0, 30, tzinfo=UTC)
    there = utc.astimezone(timezone(timedelta(hours=-7)))
    assert sun_cosine(there, latitude_deg=35.0, longitude_deg=-110.0) == pytest.approx(
        sun_cosine(utc, latitude_deg=35.0, longitude_deg=-110.0), abs=1e-12
    )


def test_a_clear_sky_lets_through_what_haurwitz_says() -> None:
    # By hand: 1098 exp(-0.057) = 1037.16 overhead; 1098 * 0.5 exp(-0.114) = 489.85 at 60 degrees from it.
    assert clear_sky_w_per_m2(1.0) == pytest.approx(1037.16, abs=0.01)
    assert clear_sky_w_per_m2(0.5) == pytest.approx(489.85, abs=0.01)
    assert clear_sky_w_per_m2(0.0) == clear_sky_w_per_m2(-0.4) == 0.0


def test_night_is_zero_and_certain_whatever_meters_say() -> None:
    night = forecast(sites_at([0.0, 100.0]), [300.0, np.nan], clear=0.0)
    assert night.mean_w.tolist() == [0.0, 0.0]
    assert night.shared_sigma_w.tolist() == night.own_sigma_w.tolist() == [0.0, 0.0]


def test_without_a_neighbour_it_is_wide_and_within_what_the_sky_allows() -> None:
    alone = forecast(sites_at([0.0]), [np.nan], clear=300.0)
    # The bound is 1.3 * 300 / 1000 of 10 kW = 3.9 kW; mean 0.55 of it, sigma 0.27 and 0.10 of it.
    assert alone.mean_w[0] == pytest.approx(2145.0)
    assert alone.shared_sigma_w[0] == pytest.approx(3900.0 * (0.20**2 + 0.18**2) ** 0.5)
    assert alone.own_sigma_w[0] == pytest.approx(390.0)
    unknown = forecast(sites_at([0.0]), [np.nan], clear=None)
    assert unknown.mean_w[0] == pytest.approx(5500.0)


def test_a_near_neighbour_says_more_than_a_far_one() -> None:
    near, far = (forecast(sites_at([0.0, x]), [9000.0, np.nan]) for x in (100.0, 30_000.0))
    assert near.mean_w[1] > far.mean_w[1] > 5500.0
    assert near.shared_sigma_w[1] < 0.6 * far.shared_sigma_w[1]


def test_sigma_grows_where_neighbours_contradict_each_other() -> None:
    # Three sites within 200 m: alike, or one dark and one at full power beside it.
    sites = sites_at([0.0, 100.0, 200.0, 100.0])
    agree = forecast(sites, [6000.0, 6200.0, 5900.0, np.nan])
    argue = forecast(sites, [10_000.0, 500.0, 8000.0, np.nan])
    assert argue.shared_sigma_w[3] > 1.5 * agree.shared_sigma_w[3]
    assert argue.own_sigma_w[3] > 1.5 * agree.own_sigma_w[3]


def test_a_site_is_judged_by_the_others_only() -> None:
    # Against kriging each from the rest, done over.
    sites = sites_at([0.0, 700.0, 2500.0])
    measured = np.array([7000.0, 6500.0, 4000.0])
    together = forecast(sites, measured)
    for k in range(3):
        apart = forecast(sites, np.where(np.arange(3) == k, np.nan, measured))
        assert together.mean_w[k] == pytest.approx(apart.mean_w[k], rel=1e-9)


def test_zones_stand_in_for_missing_coordinates() -> None:
    sites = sites_at([np.nan] * 3, zone=("north", "north", "south"))
    found = forecast(sites, [9500.0, np.nan, np.nan])
    assert found.mean_w[1] > found.mean_w[2] > 5500.0
    assert found.shared_sigma_w[1] < found.shared_sigma_w[2]


def test_over_simulated_skies_the_stated_sigma_holds() -> None:
    # 4,000 skies over 6 sites, 4 of them metered, drawn from the stated field: the error of the two others has unit
    # variance within 4 sqrt(2 / 4000) = 0.09 (measured 1.008). What chance does alone scales nothing up.
    rng = np.random.default_rng(2)
    x = np.array([0.0, 900.0, 2500.0, 6000.0, 1500.0, 9000.0])
    gap = np.abs(x[:, None] - x)
    field = POLICY.weather_sigma**2 + POLICY.cloud_sigma**2 * np.exp(-gap / POLICY.range_m)
    root = np.linalg.cholesky(field + POLICY.own_sigma**2 * np.eye(6))
    sites = SolarSites(p_max_w=np.full(6, 1e4), x_m=x, y_m=np.zeros(6), zone=("",) * 6)
    # The bound at 1000 / 1.3 W/m2 is exactly the rating; a mean of one half keeps the draws off the ends.
    policy = SolarPolicy(mean_ratio=0.5)
    square = []
    for _ in range(4000):
        ratio = 0.5 + 0.3 * (root @ rng.standard_normal(6))
        measured = np.where(np.arange(6) < 4, 1e4 * ratio, np.nan)
        found = solar_forecast(
            sites, measured_w=measured, sigma_w=np.full(6, 10.0), clear_w_per_m2=None, policy=_scaled(policy, 0.3)
        )
        error = 1e4 * ratio[4:] - found.mean_w[4:]
        square.append(error**2 / (found.shared_sigma_w[4:] ** 2 + found.own_sigma_w[4:] ** 2))
    assert 0.91 < np.mean(square) < 1.09


def _scaled(policy: SolarPolicy, factor: float) -> SolarPolicy:
    return SolarPolicy(
        mean_ratio=policy.mean_ratio,
        weather_sigma=factor * policy.weather_sigma,
        cloud_sigma=factor * policy.cloud_sigma,
        own_sigma=factor * policy.own_sigma,
    )
