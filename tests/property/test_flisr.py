"""FLISR on random radial feeders, against a checker and a brute force of their own (they share the power flow with it,
which is checked against OpenDSS elsewhere)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from adms.apps.flisr import FlisrState, decide
from adms.core.commands import SwitchSetpoint
from adms.core.ids import ElementId, SectionId
from adms.core.plans import Plan
from adms.grid.model import SwitchKind
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.apps.flisr.networks import Feeder, Link, build, switch
from tests.unit.apps.flisr.plants import POLICY, Plant, section

QUIET_ROUNDS = 6
SLOW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True, kw_only=True)
class Case:
    """A feeder and a fault on it."""

    feeder: Feeder
    faulted: str


@st.composite
def cases(draw: st.DrawFn, *, largest: int = 6) -> Case:
    """A tree of sections behind the recloser of s0, with ties to two neighbours and between its own sections."""
    count = draw(st.integers(2, largest))
    names = [f"n{i}" for i in range(count)]
    links = [Link(name="r", fr="s0", to=names[0], kind=SwitchKind.RECLOSER)]
    links += [
        Link(
            name=f"{i}", fr=names[draw(st.integers(0, i - 1))], to=names[i],
            remote=draw(st.sampled_from([True, True, True, False])),
        )
        for i in range(1, count)
    ]  # fmt: skip
    rating = st.sampled_from([None, 30.0, 60.0, 100.0])
    ties = draw(st.integers(2, 4))
    for k in range(ties):
        at = draw(st.sampled_from(names))
        fr = draw(st.sampled_from(["s1", "s2", *(name for name in names if name != at)]))
        links.append(Link(name=f"t{k}", fr=fr, to=at, normally_closed=False, rating_a=draw(rating)))
    feeder = Feeder(
        links=tuple(links),
        sources=("s0", "s1", "s2"),
        # Odd loads, so that two sets of sections seldom weigh the same.
        loads_w={name: 1e3 * draw(st.integers(20, 200)) for name in names},
        p_max_w={"s1": 1e3 * draw(st.integers(50, 300))},
    )
    return Case(feeder=feeder, faulted=draw(st.sampled_from(names)))


def planned(plant: Plant) -> Plan | None:
    """The first plan after a fault."""
    decision = decide(plant.view(), state=prepared(plant), policy=POLICY)
    return decision.plans[-1].plan if decision.plans else None


def prepared(plant: Plant) -> FlisrState:
    """State with the loads before the fault, which the plant's model states."""
    faults, locked, passed, grid = set(plant.faults), set(plant.locked_out), set(plant.passed), plant.grid
    plant.faults, plant.locked_out, plant.passed = set(), set(), set()
    plant.grid = Plant(plant.arrays).grid
    state = FlisrState.initial()
    for _ in range(QUIET_ROUNDS):
        state = decide(plant.view(), state=state, policy=POLICY).state
        plant.wait()
    plant.faults, plant.locked_out, plant.passed, plant.grid = faults, locked, passed, grid
    return state


def faulted(case: Case) -> Plant:
    plant = Plant(build(case.feeder))
    plant.fault(case.faulted)
    return plant


# ---- an independent judge


def islands(plant: Plant, closed: Iterable[ElementId]) -> list[tuple[set[SectionId], int]]:
    """Connected sets of sections and the number of closed switches inside each."""
    parent = {s: s for s in plant.graph.sections}

    def top(s: SectionId) -> SectionId:
        while parent[s] != s:
            s = parent[s]
        return s

    closed = list(closed)
    for device in closed:
        fr, to = plant.graph.switch_ends[device]
        parent[top(fr)] = top(to)
    found: dict[SectionId, set[SectionId]] = {}
    for s in parent:
        found.setdefault(top(s), set()).add(s)
    return [
        (members, sum(plant.graph.switch_ends[device][0] in members for device in closed)) for members in found.values()
    ]


def unsafe(plant: Plant, closed: set[ElementId], *, v_min_pu: float) -> str | None:
    """Why a state may not be, None where it may: fault dead, radial, one source, voltages, ratings, sources."""
    sources = {s for s, part in plant.graph.sections.items() if part.sources}
    for members, count in islands(plant, closed):
        fed = len(members & sources)
        if fed and members & plant.faults:
            return "the fault is energised"
        if fed > 1:
            return "two sources are in parallel"
        if fed and count != len(members) - 1:
            return "a loop is closed"
    grid = plant.grid
    for device in grid.closed:
        grid = grid.with_switch(device, closed=device in closed)
    flow = solve_power_flow(plant.arrays, grid, s_nominal_va=plant.arrays.injector_s_nominal_va)
    if not isinstance(flow, PowerFlow):
        return "no power flow"
    live = np.abs(flow.v_phasor_pu) > 0.0
    if np.abs(flow.v_phasor_pu)[live].min() < v_min_pu:
        return "a voltage is too low"
    for index, branch in enumerate(plant.arrays.branches):
        carries = branch.rating_a is not None and (branch.switch is None or branch.id in closed)
        amps = np.abs(plant.arrays.branch_current_a(index, grid, flow.v_phasor_pu)).max() if carries else 0.0
        if branch.rating_a is not None and amps > branch.rating_a * (1 + 1e-9):
            return f"{branch.id} is overloaded"
    for source, s_va in zip(plant.arrays.model.sources, flow.s_source_va, strict=True):
        if source.p_max_w is not None and s_va.real > source.p_max_w:
            return f"{source.id} is overloaded"
    return None


