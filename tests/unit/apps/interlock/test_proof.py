"""SW10 and SW11 from a power flow of the state after a step."""

from dataclasses import replace

import numpy as np
import pytest

from adms.apps.interlock.proof import Limits, island_of, prove, state_violations
from adms.core.commands import App, Priority, Proposal, SwitchSetpoint
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.apps.flisr.networks import build, line_of_four, switch
from tests.unit.apps.flisr.plants import Plant


def closing(name: str) -> Proposal:
    return Proposal(
        device=switch(name), setpoint=SwitchSetpoint(closed=True), app=App.FLISR, priority=Priority.FLISR, plan_id=None,
        step=0, reason="",
    )  # fmt: skip


def isolated(*, tie_rating_a: float | None = None) -> Plant:
    plant = Plant(build(line_of_four(tie_rating_a=tie_rating_a)))
    plant.fault("b")
    plant.operate(switch("2"), closed=False)
    return plant


# c and d draw 200 kW at power factor 0.98 on one phase of 2400 V: 85 A.
@pytest.mark.parametrize(("rating_a", "held"), [(90.0, True), (80.0, False), (None, True)])
def test_sw10_judges_the_branches_that_the_step_loads(rating_a: float | None, held: bool) -> None:
    plant = isolated(tie_rating_a=rating_a)
    verdict = prove(plant.view(), closing("t"), s_nominal_va=plant.arrays.injector_s_nominal_va)
    assert ("SW10" in verdict.held) is held
    assert "SW11" in verdict.held


def test_sw11_judges_voltages_at_emergency_limits() -> None:
    plant = isolated()
    heavy = plant.arrays.injector_s_nominal_va * 24.0
    verdict = prove(plant.view(), closing("t"), s_nominal_va=heavy)
    assert [violation.guard for violation in verdict.violations] == ["SW11"]


def test_a_state_without_power_flow_is_refused() -> None:
    plant = isolated()
    verdict = prove(plant.view(), closing("t"), s_nominal_va=plant.arrays.injector_s_nominal_va * 1e3)
    assert not verdict.held
    assert "no power flow" in verdict.violations[0].reason


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
        verdict = prove(plant.view(), closing("t"), s_nominal_va=plant.arrays.injector_s_nominal_va)
        assert ("SW10" in verdict.held) is held
