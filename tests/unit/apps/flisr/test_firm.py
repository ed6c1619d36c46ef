"""Firm plans: of those that restore the same, one that also holds with more load. Expected by exhaustive search."""

from dataclasses import replace
from itertools import product

import numpy as np

from adms.apps.flisr import FlisrState, decide
from adms.core.commands import SwitchSetpoint
from adms.core.ids import BusId, ElementId
from adms.core.plans import Plan
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.apps.flisr.networks import Feeder, Link, build, line_of_four, switch
from tests.unit.apps.flisr.plants import POLICY, Plant, section


def two_ties(*, ohm: float, p_max_w: float | None = None) -> Feeder:
    """a (faulted), then b =2= c =3= d; tie t from s1 to d, tie u from s2 to b, each of some length."""
    links = tuple(replace(link, ohm=ohm) if link.name == "t" else link for link in line_of_four().links)
    spare = Link(name="u", fr="s2", to="b", normally_closed=False, ohm=ohm)
    limits = {} if p_max_w is None else {"s1": p_max_w, "s2": p_max_w}
    return replace(line_of_four(), links=(*links, spare), sources=("s0", "s1", "s2"), p_max_w=limits)


def planned(feeder: Feeder, *, policy: object = POLICY) -> tuple[Plant, Plan]:
    plant, state = Plant(build(feeder)), FlisrState.initial()
    for _ in range(6):
        state = decide(plant.view(), state=state, policy=POLICY).state
        plant.wait()
    plant.fault("a")
    return plant, decide(plant.view(), state=state, policy=policy).plans[-1].plan  # type: ignore[arg-type]


def margin(plant: Plant, closed: set[ElementId], *, growth: float) -> float | None:
    """Least of voltage above 0.95 pu and source share left, with the loads of b, c, d grown; None where they are not
    all fed, or from two sources at once. The feeder has no loop within one source."""
    grid = plant.grid
    for device in grid.closed:
        grid = grid.with_switch(device, closed=device in closed)
    label = {node.bus: at for node, at in zip(plant.arrays.nodes, plant.arrays.islands(grid), strict=True)}
    fed = [label[source.nodes[0].bus] for source in plant.arrays.model.sources]
    if len(set(fed)) < len(fed) or any(label[BusId(bus)] not in fed for bus in "bcd"):
        return None
    grown = [plant.arrays.nodes[injector.fr].bus in "bcd" for injector in plant.arrays.injectors]
    nominal = plant.arrays.injector_s_nominal_va
    flow = solve_power_flow(plant.arrays, grid, s_nominal_va=np.where(grown, nominal * (1 + growth), nominal))
    if not isinstance(flow, PowerFlow):
        return -1.0
    least = float(flow.v_magnitude_pu[flow.energised].min()) - 0.95
    for source, s_va in zip(plant.arrays.model.sources, flow.s_source_va, strict=True):
        if source.p_max_w is not None:
            least = min(least, 1.0 - float(s_va.real) / source.p_max_w)
    return least


def by_trying_all(plant: Plant) -> dict[int, tuple[float, float]]:
    """Operations beside the isolation, to the best (margin with a quarter more load, margin as it is)."""
    now = plant.closed() - {switch("1")}
    best: dict[int, tuple[float, float]] = {}
    for setting in product((False, True), repeat=4):
        names = dict(zip("23tu", setting, strict=True))
        closed = (now - {switch(n) for n in names}) | {switch(n) for n, shut in names.items() if shut}
        operations = sum((switch(n) in now) != shut for n, shut in names.items())
        as_it_is, grown = margin(plant, closed, growth=0.0), margin(plant, closed, growth=0.25)
        if as_it_is is not None and grown is not None and as_it_is >= 0.0:
            best[operations] = max(best.get(operations, (-9.0, -9.0)), (grown, as_it_is))
    return best


def switched(plan: Plan) -> list[tuple[str, bool]]:
    return [
        (step.device.removeprefix("switch."), step.setpoint.closed)
        for step in plan.steps
        if isinstance(step.setpoint, SwitchSetpoint)
    ]


def test_a_plan_at_the_edge_gives_way_to_a_firm_one_with_more_operations() -> None:
    plant, plan = planned(two_ties(ohm=0.55))
    best = by_trying_all(plant)
    # One tie alone holds as it is and not with a quarter more; an opening and both ties hold.
    assert best[1][1] >= 0.0 > best[1][0]
    assert best[3][0] >= 0.0
    steps = switched(plan)
    assert len(steps) == 1 + 3
    predicted = dict(plan.predicted)
    assert abs(predicted["reserve_margin_pu"] - best[3][0]) < 2e-3
    assert predicted["reserve_margin_pu"] >= 0.0
    assert predicted["unrestored_load_w"] == 0.0
    shorter = next(one for one in plan.rejected if one.summary.startswith("close switch."))
    assert "with 25% more load" in shorter.reason
    assert "at 0.9" in shorter.reason


def test_a_source_at_its_edge_is_not_firm() -> None:
    # 300 kW and losses of one source of 330 kW: 375 kW are too much, 250 kW and 125 kW are not.
    plant, plan = planned(two_ties(ohm=0.05, p_max_w=330e3))
    best = by_trying_all(plant)
    assert best[1][1] >= 0.0 > best[1][0]
    assert best[3][0] >= 0.0
    assert len(switched(plan)) == 1 + 3
    assert any("kW of 330 kW" in one.reason for one in plan.rejected)


def test_a_firm_short_plan_is_not_passed_over() -> None:
    plant, plan = planned(two_ties(ohm=0.1))
    assert by_trying_all(plant)[1][0] >= 0.0
    assert len(switched(plan)) == 1 + 1


def test_without_a_firm_plan_the_one_that_falls_short_by_least_is_taken() -> None:
    # 200 kW on one of the ties are too much once they are 250 kW, whichever way the line is parted.
    plant, plan = planned(two_ties(ohm=0.05, p_max_w=240e3))
    best = by_trying_all(plant)
    assert all(grown < 0.0 for grown, _ in best.values())
    predicted = dict(plan.predicted)
    assert predicted["unrestored_load_w"] == 0.0
    assert abs(predicted["reserve_margin_pu"] - max(grown for grown, _ in best.values())) < 2e-3


def test_a_plan_that_restores_more_is_preferred_to_a_firm_one_that_restores_less() -> None:
    feeder = line_of_four()
    plant, plan = planned(replace(feeder, p_max_w={"s1": 330e3}))
    # One tie only: all of b, c, d at the edge, or less of it firmly.
    assert switched(plan) == [("1", False), ("t", True)]
    assert dict(plan.predicted)["reserve_margin_pu"] < 0.0
    assert section("a") not in plant.live()


def test_the_search_for_a_firm_plan_is_bounded_in_options() -> None:
    _, plan = planned(two_ties(ohm=0.55), policy=replace(POLICY, firm_options_max=0))
    assert len(switched(plan)) == 1 + 1
