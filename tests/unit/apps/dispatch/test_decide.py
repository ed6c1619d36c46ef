"""Dispatch over time on the one-phase feeder: every behaviour as a table of rounds.

True import of the feeder at load factor 0.7 with 40 kW of PV and 30 kW of EV charging is 568 kW by its power flow.
"""

from dataclasses import replace

import numpy as np
import pytest

from adms.apps.dispatch import DispatchState, decide
from adms.apps.dispatch import share as share_module
from adms.apps.linear_program import LinearProgram, NotOptimal
from adms.apps.view import Tag, TagKind
from adms.core.commands import App, PowerSetpoint, Priority
from adms.core.estimate import Grade, NotEstimated
from adms.core.ids import ElementId, SnapshotId
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.grid.model import DerKind
from adms.grid.state import normal_state
from tests.unit.apps.dispatch.play import Play, limit
from tests.unit.apps.dispatch.policies import POLICY
from tests.unit.apps.voltvar.feeder import (
    BATTERY,
    DEVICES,
    EV,
    MIDDLE,
    PV,
    START,
    TIE,
    arrays,
    der,
    loads,
    model,
    view_of,
)

NET = arrays()
NOTHING = DispatchState.initial()


def steady(_: float) -> float:
    return 0.7


def ramp(seconds: float) -> float:
    """About 0.3 kW/s on 568 kW: a rise of 19 % in six minutes."""
    return 0.7 + 0.0004 * seconds


def test_without_a_limit_batteries_idle_and_the_rest_is_left_alone() -> None:
    play = Play(net=NET, load_factor=steady)
    decision = play.round()
    assert play.setpoints == [{BATTERY: 0.0}]
    assert decision.proposals[0].priority is Priority.ECONOMICS
    assert decision.plans == ()


@pytest.mark.parametrize("noise_frac", [0.0, 0.01])
def test_an_import_limit_is_held_within_two_percent_from_sixty_seconds_after_its_start(noise_frac: float) -> None:
    play = Play(net=NET, load_factor=ramp, limits=(limit(import_max_w=540e3, start_s=60.0),), noise_frac=noise_frac)
    play.run(240)
    means = play.minute_means_w(start_s=120.0)
    assert len(means) == 2
    assert max(means) <= 540e3 * 1.02
    # Not by giving far too much either: the margin is 1 %.
    assert min(means) >= 540e3 * 0.96


def test_the_limit_is_met_when_it_starts_because_batteries_prepare() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3, start_s=60.0),))
    play.run(80)
    before = [value for second, value in play.import_w if second < 60.0 - POLICY.prepare_s]
    after = [value for second, value in play.import_w if second >= 60.0]
    assert max(before) > 540e3
    assert max(after) <= 540e3


def test_the_battery_returns_to_idle_when_the_limit_ends() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3, end_s=100.0),))
    play.run(120)
    assert play.setpoints[-1] == {BATTERY: 0.0}
    assert play.statuses == [PlanStatus.EXECUTING, PlanStatus.DONE]


def test_setpoints_do_not_hunt_at_rest() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    play.run(300)
    asked = [setpoints[BATTERY] for setpoints in play.setpoints[-60:]]
    # The integral may walk by the dead band (0.3 % of 540 kW is 1.6 kW) until it finds its place, not swing.
    assert max(asked) - min(asked) <= 2 * 0.003 * 540e3
    steps = np.sign(np.diff(asked))
    assert np.count_nonzero(np.diff(steps[steps != 0.0])) <= 1


def test_ev_charging_is_curtailed_only_when_batteries_are_used_up() -> None:
    # 568 kW to 540 kW needs about 34 kW with the margin: the battery (80 kW) does it alone.
    light = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    light.run(60)
    assert set(light.setpoints[-1]) == {BATTERY}
    # To 470 kW needs about 103 kW: battery full, EV the rest.
    deep = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=470e3),))
    deep.run(60)
    assert deep.setpoints[-1][BATTERY] == pytest.approx(80e3)
    assert -30e3 < deep.setpoints[-1][EV] < 0.0


def test_what_cannot_be_held_is_said_with_how_much_and_why() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=300e3),))
    decision = play.round()
    play.run(30)
    assert play.setpoints[-1] == {BATTERY: pytest.approx(80e3), EV: pytest.approx(0.0)}
    assert "missed by" in play.notes[-1]
    assert "all that 3 DER can give is in use" in play.notes[-1]
    assert "short by" in decision.plans[0].plan.binding_limit


