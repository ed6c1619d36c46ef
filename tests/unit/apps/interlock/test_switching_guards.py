"""Every switching guard holds for a proposal that is right, and refuses one that breaks its invariant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adms.apps.interlock import GUARDS, Severity, Verdict, check
from adms.apps.view import Operation, RoundView, Tag, TagKind
from adms.core.commands import App, Command, Priority, Proposal, SwitchSetpoint
from adms.core.ids import BusId, CommandId, ElementId, PlanId, SnapshotId
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, PointKind, ProtectionEvent
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, NetworkModel, SwitchKind, TapChanger
from tests.unit.apps.flisr.networks import Feeder, build, line_of_four, switch
from tests.unit.apps.flisr.plants import START, Plant, with_points
from tests.unit.apps.interlock_policy import INTERLOCK


def ask(view: RoundView, name: str, *, closed: bool, app: App = App.FLISR, plan: str | None = None) -> Verdict:
    proposal = Proposal(
        device=switch(name),
        setpoint=SwitchSetpoint(closed=closed),
        app=app,
        priority=Priority.FLISR,
        plan_id=None if plan is None else PlanId(plan),
        step=0,
        reason="test",
    )
    return check(view, proposal, policy=INTERLOCK)


def refused(verdict: Verdict) -> set[str]:
    return {violation.guard for violation in verdict.violations}


def faulted(name: str, feeder: Feeder | None = None) -> Plant:
    plant = Plant(build(feeder or line_of_four()))
    plant.fault(name)
    return plant


def of_kind(name: str, kind: SwitchKind) -> Feeder:
    feeder = line_of_four()
    return replace(feeder, links=tuple(replace(k, kind=kind) if k.name == name else k for k in feeder.links))


def tag(name: str, kind: TagKind) -> Tag:
    return Tag(tag_id="1", device=switch(name), kind=kind, holder="crew 7", reason="work", placed=START)


def isolated() -> Plant:
    """Fault in b, isolated; a can be restored by R, c and d by the tie."""
    plant = faulted("b")
    plant.operate(switch("1"), closed=False)
    plant.operate(switch("2"), closed=False)
    plant.wait()
    return plant


def test_right_steps_hold_every_guard() -> None:
    plant = isolated()
    closing = {guard.id for guard in GUARDS if guard.id[:2] in ("X1", "SW")} - {"SW23"}
    for name in ("r", "t"):
        verdict = ask(plant.view(), name, closed=True)
        assert verdict.violations == ()
        assert set(verdict.held) == closing
    verdict = ask(faulted("b").view(), "1", closed=False)
    assert verdict.violations == ()
    assert "SW23" in verdict.held


def test_sw1_refuses_closing_at_a_suspected_section_whoever_asks() -> None:
    plant = isolated()
    for app in (App.FLISR, App.OPERATOR):
        assert "SW1" in refused(ask(plant.view(), "1", closed=True, app=app))
        assert "SW1" in refused(ask(plant.view(), "2", closed=True, app=app))


def test_sw1_refuses_while_a_boundary_of_the_zone_is_closed_or_not_confirmed_open() -> None:
    plant = faulted("b")
    assert "SW1" in refused(ask(plant.view(), "r", closed=True))
    plant.operate(switch("1"), closed=False)
    assert "SW1" not in refused(ask(plant.view(), "r", closed=True))
    plant.lost = {switch("1")}
    assert "SW1" in refused(ask(plant.view(), "r", closed=True))


def test_sw2_waits_for_lockout_and_takes_the_timer_or_a_commanded_opening_for_it() -> None:
    feeder = replace(
        line_of_four(),
        links=tuple(replace(k, reclose_shots=2) if k.name == "r" else k for k in line_of_four().links),
    )
    plant = faulted("b", feeder)
    assert "SW2" not in refused(ask(plant.view(), "1", closed=False))
    plant.locked_out.clear()
    assert "SW2" in refused(ask(plant.view(), "1", closed=False))
    assert "SW2" not in refused(ask(plant.view(), "1", closed=False, app=App.OPERATOR))
    view = plant.view()
    trip = ProtectionEvent(element=switch("r"), time=view.now - timedelta(seconds=61.0), text="trip")
    late = replace(view, snapshot=replace(view.snapshot, events=(trip,)))
    assert "SW2" not in refused(ask(late, "1", closed=False))
    early = replace(trip, time=view.now - timedelta(seconds=59.0))
    assert "SW2" in refused(ask(replace(view, snapshot=replace(view.snapshot, events=(early,))), "1", closed=False))
    plant.history[switch("r")] = (
        Operation(time=plant.now, setpoint=SwitchSetpoint(closed=False), previous=SwitchSetpoint(closed=True)),
    )
    assert "SW2" not in refused(ask(plant.view(), "1", closed=False))


def test_sw2_believes_no_lockout_flag_while_a_closed_device_says_that_it_is_locked_out() -> None:
    """All flags set by a broken station: R is between two shots, and its own flag says nothing."""
    links = tuple(
        replace(k, reclose_shots=2) if k.name == "r" else replace(k, kind=SwitchKind.RECLOSER) if k.name == "3" else k
        for k in line_of_four().links
    )
    plant = faulted("b", replace(line_of_four(), links=links))
    assert "SW2" not in refused(ask(plant.view(), "1", closed=False))
    plant.locked_out.add(switch("3"))
    assert "SW2" in refused(ask(plant.view(), "1", closed=False))
    # The timer still tells.
    view = plant.view()
    trip = ProtectionEvent(element=switch("r"), time=view.now - timedelta(seconds=61.0), text="trip")
    assert "SW2" not in refused(ask(replace(view, snapshot=replace(view.snapshot, events=(trip,))), "1", closed=False))


@pytest.mark.parametrize(
    ("tagged", "kind", "device", "closed", "held"),
    [
        ("t", TagKind.HOLD, "t", True, False),
        ("1", TagKind.HOLD, "1", False, False),
        # Automation does not touch what people work under, opening included.
        ("1", TagKind.CLEARANCE, "1", False, False),
        ("t", TagKind.CLEARANCE, "t", True, False),
        # 3 bounds c and d, which the tie would energise.
        ("3", TagKind.CLEARANCE, "t", True, False),
        ("3", TagKind.HOLD, "t", True, False),
        ("3", TagKind.CLEARANCE, "r", True, True),
        ("3", TagKind.HOT_LINE, "t", True, True),
    ],
)
def test_sw3_honours_tags(tagged: str, kind: TagKind, device: str, closed: bool, held: bool) -> None:
    plant = isolated()
    plant.tags = (tag(tagged, kind),)
    assert ("SW3" not in refused(ask(plant.view(), device, closed=closed))) is held


def test_sw5_stops_flisr_and_reclosing_on_a_feeder_with_live_line_work() -> None:
    plant = isolated()
    plant.tags = (tag("3", TagKind.HOT_LINE),)
    assert "SW5" in refused(ask(plant.view(), "r", closed=True))
    assert "SW5" in refused(ask(plant.view(), "r", closed=True, app=App.OPERATOR))
    assert "SW5" in refused(ask(plant.view(), "3", closed=False))
    assert "SW5" not in refused(ask(plant.view(), "3", closed=False, app=App.OPERATOR))
    plant.tags = (tag("3", TagKind.CLEARANCE),)
    assert "SW5" in ask(plant.view(), "r", closed=True).held


def test_sw6_and_sw7_refuse_a_loop_and_a_parallel() -> None:
    plant = Plant(build(line_of_four()))
    verdict = ask(plant.view(), "t", closed=True)
    assert {"SW6", "SW7"} <= refused(verdict)
    refusal = verdict.refusal(permissions=frozenset({"SW6", "SW7"}))
    assert refusal is None
    assert verdict.refusal(permissions=frozenset({"SW6"})) is not None


def test_sw6_counts_a_position_that_is_not_confirmed_as_closed() -> None:
    plant = isolated()
    plant.lost = {switch("2")}
    plant.faults.clear()
    # c and d might hang together with b and a; the tie alone is still the only source.
    assert "SW6" not in refused(ask(plant.view(), "t", closed=True))
    plant.operate(switch("r"), closed=True)
    plant.operate(switch("1"), closed=True)
    assert "SW7" in refused(ask(plant.view(), "t", closed=True))


def test_sw8_refuses_a_one_phase_tie_for_a_three_phase_section() -> None:
    feeder = line_of_four(phases=(1, 2, 3))
    one = replace(feeder, links=tuple(replace(k, phases=(1,)) if k.name == "t" else k for k in feeder.links))
    plant = faulted("b", one)
    plant.operate(switch("2"), closed=False)
    assert "SW8" in refused(ask(plant.view(), "t", closed=True))
    plant = faulted("b", feeder)
    plant.operate(switch("2"), closed=False)
    assert "SW8" in ask(plant.view(), "t", closed=True).held


def test_sw8_refuses_different_nominal_voltages() -> None:
    arrays = build(line_of_four())
    buses = tuple(replace(bus, v_base_v=7200.0) if bus.id == "s1" else bus for bus in arrays.model.buses)
    plant = Plant(NetworkArrays(replace(arrays.model, buses=buses), version=arrays.version))
    plant.fault("b")
    plant.operate(switch("2"), closed=False)
    assert "SW8" in refused(ask(plant.view(estimate=False), "t", closed=True))


def test_sw9_lets_an_isolator_move_only_when_dead() -> None:
    feeder = of_kind("2", SwitchKind.ISOLATOR)
    healthy = Plant(build(feeder))
    assert "SW9" in refused(ask(healthy.view(), "2", closed=False))
    assert "SW9" in ask(faulted("b", feeder).view(), "2", closed=False).held
    assert "SW9" in refused(ask(faulted("b", of_kind("2", SwitchKind.FUSE)).view(), "2", closed=False))


def test_sw16_wants_a_device_that_is_held_known_healthy_and_remote() -> None:
    plant = faulted("b")
    view = plant.view()
    assert "SW16" in ask(view, "1", closed=False).held
    assert "SW16" in refused(ask(replace(view, controllable=frozenset()), "1", closed=False))
    assert "SW16" in refused(ask(replace(view, unknown_positions=frozenset({switch("1")})), "1", closed=False))
    assert "SW16" in refused(ask(replace(view, failed_devices={switch("1"): "stuck"}), "1", closed=False))
    by_hand = replace(line_of_four(), links=tuple(replace(k, remote=k.name != "1") for k in line_of_four().links))
    hand = faulted("b", by_hand).view()
    assert "SW16" in refused(ask(replace(hand, controllable=frozenset({switch("1")})), "1", closed=False))


def test_sw17_refuses_a_second_command_to_a_device() -> None:
    plant = faulted("b")
    command = Command(
        command_id=CommandId("c1"), device=switch("1"), setpoint=SwitchSetpoint(closed=False), app=App.FLISR, epoch=1,
        sequence=1, issue_time=START, expiry=START, plan_id=None, step=0, reason="", snapshot_id=SnapshotId("s"),
        guards=(),
    )  # fmt: skip
    plant.outstanding = {switch("1"): command}
    assert "SW17" in refused(ask(plant.view(), "1", closed=False))
    assert "SW17" in ask(plant.view(), "2", closed=False).held


def test_a_close_that_is_under_way_counts_as_closed() -> None:
    plant = isolated()
    plant.outstanding = {
        switch("2"): Command(
            command_id=CommandId("c1"), device=switch("2"), setpoint=SwitchSetpoint(closed=True), app=App.OPERATOR,
            epoch=1, sequence=1, issue_time=START, expiry=START, plan_id=None, step=0, reason="",
            snapshot_id=SnapshotId("s"), guards=(),
        )
    }  # fmt: skip
    assert "SW1" in refused(ask(plant.view(), "t", closed=True))


def test_sw19_wants_the_position_read_after_the_last_operation() -> None:
    plant = isolated()
    plant.operate(switch("t"), closed=False)
    # Operated in this very instant: the position in the snapshot is not from after it.
    assert "SW19" in refused(ask(plant.view(), "t", closed=True))
    plant.wait()
    assert "SW19" in ask(plant.view(), "t", closed=True).held


def test_sw21_limits_operations_in_a_day() -> None:
    plant = faulted("b")
    operation = Operation(time=START, setpoint=SwitchSetpoint(closed=True), previous=None)
    plant.wait()
    plant.history[switch("1")] = (operation,) * 20
    assert "SW21" in refused(ask(plant.view(), "1", closed=False))
    plant.history[switch("1")] = (operation,) * 19
    assert "SW21" in ask(plant.view(), "1", closed=False).held
    plant.history[switch("1")] = (replace(operation, time=START - timedelta(hours=25)),) * 20
    assert "SW21" in ask(plant.view(), "1", closed=False).held


@pytest.mark.parametrize(
    ("system", "device", "approved", "held"),
    [
        (Mode.CONTROL, Mode.CONTROL, False, True),
        (Mode.CONTROL, Mode.OBSERVE, True, False),
        (Mode.CONTROL, Mode.ADVISE, False, False),
        (Mode.ADVISE, Mode.CONTROL, False, False),
        (Mode.ADVISE, Mode.CONTROL, True, True),
        (Mode.OBSERVE, Mode.CONTROL, True, False),
    ],
)
def test_sw22_takes_the_minimum_of_the_modes(system: Mode, device: Mode, approved: bool, held: bool) -> None:
    plant = faulted("b")
    plant.mode = system
    plant.device_modes = {switch("1"): device}
    plant.approved = {PlanId("p")} if approved else set()
    assert ("SW22" not in refused(ask(plant.view(), "1", closed=False, plan="p"))) is held


def test_sw22_refuses_a_step_of_an_aborted_plan() -> None:
    plant = faulted("b")
    plant.aborted = {PlanId("p")}
    assert "SW22" in refused(ask(plant.view(), "1", closed=False, plan="p"))


def test_sw23_refuses_taking_energised_customers_off() -> None:
    assert "SW23" in refused(ask(Plant(build(line_of_four())).view(), "2", closed=False))
    assert "SW23" in ask(faulted("b").view(), "2", closed=False).held


def with_regulator(*, v_set_v: float | None) -> NetworkModel:
    """The line of switch 3 made a regulator, fed from c normally and from d after the tie closes."""
    model = build(line_of_four()).model
    taps = TapChanger(
        terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=0, v_set_v=v_set_v
    )

    def changed(branch: Branch) -> Branch:
        return replace(branch, taps=taps) if branch.id == "line.3" else branch

    return replace(model, branches=tuple(changed(branch) for branch in model.branches))


@pytest.mark.parametrize(
    ("v_set_v", "remote", "held"), [(2400.0, False, False), (2400.0, True, True), (None, False, True)]
)
def test_sw24_lets_no_local_control_act_on_a_regulator_fed_backwards(
    v_set_v: float | None, remote: bool, held: bool
) -> None:
    plant = Plant(NetworkArrays(with_regulator(v_set_v=v_set_v), version=build(line_of_four()).version))
    plant.fault("b")
    plant.operate(switch("2"), closed=False)
    plant.wait()
    view = plant.view()
    if remote:
        view = replace(view, controllable=view.controllable | {ElementId("line.3")})
    assert ("SW24" not in refused(ask(view, "t", closed=True))) is held


def test_x0_refuses_what_is_not_a_switch() -> None:
    verdict = ask(Plant(build(line_of_four())).view(), "unheard_of", closed=False)
    assert refused(verdict) == {"X0"}
    assert verdict.violations[0].severity is Severity.HARD


def lying(*measured: str, v_pu: float = 1.0, age_s: float = 0.0) -> RoundView:
    """R says open, locked out and fault seen, all of it wrong; what is left to tell are voltage meters."""
    plant = Plant(build(line_of_four()))
    plant.grid = plant.grid.with_switch(switch("r"), closed=False)
    plant.locked_out = {switch("r")}
    base = {bus.id: bus.v_base_v for bus in plant.arrays.model.buses}
    points = {
        PointKey(kind=PointKind.V_MAGNITUDE, element=name, phase=1): v_pu * base[BusId(name)] for name in measured
    }
    return with_points(plant.view(), points, age_s=age_s)


def test_sw23_refuses_to_part_sections_in_which_a_voltage_is_read_that_the_switches_call_dead() -> None:
    assert "SW23" in ask(lying(), "1", closed=False).held
    for where in ("a", "b", "d"):
        assert "SW23" in refused(ask(lying(where), "1", closed=False)), where
    # An old reading, or none to speak of, tells nothing.
    assert "SW23" in ask(lying("b", age_s=11.0), "1", closed=False).held
    assert "SW23" in ask(lying("b", v_pu=0.09), "1", closed=False).held


def test_sw23_lets_a_switch_open_behind_which_the_other_end_keeps_the_supply() -> None:
    """The voltage of c and d is accounted for by the tie; a and b are dead and read nothing."""
    plant = isolated()
    plant.operate(switch("t"), closed=True)
    base = plant.arrays.model.buses[0].v_base_v
    seen = with_points(plant.view(), {PointKey(kind=PointKind.V_MAGNITUDE, element="d", phase=1): base})
    assert "SW23" in ask(seen, "2", closed=False).held


def test_sw7_does_not_parallel_what_is_measured_alive() -> None:
    assert "SW7" in ask(lying(), "t", closed=True).held
    assert "SW7" in refused(ask(lying("d"), "t", closed=True))
    # The reading is in a; c and d hang on it by closed switches.
    assert "SW7" in refused(ask(lying("a"), "t", closed=True))
