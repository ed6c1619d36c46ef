from collections.abc import Callable
from dataclasses import replace

import pytest

from hil.plant.curves import DefiniteTime, inverse
from hil.plant.gear import GROUND
from hil.plant.recloser import ColdLoadRestraint, Overcurrent, Recloser, RecloserSettings
from tests.unit.hil.driven import PHASES, Driven

FAST = DefiniteTime(delay_s=0.05)
SLOW = inverse("iec_very_inverse", dial=0.2)  # 0.2 * 13.5 / (M - 1): 0.3 s at M = 10

FOUR_TRIPS = RecloserSettings(
    sequence=("fast", "fast", "slow", "slow"),
    dead_s=(0.5, 2.0, 5.0),
    phase=Overcurrent(pickup_a=100.0, fast=FAST, slow=SLOW),
    ground=None,
    reclaim_s=30.0,
    manual_block_s=1.0,
)


def recloser(settings: RecloserSettings = FOUR_TRIPS) -> Recloser:
    return Recloser("switch.r", phases=PHASES, settings=settings)


def fault(
    *, from_s: float, to_s: float = 1e9, phases: tuple[int, ...] = PHASES, i_a: float = 1000.0, load_a: float = 20.0
) -> Callable[[float, frozenset[int]], dict[int, float]]:
    def amperes(t: float, closed: frozenset[int]) -> dict[int, float]:
        return {p: (i_a if p in phases and from_s - 1e-9 <= t < to_s else load_a) for p in PHASES}

    return amperes


def test_two_fast_and_two_slow_trips_run_through_the_dead_times_to_lockout() -> None:
    device = recloser()
    told = Driven(device=device, amperes=fault(from_s=1.0)).run(20.0)
    # By hand, M = 10: fast 0.05 s; dead 0.5; fast 0.05; dead 2; slow 0.3; dead 5; slow 0.3; lockout.
    assert told == [
        (1.05, "trip"),
        (1.05, "open"),
        (1.55, "reclose"),
        (1.55, "close"),
        (1.6, "trip"),
        (1.6, "open"),
        (3.6, "reclose"),
        (3.6, "close"),
        (3.9, "trip"),
        (3.9, "open"),
        (8.9, "reclose"),
        (8.9, "close"),
        (9.2, "trip"),
        (9.2, "open"),
        (9.2, "lockout"),
    ]
    status = device.status(closed=frozenset())
    assert (status.lockout, status.trips, status.targets) == (True, 4, frozenset(PHASES))


def test_the_contacts_open_after_the_interrupting_time() -> None:
    told = Driven(device=recloser(replace(FOUR_TRIPS, interrupting_s=0.04)), amperes=fault(from_s=1.0)).run(1.7)
    # Timed out at 1.05, open 0.04 s later; the dead time runs from there.
    assert [t for t in told if t[1] != "reclose"] == [
        (1.05, "trip"),
        (1.09, "open"),
        (1.59, "close"),
        (1.64, "trip"),
        (1.68, "open"),
    ]


def test_a_fault_that_goes_away_ends_the_sequence_and_the_count_starts_again_after_the_reclaim_time() -> None:
    device = recloser()

    def amperes(t: float, closed: frozenset[int]) -> dict[int, float]:
        on = 1.0 <= t < 1.2 or 60.0 <= t < 60.2
        return dict.fromkeys(PHASES, 1000.0 if on else 20.0)

    told = Driven(device=device, amperes=amperes).run(100.0)
    # Each time one fast trip and one reclosing; the second fault comes more than 30 s after the first reclosing.
    assert [t for t in told if t[1] in ("open", "close")] == [
        (1.05, "open"),
        (1.55, "close"),
        (60.05, "open"),
        (60.55, "close"),
    ]
    assert (device.lockout, device.trips, device.shots) == (False, 2, 0)


