"""A service on wall time and the tools around it, as processes."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adms.cli.configuration import REFERENCE, with_values

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A service and where it is."""

    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    folder: Path

    @property
    def endpoint(self) -> str:
        """HOST:PORT of gRPC."""
        return str(self.ready["grpc"])


def _adms(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "adms.cli", *arguments], capture_output=True, text=True)


def _configured(folder: Path, *, listen: str = "127.0.0.1:0") -> Path:
    toml = (files("adms") / REFERENCE).read_text(encoding="utf-8")
    values: dict[tuple[str, str], str | float | bool] = {
        ("service", "listen"): listen,
        ("service", "metrics_listen"): "127.0.0.1:0",
        ("service", "model_file"): "model.json",
        ("round", "period_s"): 1.0,
    }
    path = folder / "service.toml"
    path.write_text(with_values(toml, values))
    return path


@pytest.fixture(scope="module")
def service(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    feeder = project_root / "hil" / "feeders" / "ieee123"
    overlay, model = feeder / "123-operated.toml", folder / "model.json"
    imported = _adms("import", str(feeder / "IEEE123Master.dss"), "--overlay", str(overlay), "-o", str(model))
    assert imported.returncode == 0, imported.stderr
    run = [sys.executable, "-m", "adms.cli", "serve", "--config", str(_configured(folder))]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(run, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield Running(process=process, ready=json.loads(line), folder=folder)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, (folder / "log").read_text()


def test_status_says_mode_model_and_journal(service: Running) -> None:
    said = _adms("status", "--endpoint", service.endpoint, "--json")
    assert said.returncode == 0, said.stderr
    status = json.loads(said.stdout)
    # Start-up observes, whatever was configured (X6).
    assert status["mode"] == "observe"
    assert status["model_name"] == "123-operated"
    assert status["journal_entries"] > 0


def test_watch_follows_rounds_and_ends_when_asked(service: Running) -> None:
    said = _adms("watch", "--endpoint", service.endpoint, "--rounds", "2", "--json")
    assert said.returncode == 0, said.stderr
    first, second = (json.loads(line) for line in said.stdout.splitlines())
    assert second["round"] > first["round"]
    # By now a round has published its picture to the embedded Valkey.
    status = json.loads(_adms("status", "--endpoint", service.endpoint, "--json").stdout)
    assert status["live_store_problem"] == ""


def test_a_recording_is_used_and_what_the_model_lacks_is_named(service: Running, tmp_path: Path) -> None:
    recording = tmp_path / "recording.csv"
    rows = ["time_s,kind,element,side,phase,value,sigma"]
    rows += [f"{time_s},v_magnitude_v,150,0,{phase},2401.8,9.6" for time_s in (0, 1) for phase in (1, 2, 3)]
    rows.append("1,v_magnitude_v,no_such_bus,0,1,2401.8,9.6")
    recording.write_text("\n".join(rows) + "\n")
    said = _adms("gateway", "replay", str(recording), "--endpoint", service.endpoint, "--speed", "0")
    assert said.returncode == 0, said.stderr
    assert "2 frames used, 4 points" in said.stdout
    assert "no_such_bus" in said.stdout


def test_the_journal_is_read_and_verified_over_the_api_and_from_the_file(service: Running) -> None:
    for place in (["--endpoint", service.endpoint], [service.ready["journal"]]):
        verified = _adms("journal", "verify", *place, "--json")
        assert verified.returncode == 0, verified.stderr
        assert json.loads(verified.stdout)["intact"]
        tail = _adms("journal", "tail", *place, "-n", "2", "--json")
        assert tail.returncode == 0, tail.stderr
        before, after = (json.loads(line) for line in tail.stdout.splitlines())
        assert after["index"] == before["index"] + 1


def test_there_are_no_plans_before_there_is_a_picture(service: Running) -> None:
    said = _adms("plans", "--endpoint", service.endpoint)
    assert (said.returncode, said.stdout) == (0, "no plans\n")


def test_bad_configuration_is_refused_with_every_problem_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = _configured(tmp_path, listen=f"127.0.0.1:{taken.getsockname()[1]}")
        path.write_text(path.read_text().replace("period_s = 1.0", 'period_s = "fast"'))
        said = _adms("serve", "--config", str(path))
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    for words in ("period_s", "cannot listen there", "model.json"):
        assert words in said.stderr