def test_pv_is_curtailed_for_an_export_limit_after_the_battery_charges() -> None:
    # With 2 % of the load and 100 kW of PV the feeder exports about 52 kW with the EV at 30 kW (power flow).
    play = Play(net=NET, load_factor=lambda _: 0.02, pv_available_w=100e3, limits=(limit(export_max_w=30e3),))
    play.run(80)
    assert set(play.setpoints[-1]) == {BATTERY}
    assert play.setpoints[-1][BATTERY] < 0.0
    assert -play.import_w[-1][1] <= 30e3
    full = Play(
        net=NET,
        load_factor=lambda _: 0.02,
        pv_available_w=100e3,
        limits=(limit(export_max_w=30e3),),
        soc={BATTERY: 0.96},
    )
    full.run(80)
    assert full.setpoints[-1][BATTERY] == 0.0
    assert 0.0 < full.setpoints[-1][PV] < 100e3
    assert -full.import_w[-1][1] <= 30e3 * 1.02


def test_a_battery_of_unknown_charge_is_not_used() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),), soc={BATTERY: None})
    play.run(20)
    assert play.setpoints[-1][BATTERY] == 0.0
    assert EV in play.setpoints[-1]


@pytest.mark.parametrize(
    ("soc", "largest_w"),
    # 200 kWh, 95 % one way, reserve 10 %, lease 60 s: (0.101 - 0.1) * 200 kWh * 0.95 / (1/60 h) = 11.4 kW.
    [(0.6, 80e3), (0.101, 11.4e3), (0.05, 0.0)],
)
def test_stored_energy_suffices_for_a_whole_lease(soc: float, largest_w: float) -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=300e3),), soc={BATTERY: soc})
    play.round()
    assert play.setpoints[-1][BATTERY] == pytest.approx(largest_w, abs=1.0)


def test_a_battery_that_gives_less_than_told_is_corrected_for() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),), delivered_frac=0.9)
    play.run(300)
    assert play.minute_means_w(start_s=120.0)[-1] <= 540e3


@pytest.mark.parametrize(
    "changes",
    [
        {"controllable": DEVICES - {BATTERY}},
        {"failed_devices": {BATTERY: "no answer"}},
        {"device_modes": {BATTERY: Mode.OBSERVE}},
        {"tags": (Tag(tag_id="1", device=BATTERY, kind=TagKind.CLEARANCE, holder="crew", reason="", placed=START),)},
    ],
    ids=["no controller", "does not answer", "mode", "tag"],
)
def test_a_battery_that_cannot_be_led_is_not_counted_on(changes: dict[str, object]) -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    decision = play.round(**changes)
    assert BATTERY not in play.setpoints[-1]
    assert play.setpoints[-1][EV] > -30e3
    (progress,) = decision.plans
    assert any(r.summary == BATTERY for r in progress.plan.rejected)


def test_der_behind_another_source_do_not_count_for_the_interface() -> None:
    """After a restoration through the tie, b and c hang on the other source: only the EV at a is behind the head."""
    grid = normal_state(NET.model).with_switch(MIDDLE, closed=False).with_switch(TIE, closed=True)
    play = Play(net=NET, load_factor=steady, grid=grid, limits=(limit(import_max_w=190e3),))
    play.run(40)
    assert play.setpoints[-1][BATTERY] == 0.0
    assert play.setpoints[-1][EV] > -30e3
    assert play.import_w[-1][1] <= 190e3


def test_dead_der_are_not_asked() -> None:
    grid = normal_state(NET.model).with_switch(MIDDLE, closed=False)
    play = Play(net=NET, load_factor=steady, grid=grid, limits=(limit(import_max_w=190e3),))
    play.round()
    assert set(play.setpoints[-1]) == {EV}


def test_limits_have_the_priority_of_limits_and_leave_q_alone() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    (proposal,) = play.round().proposals
    assert (proposal.app, proposal.priority) == (App.DISPATCH, Priority.LIMITS)
    assert isinstance(proposal.setpoint, PowerSetpoint)
    assert proposal.setpoint.q_injection_var is None


def test_observe_proposes_nothing() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    play.run(10)
    decision = play.round(system_mode=Mode.OBSERVE)
    assert decision.proposals == ()
    assert decision.plans[0].status is PlanStatus.ABORTED
    assert decision.state == NOTHING


def test_advise_holds_the_limit_only_once_it_is_approved() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    first = play.round(system_mode=Mode.ADVISE)
    assert first.proposals == ()
    assert first.plans[0].status is PlanStatus.PROPOSED
    approved = frozenset({first.plans[0].plan.plan_id})
    second = play.round(system_mode=Mode.ADVISE, approved_plans=approved)
    assert second.plans[0].status is PlanStatus.EXECUTING
    assert [p.device for p in second.proposals] == [BATTERY]


