"""The suspected zone on a line of four sections and on a feeder with laterals. Expected zones are by hand: the faulted
section is the one behind the last indicator that current passed."""

from dataclasses import replace

import numpy as np
import pytest

from adms.apps.interlock import SuspectedZone, suspected_zone
from adms.apps.view import RoundView
from adms.core.telemetry import PointKey, PointKind, ProtectionEvent, Quality
from adms.grid.model import SwitchKind
from tests.unit.apps.flisr.networks import Feeder, Link, build, line_of_four, switch
from tests.unit.apps.flisr.plants import Plant, section, with_points


def zone(view: RoundView) -> SuspectedZone:
    return suspected_zone(view, max_age_s=10.0)


def names(found: SuspectedZone) -> str:
    return "".join(sorted(s.removeprefix("section.") for s in found.sections))


def laterals(*, recloser_indicator: bool = True) -> Plant:
    """s0 =R= a; a =1= b =2= c; a =3= d (recloser); tie t from c to s1."""
    feeder = Feeder(
        links=(
            Link(name="r", fr="s0", to="a", kind=SwitchKind.RECLOSER, indicator=recloser_indicator),
            Link(name="1", fr="a", to="b"),
            Link(name="2", fr="b", to="c"),
            Link(name="3", fr="a", to="d", kind=SwitchKind.RECLOSER),
            Link(name="t", fr="s1", to="c", normally_closed=False),
        ),
        sources=("s0", "s1"),
        loads_w=dict.fromkeys("abcd", 50e3),
    )
    return Plant(build(feeder))


def line() -> Plant:
    return Plant(build(line_of_four()))


