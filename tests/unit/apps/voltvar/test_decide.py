"""Volt/VAR over time on the one-phase feeder: every behaviour as a table of rounds."""

from dataclasses import replace

import numpy as np
import pytest

from adms.apps.interlock import check
from adms.apps.view import Operation, Tag, TagKind
from adms.apps.voltvar import VoltVarState, decide
from adms.apps.voltvar.picture import Picture, picture_of
from adms.core.commands import App, CapacitorSetpoint, Command, PowerSetpoint, Priority, SwitchSetpoint, TapSetpoint
from adms.core.estimate import Grade, NotEstimated, SigmaSource
from adms.core.ids import CommandId, SnapshotId
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.grid.state import normal_state
from adms.powerflow.solve import PowerFlow, solve_power_flow
from tests.unit.apps.voltvar.feeder import (
    BATTERY,
    CAP_B,
    CAP_C,
    DEVICES,
    MIDDLE,
    PV,
    REG,
    START,
    TIE,
    arrays,
    later,
    loads,
    model,
    snapshot_of,
    view_of,
)
from tests.unit.apps.voltvar.play import Play
from tests.unit.apps.voltvar.policies import POLICY

NOTHING = VoltVarState.initial()


def magnitudes(play: Play) -> np.ndarray:
    picture = play.view().picture()
    assert picture is not None
    return np.abs(picture.v_phasor_pu)


def test_low_voltage_is_cured_within_the_tightened_limits() -> None:
    play = Play(net=arrays())
    assert magnitudes(play).min() < 0.92  # the case is a violation: 0.91 pu at c by the power flow
    play.run(120)
    # Normal limits 0.95 and 1.05, tightened by two sigma of 0.001 pu.
    assert magnitudes(play).min() >= 0.952
    assert magnitudes(play).max() <= 1.048
    assert PlanStatus.DONE in play.statuses


def test_a_second_step_at_rest_asks_for_nothing() -> None:
    play = Play(net=arrays())
    play.run(600)
    moves, plans = len(play.moves), len(play.statuses)
    play.run(600)
    assert (len(play.moves), len(play.statuses)) == (moves, plans)


def test_standing_targets_are_proposed_again_every_round() -> None:
    play = Play(net=arrays())
    play.run(300)
    first, second = play.round(), play.round()
    assert first.proposals == second.proposals != ()


def test_one_class_moves_at_a_time_and_the_next_waits_for_settling() -> None:
    play = Play(net=arrays())
    play.run(200)
    seconds = {kind: [t for t, _, s in play.moves if isinstance(s, kind)] for kind in (TapSetpoint, CapacitorSetpoint)}
    taps, caps = seconds[TapSetpoint], seconds[CapacitorSetpoint]
    assert taps
    assert caps
    assert min(abs(t - c) for t in taps for c in caps) >= POLICY.settle_s


def test_no_more_discrete_steps_in_a_plan_than_allowed() -> None:
    policy = replace(POLICY, moves_per_plan_max=2)
    decision = decide(view_of(arrays()), state=NOTHING, policy=policy)
    (progress,) = decision.plans
    steps = [s.setpoint for s in progress.plan.steps if not isinstance(s.setpoint, PowerSetpoint)]
    assert sum(abs(s.position if isinstance(s, TapSetpoint) else s.steps) for s in steps) <= 2  # type: ignore[union-attr]


def test_a_plan_says_gain_limit_and_rejected_alternatives() -> None:
    (progress,) = decide(view_of(arrays()), state=NOTHING, policy=POLICY).plans
    predicted = dict(progress.plan.predicted)
    assert predicted["losses_after_w"] < predicted["losses_before_w"]
    assert predicted["violation_after_pu"] < predicted["violation_before_pu"]
    assert "voltage limit at" in progress.plan.binding_limit
    assert progress.plan.rejected


GUARDS_OF = {
    TapSetpoint: ("X1", "SW3", "SW16", "SW17", "SW19", "SW22", "VV2", "VV3", "VV4", "VV6"),
    CapacitorSetpoint: ("X1", "SW3", "SW16", "SW17", "SW19", "SW22", "VV2", "VV3", "VV4", "VV5", "VV6"),
    PowerSetpoint: ("X1", "SW3", "SW16", "SW22", "DE1", "DE2", "DE3"),
}


