"""The service as a process of the bench's own: its model imported, its configuration written, started, killed, stopped.

The bench uses the product's own commands for that (`adms import`, `adms config`), and knows nothing else of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adms.client import AdapterError
from hil.feeders import FeederFiles
from hil.scenario import Scenario

MODEL_FILE = "model.json"
CONFIGURATION_FILE = "service.toml"
STATE_FOLDER = "state"
READY_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
_LAST_LINES = 8
_FLAT = """
# Loads that follow the scenario's statistics draw the same at every hour.
[[class_profile]]
name = "unknown"
weekday = { mean_frac = 1.0 }
"""


class ServiceProcess:
    """One service in a folder of its own. It always starts at the address where its clients look for it."""

    def __init__(self, folder: Path, *, scenario: Scenario, files: FeederFiles) -> None:
        self._folder = folder
        self._scenario = scenario
        self._files = files
        self._endpoint = "127.0.0.1:0"
        self._process: asyncio.subprocess.Process | None = None
        self.journal = folder / STATE_FOLDER

    async def prepare(self) -> None:
        """Import the feeder. Raises AdapterError with what the importer says."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self._files
        output = str(self._folder / MODEL_FILE)
        await self._adms("import", str(files.deck), "--overlay", str(files.overlay), "--output", output)

    async def start(self) -> str:
        """Start it; the address of its API. Raises AdapterError where it does not get ready."""
        await self._configure()
        log = (self._folder / "service.log").open("ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "adms.service",
                "--config",
                str(self._folder / CONFIGURATION_FILE),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                ready = json.loads(await self._process.stdout.readline())
        except (TimeoutError, json.JSONDecodeError):
            await self.kill()
            raise AdapterError(f"the service did not get ready: {self._last_words()}", retryable=False) from None
        self._endpoint, self.journal = ready["grpc"], Path(ready["journal"])
        return self._endpoint

    async def kill(self) -> None:
        """End it at once, without a word."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """End it politely."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def journal_verdict(self) -> Mapping[str, Any]:
        """What `adms journal verify` says of the record of the run."""
        code, out, err = await self._run("journal", "verify", str(self.journal), "--json")
        try:
            verdict: dict[str, Any] = json.loads(out)
        except json.JSONDecodeError:
            return {"intact": False, "entries": 0, "reason": err.strip() or f"exit code {code}"}
        return verdict

    async def _configure(self) -> None:
        scenario = self._scenario
        values: dict[str, Any] = {
            "service.name": self._files.name,
            "service.listen": self._endpoint,
            "service.metrics_listen": "127.0.0.1:0",
            "service.model_file": MODEL_FILE,
            "service.state_folder": STATE_FOLDER,
            "service.simulation": True,
            "round.period_s": scenario.timing.scan_s,
            # The statistics that loads are drawn from are the service's priors; all that is a customer's own comes and
            # goes within minutes, and all meters are read at one instant.
            "estimation.load_factor_mean": scenario.loads.mean_frac,
            "estimation.load_sigma_frac": scenario.loads.sigma_frac,
            "forecast.own_level_share": 0.0,
            "forecast.own_fast_tau_s": scenario.loads.correlation_s,
            "ageing.skew_s": 0.0,
        }
        values |= {f"{table}.{key}": value for table, keys in scenario.service.items() for key, value in keys.items()}
        settings = [word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        flat = self._folder / "class_profiles.toml"
        flat.write_text(_FLAT)
        await self._adms("config", str(self._folder / CONFIGURATION_FILE), *settings, "--add", str(flat))

    async def _adms(self, *arguments: str) -> None:
        code, _, err = await self._run(*arguments)
        if code != 0:
            raise AdapterError(f"adms {arguments[0]}: {err.strip()}", retryable=False)

    async def _run(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "adms.cli",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines: Sequence[str] = (self._folder / "service.log").read_text(errors="replace").splitlines()
            return "; ".join(lines[-_LAST_LINES:]) or "it said nothing"
        return "it said nothing"