def test_without_evidence_nothing_is_suspected() -> None:
    found = zone(line().view())
    assert (found.sections, found.area, found.locked_out) == (frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize("faulted", "abcd")
def test_right_indicators_name_the_faulted_section(faulted: str) -> None:
    plant = line()
    plant.fault(faulted)
    found = zone(plant.view())
    assert names(found) == faulted
    assert found.area == {section(name) for name in "abcd"}
    assert found.locked_out == {switch("r")}


def test_a_missing_indicator_widens_the_zone_to_both_its_sides() -> None:
    plant = line()
    plant.fault("b")
    plant.silent = {switch("2")}
    assert names(zone(plant.view())) == "bc"
    plant.silent = {switch("1")}
    assert names(zone(plant.view())) == "ab"


def test_switches_without_indicator_merge_sections() -> None:
    links = tuple(replace(link, indicator=link.name != "2") for link in line_of_four().links)
    plant = Plant(build(replace(line_of_four(), links=links)))
    plant.fault("c")
    assert names(zone(plant.view())) == "bc"


def test_an_indicator_behind_one_that_denies_widens_to_what_one_wrong_indicator_explains() -> None:
    # Fault in c, indicator 1 wrongly at rest: R says 1, 1 says 0, 2 says 1. One wrong indicator puts it in a or c.
    plant = line()
    plant.fault("c")
    plant.wrong = {switch("1")}
    found = zone(plant.view())
    assert names(found) == "ac"
    assert found.contradictions == 1


def test_an_indicator_of_a_tie_that_was_open_widens_the_zone() -> None:
    plant = line()
    plant.fault("b")
    plant.wrong = {switch("t")}
    assert {section("b"), section("d")} <= zone(plant.view()).sections


@pytest.mark.parametrize("recloser_indicator", [True, False])
def test_the_zone_stays_after_isolation_and_re_close_and_tie_close(recloser_indicator: bool) -> None:
    plant = laterals(recloser_indicator=recloser_indicator)
    plant.fault("b")
    found = zone(plant.view())
    assert names(found) == "b"
    for name, closed in (("1", False), ("2", False), ("r", True), ("t", True)):
        assert plant.operate(switch(name), closed=closed) == []
        # Nothing but levels enters, so this is also what a restarted service sees.
        assert zone(plant.view()).sections == found.sections
    assert plant.locked_out == set()
    assert zone(plant.view()).area == {section("b")}


def test_a_switch_that_opened_after_the_lockout_is_no_barrier_though_the_records_carry_the_same_time() -> None:
    # The lockout is measured in the very scan of which the opening order is the answer: both carry its time.
    plant = line()
    plant.fault("b")
    lockout = ProtectionEvent(element=switch("r"), time=plant.now, text="lockout")
    plant.operate(switch("1"), closed=False)
    view = plant.view()
    assert names(zone(replace(view, snapshot=replace(view.snapshot, events=(lockout,))))) == "b"


def test_the_zone_survives_losing_the_station_of_its_switch() -> None:
    plant = line()
    plant.fault("b")
    for name, closed in (("1", False), ("2", False), ("r", True)):
        plant.operate(switch(name), closed=closed)
    plant.lost = {switch("1")}
    # With no word from 1 the fault may be in b still, whatever 2 says.
    assert section("b") in zone(plant.view()).sections


def test_an_indicator_last_heard_with_a_trace_keeps_the_suspicion_but_locates_nothing() -> None:
    plant = Plant(build(replace(line_of_four(), links=tuple(
        replace(link, indicator=link.name != "r") for link in line_of_four().links
    ))))  # fmt: skip
    plant.fault("b")
    for name, closed in (("1", False), ("2", False), ("r", True)):
        plant.operate(switch(name), closed=closed)
    view = plant.view()
    row = view.snapshot.table.row[PointKey(kind=PointKind.FAULT_INDICATOR, element=switch("1"))]
    quality = view.snapshot.quality.copy()
    quality[row] = int(Quality.STALE)
    view = replace(view, snapshot=replace(view.snapshot, quality=quality))
    assert section("b") in zone(view).sections


def test_a_section_with_voltage_is_not_suspected_by_an_old_indicator() -> None:
    plant = line()
    plant.passed = {switch("r"), switch("1")}
    assert zone(plant.view()).sections == frozenset()


def test_two_faults_under_two_devices_are_located_apart() -> None:
    plant = laterals()
    plant.fault("d")
    assert plant.locked_out == {switch("3")}
    assert names(zone(plant.view())) == "d"
    plant.fault("c")
    assert plant.locked_out == {switch("3"), switch("r")}
    assert {section("c"), section("d")} <= zone(plant.view()).sections


def test_an_abnormal_feeding_is_followed_as_it_is_now() -> None:
    # c is fed over the tie from s1 with 2 open; s1 has no recloser, so the tie is made one. The fault in c trips it.
    links = tuple(
        replace(link, kind=SwitchKind.RECLOSER) if link.name == "t" else link for link in line_of_four().links
    )
    plant = Plant(build(replace(line_of_four(), links=links)))
    plant.operate(switch("2"), closed=False)
    plant.operate(switch("t"), closed=True)
    plant.fault("c")
    assert plant.locked_out == {switch("t")}
    assert names(zone(plant.view())) == "c"


def test_points_too_old_are_missing() -> None:
    plant = line()
    plant.fault("b")
    view = plant.view()
    old = replace(view, snapshot=replace(view.snapshot, age_s=np.full_like(view.snapshot.age_s, 11.0)))
    # Lockout is not known any more, but the latched indicators keep every dead section suspected.
    assert {section("a"), section("b")} <= zone(old).sections


def test_a_section_with_measured_voltage_is_neither_suspected_nor_dead_whatever_the_switches_say() -> None:
    plant = line()
    plant.fault("b")
    base = plant.arrays.model.buses[0].v_base_v
    assert names(zone(plant.view())) == "b"
    for where in ("b", "a", "d"):  # all joined by closed switches
        key = PointKey(kind=PointKind.V_MAGNITUDE, element=where, phase=1)
        found = zone(with_points(plant.view(), {key: base}))
        assert (found.sections, found.area) == (frozenset(), frozenset()), where
        assert names(zone(with_points(plant.view(), {key: 0.09 * base}))) == "b"
        assert names(zone(with_points(plant.view(), {key: base}, age_s=11.0))) == "b"
