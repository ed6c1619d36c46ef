"""Times of IEEE Std 1547-2018 at a step of 10 ms: what a unit does is late by a step at the most."""

from dataclasses import replace

import numpy as np
import pytest

from hil.plant.ride_through import RidePlan, RideThrough1547, State, Terminal
from tests.unit.hil.plant.units import RIDE, at

DT_S = 0.01


def protection(plan: RidePlan = RIDE, *, seed: int = 1) -> RideThrough1547:
    return RideThrough1547(plan, rng=np.random.default_rng(seed))


def time_until(ride: RideThrough1547, state: State, *, terminal: Terminal, most_s: float = 400.0) -> float:
    """Seconds until it is in a state at one terminal; infinite when it never is."""
    for k in range(1, round(most_s / DT_S) + 1):
        ride.step(DT_S, terminal=terminal)
        if ride.state is state:
            return k * DT_S
    return float("inf")


# Tables 11 to 13 (clause 6.4.1): voltage, time until the trip, the element that does it.
@pytest.mark.parametrize(
    ("category", "v_pu", "trip_s", "element"),
    [
        ("I", 0.65, 2.0, "UV1"),
        ("I", 0.40, 0.16, "UV2"),
        ("II", 1.21, 0.16, "OV2"),
        ("II", 1.15, 2.0, "OV1"),
        ("II", 0.69, 10.0, "UV1"),
        ("II", 0.44, 0.16, "UV2"),
        ("III", 1.21, 0.16, "OV2"),
        ("III", 1.15, 13.0, "OV1"),
        ("III", 0.87, 21.0, "UV1"),
        ("III", 0.49, 2.0, "UV2"),
        ("III", 0.0, 2.0, "UV2"),
    ],
)
def test_a_unit_trips_after_the_clearing_time(category: str, v_pu: float, trip_s: float, element: str) -> None:
    ride = protection(replace(RIDE, category=category))
    assert time_until(ride, State.TRIPPED, terminal=at(v_pu)) == pytest.approx(trip_s, abs=1.01 * DT_S)
    assert ride.why == element


@pytest.mark.parametrize(("category", "v_pu"), [("II", 0.88), ("II", 1.10), ("III", 0.88), ("III", 1.10), ("II", 0.75)])
def test_a_unit_never_trips_where_no_table_says_so(category: str, v_pu: float) -> None:
    ride = protection(replace(RIDE, category=category))
    assert time_until(ride, State.TRIPPED, terminal=at(v_pu)) == float("inf")


# Tables 15 and 16 (clause 6.4.2): a unit that leaves as soon as it may rides through exactly so long.
@pytest.mark.parametrize(
    ("category", "v_pu", "ride_s"),
    [
        ("II", 1.12, 1.0),
        ("II", 1.16, 0.5),
        ("II", 1.19, 0.2),
        ("II", 0.65, 3.0),
        ("II", 0.75, 3.87),
        ("II", 0.50, 0.32),
        ("II", 0.35, 0.16),
        ("III", 1.15, 12.0),
        ("III", 0.80, 20.0),
        ("III", 0.60, 10.0),
        ("III", 0.30, 1.0),
    ],
)
def test_the_least_patient_unit_rides_through_as_long_as_it_must(category: str, v_pu: float, ride_s: float) -> None:
    ride = protection(replace(RIDE, category=category, trips_at="ride_through"))
    found = time_until(ride, State.TRIPPED, terminal=at(v_pu))
    assert ride_s - 1e-9 <= found <= ride_s + 1.01 * DT_S


# Table 16: response time 0.083 s at both ends of category III.
@pytest.mark.parametrize("v_pu", [1.15, 0.45])
def test_momentary_cessation_comes_within_83_ms_and_ends_with_the_voltage(v_pu: float) -> None:
    ride = protection()
    assert time_until(ride, State.CEASED, terminal=at(v_pu), most_s=1.0) == pytest.approx(0.09)
    assert ride.share_frac == 0.0
    assert time_until(ride, State.RUNNING, terminal=at(1.0), most_s=1.0) == pytest.approx(DT_S)
    for _ in range(39):
        ride.step(DT_S, terminal=at(1.0))
    # Clause 6.4.2.7: 80 % within 0.4 s.
    assert ride.share_frac == pytest.approx(0.8)


