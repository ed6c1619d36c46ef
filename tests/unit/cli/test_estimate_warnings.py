"""No row is left out in silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from tests.unit.cli.scan_files import perfect_rows, solved, written
from tests.unit.powerflow.networks import four_buses

MODEL = four_buses()
ROWS = perfect_rows(MODEL, solved(MODEL))
AFTER = 2 + len(ROWS)
"""Line of the first row after those."""


def told(folder: Path, rows: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    model, measurements = written(folder, MODEL, rows)
    assert run(EstimateRequest(model=model, measurements=measurements, as_json=True)) == ExitCode.OK
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_a_file_of_which_everything_is_used_has_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got, said = told(tmp_path, ROWS, capsys)
    assert got["warnings"] == []
    assert said == ""


def test_a_row_that_is_not_used_is_told_with_its_line_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A voltage of another bus, and a current of which its meter sees little."""
    more = ["v_magnitude_v,4,1,0,12470,9,", "i_magnitude_a,line.l24,1,0,2,1,"]
    got, said = told(tmp_path, [*ROWS, *more], capsys)
    assert [row["use"] for row in got["measurements"][-2:]] == ["not_used", "not_used"]
    slip, high, small = got["warnings"]
    assert slip.startswith(f"line {AFTER}: three times nominal and more is not used")
    assert high == f"not used, no voltage that a live node has: line {AFTER}"
    assert small == f"not used, too small to tell from none: line {AFTER + 1}"
    assert said == "".join(f"adms: {warning}\n" for warning in got["warnings"])


def test_kilovolts_are_rejected_and_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got, _ = told(tmp_path, [*ROWS, "v_magnitude_v,4,1,0,2.4,0.01,"], capsys)
    assert got["rejected"] == [AFTER]
    (warning,) = got["warnings"]
    assert warning.startswith(f"line {AFTER}: less than a tenth of nominal counts as no voltage: kV or pu")
