"""The demo as people run it: service and bench as processes over real gRPC, with an embedded Valkey."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import run_demo

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]

GUARDIAN_END_S = 15.0


def _still_running(folder: Path) -> list[str]:
    """Command lines of processes that name the run's folder, or stand in it, and do not end by themselves: the guardian
    of a killed service's Valkey is given time to end it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = (process / "cwd").resolve().is_relative_to(folder)
            if (str(folder) in line or inside) and not _ends(int(process.name)):
                found.append(line)
        except OSError:
            continue
    return found


def _ends(pid: int) -> bool:
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], GUARDIAN_END_S)[0])
    finally:
        os.close(handle)


def _verified(file: Path) -> dict[str, Any]:
    run = [sys.executable, "-m", "adms.cli", "journal", "verify", str(file), "--json"]
    verdict: dict[str, Any] = json.loads(subprocess.run(run, capture_output=True, text=True).stdout)
    return verdict


def test_the_story_holds_from_first_frame_to_report(tmp_path: Path) -> None:
    run = run_demo(tmp_path / "out", "--seed", "1")
    assert run.code == 0, f"{run.errors}\n{run.of('result')}"
    assert {name for name, check in run.checks.items() if not check["held"]} == set()
    assert any(event["mode"] == "control" for event in run.of("scan"))
    assert {move["app"] for move in run.of("move")} >= {"flisr"}
    assert run.of("leases")
    report = (run.folder / "report.html").read_text()
    assert "<svg" in report
    # Self-contained: it loads nothing from anywhere.
    assert 'src="http' not in report
    assert "<link" not in report
    end = run.of("end")[0]
    assert end["journal"]["intact"]
    assert _verified(Path(end["journal"]["file"]))["entries"] == end["journal"]["entries"] > 0
    assert _still_running(run.folder) == []


def test_a_service_killed_and_restarted_in_the_middle_loses_no_frame(tmp_path: Path) -> None:
    run = run_demo(tmp_path / "out", "--seed", "2", "--service-outage", "60,20", "--duration", "130")
    assert run.of("service_kill")
    assert run.of("service_start")
    assert any(not event["service_up"] for event in run.of("scan"))
    # The last rounds are decided on a picture again.
    assert run.of("scan")[-1]["grade"] in {"solved", "partial"}
    for name in ("frames_lost", "frames_twice", "unsafe_commands"):
        assert run.checks[name]["held"], run.checks[name]
    assert run.of("end")[0]["journal"]["intact"]
    assert _still_running(run.folder) == []


def test_a_service_killed_for_good_leaves_every_der_at_its_default(tmp_path: Path) -> None:
    run = run_demo(tmp_path / "out", "--seed", "3", "--service-stop", "60", "--duration", "160")
    assert run.of("service_kill")
    assert not run.of("service_start")
    assert run.checks["defaults_missed"]["held"], run.checks["defaults_missed"]
    assert run.checks["unsafe_commands"]["held"], run.checks["unsafe_commands"]
    end = run.of("end")[0]
    assert _verified(Path(end["journal"]["file"]))["intact"]
    assert _still_running(run.folder) == []


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run = [sys.executable, "-m", "adms.cli", "demo", "--json", "--out", str(folder)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if json.loads(line)["event"] == "scan":
                break
        demo.send_signal(signal.SIGINT)
        demo.communicate()
    # 128 + SIGINT.
    assert demo.returncode == 130
    assert _still_running(folder) == []


def test_bad_input_is_refused_with_every_problem_at_once(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    run = run_demo(occupied, "--service-outage", "soon", "--service-stop", "-1")
    assert run.code == 2
    assert "Traceback" not in run.errors
    for option in ("--out", "--service-outage", "--service-stop"):
        assert option in run.errors


@pytest.mark.parametrize(("option", "value"), [("--fault", "l999"), ("--feeder", "nowhere")])
def test_an_unknown_line_or_feeder_is_refused_in_words(tmp_path: Path, option: str, value: str) -> None:
    run = run_demo(tmp_path / "out", option, value)
    assert run.code == 2
    assert value in run.errors
    assert "Traceback" not in run.errors
    assert _still_running(run.folder) == []
