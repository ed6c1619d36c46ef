"""The layering is a test, not a diagram."""

import subprocess
import sys
from pathlib import Path

# What no module that serves or computes may load at start-up: seconds of CPU and hundreds of megabytes.
SLOW = {"pandapower", "pandas", "dss", "matplotlib"}


def test_every_import_contract_is_kept(project_root: Path) -> None:
    run = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(run, cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_clock_reads_a_clock(project_root: Path) -> None:
    # Ruff holds the list of banned calls; the exceptions are those of pyproject.toml.
    run = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--output-format", "concise", "adms", "hil"]
    done = subprocess.run(run, cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_starts_without_slow_engines() -> None:
    program = "import sys, adms.service.__main__; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert SLOW.isdisjoint(done.stdout.split())