def test_a_fault_within_the_reclaim_time_goes_on_where_the_sequence_was() -> None:
    device = recloser()

    def amperes(t: float, closed: frozenset[int]) -> dict[int, float]:
        return dict.fromkeys(PHASES, 1000.0 if 1.0 <= t < 1.2 or t >= 20.0 else 20.0)

    told = Driven(device=device, amperes=amperes).run(40.0)
    # Second operation fast (20.05), dead 2, slow 0.3, dead 5, slow 0.3 and lockout.
    assert [t for t in told if t[1] in ("open", "lockout")][1:] == [
        (20.05, "open"),
        (22.35, "open"),
        (27.65, "open"),
        (27.65, "lockout"),
    ]


def test_closing_by_hand_onto_the_fault_locks_out_at_once() -> None:
    device = recloser()
    table = Driven(device=device, amperes=fault(from_s=0.5))
    device.operated(closed=True, now=0.0)
    assert [what for _, what in table.run(3.0)] == ["trip", "open", "lockout"]


def test_the_ground_element_trips_below_phase_pickup_and_says_so() -> None:
    ground = Overcurrent(pickup_a=40.0, fast=FAST, slow=SLOW)
    device = recloser(replace(FOUR_TRIPS, ground=ground))
    table = Driven(
        device=device,
        amperes=fault(from_s=1.0, phases=(2,), i_a=80.0),
        residual_a=lambda t, closed: 70.0 if closed and t >= 1.0 - 1e-9 else 0.0,
    )
    table.run(1.2)
    assert device.targets == {GROUND}
    assert table.told[1] == (1.05, "open", PHASES)


def test_single_poles_trip_and_reclose_by_themselves_and_lock_out_together() -> None:
    device = recloser(replace(FOUR_TRIPS, single_pole=True))
    table = Driven(device=device, amperes=fault(from_s=1.0, phases=(2,)))
    table.run(20.0)
    moves = [entry for entry in table.told if entry[1] in ("open", "close")]
    assert moves[:2] == [(1.05, "open", (2,)), (1.55, "close", (2,))]
    assert moves[-1] == (9.2, "open", PHASES)
    assert device.targets == {2}


def test_single_pole_lockout_leaves_the_sound_phases_in_service() -> None:
    device = recloser(replace(FOUR_TRIPS, single_pole=True, single_pole_lockout=True))
    table = Driven(device=device, amperes=fault(from_s=1.0, phases=(2,)))
    table.run(20.0)
    assert table.closed == {1, 3}
    assert device.lockout


@pytest.mark.parametrize(("outage_s", "trips"), [(30.0, 1), (120.0, 0)])
def test_cold_load_after_a_long_outage_is_restrained_and_after_a_short_one_it_is_not(
    outage_s: float, trips: int
) -> None:
    restraint = ColdLoadRestraint(after_outage_s=60.0, pickup_frac=3.0, for_s=10.0)
    device = recloser(replace(FOUR_TRIPS, restraint=restraint, sequence=("slow",), dead_s=()))

    def amperes(t: float, closed: frozenset[int]) -> dict[int, float]:
        if t < 10.0 or t >= 10.0 + outage_s + 8.0:
            return dict.fromkeys(PHASES, 50.0)
        return dict.fromkeys(PHASES, 0.0 if t < 10.0 + outage_s else 250.0)  # 2.5 times pickup for 8 s

    # Unrestrained M = 2.5: 0.2 * 13.5 / 1.5 = 1.8 s; restrained M = 0.83: no pick-up.
    Driven(device=device, amperes=amperes).run(200.0)
    assert device.trips == trips


def test_a_real_fault_trips_through_the_restraint() -> None:
    restraint = ColdLoadRestraint(after_outage_s=0.0, pickup_frac=3.0, for_s=10.0)
    device = recloser(replace(FOUR_TRIPS, restraint=restraint, sequence=("slow",), dead_s=()))
    told = Driven(device=device, amperes=fault(from_s=1.0, load_a=0.0)).run(5.0)
    # M = 1000 / 300: 0.2 * 13.5 / (3.3333 - 1) = 1.1571 s.
    assert told[0] == (2.157, "trip")
