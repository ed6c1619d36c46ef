"""`adms estimate` on four buses whose meters are read from a power flow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.cli import estimate_run
from adms.cli.estimate import Pseudo
from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from adms.core.errors import InputError
from adms.core.estimate import NotEstimated
from adms.core.ids import ElementId
from adms.core.telemetry import TelemetrySnapshot
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow
from tests.unit.cli.scan_files import perfect_rows, solved, written
from tests.unit.powerflow.networks import arrays_of, four_buses

MODEL = four_buses()
FLOW = solved(MODEL)
ROWS = perfect_rows(MODEL, FLOW)
FAR = 3 + 2
"""Line of the voltage of phase 1 at bus 3, the fourth row."""


def told(request: EstimateRequest, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(request) == ExitCode.OK
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def files(folder: Path, rows: list[str] | None = None, **options: Any) -> EstimateRequest:
    model, measurements = written(folder, MODEL, ROWS if rows is None else rows)
    return EstimateRequest(model=model, measurements=measurements, **{"as_json": True, **options})


def assert_is_flow(result: dict[str, Any], flow: PowerFlow) -> None:
    """To 1e-8 pu, as the requirement has it for data without noise."""
    v = np.array([n["v_pu"] * np.exp(1j * np.radians(n["angle_deg"] or 0.0)) for n in result["nodes"]])
    np.testing.assert_allclose(v, np.where(flow.energised, flow.v_phasor_pu, 0.0), atol=1e-8)


@pytest.mark.parametrize("pseudo", [Pseudo.NEEDED, Pseudo.ALL])
def test_meters_without_noise_return_the_power_flow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pseudo: Pseudo
) -> None:
    got = told(files(tmp_path, pseudo=pseudo), capsys)
    assert (got["converged"], got["grade"], got["rejected"]) == (True, "solved", [])
    assert_is_flow(got, FLOW)
    assert got["chi2"] == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose([s["p_w"] for s in got["sources"]], FLOW.s_source_va.real, atol=0.1)
    # To a millionth of the base: where nothing is known of a power, a volt in ten million is as many watts.
    np.testing.assert_allclose([i["q_var"] for i in got["injections"]], FLOW.s_injection_va.imag, atol=1.0)
    assert got["losses_w"] == pytest.approx(FLOW.losses_w, abs=0.1)
    assert [i["phase"] for i in got["injections"]][:5] == ["1", "2", "3", "1", "23"]
    assert got["milliseconds"] > 0.0


def test_every_row_is_told_with_its_line_and_what_became_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    got = told(files(tmp_path), capsys)
    assert [row["line"] for row in got["measurements"]] == list(range(2, 2 + len(ROWS)))
    assert {row["use"] for row in got["measurements"]} == {"used"}
    for row in got["measurements"]:
        assert row["estimated"] == pytest.approx(row["value"] - row["residual"])
    source = {(node["bus"], node["phase"]): node["source"] for node in got["nodes"]}
    assert source["3", "1"] == "measured"
    # Nobody measures behind the open tie: the source's own voltage is all there is.
    assert source["5", "1"] == "pseudo"


def test_which_injections_are_pseudo_measurements_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needed = told(files(tmp_path), capsys)["pseudo"]
    every = told(files(tmp_path, pseudo=Pseudo.ALL), capsys)["pseudo"]
    # Nine parts of loads and DER; the one of load.l4 has rows of its own.
    assert (needed["rule"], needed["injectors"]) == ("unmeasured", 8)
    assert "of 13 energised nodes" in needed["why"]
    assert (every["rule"], every["injectors"]) == ("all", 9)
    assert (every["own_sigma_frac"], every["common_sigma_frac"]) == (0.4, 0.15)


def test_a_gross_error_is_rejected_by_its_line_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ROWS[FAR - 2].split(",")
    cells[4] = repr(0.9 * float(cells[4]))
    rows = [*ROWS]
    rows[FAR - 2] = ",".join(cells)
    plot = tmp_path / "picture.svg"
    got = told(files(tmp_path, rows, plot=plot), capsys)
    assert got["rejected"] == [FAR]
    (wrong,) = [row for row in got["measurements"] if row["use"] == "rejected"]
    # 10 % off, with a sigma of 0.4 % of nominal.
    assert wrong["normalized"] < -15.0
    # Without it the rest is still free of noise.
    assert_is_flow(got, FLOW)
    assert plot.read_bytes().lstrip().startswith(b"<?xml")
    assert run(files(tmp_path, rows, as_json=False)) == ExitCode.OK
    summary = capsys.readouterr().out
    assert f"rejected, line {FAR}: v_magnitude_v 3.1 says" in summary
    assert "1 rejected" in summary


def test_a_picture_has_meters_and_rejected_meters(tmp_path: Path) -> None:
    plot = tmp_path / "picture.png"
    assert run(files(tmp_path, plot=plot, as_json=False)) == ExitCode.OK
    assert plot.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_positions_of_the_file_say_which_network_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = normal_state(MODEL).with_switch(ElementId("line.t35"), closed=True)
    flow = solved(MODEL, grid=grid)
    rows = [*perfect_rows(MODEL, flow, grid=grid), "switch_closed,t35,,,1,,"]
    got = told(files(tmp_path, rows), capsys)
    assert_is_flow(got, flow)
    assert got["measurements"][-1]["use"] == "used"
    assert got["measurements"][-1]["residual"] is None


def test_an_open_switch_leaves_nodes_dead_and_their_meters_unused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = normal_state(MODEL).with_switch(ElementId("line.s23"), closed=False)
    rows = [*perfect_rows(MODEL, solved(MODEL, grid=grid), grid=grid), "switch_closed,s23,,,0,,"]
    got = told(files(tmp_path, rows), capsys)
    assert got["observability"]["dead"] == ["3.1", "3.2", "3.3"]
    assert [n["v_pu"] for n in got["nodes"] if n["source"] == "dead"] == [0.0, 0.0, 0.0]
    assert {r["use"] for r in got["measurements"] if r["element"] == "3"} == {"not_used"}


def test_the_command_line_goes_before_a_row_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = files(tmp_path, [*ROWS, "switch_closed,s23,,,0,,"], closed=("s23",))
    got = told(request, capsys)
    assert_is_flow(got, FLOW)
    assert got["warnings"] == ["line.s23: --close goes before its row"]
    assert (got["measurements"][-1]["use"], got["measurements"][-1]["why"]) == (
        "not_used",
        "--close goes before its row",
    )


def test_rows_of_more_than_a_day_are_not_used_and_their_devices_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS[:-1], ROWS[-1] + "86401", "switch_closed,s23,,,0,,90000"]
    got = told(files(tmp_path, rows), capsys)
    last = len(rows) + 1
    assert got["warnings"] == [f"2 rows are older than 24 h and not used: lines {last - 1}, {last}"]
    assert [row["use"] for row in got["measurements"][-2:]] == ["not_used", "not_used"]
    assert got["grade"] == "partial"
    assert "line.s23" in got["reason"]
    # The position is then that of the model: closed.
    assert_is_flow(got, FLOW)


def test_loads_of_a_study_are_what_is_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        'schema_version = 1\nname = "noon"\n[[load]]\ndefault = true\nscale_frac = 0.5\n'
        '[[forecast]]\nelement = "l4"\nquantity = "scale_frac"\ntimes_s = [0.0, 600.0]\nvalues = [1.0, 3.0]\n'
    )
    arrays = arrays_of(MODEL)
    s_va = 0.5 * arrays.injector_s_nominal_va
    s_va[arrays.injector_rows[ElementId("load.l4")]] *= 3.0
    flow = solved(MODEL, s_va=s_va)
    got = told(files(tmp_path, perfect_rows(MODEL, flow), study=study, time_s=700.0, pseudo=Pseudo.ALL), capsys)
    assert (got["study"], got["time_s"]) == ("noon", 700.0)
    assert_is_flow(got, flow)


def test_no_estimate_is_said_with_its_reason_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    solved_keys = set(told(files(tmp_path), capsys))

    def fails(snapshot: TelemetrySnapshot, **_: Any) -> tuple[None, NotEstimated]:
        return None, NotEstimated(snapshot_id=snapshot.snapshot_id, time=snapshot.cut_time, reason="because")

    monkeypatch.setattr(estimate_run, "estimate", fails)
    assert run(files(tmp_path)) == ExitCode.FAILED
    got = json.loads(capsys.readouterr().out)
    assert (got["converged"], got["reason"], got["chi2"], got["nodes"]) == (False, "because", None, [])
    assert set(got) == solved_keys
    assert run(files(tmp_path, as_json=False)) == ExitCode.FAILED
    assert capsys.readouterr().out == "not estimated: because\n"


def test_mistakes_of_the_file_and_of_the_command_line_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        run(files(tmp_path, ["v_magnitude_v,9,1,,1,1,", "p_flow_w,l12,1,,x,1,"], opened=("nowhere",)))
    assert [problem.element for problem in refused.value.problems] == ["m.csv line 2", "m.csv line 3", "command line"]


def test_a_refused_file_is_exit_code_2_without_a_traceback(tmp_path: Path) -> None:
    model, measurements = written(tmp_path, MODEL, ["v_magnitude_v,1,1,,-5,0,", "p_flow,l12,1,,nan,1,"])
    command = ["estimate", str(model), "--measurements", str(measurements), "--json"]
    done = subprocess.run([sys.executable, "-m", "adms.cli", *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["m.csv line 2"] * 2 + ["m.csv line 3"] * 2
    assert "did you mean p_flow_w?" in done.stderr


def test_the_summary_says_how_well_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files(tmp_path, as_json=False)) == ExitCode.OK
    summary = capsys.readouterr().out
    assert "four buses: solved" in summary
    assert "sigma 40 % each and 15 % in common" in summary
    assert f"lowest voltage {np.abs(FLOW.v_phasor_pu).min():.4f} pu" in summary
    assert f"losses {FLOW.losses_w / 1e3:.2f} kW" in summary
    assert f"measurements: {len(ROWS)} used" in summary
