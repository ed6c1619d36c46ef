"""Programs of their own that this process becomes: the service and the gateways know nothing of the command line."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


def serve(config: Path) -> NoReturn:
    """Become the service."""
    run_module("adms.service", ["--config", str(config)])


def run_module(module: str, arguments: Sequence[str]) -> NoReturn:
    """Become `python -m module`, with the signals and the exit code of that."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