def served_w(plant: Plant, closed: set[ElementId]) -> float:
    sources = {s for s, part in plant.graph.sections.items() if part.sources}
    return sum(
        sum(plant.graph.sections[s].load_w for s in members)
        for members, _ in islands(plant, closed)
        if members & sources
    )


def best_w(plant: Plant) -> float:
    """Largest load that any setting of the remote switches serves within normal limits, by trying all of them. The
    fault stays isolated: a switch beside it may not be closed."""
    remote = [b.id for b in plant.arrays.branches if b.switch is not None and b.switch.remote]
    now = plant.closed()
    free = [
        device for device in remote if not (set(plant.graph.switch_ends[device]) & plant.faults and device not in now)
    ]
    best = 0.0
    for setting in product((False, True), repeat=len(free)):
        closed = (now - set(free)) | {device for device, shut in zip(free, setting, strict=True) if shut}
        serves = served_w(plant, closed)
        if serves > best and unsafe(plant, closed, v_min_pu=0.95) is None:
            best = serves
    return best


# ---- properties


@SLOW
@given(cases())
def test_every_prefix_of_every_plan_is_safe(case: Case) -> None:
    plant = faulted(case)
    plan = planned(plant)
    assume(plan is not None)
    assert plan is not None
    closed, live = plant.closed(), plant.live()
    opens_over = False
    for step in plan.steps:
        assert isinstance(step.setpoint, SwitchSetpoint)
        opens_over |= step.setpoint.closed
        assert step.setpoint.closed is opens_over, "an opening follows a closing"
        closed = closed | {step.device} if step.setpoint.closed else closed - {step.device}
        assert unsafe(plant, closed, v_min_pu=0.90) is None
        plant.grid = plant.grid.with_switch(step.device, closed=step.setpoint.closed)
        assert live <= plant.live(), "energised customers were taken off"
        live = plant.live()
    assert unsafe(plant, closed, v_min_pu=0.95) is None


@SLOW
@given(cases(largest=5))
def test_restored_load_is_the_best_there_is(case: Case) -> None:
    plant = faulted(case)
    plan = planned(plant)
    best = best_w(plant)
    closed = plant.closed()
    for step in () if plan is None else plan.steps:
        assert isinstance(step.setpoint, SwitchSetpoint)
        closed = closed | {step.device} if step.setpoint.closed else closed - {step.device}
    assert served_w(plant, closed) == best


@SLOW
@given(cases(), st.data())
def test_with_an_indicator_missing_the_fault_is_never_energised(case: Case, data: st.DataObject) -> None:
    plant = faulted(case)
    plant.silent = {switch(data.draw(st.sampled_from([link.name for link in case.feeder.links])))}
    state = prepared(plant)
    for _ in range(14):
        decision = decide(plant.view(), state=state, policy=POLICY)
        state = decision.state
        for proposal in decision.proposals:
            assert isinstance(proposal.setpoint, SwitchSetpoint)
            assert plant.operate(proposal.device, closed=proposal.setpoint.closed) == []
        plant.wait()
    assert section(case.faulted) not in plant.live()


@SLOW
@given(cases(), st.data())
def test_a_restart_at_any_round_ends_in_a_safe_state_with_as_much_restored(case: Case, data: st.DataObject) -> None:
    # An outage of unknown length counts as a long one; without cold load that makes no difference to what fits.
    policy = replace(POLICY, cold_load_factor=1.0)
    ends = []
    for restart in (None, data.draw(st.integers(0, 6))):
        plant = faulted(case)
        state = prepared(plant)
        for k in range(20):
            if k == restart:
                # The loads before the outage are lost with the state; the plant's are the model's.
                state = FlisrState.initial()
            decision = decide(plant.view(), state=state, policy=policy)
            state = decision.state
            for proposal in decision.proposals:
                assert isinstance(proposal.setpoint, SwitchSetpoint)
                assert plant.operate(proposal.device, closed=proposal.setpoint.closed) == []
            plant.wait()
        assert unsafe(plant, plant.closed(), v_min_pu=0.90) is None
        ends.append(served_w(plant, plant.closed()))
    assert ends[1] == ends[0]