def test_a_plan_names_the_guards_that_were_asked_and_held() -> None:
    (progress,) = decide(view_of(arrays()), state=NOTHING, policy=POLICY).plans
    assert progress.plan.steps
    for step in progress.plan.steps:
        assert step.checks == GUARDS_OF[type(step.setpoint)]


def test_what_a_guard_refuses_is_not_planned() -> None:
    """SW16: positions that the view holds from before, and that nothing telemeters now."""
    view = replace(view_of(arrays()), snapshot=snapshot_of(arrays(), {}, now=START))
    decision = decide(view, state=NOTHING, policy=POLICY)
    assert decision.plans == ()
    assert decision.proposals == ()
    assert "SW16" in decision.notes[-1]


def test_the_prediction_is_the_power_flow_of_the_final_state() -> None:
    net = arrays()
    view = view_of(net)
    (progress,) = decide(view, state=NOTHING, policy=POLICY).plans
    grid, s = view.grid, loads(net)
    for step in progress.plan.steps:
        match step.setpoint:
            case TapSetpoint(position=position):
                grid = grid.with_tap(step.device, position=position)
            case CapacitorSetpoint(steps=steps):
                grid = grid.with_capacitor(step.device, steps=steps)
            case PowerSetpoint(q_injection_var=q):
                assert q is not None
                s[net.injector_rows[step.device]] = 1j * q
    flow = solve_power_flow(net, grid, s_nominal_va=s)
    assert isinstance(flow, PowerFlow)
    assert dict(progress.plan.predicted)["losses_after_w"] == pytest.approx(flow.losses_w, rel=1e-6)


def test_nothing_moves_for_less_than_the_threshold() -> None:
    policy = replace(POLICY, gain_threshold_w=1e6)
    play = Play(net=arrays(), load_factor=0.4, policy=policy)
    play.run(200)
    assert play.moves == []
    assert play.statuses == []
    assert any("no move saves" in note for note in play.notes)


def test_losses_fall_in_the_slow_cycle() -> None:
    play = Play(net=arrays(), load_factor=0.6)
    before = play.view().picture()
    play.run(400)
    after = play.view().picture()
    assert before is not None
    assert after is not None
    assert after.losses_w < before.losses_w - POLICY.gain_threshold_w


def test_observe_proposes_nothing_and_forgets_its_targets() -> None:
    play = Play(net=arrays())
    play.run(60)
    decision = play.round(system_mode=Mode.OBSERVE)
    assert decision.proposals == ()
    assert decision.state == NOTHING


def test_advise_proposes_a_plan_and_acts_only_once_it_is_approved() -> None:
    view = view_of(arrays(), mode=Mode.ADVISE)
    first = decide(view, state=NOTHING, policy=POLICY)
    (progress,) = first.plans
    assert progress.status is PlanStatus.PROPOSED
    assert first.proposals == ()
    waiting = decide(replace(view, now=later(2)), state=first.state, policy=POLICY)
    assert waiting.proposals == ()
    assert waiting.plans == ()
    approved = frozenset({progress.plan.plan_id})
    acting = decide(replace(view, now=later(4), approved_plans=approved), state=first.state, policy=POLICY)
    assert acting.plans[0].status is PlanStatus.EXECUTING
    assert acting.proposals
    assert {p.plan_id for p in acting.proposals} == approved


def test_a_plan_that_nobody_approves_is_withdrawn() -> None:
    view = view_of(arrays(), mode=Mode.ADVISE)
    first = decide(view, state=NOTHING, policy=POLICY)
    late = decide(replace(view, now=later(POLICY.proposal_valid_s + 2)), state=first.state, policy=POLICY)
    assert late.plans[0].status is PlanStatus.ABORTED


def test_an_approval_for_a_picture_that_has_moved_on_is_not_executed() -> None:
    net = arrays()
    first = decide(view_of(net, mode=Mode.ADVISE), state=NOTHING, policy=POLICY)
    plan = first.plans[0].plan
    # The load is gone and the regulator is up already: the old plan would now push the voltage over its limit.
    grid = normal_state(net.model).with_tap(REG, position=4)
    light = view_of(net, mode=Mode.ADVISE, grid=grid, s_nominal_va=loads(net, factor=0.05), now=later(60))
    view = replace(light, approved_plans=frozenset({plan.plan_id}))
    decision = decide(view, state=first.state, policy=POLICY)
    assert decision.plans[0].status is PlanStatus.ABORTED
    assert "moved on" in decision.plans[0].text
    assert decision.proposals == ()


