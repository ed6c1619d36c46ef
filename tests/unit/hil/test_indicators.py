from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adms.client import InputError
from hil.engine import LoadRecord
from hil.plant.circuit import build_circuit
from hil.plant.fault_plan import Fault, FaultStage
from hil.plant.incident_plan import IncidentPlan
from hil.plant.indicator_plan import read_indicators, read_last_gasps
from hil.plant.indicators import Indicators, IndicatorSettings, LastGasps, LastGaspSettings, Passage
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import small_feeder, steady_scenario

SETTINGS = IndicatorSettings(rise_a=250.0, min_a=400.0)


def passage(*amperes: float, angle_deg: float = -60.0) -> Passage:
    """Currents at an angle to voltages of 2400 V."""
    turn = np.exp(-2j * np.pi / 3 * np.arange(len(amperes)))
    i_a = np.array(amperes) * turn * np.exp(1j * np.radians(angle_deg))
    return Passage(i_a=i_a.astype(np.complex128), v_v=(2400.0 * turn).astype(np.complex128))


def latched(
    settings: IndicatorSettings, *amperes: float, load_a: float = 100.0, angle_deg: float = -60.0
) -> Indicators:
    indicators = Indicators(["s"], settings=settings, seed=1)
    indicators.quiet({"s": passage(load_a, load_a, load_a)}, now=0.0)
    indicators.faulted({"s": passage(*amperes, angle_deg=angle_deg)}, faults=["f"], now=1.0)
    return indicators


def test_it_latches_on_a_rise_that_is_large_enough_and_on_nothing_less() -> None:
    assert latched(SETTINGS, 100.0, 450.0, 100.0).reported == {"s": True}
    assert latched(SETTINGS, 100.0, 390.0, 100.0).reported == {"s": False}  # rises by 290 A, but to less than 400 A
    assert latched(SETTINGS, 300.0, 500.0, 300.0, load_a=300.0).reported == {"s": False}  # above 400 A, but by 200 A


@pytest.mark.parametrize(("angle_deg", "direction"), [(-60.0, 1), (-10.0, 1), (120.0, -1), (170.0, -1)])
def test_direction_is_that_of_the_faulted_phase_around_the_torque_angle(angle_deg: float, direction: int) -> None:
    # Characteristic angle 45 degrees lagging: forward from -135 to +45 degrees.
    settings = replace(SETTINGS, torque_angle_deg=45.0)
    for faulted in range(3):
        amperes = [900.0 if phase == faulted else 100.0 for phase in range(3)]
        assert latched(settings, *amperes, angle_deg=angle_deg).direction("s") == direction


def test_without_a_torque_angle_no_direction_is_told() -> None:
    assert latched(SETTINGS, 100.0, 900.0, 100.0).direction("s") == 0


def test_the_message_comes_after_its_delay() -> None:
    indicators = latched(replace(SETTINGS, delay_s=3.0), 900.0, 900.0, 900.0)
    seen = [indicators.reported["s"]]
    for now in (3.9, 4.0):
        indicators.disturbed(now=now)
        seen.append(indicators.reported["s"])
    assert seen == [False, False, True]


def test_it_resets_by_time() -> None:
    indicators = latched(replace(SETTINGS, reset_after_s=100.0), 900.0, 900.0, 900.0)
    seen = []
    for now in (100.9, 101.0):
        indicators.quiet({}, now=now)
        seen.append(indicators.reported["s"])
    assert seen == [True, False]


def test_it_resets_by_load_that_has_returned_for_long_enough() -> None:
    indicators = latched(replace(SETTINGS, reset_load_a=10.0, reset_load_for_s=30.0), 900.0, 900.0, 900.0)
    seen = []
    for now, load_a in ((2.0, 0.0), (50.0, 80.0), (79.9, 80.0), (80.0, 80.0)):
        indicators.quiet({"s": passage(load_a, load_a, load_a)}, now=now)
        seen.append(indicators.reported["s"])
    assert seen == [True, True, True, False]


