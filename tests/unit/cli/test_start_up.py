"""`adms --help` answers at once."""

import subprocess
import sys
from pathlib import Path

# Modules that cost more than the whole help text may: numerics, wire, engines.
HEAVY = {"numpy", "scipy", "grpc", "google", "pydantic", "pandapower", "highspy", "structlog", "redis"}


def test_help_loads_no_heavy_module() -> None:
    program = "import sys, adms.cli.app; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert HEAVY.isdisjoint(done.stdout.split())


def test_an_unknown_option_is_bad_input() -> None:
    done = subprocess.run([sys.executable, "-m", "adms.cli", "demo", "--sed", "1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--seed" in done.stderr


def test_a_folder_that_no_run_can_write_into_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "adms.cli", "demo", "--out", str(tmp_path / "file" / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--out: no folder that can be written into" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_bench_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "hil", "demo", "--endpoint", "x", "--out", str(tmp_path / "file" / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["--endpoint x", f"--out {tmp_path}/file/run"]
