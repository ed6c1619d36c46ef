"""Time of a scan from 41 to over 100,000 nodes, by joined copies of the 13-bus feeder, and the memory that it takes.
What is asserted is the exponent of the growth, from medians of one run."""

import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.importers.opendss import import_opendss
from adms.adapters.model_file import save_model
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from tests.benchmarks.feeder_scans import Scanning, metered_feeder
from tests.benchmarks.joined_copies import joined_copies
from tests.benchmarks.peers import milliseconds_of, model_8500
from tests.benchmarks.test_growth import COPIES, STEEPEST, exponent

SCANS = 6

# Child process: a cold scan and three warm ones; a voltage meter at every twelfth load and P and Q of the source.
# VmHWM and not ru_maxrss: the latter starts at what the parent had.
CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from adms.adapters.model_file import load_model
from adms.core.estimate import Estimate
from adms.core.ids import SnapshotId
from adms.core.telemetry import PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.estimation import estimate, prior_from_model
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.benchmarks.feeder_scans import POLICY

def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024.0

before = peak_mb()
model, version = load_model(Path(sys.argv[1]))
arrays, grid = NetworkArrays(model, version=version), normal_state(model)
flow = solve_power_flow(arrays, grid, s_nominal_va=arrays.injector_s_nominal_va)
assert isinstance(flow, PowerFlow), flow
with_flow = peak_mb()
node = sorted(set(arrays.injector_fr[::12].tolist()))
keys = [PointKey(kind=PointKind.V_MAGNITUDE, element=arrays.nodes[i].bus, phase=arrays.nodes[i].phase) for i in node]
value, sigma = np.abs(flow.v_phasor_pu[node]) * arrays.v_base_v[node], 0.004 * arrays.v_base_v[node]
s = flow.s_source_va[0]
for kind, part in ((PointKind.P_INJECTION, s.real), (PointKind.Q_INJECTION, s.imag)):
    keys.append(PointKey(kind=kind, element=str(model.sources[0].id)))
    value, sigma = np.append(value, part), np.append(sigma, 0.01 * abs(s))
table, state = PointTable(keys=tuple(keys)), None
prior = prior_from_model(arrays, POLICY)
rng = np.random.default_rng(1)
for _ in range(4):
    taken = TelemetrySnapshot(
        snapshot_id=SnapshotId("scan"),
        cut_time=datetime(2026, 1, 1, tzinfo=UTC),
        model_version=version,
        table=table,
        value=value + sigma * rng.standard_normal(len(value)),
        sigma=sigma,
        age_s=np.zeros(len(value)),
        quality=np.full(len(value), int(Quality.GOOD), dtype=np.int64),
    )
    state, got = estimate(
        taken, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior, policy=POLICY, state=state
    )
    assert isinstance(got, Estimate), got.reason
print(arrays.node_count, before, with_flow, peak_mb())
"""
LIMIT_MB_8500 = 400.0
LIMIT_KB_PER_NODE = 20.0
"""Beyond what the process has before it reads the model."""


def thirteen(root: Path) -> NetworkModel:
    """The 13-bus feeder."""
    return import_opendss(root / "tests" / "cases" / "feeders" / "13Bus" / "IEEE13Nodeckt.dss")


def test_a_scan_grows_about_as_the_network(benchmark: BenchmarkFixture, project_root: Path) -> None:
    """Two times: a warm scan with all loads moved by 1 % and fresh noise, and one without a state, which orders the
    unknowns, factors, and works out what telemetry alone determines. The exponent from the third size up is printed
    too: it is steeper, since among thousands of copies some load is at a corner of its law in every scan, which costs
    new factors that a hundred copies do without."""
    one = thirteen(project_root)
    nodes: list[int] = []
    warm: list[float] = []
    cold: list[float] = []
    for count in COPIES:
        arrays = NetworkArrays(joined_copies(one, count=count), version=ModelVersion(str(count)))
        feeder = metered_feeder(arrays, flows=min(3, count))
        taken = feeder.scans(count=SCANS, seed=count)
        scans = cycle(taken)
        scanning = Scanning(feeder)
        for _ in range(3):
            scanning.scan(next(scans))
        rounds = 31 if arrays.node_count < 20_000 else 7
        factors = scanning.factors

        def moved(scanning: Scanning = scanning, scans: cycle = scans) -> None:  # type: ignore[type-arg]
            scanning.scan(next(scans))

        def anew(feeder: object = feeder, first: object = taken[0]) -> None:
            Scanning(feeder).scan(first)  # type: ignore[arg-type]

        nodes.append(arrays.node_count)
        warm.append(milliseconds_of(moved, rounds=rounds))
        cold.append(milliseconds_of(anew, rounds=3))
        got = scanning.got
        assert got is not None
        print(
            f"\n{nodes[-1]:7d} nodes, {len(feeder.plan.keys):5d} rows: {warm[-1]:9.3f} ms warm, {cold[-1]:10.3f} ms "
            f"cold; {got.iterations} steps, {scanning.factors - factors} new factors in {rounds} scans, "
            f"{got.grade.value}"
        )
        if count == COPIES[-1]:
            benchmark.pedantic(moved, rounds=3)  # type: ignore[no-untyped-call]
    found = {"warm": exponent(nodes, warm), "cold": exponent(nodes, cold)}
    upper = {"warm": exponent(nodes[2:], warm[2:]), "cold": exponent(nodes[2:], cold[2:])}
    print(f"\nexponents: {found}, from {nodes[2]} nodes {upper}")
    benchmark.extra_info |= {"nodes": nodes, "warm_ms": warm, "cold_ms": cold, **found}
    assert nodes[0] == 41
    assert nodes[-1] > 100_000
    assert found["warm"] <= STEEPEST


@pytest.mark.parametrize("which", ["8500 nodes", "2500 x 13 buses"])
def test_the_memory_of_an_estimator(
    benchmark: BenchmarkFixture, which: str, tmp_path: Path, project_root: Path
) -> None:
    """Twice: the first process may have to compile. The second is the one that counts."""
    large = which != "8500 nodes"
    path = tmp_path / "model.json"
    save_model(joined_copies(thirteen(project_root), count=COPIES[-1]) if large else model_8500(), path)

    def child() -> tuple[int, float, float, float]:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(path)], check=True, capture_output=True, text=True, cwd=project_root
        )
        count, *peaks = done.stdout.split()
        before, with_flow, peak = map(float, peaks)
        return int(count), before, with_flow, peak

    if not large:
        child()
    count, before, with_flow, peak = benchmark.pedantic(child, rounds=1)  # type: ignore[no-untyped-call]
    each = 1024.0 * (peak - before) / count
    print(
        f"\n{which}: {count} nodes, peak memory {before:.0f} MB before the model, "
        f"{with_flow:.0f} MB with a power flow, {peak:.0f} MB with an estimator: {each:.1f} kB a node"
    )
    benchmark.extra_info |= {"nodes": count, "peak_mb": peak, "with_power_flow_mb": with_flow, "kb_per_node": each}
    assert large or peak < LIMIT_MB_8500
    assert each < LIMIT_KB_PER_NODE
