"""The service as a process: ready line, orderly end, kill -9, and the folder that only one may use."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from adms.adapters.model_file import save_model
from adms.runtime.journal import verify_file
from adms.service.config import REFERENCE
from tests.unit.runtime.feeders import small_model


@pytest.fixture
def config(tmp_path: Path) -> Path:
    save_model(small_model(), tmp_path / "feeder.json")
    text = REFERENCE.read_text().replace(":7350", ":0").replace(":7351", ":0")
    path = tmp_path / "service.toml"
    path.write_text(text.replace("simulation = false", "simulation = true"))
    return path


@contextmanager
def process(config: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "adms.service", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def ready(running: subprocess.Popen[str]) -> dict[str, object]:
    assert running.stdout is not None
    line: dict[str, object] = json.loads(running.stdout.readline())
    return line


def test_the_service_says_ready_serves_and_ends_in_order(config: Path) -> None:
    with process(config) as running:
        line = ready(running)
        assert (line["ready"], line["epoch"]) == (True, 1)
        with urlopen(f"http://{line['metrics']}/metrics") as response:
            assert b"adms_rounds_dropped" in response.read()
        with process(config) as second:
            _, error = second.communicate(timeout=20)
            assert second.returncode == 2
            assert "another service runs on this folder" in error
            assert "Traceback" not in error
        running.send_signal(signal.SIGTERM)
        _, error = running.communicate(timeout=20)
        assert running.returncode == 0
        assert "Traceback" not in error
    assert verify_file(Path(str(line["journal"]))).intact


def test_a_killed_service_starts_again_with_the_next_epoch(config: Path) -> None:
    epochs = []
    for _ in range(2):
        with process(config) as running:
            line = ready(running)
            epochs.append(line["epoch"])
            running.kill()
            running.wait(timeout=10)
    assert epochs == [1, 2]
    found = verify_file(Path(str(line["journal"])))
    assert (found.intact, found.entries) == (True, 2)


def test_a_journal_of_simulations_is_not_one_of_a_live_service(config: Path) -> None:
    with process(config) as running:
        ready(running)
    config.write_text(config.read_text().replace("simulation = true", "simulation = false"))
    with process(config) as running:
        _, error = running.communicate(timeout=20)
    assert running.returncode == 2
    assert "the journal is of a simulation" in error
    assert "Traceback" not in error


def test_after_a_lost_journal_the_epoch_starts_above_a_floor(config: Path) -> None:
    config.write_text(config.read_text().replace("[round]", "epoch_floor = 42\n[round]", 1))
    epochs = []
    for _ in range(2):
        with process(config) as running:
            epochs.append(ready(running)["epoch"])
            running.kill()
            running.wait(timeout=10)
    assert epochs == [42, 43]


def test_a_journal_that_cannot_be_opened_is_said(config: Path) -> None:
    (config.parent / "state" / "journal.sqlite").mkdir(parents=True)
    with process(config) as running:
        _, error = running.communicate(timeout=20)
    assert running.returncode == 2
    assert "the journal cannot be opened" in error
    assert "Traceback" not in error


def test_a_damaged_journal_lets_the_service_start_and_observe(config: Path) -> None:
    folder = config.parent / "state"
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(b"not a journal" * 1000)
    with process(config) as running:
        assert ready(running)["ready"] is True
        running.send_signal(signal.SIGTERM)
        _, error = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "observing only" in error
