from math import inf

import pytest

from hil.plant.curves import CONSTANTS, DefiniteTime, FuseLink, HighSet, Table, Timer, inverse, link_from_ratios


@pytest.mark.parametrize(
    ("name", "multiple", "trip_s"),
    [
        # IEC 60255-151:2009, table 1, T = 1: t = k / (M^alpha - 1) by hand.
        ("iec_standard_inverse", 2.0, 10.029),  # 0.14 / (2^0.02 - 1) = 0.14 / 0.0139595
        ("iec_standard_inverse", 10.0, 2.971),  # 0.14 / (10^0.02 - 1) = 0.14 / 0.0471285
        ("iec_very_inverse", 2.0, 13.5),  # 13.5 / 1
        ("iec_very_inverse", 10.0, 1.5),  # 13.5 / 9
        ("iec_extremely_inverse", 2.0, 26.667),  # 80 / 3
        ("iec_extremely_inverse", 10.0, 0.8081),  # 80 / 99
        # IEEE C37.112-2018, table 1, TD = 1. The moderately and very inverse times at M = 2 and 4 stand in tables of
        # the GE M60 manual (5-27); the extremely inverse ones by hand: 28.2 / 3 + 0.1217, 28.2 / 99 + 0.1217.
        ("ieee_moderately_inverse", 2.0, 3.803),
        ("ieee_moderately_inverse", 4.0, 1.946),
        ("ieee_moderately_inverse", 10.0, 1.207),
        ("ieee_very_inverse", 2.0, 7.028),
        ("ieee_very_inverse", 4.0, 1.798),
        ("ieee_very_inverse", 10.0, 0.689),
        ("ieee_extremely_inverse", 2.0, 9.5217),
        ("ieee_extremely_inverse", 10.0, 0.40655),
    ],
)
def test_a_standard_curve_takes_the_time_that_its_standard_publishes(name: str, multiple: float, trip_s: float) -> None:
    assert inverse(name, dial=1.0).trip_s(multiple) == pytest.approx(trip_s, abs=6e-4)


def test_the_dial_multiplies_the_time_and_the_minimum_response_bounds_it() -> None:
    curve = inverse("iec_very_inverse", dial=0.1, minimum_s=0.2)
    assert curve.trip_s(2.0) == pytest.approx(1.35)  # 0.1 * 13.5
    assert curve.trip_s(20.0) == 0.2  # by the equation 0.1 * 13.5 / 19 = 0.071 s


def test_a_high_set_element_is_faster_from_its_multiple_on() -> None:
    curve = HighSet(curve=inverse("iec_very_inverse", dial=1.0), from_multiple=8.0, delay_s=0.0)
    assert curve.trip_s(4.0) == pytest.approx(4.5)  # 13.5 / 3
    assert curve.trip_s(8.0) == 0.0


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_no_curve_trips_at_pickup_or_below(name: str) -> None:
    curve = inverse(name, dial=1.0)
    assert curve.trip_s(1.0) == curve.trip_s(0.5) == inf
    assert DefiniteTime(delay_s=0.0).trip_s(1.0) == inf


def test_a_disk_resets_by_the_equation_of_the_standard() -> None:
    # C37.112, very inverse: tr / (1 - M^2) = 21.6 s from a whole without current, 21.6 / 0.75 = 28.8 s at half pickup.
    curve = inverse("ieee_very_inverse", dial=1.0)
    assert 1.0 / curve.reset_per_s(0.0) == pytest.approx(21.6)
    assert 1.0 / curve.reset_per_s(0.5) == pytest.approx(28.8)
    # Half way to a trip (7.0277 s at M = 2), 5 s without current, then again: 0.5 - 5/21.6 is left to build on.
    timer = Timer()
    timer.hold(2.0, curve=curve)
    timer.elapse(curve.trip_s(2.0) / 2)
    timer.hold(0.0, curve=curve)
    timer.elapse(5.0)
    assert timer.progress == pytest.approx(0.5 - 5.0 / 21.6)
    timer.hold(2.0, curve=curve)
    assert timer.remaining_s == pytest.approx((0.5 + 5.0 / 21.6) * 7.0277, abs=1e-3)


