"""Peak memory of a process that loads the 8500-node model, factors it and solves it."""

import subprocess
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.model_file import save_model
from tests.benchmarks.peers import model_8500

LIMIT_MB = 300.0
# VmHWM and not ru_maxrss: the latter starts at what the parent had.
CHILD = """
import sys
from pathlib import Path
from adms.adapters.model_file import load_model
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, factorise, solve_power_flow
model, version = load_model(Path(sys.argv[1]))
arrays, grid = NetworkArrays(model, version=version), normal_state(model)
flow = solve_power_flow(arrays, grid, s_nominal_va=arrays.injector_s_nominal_va, factor=factorise(arrays, grid))
assert isinstance(flow, PowerFlow), flow
lines = Path("/proc/self/status").read_text().splitlines()
print(arrays.node_count, next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


def test_a_loaded_and_solved_8500_node_model_fits(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Twice: the first process may have to compile. The second is the one that counts."""
    path = tmp_path / "model.json"
    save_model(model_8500(), path)

    def child() -> float:
        done = subprocess.run([sys.executable, "-c", CHILD, str(path)], check=True, capture_output=True, text=True)
        count, peak_kb = done.stdout.split()
        assert int(count) > 8000
        return float(peak_kb) / 1024.0

    first_mb = child()
    peak_mb = benchmark.pedantic(child, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["peak_mb"] = peak_mb
    print(f"\npeak memory {peak_mb:.0f} MB, {first_mb:.0f} MB in the process before")
    assert peak_mb < LIMIT_MB
