"""`adms --help` answers at once."""

import subprocess
import sys

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