def test_an_operators_abort_stops_the_plan() -> None:
    play = Play(net=arrays())
    first = play.round()
    decision = play.round(aborted_plans=frozenset({first.plans[0].plan.plan_id}))
    assert decision.plans[0].status is PlanStatus.ABORTED
    assert all(p.plan_id != first.plans[0].plan.plan_id for p in decision.proposals)


def test_a_stuck_device_stops_the_plan_and_loses_its_target() -> None:
    play = Play(net=arrays(), stuck=frozenset({CAP_B, CAP_C, REG}), policy=replace(POLICY, reactive_iterations_max=0))
    play.run(2)
    play.run(POLICY.stage_timeout_s)
    decision = play.round()
    assert PlanStatus.ABORTED in play.statuses or decision.plans[0].status is PlanStatus.ABORTED


def test_a_failed_device_is_planned_around() -> None:
    view = replace(view_of(arrays()), failed_devices={REG: "not confirmed in time"})
    decision = decide(view, state=NOTHING, policy=POLICY)
    (progress,) = decision.plans
    assert all(step.device != REG for step in progress.plan.steps)
    assert any(r.summary == REG and "failed" in r.reason for r in progress.plan.rejected)


def test_a_target_that_something_else_moved_is_not_fought() -> None:
    play = Play(net=arrays())
    play.run(200)
    position = play.grid.tap_position[REG]
    assert position != 0
    play.grid = play.grid.with_tap(REG, position=position - 1)
    decision = play.round()
    assert all(p.device != REG for p in decision.proposals)
    assert any("something else moved it" in note for note in decision.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"controllable": DEVICES - {REG, CAP_B}},
        {"device_modes": {REG: Mode.OBSERVE, CAP_B: Mode.OBSERVE}},
        {"unknown_positions": frozenset({REG, CAP_B})},
        {
            "tags": tuple(
                Tag(tag_id="1", device=d, kind=TagKind.HOLD, holder="crew", reason="", placed=START)
                for d in (REG, CAP_B)
            )
        },
    ],
    ids=["no controller", "mode", "unknown position", "tag"],
)
def test_a_device_that_may_not_be_commanded_takes_no_part(changes: dict[str, object]) -> None:
    view = replace(view_of(arrays()), **changes)  # type: ignore[arg-type]
    decision = decide(view, state=NOTHING, policy=POLICY)
    devices = {step.device for progress in decision.plans for step in progress.plan.steps}
    assert devices
    assert not devices & {REG, CAP_B}


@pytest.mark.parametrize(
    "changes",
    [
        {"estimate": NotEstimated(snapshot_id=SnapshotId("s"), time=START, reason="no telemetry")},
        {"grade": Grade.FAILED},
    ],
    ids=["no estimate", "failed"],
)
def test_without_a_picture_nothing_is_proposed(changes: dict[str, object]) -> None:
    play = Play(net=arrays())
    play.run(120)
    view = play.view()
    if "grade" in changes:
        changes = {"estimate": replace(view.estimate, **changes)}  # type: ignore[arg-type]
    decision = decide(replace(view, **changes), state=play.state, policy=POLICY)  # type: ignore[arg-type]
    assert decision.proposals == ()
    assert decision.state == play.state
    assert "holds" in decision.notes[0]


def test_an_island_with_an_unobservable_node_is_left_untouched() -> None:
    net = arrays()
    view = view_of(net, s_nominal_va=loads(net))
    picture = view.picture()
    assert picture is not None
    v, source = picture.v_phasor_pu.copy(), picture.sigma_source.copy()
    at_c = net.node_idx[next(n for n in net.nodes if n.bus == "c")]
    v[at_c], source[at_c] = np.nan, SigmaSource.UNOBSERVABLE
    partial = replace(picture, grade=Grade.PARTIAL, v_phasor_pu=v, sigma_source=source)
    decision = decide(replace(view, estimate=partial), state=NOTHING, policy=POLICY)
    assert decision.proposals == ()
    assert decision.plans == ()


