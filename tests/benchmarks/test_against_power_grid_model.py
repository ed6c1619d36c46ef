"""Balanced networks beside power-grid-model in one run: one case after an update, a thousand cases at once. Its fastest
method that solves the same problem is taken, one thread, results of nodes only. What is asserted is a ratio."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.importers.pandapower import import_pandapower
from adms.core.estimate import ComplexArray
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_cases, solve_power_flow
from tests.benchmarks.grid_model_peer import GridModelPeer
from tests.benchmarks.peers import TOLERANCE_PU, beside, record

WHO = pytest.mark.parametrize("who", ["ours", "power-grid-model"])
CASES = 1000
pytestmark = pytest.mark.filterwarnings("ignore")  # pandapower's and simbench's own


@cache
def network(code: str) -> NetworkArrays:
    """A net by its name in pandapower or SimBench."""
    import simbench
    from pandapower import networks

    if code == "case33bw":
        net: Any = networks.case33bw()
    else:
        net = simbench.get_simbench_net(code)
    return NetworkArrays(import_pandapower(net, three_phase=False), version=ModelVersion(code))


@cache
def peer(code: str) -> GridModelPeer:
    """The same there."""
    return GridModelPeer(network(code))


def factor_of(arrays: NetworkArrays) -> Factor:
    """Of the normal state."""
    made = factorise(arrays, normal_state(arrays.model))
    assert isinstance(made, Factor)
    return made


def compare(
    benchmark: BenchmarkFixture,
    who: str,
    *,
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
) -> None:
    """The median of one side into its group and, on our turn, the ratio of both."""
    benchmark(ours if who == "ours" else theirs)
    if who == "ours":
        found = beside(ours, theirs, rounds=rounds)
        record(benchmark, what, found, peer="power-grid-model")
        assert found.ratio <= 1.0


@WHO
@pytest.mark.parametrize("code", ["case33bw", "1-MVLV-urban-all-0-sw"])
def test_one_case_after_all_loads_moved_by_a_hundredth(benchmark: BenchmarkFixture, code: str, who: str) -> None:
    benchmark.group = f"{code}: all loads move by 1 %"
    arrays, other = network(code), peer(code)
    grid, factor = normal_state(arrays.model), factor_of(arrays)
    s: ComplexArray = arrays.injector_s_nominal_va
    levels = (1.01, 1.0)
    updates = [other.update_of(level * s) for level in levels]
    injections = [level * s for level in levels]
    before: PowerFlow | None = None
    turn = [0, 0]

    def ours() -> PowerFlow:
        nonlocal before
        turn[0] += 1
        flow = solve_power_flow(
            arrays,
            grid,
            s_nominal_va=injections[turn[0] % 2],
            factor=factor,
            start=before,
            tolerance_pu=TOLERANCE_PU,
        )
        assert isinstance(flow, PowerFlow)
        before = flow
        return flow

    def theirs() -> object:
        turn[1] += 1
        return other.update_and_solve(updates[turn[1] % 2])

    taken = other.choose(lambda method: other.update_and_solve(updates[0], method=method))
    print(f"\n{code}: power-grid-model, ms: {taken}")
    turn[0] = 1
    other.agree(other.update_and_solve(updates[0]), ours().v_phasor_pu)
    compare(benchmark, who, what=f"{code}, one case", ours=ours, theirs=theirs, rounds=15)


@WHO
@pytest.mark.parametrize("code", ["case33bw", "1-MV-urban--0-sw"])
def test_a_thousand_cases_at_once(benchmark: BenchmarkFixture, code: str, who: str) -> None:
    benchmark.group = f"{code}: {CASES} load cases"
    arrays, other = network(code), peer(code)
    grid, factor = normal_state(arrays.model), factor_of(arrays)
    s = arrays.injector_s_nominal_va
    level = np.random.default_rng(7).uniform(0.5, 1.2, (len(s), CASES))
    cases = np.ascontiguousarray(s[:, None] * level)
    update = other.update_of(cases)

    def ours() -> object:
        return solve_cases(arrays, grid, s_nominal_va=cases, factor=factor, tolerance_pu=TOLERANCE_PU)

    def theirs() -> object:
        return other.batch(update)

    taken = other.choose(lambda method: other.batch(update, method=method))
    print(f"\n{code}: power-grid-model, ms: {taken}")
    found = solve_cases(arrays, grid, s_nominal_va=cases, factor=factor, tolerance_pu=TOLERANCE_PU)
    result = other.batch(update)
    for case in (0, CASES - 1):
        flow = found[case]
        assert isinstance(flow, PowerFlow)
        other.agree(result[case], flow.v_phasor_pu)
    compare(benchmark, who, what=f"{code}, {CASES} cases", ours=ours, theirs=theirs, rounds=5)
