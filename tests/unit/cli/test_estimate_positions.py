"""What `adms estimate --positions` says of switches and tap changers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adms.cli.app import app
from adms.cli.estimate import Pseudo
from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from tests.estimation_study.plans import Extent
from tests.estimation_study.studies import Study, study
from tests.estimation_study.wrong_positions import opened
from tests.unit.cli.scan_files import rows_of, written

SWITCH = "line.671692"


@cache
def of() -> Study:
    return study("13", extent=Extent(flows=4))


def rows(*, switch_open: bool) -> list[str]:
    """Of one scan, noise and all."""
    one = of()
    value = one.drawn(seed=61, count=1, grid=opened(one, SWITCH) if switch_open else None)[1][:, 0]
    return rows_of(one.plan.keys, value, one.plan.sigma)


def told(folder: Path, capsys: pytest.CaptureFixture[str], lines: list[str], **options: Any) -> dict[str, Any]:
    model, measurements = written(folder, of().arrays.model, lines)
    asked = EstimateRequest(model=model, measurements=measurements, as_json=True, positions=True, **options)
    assert run(asked) == ExitCode.OK
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def verdicts(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["device"]: each for each in result["positions"]["verdicts"]}


@pytest.mark.parametrize("pseudo", list(Pseudo))
def test_an_open_switch_is_named_whatever_the_estimate_believes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pseudo: Pseudo
) -> None:
    said = verdicts(told(tmp_path, capsys, rows(switch_open=True), pseudo=pseudo))
    assert said[SWITCH]["standing"] == "wrong"
    assert said[SWITCH]["instead"] == [f"{SWITCH} open"]
    assert said[SWITCH]["log_odds"] > 10.0
    assert {each["kind"] for each in said.values()} == {"switch", "tap"}
    # By hand: behind it are the meters of line.692675; its phases 1 and 2 carry hardly anything then.
    assert {each["element"] for each in said[SWITCH]["carried_by"]} <= {"line.692675", "675", "692"}


@pytest.mark.parametrize("pseudo", list(Pseudo))
def test_true_positions_name_nothing_and_taps_beyond_the_meters_are_undecidable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pseudo: Pseudo
) -> None:
    said = verdicts(told(tmp_path, capsys, rows(switch_open=False), pseudo=pseudo))
    assert said[SWITCH]["standing"] == "as_reported"
    taps = [each for each in said.values() if each["kind"] == "tap"]
    assert {each["standing"] for each in taps} == {"undecidable"}
    assert all("sigma" in each["why"] for each in taps)


def test_where_the_row_says_so_itself_the_open_switch_is_as_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [*rows(switch_open=True), f"switch_closed,{SWITCH},0,0,0,,"]
    assert verdicts(told(tmp_path, capsys, lines))[SWITCH]["standing"] in ("as_reported", "undecidable")


def test_nothing_is_said_of_a_switch_whose_row_is_too_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [*rows(switch_open=True), f"switch_closed,{SWITCH},0,0,1,,1000000"]
    assert SWITCH not in verdicts(told(tmp_path, capsys, lines))


def test_the_summary_says_that_it_is_one_scan_and_names_what_is_wrong(tmp_path: Path) -> None:
    model, measurements = written(tmp_path, of().arrays.model, rows(switch_open=True))
    asked = ["estimate", str(model), "--measurements", str(measurements), "--positions"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0
    assert "one file is one scan" in done.output
    assert f"wrong: {SWITCH} open, odds 10^" in done.output
    assert "sigma off as reported" in done.output


def test_without_the_option_nothing_is_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, measurements = written(tmp_path, of().arrays.model, rows(switch_open=False))
    assert run(EstimateRequest(model=model, measurements=measurements, as_json=True)) == ExitCode.OK
    assert "positions" not in json.loads(capsys.readouterr().out)