def outage_view(load_factor: float):  # type: ignore[no-untyped-def]
    net = arrays()
    grid = normal_state(net.model).with_switch(MIDDLE, closed=False)
    return view_of(net, grid=grid, s_nominal_va=loads(net, factor=load_factor))


def test_during_an_outage_no_latched_device_moves_for_economy() -> None:
    policy = replace(POLICY, gain_threshold_w=1.0, tap_cost_w=0.1, capacitor_cost_w=0.1)
    decision = decide(outage_view(0.8), state=NOTHING, policy=policy)
    assert all(isinstance(step.setpoint, PowerSetpoint) for p in decision.plans for step in p.plan.steps)


def test_during_an_outage_a_violation_is_still_cured() -> None:
    decision = decide(outage_view(5.0), state=NOTHING, policy=POLICY)
    assert {step.device for p in decision.plans for step in p.plan.steps} == {REG}


def test_while_a_switch_is_moving_no_latched_device_moves_for_economy() -> None:
    command = Command(
        command_id=CommandId("c"),
        device=TIE,
        setpoint=SwitchSetpoint(closed=True),
        app=App.FLISR,
        epoch=1,
        sequence=1,
        issue_time=START,
        expiry=later(10),
        plan_id=None,
        step=0,
        reason="",
        snapshot_id=SnapshotId("s"),
        guards=(),
    )
    net = arrays()
    view = replace(view_of(net, s_nominal_va=loads(net, factor=0.5)), outstanding={TIE: command})
    decision = decide(view, state=NOTHING, policy=replace(POLICY, gain_threshold_w=1.0, capacitor_cost_w=0.1))
    assert all(isinstance(step.setpoint, PowerSetpoint) for p in decision.plans for step in p.plan.steps)


def tap_history(*moves: tuple[float, int, int]) -> dict[object, tuple[Operation, ...]]:
    return {
        REG: tuple(
            Operation(time=later(-ago_s), previous=TapSetpoint(position=start), setpoint=TapSetpoint(position=end))
            for ago_s, start, end in moves
        )
    }


CAPACITOR_OPENED = {
    CAP_B: (Operation(time=later(-100), previous=CapacitorSetpoint(steps=1), setpoint=CapacitorSetpoint(steps=0)),)
}


@pytest.mark.parametrize(
    ("history", "guard"),
    [
        (tap_history((10, 1, 0)), "VV3"),
        (tap_history((700, 0, 1), (600, 1, 0), (500, 0, 1), (400, 1, 0)), "VV6"),
        (CAPACITOR_OPENED, ""),
    ],
    ids=["VV3 interval", "VV6 reversals", "VV5 re-close"],
)
def test_the_past_of_a_device_blocks_it(history: dict[object, tuple[Operation, ...]], guard: str) -> None:
    (device,) = history
    view = view_of(arrays(), history=history)  # type: ignore[arg-type]
    (progress,) = decide(view, state=NOTHING, policy=POLICY).plans
    assert all(step.device != device for step in progress.plan.steps)
    if guard:
        assert any(r.summary == device and guard in r.reason for r in progress.plan.rejected)


def test_over_its_daily_budget_a_tap_changer_moves_only_to_cure() -> None:
    moves = [(3600.0 + 60 * k, 0, 1) for k in range(20)]
    history = tap_history(*reversed(moves))
    net = arrays()
    economy = view_of(net, s_nominal_va=loads(net, factor=0.4), history=history)  # type: ignore[arg-type]
    policy = replace(POLICY, gain_threshold_w=1.0, tap_cost_w=0.1)
    decision = decide(economy, state=NOTHING, policy=policy)
    assert all(step.device != REG for p in decision.plans for step in p.plan.steps)
    low = view_of(net, history=history, controllable=frozenset({REG}))  # type: ignore[arg-type]
    decision = decide(low, state=NOTHING, policy=POLICY)
    (step,) = decision.plans[0].plan.steps
    # VV4 did not hold; that the move cures a violation permits it, in the plan and at the gate.
    assert (step.device, "VV4" in step.checks) == (REG, False)
    (proposal,) = decision.proposals
    verdict = check(low, proposal, policy=POLICY.interlock)
    assert [violation.guard for violation in verdict.violations] == ["VV4"]
    assert verdict.refusal() is None


