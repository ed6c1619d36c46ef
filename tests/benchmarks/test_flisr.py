"""One FLISR plan: fault in the middle of the trunk of a three-phase feeder of 24 sections with four ties."""

from itertools import pairwise

from pytest_benchmark.fixture import BenchmarkFixture

from adms.apps.flisr import FlisrState, decide
from adms.core.plans import PlanStatus
from adms.grid.model import SwitchKind
from tests.unit.apps.flisr.networks import Feeder, Link, build
from tests.unit.apps.flisr.plants import POLICY, Plant


def trunk_with_laterals() -> Feeder:
    trunk = [f"t{i}" for i in range(12)]
    links = [Link(name="r", fr="s0", to=trunk[0], kind=SwitchKind.RECLOSER)]
    links += [Link(name=b, fr=a, to=b) for a, b in pairwise(trunk)]
    links += [Link(name=f"l{i}", fr=f"t{i}", to=f"l{i}") for i in range(12)]
    links += [
        Link(name=f"x{i}", fr=f"s{k}", to=f"l{i}", normally_closed=False, rating_a=120.0)
        for k, i in enumerate((5, 7, 9, 11), start=1)
    ]
    names = [*trunk, *(f"l{i}" for i in range(12))]
    return Feeder(
        links=tuple(links),
        sources=("s0", "s1", "s2", "s3", "s4"),
        loads_w=dict.fromkeys(names, 60e3),
        phases=(1, 2, 3),
    )


def test_one_flisr_plan(benchmark: BenchmarkFixture) -> None:
    plant = Plant(build(trunk_with_laterals()))
    state = FlisrState.initial()
    for _ in range(6):
        state = decide(plant.view(), state=state, policy=POLICY).state
        plant.wait()
    plant.fault("t4")
    view = plant.view()
    decision = benchmark(decide, view, state=state, policy=POLICY)
    assert decision.plans[-1].status is PlanStatus.EXECUTING
    assert len(decision.proposals) == 1