@pytest.mark.parametrize(("permissive", "state"), [("deliver", State.RUNNING), ("cease", State.CEASED)])
def test_in_the_permissive_region_a_unit_may_deliver_or_cease(permissive: str, state: State) -> None:
    ride = protection(replace(RIDE, category="II", permissive=permissive))
    ride.step(0.1, terminal=at(0.5))
    assert ride.state is state


def test_the_lowest_and_the_highest_phase_trip_not_the_mean() -> None:
    low = Terminal(v_low_pu=0.49, v_high_pu=1.0, v_mean_pu=0.83)
    high = Terminal(v_low_pu=1.0, v_high_pu=1.21, v_mean_pu=1.07)
    assert time_until(protection(), State.TRIPPED, terminal=low) == pytest.approx(2.0, abs=1.01 * DT_S)
    assert time_until(protection(), State.TRIPPED, terminal=high) == pytest.approx(0.16, abs=1.01 * DT_S)


def test_a_timer_starts_anew_when_voltage_was_good_between() -> None:
    ride = protection()
    for _ in range(5):
        assert time_until(ride, State.TRIPPED, terminal=at(0.49), most_s=1.9) == float("inf")
        ride.step(DT_S, terminal=at(1.0))
    assert ride.state is State.RUNNING


# Table 18 (clause 6.5.1).
@pytest.mark.parametrize(("f_hz", "trip_s"), [(62.1, 0.16), (61.3, 300.0), (58.4, 300.0), (56.4, 0.16)])
def test_a_unit_trips_on_frequency(f_hz: float, trip_s: float) -> None:
    found = time_until(protection(), State.TRIPPED, terminal=at(1.0, f_hz=f_hz))
    assert found == pytest.approx(trip_s, abs=1.01 * DT_S)


def test_a_unit_returns_after_300_s_of_good_voltage_and_ramps_for_300_s() -> None:
    ride = protection()
    time_until(ride, State.TRIPPED, terminal=at(0.3))
    # Clause 4.10.2, Table 4: 0.917 to 1.05 pu.
    assert time_until(ride, State.RUNNING, terminal=at(0.91)) == float("inf")
    assert time_until(ride, State.RUNNING, terminal=at(1.06)) == float("inf")
    assert time_until(ride, State.RUNNING, terminal=at(0.92)) == pytest.approx(300.0, abs=1.01 * DT_S)
    for _ in range(15000):
        ride.step(DT_S, terminal=at(1.0))
    assert ride.share_frac == pytest.approx(0.5, abs=1e-3)


def test_a_dip_on_the_way_back_does_not_shorten_the_ramp() -> None:
    ride = protection()
    time_until(ride, State.TRIPPED, terminal=at(0.3))
    time_until(ride, State.RUNNING, terminal=at(1.0))
    for k in range(6000):
        # A second of momentary cessation after half a minute.
        ride.step(DT_S, terminal=at(0.45 if 3000 <= k < 3100 else 1.0))
    # 59 s and a step of 300 s, less the time without a share.
    assert ride.share_frac == pytest.approx(59.0 / 300.0, abs=0.003)


def test_voltage_that_was_bad_once_starts_the_delay_again() -> None:
    ride = protection()
    time_until(ride, State.TRIPPED, terminal=at(0.3))
    assert time_until(ride, State.RUNNING, terminal=at(1.0), most_s=299.0) == float("inf")
    ride.step(DT_S, terminal=at(0.9))
    assert time_until(ride, State.RUNNING, terminal=at(1.0)) == pytest.approx(300.0, abs=1.01 * DT_S)


def test_the_random_part_of_the_delay_is_the_units_own_and_the_same_in_every_run() -> None:
    plan = replace(RIDE, return_random_s=300.0)
    delays = []
    for seed in (1, 1, 2):
        ride = protection(plan, seed=seed)
        time_until(ride, State.TRIPPED, terminal=at(0.3))
        delays.append(ride.return_in_s)
    assert delays[0] == delays[1] != delays[2]
    assert all(300.0 <= delay <= 600.0 for delay in delays)


def test_without_permission_a_unit_ceases_at_once_and_returns_only_with_it() -> None:
    ride = protection()
    ride.permit_service = False
    # Clause 4.6.1: within 2 s.
    assert time_until(ride, State.TRIPPED, terminal=at(1.0), most_s=2.0) <= 2.0
    assert time_until(ride, State.RUNNING, terminal=at(1.0)) == float("inf")
    ride.permit_service = True
    assert time_until(ride, State.RUNNING, terminal=at(1.0)) == pytest.approx(300.0, abs=1.01 * DT_S)
