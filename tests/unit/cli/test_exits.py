"""How commands end."""

from collections.abc import Callable

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
