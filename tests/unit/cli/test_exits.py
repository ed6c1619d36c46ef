"""How commands end."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adms.cli.exits import ExitCode, finish
from adms.core.errors import AdapterError, InputError, Problem


def _ends(run: Callable[[], ExitCode]) -> int:
    with pytest.raises(SystemExit) as ended:
        finish(run)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("code", list(ExitCode))
def test_a_command_ends_with_its_own_code(code: ExitCode) -> None:
    assert _ends(lambda: code) == code


def test_bad_input_prints_every_problem_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> ExitCode:
        raise InputError(
            [
                Problem(element="round", field="period_s", value="-1", message="must be positive"),
                Problem(element="service", field="model_file", value="", message="is missing"),
            ]
        )

    assert _ends(run) == 2
    assert capsys.readouterr().err.splitlines() == [
        "adms: round.period_s: must be positive (given: -1)",
        "adms: service.model_file: is missing",
    ]


def test_a_service_that_cannot_be_reached_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> ExitCode:
        raise AdapterError("no service at 127.0.0.1:1", retryable=True)

    assert _ends(run) == 2
    assert capsys.readouterr().err == "adms: no service at 127.0.0.1:1\n"


def test_ctrl_c_ends_as_shells_expect(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> ExitCode:
        raise KeyboardInterrupt

    # 128 + SIGINT.
    assert _ends(run) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["schema", "model"], ["schema", "--help"]])
def test_a_full_disk_is_said_and_is_no_result(arguments: list[str], buffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "adms.cli", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": buffered},
        )
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr == "adms: the output could not be written whole: No space left on device\n"


def test_a_reader_that_has_gone_is_said_and_is_no_result() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "adms.cli", "schema", "model"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr == "adms: the output could not be written whole: Broken pipe\n"


def test_an_error_of_a_file_is_not_taken_for_one_of_the_output(tmp_path: Path) -> None:
    def run() -> ExitCode:
        (tmp_path / "no" / "file").read_bytes()
        return ExitCode.OK

    with pytest.raises(FileNotFoundError):
        finish(run)