def test_an_electronic_relay_forgets_at_once() -> None:
    for curve in (inverse("ieee_very_inverse", dial=1.0, resets_at_once=True), inverse("iec_very_inverse", dial=1.0)):
        timer = Timer()
        timer.hold(2.0, curve=curve)
        timer.elapse(3.0)
        timer.hold(0.9, curve=curve)
        assert timer.progress == 0.0


def test_a_varying_current_trips_when_the_integral_reaches_one() -> None:
    # IEC very inverse: 13.5 s at M = 2, 1.5 s at M = 10. After 6.75 s at 2 half is done, so 0.75 s at 10 are left.
    timer, curve = Timer(), inverse("iec_very_inverse", dial=1.0)
    timer.hold(2.0, curve=curve)
    timer.elapse(6.75)
    timer.hold(10.0, curve=curve)
    assert timer.remaining_s == pytest.approx(0.75)
    timer.elapse(0.7)
    assert not timer.done
    timer.elapse(0.05)
    assert timer.done


def test_cutting_time_into_steps_changes_nothing() -> None:
    curve = inverse("ieee_extremely_inverse", dial=2.0)
    whole, cut = Timer(), Timer()
    for timer, steps in ((whole, 1), (cut, 700)):
        timer.hold(5.0, curve=curve)
        for _ in range(steps):
            timer.elapse(1.4 / steps)
    assert cut.progress == pytest.approx(whole.progress, rel=1e-12)


def test_a_table_is_straight_in_logarithms_and_adiabatic_above_its_last_point() -> None:
    table = Table(points=((100.0, 100.0), (1000.0, 1.0)))
    # Two decades of time over one of current: t = (1000/I)^2, so 316.23 A (half a decade) takes 10 s.
    assert table.time_s(100.0 * 10**0.5) == pytest.approx(10.0)
    assert table.time_s(99.9) == inf
    assert table.time_s(2000.0) == pytest.approx(0.25)  # I^2 t as at 1000 A


@pytest.mark.parametrize(
    "points", [((1.0, 1.0),), ((2.0, 1.0), (1.0, 0.5)), ((1.0, 1.0), (2.0, 3.0)), ((0.0, 1.0), (1.0, 0.5))]
)
def test_a_table_that_cannot_be_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="needs"):
        Table(points=points)


def test_a_link_by_ratios_melts_where_its_ratios_say() -> None:
    link = link_from_ratios(melt_300s_a=128.0, ratio_10s=1.25, ratio_100ms=7.0, clear_over_melt=1.2, arcing_s=0.02)
    assert link.melt_s(128.0) == pytest.approx(300.0)
    assert link.melt_s(160.0) == pytest.approx(10.0)
    assert link.melt_s(896.0) == pytest.approx(0.1)
    assert link.clear.time_s(1.2 * 896.0) == pytest.approx(0.12)
    assert link.melt_s(127.0) == inf


def test_arcing_is_what_lies_between_melting_and_clearing() -> None:
    link = FuseLink(
        melt=Table(points=((100.0, 10.0), (1000.0, 0.1))), clear=Table(points=((150.0, 10.0), (1500.0, 0.1)))
    )
    # By hand at 300 A: melting 10 (100/300)^2 = 1.1111 s, clearing 10 (150/300)^2 = 2.5 s.
    assert link.arcing_s(300.0) == pytest.approx(2.5 - 10.0 / 9.0)
    # 120 A melts the link but lies under the clearing curve: as at its first point, 10 - 10 (100/150)^2 = 5.5556 s.
    assert link.arcing_s(120.0) == pytest.approx(10.0 - 40.0 / 9.0)
