"""Time of a power flow from 41 to over 100,000 nodes, by joined copies of the 13-bus feeder. What is asserted is the
exponent of the growth, from medians of one run."""

from pathlib import Path

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.importers.opendss import import_opendss
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow
from tests.benchmarks.joined_copies import joined_copies
from tests.benchmarks.peers import TOLERANCE_PU, milliseconds_of

COPIES = (1, 4, 16, 64, 256, 1024, 2500)
STEEPEST = 1.15


def exponent(nodes: list[int], taken_ms: list[float]) -> float:
    """Slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(nodes), np.log(taken_ms), 1)[0])


def test_a_solve_grows_about_as_the_network(benchmark: BenchmarkFixture, project_root: Path) -> None:
    """Two times: a warm solve after all loads moved by 1 % on a kept factor, and a factor with a cold solve."""
    one = import_opendss(project_root / "tests" / "cases" / "feeders" / "13Bus" / "IEEE13Nodeckt.dss")
    nodes: list[int] = []
    warm: list[float] = []
    cold: list[float] = []
    for count in COPIES:
        model = joined_copies(one, count=count)
        arrays, grid = NetworkArrays(model, version=ModelVersion(str(count))), normal_state(model)
        s = arrays.injector_s_nominal_va
        factor = factorise(arrays, grid)
        assert isinstance(factor, Factor)
        start = solve_power_flow(arrays, grid, s_nominal_va=s, factor=factor, tolerance_pu=TOLERANCE_PU)
        assert isinstance(start, PowerFlow)
        before = [start]
        levels = [1.0]

        def after_a_change(
            arrays: NetworkArrays = arrays,
            factor: Factor = factor,
            before: list[PowerFlow] = before,
            levels: list[float] = levels,
        ) -> PowerFlow:
            levels[0] = 2.01 - levels[0]
            flow = solve_power_flow(
                arrays,
                factor.grid,
                s_nominal_va=levels[0] * arrays.injector_s_nominal_va,
                factor=factor,
                start=before[0],
                tolerance_pu=TOLERANCE_PU,
            )
            assert isinstance(flow, PowerFlow)
            before[0] = flow
            return flow

        def anew(arrays: NetworkArrays = arrays, factor: Factor = factor) -> None:
            solve_power_flow(arrays, factor.grid, s_nominal_va=arrays.injector_s_nominal_va, tolerance_pu=TOLERANCE_PU)

        after_a_change()
        rounds = 31 if arrays.node_count < 20_000 else 7
        nodes.append(arrays.node_count)
        warm.append(milliseconds_of(after_a_change, rounds=rounds))
        cold.append(milliseconds_of(anew, rounds=rounds))
        print(
            f"\n{nodes[-1]:7d} nodes: {warm[-1]:9.3f} ms after a change, {cold[-1]:9.3f} ms anew, "
            f"{after_a_change().iterations} and {start.iterations} iterations, "
            f"lowest voltage {start.v_magnitude_pu.min():.3f} pu"
        )
        if count == COPIES[-1]:
            benchmark.pedantic(after_a_change, rounds=3)  # type: ignore[no-untyped-call]
    found = {"after a change": exponent(nodes, warm), "anew": exponent(nodes, cold)}
    upper = exponent(nodes[2:], warm[2:])
    print(f"\nexponents: {found}, from {nodes[2]} nodes {upper:.3f}")
    benchmark.extra_info |= {"nodes": nodes, "after_a_change_ms": warm, "anew_ms": cold, **found}
    assert nodes[0] == 41
    assert nodes[-1] > 100_000
    assert max(found.values()) <= STEEPEST