def test_missing_and_false_indications_come_at_their_rates() -> None:
    """400 devices and 5 faults: 2,000 draws. 3 sigma of a share of 0.1 in 1,000 are 0.028."""
    devices = [f"s{k}" for k in range(400)]
    settings = replace(SETTINGS, missing_frac=0.1, false_frac=0.1, reset_after_s=1.0)
    indicators = Indicators(devices, settings=settings, seed=7)
    passed, past = dict.fromkeys(devices[:200], passage(900.0)), dict.fromkeys(devices[200:], passage(50.0))
    seen = unseen = 0
    for k in range(5):
        now = 10.0 * k
        indicators.quiet(dict.fromkeys(devices, passage(50.0)), now=now)
        told = {device for device, _ in indicators.faulted(passed | past, faults=[f"f{k}"], now=now + 1.0)}
        seen += len(told & set(devices[:200]))
        unseen += len(told & set(devices[200:]))
        indicators.quiet({}, now=now + 5.0)
    # Passed: seen, or missed (0.1) and latched by mistake all the same (0.1): 0.91. Not passed: 0.1.
    assert seen / 1000 == pytest.approx(0.91, abs=0.028)
    assert unseen / 1000 == pytest.approx(0.10, abs=0.028)


def test_another_device_or_fault_changes_no_draw() -> None:
    settings = replace(SETTINGS, missing_frac=0.5, false_frac=0.5)

    def told(devices: Sequence[str], faults: Sequence[str]) -> dict[str, bool]:
        indicators = Indicators(devices, settings=settings, seed=3)
        indicators.quiet(dict.fromkeys(devices, passage(50.0)), now=0.0)
        for k, fault in enumerate(faults):
            indicators.faulted(dict.fromkeys(devices, passage(50.0)), faults=[fault], now=float(k + 1))
        return dict(indicators.reported)

    few, names = told(["a", "b", "c"], ["f"]), [f"n{k}" for k in range(50)]
    more = told([*names, "a", "b", "c"], ["f"])
    assert {device: more[device] for device in few} == few
    assert len(set(more.values())) == 2
    after_another = told(["a", "b", "c"], ["g", "f"])
    assert all(after_another[device] for device, latched_on_f in few.items() if latched_on_f)


def test_a_device_keeps_its_draw_while_the_fault_is_reclosed_onto() -> None:
    settings = replace(SETTINGS, missing_frac=1.0)
    indicators = latched(settings, 900.0, 900.0, 900.0)
    indicators.faulted({"s": passage(900.0, 900.0, 900.0)}, faults=["f"], now=3.0)
    assert indicators.reported == {"s": False}