def test_an_aborted_plan_stays_aborted_while_its_limit_stands() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    aborted = frozenset({play.round().plans[0].plan.plan_id})
    decision = play.round(aborted_plans=aborted)
    assert decision.plans[0].status is PlanStatus.ABORTED
    again = play.round(aborted_plans=aborted)
    assert again.plans == ()
    assert play.setpoints[-1] == {BATTERY: 0.0}


@pytest.mark.parametrize("failed", [True, False], ids=["failed", "no estimate"])
def test_without_a_picture_nothing_is_proposed(failed: bool) -> None:
    view = view_of(NET, limits=(limit(import_max_w=100e3),))
    picture = view.picture()
    assert picture is not None
    none = NotEstimated(snapshot_id=SnapshotId("s"), time=START, reason="no telemetry")
    bad = replace(picture, grade=Grade.FAILED, reason="not converged")
    decision = decide(replace(view, estimate=bad if failed else none), state=NOTHING, policy=POLICY)
    assert decision.proposals == ()
    assert "holds" in decision.notes[0]


def test_an_unknown_flow_at_the_interface_is_said_and_not_taken_as_zero() -> None:
    view = view_of(NET, limits=(limit(import_max_w=100e3),))
    picture = view.picture()
    assert picture is not None
    blind = replace(picture, s_source_va=np.full_like(picture.s_source_va, np.nan))
    decision = decide(replace(view, estimate=blind), state=NOTHING, policy=POLICY)
    assert any("its flow is not known" in note for note in decision.notes)
    assert all(p.priority is Priority.ECONOMICS for p in decision.proposals)


def test_setpoints_that_would_raise_a_voltage_over_its_limit_are_held_back() -> None:
    """A battery of 2 MW at c could hold any limit, but not the voltage: at 1.05 pu it ends."""
    big = replace(der(ElementId("der.big"), DerKind.BATTERY, "c", s_va=2e6, p_max_w=2e6, p_min_w=-2e6), energy_wh=4e6)
    net = arrays(model(extra_ders=(big,)))
    grid = normal_state(net.model).with_tap(ElementId("transformer.reg"), position=3)
    play = Play(
        net=net,
        load_factor=lambda _: 0.3,
        grid=grid,
        limits=(limit(import_max_w=-600e3),),
        soc={BATTERY: 0.6, big.id: 0.6},
    )
    view = replace(play.view(), controllable=DEVICES | {big.id})
    decision = decide(view, state=NOTHING, policy=POLICY)
    s = loads(net, factor=0.3, der_va={EV: -30e3, PV: 40e3})
    for proposal in decision.proposals:
        assert isinstance(proposal.setpoint, PowerSetpoint)
        s[net.injector_rows[proposal.device]] = proposal.setpoint.p_injection_w
    after = view_of(net, grid=grid, s_nominal_va=s).picture()
    assert after is not None
    assert np.abs(after.v_phasor_pu).max() <= 1.05 + 1e-6
    assert "voltage at" in decision.plans[0].plan.binding_limit


def test_a_program_without_an_optimum_is_said_and_the_limit_is_held_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_optimum(program: LinearProgram) -> NotOptimal:
        return NotOptimal(reason="Unknown")

    monkeypatch.setattr(share_module, "minimise", no_optimum)
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    play.run(60)
    assert any("the linear program says Unknown" in note for note in play.notes)
    assert play.import_w[-1][1] <= 540e3


def test_a_plan_names_the_guards_that_were_asked_and_held() -> None:
    play = Play(net=NET, load_factor=steady, limits=(limit(import_max_w=540e3),))
    (progress,) = play.round().plans
    # The test's snapshot is of its own model and its estimate of this round: all guards on power setpoints hold.
    assert {step.checks for step in progress.plan.steps} == {("X1", "SW3", "SW16", "SW22", "DE1", "DE2", "DE3")}


def test_a_ramp_limit_of_a_battery_is_kept() -> None:
    slow = tuple(replace(d, ramp_w_per_s=1e3) if d.id == BATTERY else d for d in NET.model.ders)
    net = arrays(replace(NET.model, ders=slow))
    play = Play(net=net, load_factor=steady)
    play.run(10)
    play.limits = (limit(import_max_w=490e3),)
    play.run(20)
    asked = [setpoints[BATTERY] for setpoints in play.setpoints[4:]]
    assert max(np.diff(asked)) <= 1e3 * 2.0 + 1e-6
    assert asked[-1] > 10e3
