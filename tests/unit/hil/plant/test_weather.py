from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from hil.plant.clear_sky import haurwitz_w_per_m2, sun_at
from hil.plant.clouds import CloudField, FieldPlan, Front
from hil.plant.local_time import LocalTime
from hil.plant.weather import HeatWave, Weather, WeatherPlan

MDT = timezone(timedelta(hours=-6))
JULY = LocalTime(start=datetime(2026, 7, 1, tzinfo=MDT))
PLAN = WeatherPlan(
    latitude_deg=39.74,
    longitude_deg=-105.18,
    metres_per_unit=2.0,
    index=(),
    fronts=(),
    field=None,
    temperature_mean_c=20.0,
    temperature_swing_k=8.0,
    heat_waves=(),
    pv_temperature_per_k=-0.004,
    pv_noct_c=45.0,
)
PLACES = {"west": (0.0, 0.0), "middle": (500.0, 0.0), "east": (1000.0, 0.0)}


def weather(plan: WeatherPlan = PLAN, *, seed: int = 1) -> Weather:
    return Weather(plan, coordinates=PLACES, local=JULY, seed=seed)


def test_the_sun_stands_where_nrels_algorithm_has_it() -> None:
    # I. Reda, A. Andreas, NREL/TP-560-34302, table A5.1: 17 October 2003, 12:30:30, UTC-7, 39.742476 N, 105.1786 W:
    # topocentric elevation 39.872046 before refraction, azimuth 194.340241. The almanac's formulas are good to 0.01;
    # parallax, which they leave out, is 0.0019 at this height.
    local = LocalTime(start=datetime(2003, 10, 17, 12, 30, 30, tzinfo=timezone(timedelta(hours=-7))))
    sun = sun_at(local.days_since_j2000(0.0), latitude_deg=39.742476, longitude_deg=-105.1786)
    assert 90.0 - sun.zenith_deg == pytest.approx(39.872046, abs=0.0125)
    assert sun.azimuth_deg == pytest.approx(194.340241, abs=0.02)


@pytest.mark.parametrize(("month", "day", "declination"), [(6, 21, 23.44), (12, 21, -23.44), (3, 20, 0.0)])
def test_at_the_equator_the_noon_sun_is_off_the_zenith_by_its_declination(
    month: int, day: int, declination: float
) -> None:
    # Within the change of declination over a day at an equinox, 0.4 degrees.
    zenith = min(
        sun_at(
            LocalTime(start=datetime(2026, month, day, tzinfo=UTC)).days_since_j2000(60.0 * k),
            latitude_deg=0.0,
            longitude_deg=0.0,
        ).zenith_deg
        for k in range(1440)
    )
    assert zenith == pytest.approx(abs(declination), abs=0.4)


# Elevation and W/m² as published in pvlib's own test of the model (pvlib/tests/test_clearsky.py, test_haurwitz).
@pytest.mark.parametrize(
    ("elevation", "published"),
    [
        (-20.0, 0.0),
        (-0.05, 0.0),
        (5.0, 48.6298687941956),
        (10.0, 135.741748091813),
        (30.0, 487.894132885425),
        (50.0, 778.766689344363),
        (90.0, 1035.09203253450),
    ],
)
def test_the_clear_sky_is_haurwitzs(elevation: float, published: float) -> None:
    assert haurwitz_w_per_m2(90.0 - elevation) == pytest.approx(published, rel=1e-9, abs=1e-12)


def test_a_clear_day_rises_to_solar_noon_and_is_dark_at_night() -> None:
    sky = weather()
    day = np.array([sky.irradiance_w_per_m2("middle", time_s=k * 600.0) for k in range(144)])
    # Solar noon: 12 h + 15.18 / 15 h of longitude west of the zone's meridian (90 W) + some 4 min equation of time.
    assert np.argmax(day) / 6 == pytest.approx(13.1, abs=0.17)
    # At 39.74 N on 1 July: declination 23.1, zenith 16.6, Haurwitz by hand 1098 x 0.958 x exp(-0.059 / 0.958) = 989.
    assert day.max() == pytest.approx(989.0, abs=2.0)
    assert day[: 5 * 6].max() == day[21 * 6 :].max() == 0.0


