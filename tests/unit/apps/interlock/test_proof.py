"""SW10 and SW11 from a power flow of the state after a step."""

from dataclasses import replace

import numpy as np
import pytest

from adms.apps.interlock.proof import Limits, check_step, island_of, prove, state_violations
from adms.apps.view import ExpectedState
from adms.core.commands import App, Priority, Proposal, SwitchSetpoint
from adms.grid.arrays import NetworkArrays
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.apps.flisr.networks import build, line_of_four, switch
from tests.unit.apps.flisr.plants import Plant
from tests.unit.apps.interlock_policy import INTERLOCK


def closing(name: str) -> Proposal:
    return Proposal(
        device=switch(name), setpoint=SwitchSetpoint(closed=True), app=App.FLISR, priority=Priority.FLISR, plan_id=None,
        step=0, reason="",
    )  # fmt: skip


def isolated(*, tie_rating_a: float | None = None, stiff: bool = False) -> Plant:
    """`stiff`: loads take their power at any voltage."""
    arrays = build(line_of_four(tie_rating_a=tie_rating_a))
    if stiff:
        loads = tuple(replace(load, v_low_pu=0.0, v_high_pu=9.0, v_floor_pu=0.0) for load in arrays.model.loads)
        arrays = NetworkArrays(replace(arrays.model, loads=loads), version=arrays.version)
    plant = Plant(arrays)
    plant.fault("b")
    plant.operate(switch("2"), closed=False)
    return plant


def expected(plant: Plant, *, factor: float = 1.0, before: float | None = None) -> ExpectedState:
    """The model's loads, with a cold-load factor for the dead part, and one voltage everywhere before the outage."""
    return ExpectedState(
        s_nominal_va=plant.arrays.injector_s_nominal_va,
        cold_load_factor=factor,
        v_before_pu=None if before is None else np.full(plant.arrays.node_count, before),
    )


# c and d draw 200 kW at power factor 0.98 on one phase of 2400 V: 85 A.
@pytest.mark.parametrize(("rating_a", "held"), [(90.0, True), (80.0, False), (None, True)])
def test_sw10_judges_the_branches_that_the_step_loads(rating_a: float | None, held: bool) -> None:
    plant = isolated(tie_rating_a=rating_a)
    verdict = prove(plant.view(), closing("t"), expected=expected(plant))
    assert ("SW10" in verdict.held) is held
    assert "SW11" in verdict.held


def test_sw11_judges_voltages_at_emergency_limits() -> None:
    plant = isolated()
    verdict = prove(plant.view(), closing("t"), expected=expected(plant, factor=24.0))
    assert [violation.guard for violation in verdict.violations] == ["SW11"]


def test_a_state_without_power_flow_is_refused() -> None:
    plant = isolated(stiff=True)
    verdict = prove(plant.view(), closing("t"), expected=expected(plant, factor=1e3))
    assert not verdict.held
    assert "no power flow" in verdict.violations[0].reason


def test_sw12_counts_cold_load_where_it_is_picked_up() -> None:
    # 85 A at the model's loads; at twice the load about 170 A.
    for factor, held in ((1.0, True), (2.0, False)):
        plant = isolated(tie_rating_a=130.0)
        verdict = prove(plant.view(), closing("t"), expected=expected(plant, factor=factor))
        assert ("SW10" in verdict.held) is held


def test_a_voltage_that_was_low_before_the_outage_does_not_forbid_the_step() -> None:
    plant = isolated()
    low = prove(plant.view(), closing("t"), expected=expected(plant, factor=24.0))
    assert [violation.guard for violation in low.violations] == ["SW11"]
    assert prove(plant.view(), closing("t"), expected=expected(plant, factor=24.0, before=0.5)).violations == ()


def test_a_step_is_proved_only_with_expected_loads_and_only_where_the_guards_permit_it() -> None:
    plant = isolated()
    step = closing("t")
    good = check_step(plant.view(), step, expected=expected(plant), policy=INTERLOCK)
    assert good.refusal() is None
    assert {"SW1", "SW10", "SW11", "SW12"} <= set(good.held)
    blind = check_step(plant.view(), step, expected=None, policy=INTERLOCK).refusal()
    assert blind is not None
    assert (blind.guard, "what load to expect" in blind.reason) == ("SW11", True)
    opening = replace(step, setpoint=SwitchSetpoint(closed=False), device=switch("3"))
    assert check_step(plant.view(), opening, expected=None, policy=INTERLOCK).refusal() is None
    faulted = check_step(plant.view(), closing("2"), expected=expected(plant), policy=INTERLOCK)
    assert getattr(faulted.refusal(), "guard", None) == "SW1"
    assert not {"SW10", "SW11"} & set(faulted.held)


def test_a_node_outside_its_limit_before_may_stay_there_but_not_get_worse() -> None:
    plant = isolated()
    grid = plant.grid.with_switch(switch("t"), closed=True)
    flow = solve_power_flow(plant.arrays, grid, s_nominal_va=plant.arrays.injector_s_nominal_va * 16.0)
    assert isinstance(flow, PowerFlow)
    at = island_of(plant.arrays, grid, device=switch("t"))
    low = flow.v_magnitude_pu[at].min()
    assert 0.90 < low < 0.95, "the case needs a voltage between the emergency and the normal limit"

    def broken(before: float | None) -> bool:
        v = None if before is None else np.full(plant.arrays.node_count, before)
        limits = Limits(normal=True, v_before_pu=v)
        return bool(state_violations(plant.arrays, grid, flow=flow, nodes=at, limits=limits))

    assert broken(None)
    assert broken(1.0)
    assert not broken(low)


def test_a_source_gives_no_more_than_it_may() -> None:
    feeder = line_of_four()
    for p_max_w, held in ((210e3, True), (190e3, False)):
        plant = Plant(build(replace(feeder, p_max_w={"s1": p_max_w})))
        plant.fault("b")
        plant.operate(switch("2"), closed=False)
        verdict = prove(plant.view(), closing("t"), expected=expected(plant))
        assert ("SW10" in verdict.held) is held