@pytest.mark.parametrize("seconds", [0.0, 29.0, 31.0, 301.0])
def test_no_command_of_a_run_is_refused_by_the_interlock(seconds: float) -> None:
    """Planner and gate ask the same account: whatever is proposed at any time after a first cure passes the gate."""
    play = Play(net=arrays())
    play.run(60 + seconds)
    play.load_factor = 0.3
    for _ in range(60):
        view = replace(play.view(), history=dict(play.history))
        for proposal in play.round().proposals:
            refusal = check(view, proposal, policy=POLICY.interlock).refusal()
            assert refusal is None, refusal


def test_a_regulator_that_is_fed_backwards_moves_only_to_cure() -> None:
    net = arrays(model())
    # Hardly any load: PV and battery push about 160 kW back through the regulator.
    push = loads(net, factor=0.02, der_va={PV: 100e3, BATTERY: 80e3})
    policy = replace(POLICY, gain_threshold_w=1.0, tap_cost_w=0.1)
    decision = decide(view_of(net, s_nominal_va=push), state=NOTHING, policy=policy)
    assert all(step.device != REG for p in decision.plans for step in p.plan.steps)


def test_inverters_cure_alone_where_wear_costs_more_than_their_losses() -> None:
    net = arrays()
    # 0.66 of the load leaves c just under the limit (0.945 pu by the power flow).
    view = view_of(net, s_nominal_va=loads(net, factor=0.66))
    picture = view.picture()
    assert picture is not None
    assert 0.94 < np.abs(picture.v_phasor_pu).min() < 0.951
    (dear,) = decide(view, state=NOTHING, policy=replace(POLICY, tap_cost_w=1e5, capacitor_cost_w=1e5)).plans
    assert {type(step.setpoint) for step in dear.plan.steps} == {PowerSetpoint}
    (cheap,) = decide(view, state=NOTHING, policy=POLICY).plans
    assert {type(step.setpoint) for step in cheap.plan.steps} != {PowerSetpoint}
    assert any(r.summary == "inverter Q" for r in cheap.plan.rejected)


def test_proposals_come_with_volt_var_priority_and_leave_p_alone() -> None:
    play = Play(net=arrays(), policy=replace(POLICY, tap_cost_w=1e5, capacitor_cost_w=1e5))
    play.run(200)
    proposals = play.round().proposals
    powers = [p.setpoint for p in proposals if isinstance(p.setpoint, PowerSetpoint)]
    assert powers
    assert all(setpoint.p_injection_w is None for setpoint in powers)
    # What cures by tap or capacitor may go over the daily budget (VV4), and says so by its priority.
    assert {(p.app, type(p.setpoint), p.priority) for p in proposals} == {
        (App.VOLTVAR, PowerSetpoint, Priority.VOLTVAR),
        *((App.VOLTVAR, type(p.setpoint), Priority.LIMITS) for p in proposals if p.setpoint not in powers),
    }


def test_every_state_between_two_stages_can_be_left() -> None:
    net = arrays()
    play = Play(net=net)
    picture = picture_of(play.view(), sigma_margin=POLICY.sigma_margin)
    assert isinstance(picture, Picture)
    last = picture.violation_pu(magnitudes(play))
    for _ in range(60):
        play.round()
        now = picture.violation_pu(magnitudes(play))
        assert now <= last + 1e-6
        last = min(last, now)


def test_a_neighbours_bus_behind_an_open_tie_starts_no_search() -> None:
    net = arrays()
    view = view_of(net, s_nominal_va=loads(net, factor=0.3))
    picture = view.picture()
    assert picture is not None
    v = picture.v_phasor_pu.copy()
    v[net.node_idx[next(n for n in net.nodes if n.bus == "d")]] = 1.07
    seen = picture_of(replace(view, estimate=replace(picture, v_phasor_pu=v)), sigma_margin=2.0)
    assert isinstance(seen, Picture)
    assert seen.worst_outside_pu() == 0.0