def test_a_front_shades_one_place_after_the_other() -> None:
    front = Front(reaches_s=43200.0, speed_m_per_s=10.0, heading_deg=0.0, width_m=200.0, depth_frac=0.8)
    sky, clear = weather(replace(PLAN, fronts=(front,))), weather()
    times = [43200.0 + k for k in range(-300, 301)]
    darkest = {
        bus: min(
            times,
            key=lambda t: sky.irradiance_w_per_m2(bus, time_s=t) / clear.irradiance_w_per_m2(bus, time_s=t),
        )
        for bus in PLACES
    }
    # 1000 units are 2000 m; at 10 m/s the middle is passed at the stated time, the ends 100 s before and after.
    assert darkest == {"west": 43100.0, "middle": 43200.0, "east": 43300.0}
    share = sky.irradiance_w_per_m2("middle", time_s=43200.0) / clear.irradiance_w_per_m2("middle", time_s=43200.0)
    assert share == pytest.approx(0.2)
    # One standard deviation away: 1 - 0.8 exp(-1/2).
    share = sky.irradiance_w_per_m2("middle", time_s=43220.0) / clear.irradiance_w_per_m2("middle", time_s=43220.0)
    assert share == pytest.approx(1.0 - 0.8 * np.exp(-0.5))


FIELD = FieldPlan(cover_frac=0.4, cell_m=500.0, depth_frac=0.7, edge_frac=0.5, speed_m_per_s=12.0, heading_deg=90.0)


def test_a_broken_sky_covers_its_share_and_moves_with_the_wind() -> None:
    field = CloudField(FIELD, seed=3)
    places = [(x * 400.0, y * 400.0) for x in range(60) for y in range(60)]
    shares = np.array([field.share_frac(x, y, time_s=0.0) for x, y in places])
    # 24 km square with cells of half a kilometre: some 2300 independent cells, a standard error of 1 %; the sum of 48
    # waves is not quite Gaussian.
    assert (1.0 - shares).mean() / 0.7 == pytest.approx(0.4, abs=0.05)
    assert shares.min() == pytest.approx(0.3)
    assert shares.max() == 1.0
    for x, y in places[:50]:
        assert field.share_frac(x, y + 12.0 * 60.0, time_s=60.0) == pytest.approx(
            field.share_frac(x, y, time_s=0.0), abs=1e-9
        )


def test_a_broken_sky_is_the_same_in_every_run_of_a_seed() -> None:
    one, same, other = (CloudField(FIELD, seed=seed) for seed in (1, 1, 2))
    course = [[field.share_frac(0.0, 0.0, time_s=t * 20.0) for t in range(50)] for field in (one, same, other)]
    assert course[0] == course[1] != course[2]


def test_the_index_takes_its_share_everywhere() -> None:
    sky, clear = weather(replace(PLAN, index=((40000.0, 1.0), (44000.0, 0.5)))), weather()
    for bus in PLACES:
        found = sky.irradiance_w_per_m2(bus, time_s=42000.0)
        assert found == pytest.approx(0.75 * clear.irradiance_w_per_m2(bus, time_s=42000.0))


def test_temperature_swings_over_the_day_and_a_heat_wave_comes_on_top() -> None:
    wave = HeatWave(start_s=86400.0, end_s=2 * 86400.0, rise_k=10.0, ramp_s=7200.0)
    air = weather(replace(PLAN, heat_waves=(wave,)))
    # Mean 20, half range 8, warmest at 15 h.
    assert air.temperature_c(15 * 3600.0) == pytest.approx(28.0)
    assert air.temperature_c(3 * 3600.0) == pytest.approx(12.0)
    assert air.temperature_c(86400.0 + 15 * 3600.0) == pytest.approx(38.0)
    assert air.temperature_c(86400.0 + 3600.0) - air.temperature_c(3600.0) == pytest.approx(5.0)
    assert air.temperature_c(3 * 86400.0) == pytest.approx(air.temperature_c(0.0))


def test_pv_gives_less_when_it_is_hot() -> None:
    sky = weather()
    time_s = 15 * 3600.0
    sun = sky.irradiance_w_per_m2("middle", time_s=time_s)
    # Cell: 28 + (45 - 20) / 800 x G; minus 0.4 % for each K above 25.
    cell_c = 28.0 + 25.0 / 800.0 * sun
    assert sky.irradiance_frac("middle", time_s=time_s) == pytest.approx(sun / 1000 * (1 - 0.004 * (cell_c - 25.0)))


def test_the_date_runs_through_the_week() -> None:
    friday = LocalTime(start=datetime(2026, 7, 3, 18, tzinfo=MDT))
    assert [friday.weekend(hours * 3600.0) for hours in (0, 5.9, 6.1, 53.9, 54.1)] == [False, False, True, True, False]
    assert friday.hour(7 * 3600.0) == pytest.approx(1.0)
