"""FLISR round by round against a plant that trips, locks out, sticks and lies. Expected steps are by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adms.apps.flisr import FlisrState, decide
from adms.apps.view import Decision, Operation, Tag, TagKind
from adms.core.commands import App, SwitchSetpoint
from adms.core.ids import ElementId
from adms.core.modes import Mode
from adms.core.plans import Plan, PlanStatus
from adms.grid.model import SwitchKind
from tests.unit.apps.flisr.networks import Feeder, Link, build, line_of_four, switch
from tests.unit.apps.flisr.plants import POLICY, START, Plant


class Rounds:
    """Runs the app against a plant."""

    def __init__(self, feeder: Feeder | None = None) -> None:
        self.plant = Plant(build(feeder or line_of_four()))
        self.state = FlisrState.initial()
        self.operated: list[tuple[str, bool]] = []
        self.tripped: list[ElementId] = []
        self.last: Decision[FlisrState] | None = None

    def quiet(self, rounds: int = 8) -> "Rounds":
        for _ in range(rounds):
            decision = self.one()
            assert decision.proposals == ()
            assert decision.plans == ()
        return self

    def one(self, *, execute: bool = True) -> Decision[FlisrState]:
        decision = decide(self.plant.view(), state=self.state, policy=POLICY)
        self.state, self.last = decision.state, decision
        assert len(decision.proposals) <= 1
        for proposal in decision.proposals if execute else ():
            assert isinstance(proposal.setpoint, SwitchSetpoint)
            self.operated.append((proposal.device.removeprefix("switch."), proposal.setpoint.closed))
            self.tripped += self.plant.operate(proposal.device, closed=proposal.setpoint.closed)
        self.plant.wait()
        return decision

    def run(self, rounds: int = 12) -> list[tuple[str, bool]]:
        for _ in range(rounds):
            self.one()
        return self.operated

    def dead(self) -> set[str]:
        return {s.removeprefix("section.") for s in set(self.plant.graph.sections) - self.plant.live()}


def of(decision: Decision[FlisrState]) -> Plan:
    return decision.plans[-1].plan


@pytest.mark.parametrize("phases", [(1,), (1, 2, 3)])
@pytest.mark.parametrize(
    ("faulted", "steps"),
    [
        ("a", [("1", False), ("t", True)]),  # behind the head device: nothing upstream to restore
        ("b", [("1", False), ("2", False), ("r", True), ("t", True)]),
        ("d", [("3", False), ("r", True)]),  # at the end: nothing downstream
    ],
)
def test_a_fault_is_isolated_and_the_rest_restored_opens_first(
    faulted: str, steps: list[tuple[str, bool]], phases: tuple[int, ...]
) -> None:
    rounds = Rounds(line_of_four(phases=phases)).quiet()
    rounds.plant.fault(faulted)
    assert rounds.run() == steps
    assert rounds.tripped == []
    assert rounds.dead() == {faulted}


def test_the_plan_says_what_it_expects_and_names_the_guards_of_each_step() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    plan = of(rounds.one())
    predicted = dict(plan.predicted)
    assert predicted["restored_load_w"] == 300e3
    assert predicted["restored_customers"] == 60.0
    assert predicted["unrestored_load_w"] == 0.0
    assert predicted["isolated_load_w"] == 100e3
    assert all("SW22" in step.checks for step in plan.steps)
    assert all(
        {"SW1", "SW7", "SW10", "SW11"} <= set(step.checks)
        for step in plan.steps
        if step.setpoint == SwitchSetpoint(closed=True)
    )
    assert plan.binding_limit == ""


def test_nothing_is_done_before_lockout_is_known() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.locked_out.clear()
    decision = rounds.one()
    assert decision.proposals == ()
    assert decision.plans == ()
    assert any("may still reclose" in note for note in decision.notes)
    rounds.plant.locked_out.add(switch("r"))
    assert rounds.one().proposals[0].device == switch("1")


def test_a_trip_that_recloses_by_itself_leaves_no_plan() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.locked_out.clear()
    rounds.one()
    rounds.plant.faults.clear()
    rounds.plant.grid = rounds.plant.grid.with_switch(switch("r"), closed=True)
    rounds.quiet()


def test_a_lateral_of_its_own_recloser_is_left_off_and_the_rest_never_blinks() -> None:
    feeder = line_of_four()
    lateral = Link(name="x", fr="b", to="x", kind=SwitchKind.RECLOSER)
    rounds = Rounds(replace(feeder, links=(*feeder.links, lateral), loads_w={**feeder.loads_w, "x": 50e3})).quiet()
    rounds.plant.fault("x")
    assert rounds.run() == []
    assert rounds.dead() == {"x"}


def test_a_lateral_without_device_is_isolated_at_the_next_switches() -> None:
    feeder = line_of_four()
    stub = Link(name="x", fr="b", to="x", indicator=False)
    rounds = Rounds(replace(feeder, links=(*feeder.links, stub), loads_w={**feeder.loads_w, "x": 50e3})).quiet()
    rounds.plant.fault("x")
    assert rounds.run() == [("1", False), ("2", False), ("r", True), ("t", True)]
    assert rounds.dead() == {"b", "x"}


def test_observe_makes_no_plan() -> None:
    rounds = Rounds().quiet()
    rounds.plant.mode = Mode.OBSERVE
    rounds.plant.fault("b")
    decision = rounds.one()
    assert (decision.proposals, decision.plans) == ((), ())
    assert any("OBSERVE" in note for note in decision.notes)


def test_advise_waits_for_approval_and_then_executes() -> None:
    rounds = Rounds().quiet()
    rounds.plant.mode = Mode.ADVISE
    rounds.plant.fault("b")
    decision = rounds.one()
    assert decision.plans[-1].status is PlanStatus.PROPOSED
    assert rounds.run(5) == []
    rounds.plant.approved = {of(decision).plan_id}
    assert rounds.one().plans[-1].status is PlanStatus.EXECUTING
    assert rounds.run() == [("1", False), ("2", False), ("r", True), ("t", True)]
    assert rounds.dead() == {"b"}


def test_an_aborted_plan_stops_and_is_not_made_again() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    plan = of(rounds.one())
    rounds.one()
    rounds.plant.aborted = {plan.plan_id}
    decision = rounds.one()
    assert decision.plans[-1].status is PlanStatus.ABORTED
    assert rounds.run(5) == [("1", False), ("2", False)]


def test_a_station_without_word_hands_its_task_to_the_next_switch() -> None:
    rounds = Rounds().quiet()
    rounds.plant.lost = {switch("1")}
    rounds.plant.fault("b")
    # Switch 1 cannot be opened and its indicator is missing: a and b stay dead, R stays open.
    assert rounds.run() == [("2", False), ("t", True)]
    assert rounds.dead() == {"a", "b"}


def test_a_switch_that_sticks_is_left_out_of_the_next_plan() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.stuck = {switch("2")}
    statuses = []
    for _ in range(40):
        statuses += [progress.status for progress in rounds.one().plans]
    assert PlanStatus.ABORTED in statuses
    # Without 2, c joins the block; 3 isolates it, and d is restored from the tie.
    assert [step for step in rounds.operated if step[0] != "2"] == [
        ("1", False),
        ("3", False),
        ("r", True),
        ("t", True),
    ]
    assert rounds.dead() == {"b", "c"}
    assert rounds.tripped == []


def test_a_switch_that_failed_a_step_is_used_again_after_the_block() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("a")
    rounds.plant.stuck = {switch("t")}
    rounds.run(40)
    assert rounds.dead() == {"a", "b", "c", "d"}
    assert set(rounds.state.excluded) == {switch("t")}
    # Somebody frees it: it is tried again once it has been left alone for long enough, and not before.
    rounds.plant.stuck = set()
    rounds.operated.clear()
    assert rounds.run() == []
    rounds.plant.wait(POLICY.trial_block_s)
    assert rounds.run() == [("t", True)]
    assert rounds.dead() == {"a"}


def test_a_close_is_proved_again_just_before_it() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    assert rounds.run(3) == [("1", False), ("2", False), ("r", True)]
    record = rounds.state.loads
    assert record is not None
    # What the dead part drew is now said to be 24 times as much: the tie cannot carry that.
    heavier = replace(record, s_nominal_va=record.s_nominal_va * 24.0)
    rounds.state = replace(rounds.state, loads=heavier)
    decision = rounds.one()
    (ended, *_) = decision.plans
    assert ended.status is PlanStatus.ABORTED
    assert ended.text.startswith("SW11: ")
    assert all(proposal.device != switch("t") for proposal in decision.proposals)


def test_without_an_estimate_nothing_is_planned_and_the_reason_is_said() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    decision = decide(rounds.plant.view(estimate=False), state=rounds.state, policy=POLICY)
    assert (decision.proposals, decision.plans) == ((), ())
    assert "X1: there is no estimate: test" in decision.notes
    assert rounds.run()[0] == ("1", False)


def test_a_device_reported_as_failed_is_left_out_at_once() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.failed = {switch("2"): "refused: LOCAL"}
    assert rounds.run() == [("1", False), ("3", False), ("r", True), ("t", True)]


def test_a_second_fault_while_restoring_stops_the_plan_and_makes_another() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    for _ in range(3):
        rounds.one()
    assert rounds.operated == [("1", False), ("2", False), ("r", True)]
    rounds.plant.fault("a")
    decision = rounds.one()
    # Whether r was closed onto a fault or met a new one, nobody can tell: the rest waits for an operator.
    assert [progress.status for progress in decision.plans] == [PlanStatus.ABORTED, PlanStatus.PROPOSED]
    assert "switch.r was closed and is open again" in decision.plans[0].text
    rounds.plant.approved = {of(decision).plan_id}
    rounds.run()
    assert rounds.dead() == {"a", "b"}
    assert rounds.tripped == []


def test_latched_indicators_that_cannot_tell_two_faults_apart_energise_neither() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("d")
    rounds.run()
    assert rounds.operated == [("3", False), ("r", True)]
    # 1 and 2 are latched from the first fault, so the second may be in a, b or c.
    rounds.plant.fault("b")
    rounds.run()
    assert rounds.tripped == []
    assert rounds.dead() == {"a", "b", "c", "d"}


def test_two_faults_under_two_devices_are_isolated_both() -> None:
    feeder = line_of_four()
    lateral = Link(name="x", fr="a", to="x", kind=SwitchKind.RECLOSER)
    more = Link(name="y", fr="x", to="y")
    rounds = Rounds(
        replace(feeder, links=(*feeder.links, lateral, more), loads_w={**feeder.loads_w, "x": 50e3, "y": 50e3})
    ).quiet()
    rounds.plant.fault("y", "b")
    rounds.run(20)
    assert rounds.tripped == []
    assert rounds.dead() == {"y", "b"}


def test_a_restart_in_the_middle_plans_the_rest_from_what_is_measured() -> None:
    for done in range(1, 4):
        rounds = Rounds().quiet()
        rounds.plant.fault("b")
        for _ in range(done):
            rounds.one()
        rounds.state = FlisrState.initial()
        rounds.run()
        assert rounds.operated == [("1", False), ("2", False), ("r", True), ("t", True)]
        assert rounds.dead() == {"b"}


def test_a_wrong_indicator_that_makes_it_close_onto_the_fault_is_tried_once() -> None:
    # Fault in c; indicator 2 wrongly at rest, consistently with a fault in b: nothing contradicts it.
    rounds = Rounds(
        replace(
            line_of_four(),
            links=tuple(replace(k, kind=SwitchKind.RECLOSER) if k.name == "t" else k for k in line_of_four().links),
        )
    ).quiet()
    rounds.plant.fault("c")
    rounds.plant.wrong = {switch("2")}
    rounds.run(30)
    assert rounds.operated.count(("t", True)) == 1
    assert rounds.tripped == [switch("t")]
    assert {"c"} <= rounds.dead()
    assert "a" not in rounds.dead()


def test_a_tie_that_cannot_carry_it_all_restores_a_part() -> None:
    # 100 kW at 2400 V and power factor 0.98 are 42.5 A: the tie carries d (50 A), not c and d.
    rounds = Rounds(line_of_four(tie_rating_a=50.0)).quiet()
    rounds.plant.fault("b")
    plan = of(rounds.one())
    rounds.run()
    assert [step for step in rounds.operated if step[0] == "3"] == [("3", False)]
    assert rounds.dead() == {"b", "c"}
    assert dict(plan.predicted)["unrestored_load_w"] == 100e3
    assert "SW10" in plan.binding_limit
    assert "line.t" in plan.binding_limit
    assert plan.rejected[0].summary.startswith("close switch.r, switch.t")


def test_no_feasible_tie_gives_upstream_only_or_nothing_with_the_reason() -> None:
    rounds = Rounds(line_of_four(tie_rating_a=10.0)).quiet()
    rounds.plant.fault("b")
    assert rounds.run() == [("1", False), ("2", False), ("r", True)]
    assert rounds.dead() == {"b", "c", "d"}
    assert any("line.t" in note for note in rounds.one().notes)
    rounds = Rounds(line_of_four(tie_rating_a=10.0)).quiet()
    rounds.plant.fault("a")
    assert rounds.run() == []
    assert any("SW10" in note for note in rounds.one().notes)


def test_cold_load_after_a_long_outage_is_more_load() -> None:
    # c and d draw 85 A before the outage, 127.5 A at 1.5 times: more than the tie carries in an emergency.
    rounds = Rounds(line_of_four(tie_rating_a=100.0)).quiet()
    rounds.plant.mode = Mode.OBSERVE
    rounds.plant.fault("b")
    rounds.one()
    rounds.plant.wait(3600.0)
    rounds.plant.mode = Mode.CONTROL
    decision = rounds.one()
    assert dict(of(decision).predicted)["cold_load_factor"] == 1.5
    rounds.run()
    assert rounds.dead() == {"b", "c"}


def test_a_clearance_keeps_its_sections_dead_and_the_rest_is_restored() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.tags = (
        Tag(tag_id="1", device=switch("t"), kind=TagKind.CLEARANCE, holder="crew", reason="work", placed=START),
    )
    assert rounds.run() == [("1", False), ("2", False), ("r", True)]


def test_a_hot_line_tag_switches_flisr_off() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.plant.tags = (
        Tag(tag_id="1", device=switch("3"), kind=TagKind.HOT_LINE, holder="crew", reason="work", placed=START),
    )
    assert rounds.run() == []


def test_what_an_operator_opened_stays_open() -> None:
    rounds = Rounds(
        Feeder(
            links=(
                Link(name="r", fr="s0", to="a", kind=SwitchKind.RECLOSER),
                Link(name="1", fr="a", to="b"),
                Link(name="x", fr="a", to="x"),
            ),
            sources=("s0",),
            loads_w=dict.fromkeys("abx", 50e3),
        )
    ).quiet()
    opened = Operation(
        time=rounds.plant.now,
        setpoint=SwitchSetpoint(closed=False),
        previous=SwitchSetpoint(closed=True),
        app=App.OPERATOR,
    )
    rounds.plant.grid = rounds.plant.grid.with_switch(switch("x"), closed=False)
    rounds.plant.history[switch("x")] = (opened,)
    rounds.plant.wait()
    rounds.plant.fault("b")
    assert rounds.run() == [("1", False), ("r", True)]
    assert rounds.dead() == {"b", "x"}


def test_a_one_phase_tie_is_no_way_for_a_three_phase_section() -> None:
    feeder = line_of_four(phases=(1, 2, 3))
    links = tuple(replace(k, phases=(1,)) if k.name == "t" else k for k in feeder.links)
    rounds = Rounds(replace(feeder, links=links)).quiet()
    rounds.plant.fault("b")
    assert rounds.run() == [("1", False), ("2", False), ("r", True)]
    assert any("all phases" in note for note in rounds.one().notes)


def test_a_one_phase_tie_restores_a_one_phase_section() -> None:
    feeder = line_of_four(phases=(1, 2, 3))
    links = tuple(replace(k, phases=(1,)) if k.name in ("t", "3") else k for k in feeder.links)
    rounds = Rounds(replace(feeder, links=links, section_phases={"d": (1,)})).quiet()
    rounds.plant.fault("c")
    assert rounds.run() == [("2", False), ("3", False), ("r", True), ("t", True)]
    assert rounds.dead() == {"c"}


def test_critical_customers_come_before_more_load() -> None:
    # Tie u reaches x, tie v reaches y; both sources together can hold one of them only on the shared feeder s1.
    feeder = Feeder(
        links=(
            Link(name="r", fr="s0", to="a", kind=SwitchKind.RECLOSER),
            Link(name="x", fr="a", to="x"),
            Link(name="y", fr="a", to="y"),
            Link(name="h", fr="s1", to="h"),
            Link(name="u", fr="h", to="x", normally_closed=False),
            Link(name="v", fr="h", to="y", normally_closed=False),
        ),
        sources=("s0", "s1"),
        loads_w={"a": 10e3, "x": 100e3, "y": 200e3, "h": 10e3},
        p_max_w={"s1": 250e3},
        critical=frozenset({"x"}),
    )
    rounds = Rounds(feeder).quiet()
    rounds.plant.fault("a")
    rounds.run()
    assert rounds.dead() == {"a", "y"}


def test_loads_of_the_moment_of_the_fault_are_not_taken_for_pre_fault_loads() -> None:
    rounds = Rounds().quiet(6)
    record = rounds.state.loads
    assert record is not None
    assert rounds.plant.now - record.time >= timedelta(seconds=POLICY.load_lag_s)
    rounds.plant.fault("b")
    rounds.run(6)
    assert rounds.state.loads is record