def test_on_the_feeder_indicators_say_forward_up_to_the_fault_and_reset_when_load_returns(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    stage = FaultStage(kind="LG", phases=(2,), r_fault_ohm=0.05)
    fault = Fault(name="f", line="line.b", at_frac=0.5, stages=(stage,), time_s=10.0, clears_after_dead_s=0.5)
    circuit = build_circuit(deck, overlay=overlay, faults=[fault])
    settings = replace(SETTINGS, torque_angle_deg=45.0, delay_s=1.0, reset_load_a=10.0, reset_load_for_s=20.0)
    plant = Plant(
        circuit,
        scenario=steady_scenario(),
        seed=1,
        coordinates={"head": (0.0, 0.0)},
        fault=None,
        incidents=IncidentPlan(indicators=settings),
    )
    seen, directions = [], []
    for time_s in (10.5, 11.5, 30.0, 34.0):
        plant.advance(time_s)
        seen.append(dict(plant.indicators))
        directions.append(plant.incidents.indicators.direction("switch.ab"))
    # Latched at 10.0, told at 11.0. The reclosing at 12.2 brings load back; 20 s later they are reset.
    on = {"switch.breaker": True, "switch.ab": True, "switch.bc": False}
    off = dict.fromkeys(on, False)
    assert seen == [off, on, on, off]
    assert directions == [0, 1, 1, 0]


# ---- last gasps ---------------------------------------------------------------------------------------------------

GASPS = LastGaspSettings(through_frac=1.0, after_s=10.0, delay_min_s=2.0, delay_max_s=6.0)


def loads(count: int) -> list[LoadRecord]:
    return [LoadRecord(name=f"load.{k}", bus="b", phases=(1,), p_w=1e3, q_var=0.0) for k in range(count)]


def heard(settings: LastGaspSettings, *, count: int, dark_s: float, seed: int = 1) -> LastGasps:
    gasps = LastGasps(loads(count), settings=settings, seed=seed)
    for now in np.arange(0.0, 60.0, 0.5):
        gasps.step(now=float(now), live=np.full(count, not 5.0 <= now < 5.0 + dark_s))
    return gasps


def test_an_outage_shorter_than_the_meters_wait_is_not_told() -> None:
    assert heard(GASPS, count=20, dark_s=9.5).arrived == []


def test_every_meter_tells_once_within_its_delay() -> None:
    found = heard(GASPS, count=200, dark_s=40.0).arrived
    assert {gasp.load for gasp in found} == {load.name for load in loads(200)}
    assert len(found) == 200
    assert {gasp.lost_at_s for gasp in found} == {5.0}
    # Told 10 s after the loss, 2 to 6 s under way.
    assert all(17.0 <= gasp.arrives_at_s <= 21.0 for gasp in found)
    assert [gasp.arrives_at_s for gasp in found] == sorted(gasp.arrives_at_s for gasp in found)


def test_only_the_stated_share_gets_through() -> None:
    # 3 sigma of a share of 0.6 in 1,000: 0.046.
    found = heard(replace(GASPS, through_frac=0.6), count=1000, dark_s=40.0).arrived
    assert len(found) / 1000 == pytest.approx(0.6, abs=0.046)


def test_more_meters_change_nothing_for_the_others() -> None:
    few = heard(replace(GASPS, through_frac=0.5), count=10, dark_s=40.0).arrived
    many = heard(replace(GASPS, through_frac=0.5), count=60, dark_s=40.0).arrived
    names = {load.name for load in loads(10)}
    assert [gasp for gasp in many if gasp.load in names] == few


def test_on_the_feeder_a_lockout_is_told_by_the_meters_behind_it(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    stage = FaultStage(kind="LLLG", phases=(1, 2, 3), r_fault_ohm=0.05)
    fault = Fault(name="f", line="line.b", at_frac=0.5, stages=(stage,), time_s=10.0)
    circuit = build_circuit(deck, overlay=overlay, faults=[fault])
    plan = IncidentPlan(last_gasps=GASPS)
    plant = Plant(
        circuit, scenario=steady_scenario(), seed=1, coordinates={"head": (0.0, 0.0)}, fault=None, incidents=plan
    )
    plant.advance(60.0)
    gasps = plant.incidents.last_gasps
    assert gasps is not None
    # Dead from 10.2, 12.4 and for good from 17.6: the waits of 2 s and 5 s are too short to be told, the last is not.
    assert {gasp.load for gasp in gasps.arrived} == {"load.a", "load.b", "load.c"}
    assert {gasp.lost_at_s for gasp in gasps.arrived} == {17.6}


# ---- records ------------------------------------------------------------------------------------------------------


def test_tables_become_settings_and_all_their_problems_are_told() -> None:
    table = {"rise_a": 250.0, "min_a": 400.0, "missing_frac": 0.02, "torque_angle_deg": 45.0}
    assert read_indicators(table) == replace(SETTINGS, missing_frac=0.02, torque_angle_deg=45.0)
    with pytest.raises(InputError) as refused:
        read_indicators({"rise_a": -1.0, "false_frac": 2.0, "colour": "red", "reset_load_for_s": 3.0})
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"rise_a", "min_a", "false_frac", "colour", "reset_load_for_s"}
    assert read_last_gasps({"through_frac": 1.0, "after_s": 10.0, "delay_min_s": 2.0, "delay_max_s": 6.0}) == GASPS
    with pytest.raises(InputError) as refused:
        read_last_gasps({"through_frac": 1.0, "after_s": 10.0, "delay_min_s": 7.0, "delay_max_s": 6.0})
    assert [problem.field for problem in refused.value.problems] == ["delay_max_s"]
