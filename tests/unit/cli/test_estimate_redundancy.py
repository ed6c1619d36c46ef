"""What `adms estimate` says of observability, of measurements that check one another, and of one more sensor."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adms.cli.app import app
from adms.cli.estimate import Better, Pseudo
from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from adms.estimation.placement import Objective
from adms.grid.state import normal_state
from tests.unit.cli.scan_files import perfect_rows, rows_of, solved, written
from tests.unit.estimation.scans import flow_keys, true_values, usual_sigma, voltage_keys
from tests.unit.powerflow.networks import arrays_of, four_buses

MODEL = four_buses()
FLOW = solved(MODEL)
ROWS = perfect_rows(MODEL, FLOW)
"""Lines 2 to 7 voltages of buses 1 and 3, 8 to 13 P and Q of the three phases of line.l12, 14 and 15 of load.l4."""


def told(folder: Path, capsys: pytest.CaptureFixture[str], rows: list[str], **options: Any) -> dict[str, Any]:
    model, measurements = written(folder, MODEL, rows)
    assert run(EstimateRequest(model=model, measurements=measurements, as_json=True, **options)) == ExitCode.OK
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_nodes_are_told_by_what_holds_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = told(tmp_path, capsys, ROWS)["observability"]
    # By hand: the meters of bus 1 and of what enters line l12 give bus 2, load.l4 bus 4, and what is left of the
    # current bus 3. Behind the open tie nothing is metered.
    determined = sorted([*(f"{bus}.{phase}" for bus in "123" for phase in (1, 2, 3)), "4.1"])
    assert sorted(seen["determined"]) == determined
    assert seen["held_by_pseudo_measurements"] == ["5.1", "5.2", "5.3"]
    assert (seen["not_held"], seen["dead"]) == ([], [])
    assert sorted(node for island in seen["islands"] for node in island) == determined


def test_what_nothing_else_checks_is_told_by_line_with_and_without_pseudo_measurements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in ROWS if not row.startswith(("v_magnitude_v,3", "p_injection", "q_injection"))]
    got = told(tmp_path, capsys, rows)
    noticed = got["observability"]["critical_measurements"]
    assert noticed == [row["line"] for row in got["measurements"] if row["critical"]]
    # Voltages are checked by the source's own, which is believed to 1 %.
    assert not {2, 3, 4} & set(noticed)
    alone = got["observability"]["by_telemetry_alone"]
    # A head with a voltage and a flow of each phase: as many numbers as they are to find.
    assert (alone["critical_measurements"], alone["critical_sets"]) == (list(range(2, 11)), [])


def test_rows_that_only_check_each_other_are_told_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both ends of the lateral to bus 4 and its load say the same three times."""
    arrays = arrays_of(MODEL)
    keys = flow_keys(arrays, ("line.l24",), side=1)
    value = true_values(arrays, normal_state(MODEL), flow=FLOW, keys=keys)
    rows = [*ROWS, *rows_of(keys, value, usual_sigma(arrays, keys, value))]
    seen = told(tmp_path, capsys, rows)["observability"]["by_telemetry_alone"]
    pairs = [each for each in seen["critical_sets"] if each["pairwise"]]
    assert [14, 16] in [each["lines"] for each in pairs]
    assert [15, 17] in [each["lines"] for each in pairs]
    assert any(each["why"].startswith("an error in one of p_injection_w of load.l4, ") for each in pairs)


def test_one_more_sensor_is_suggested_with_what_it_would_bring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    got = told(tmp_path, capsys, ROWS, suggest=4)["suggestions"]
    assert len(got) == 4
    means = [each["mean_sigma_pu"][1] for each in got]
    assert all(later > sooner - 1e-9 for sooner, later in pairwise(means))
    assert all(each["mean_sigma_pu"][0] > each["mean_sigma_pu"][1] for each in got)
    # Bus 5 hangs on what is believed of its source, 1 %: a voltmeter there helps most.
    assert [point["element"] for point in got[0]["points"]] == ["5"]
    assert got[0]["words"].startswith("V at bus 5 phase ")
    # And it is put up: what was said is what comes. 0.5 % of 2,400 V.
    (point,) = got[0]["points"]
    assert point["sigma"] == pytest.approx(12.0)
    v = true_values(arrays_of(MODEL), normal_state(MODEL), flow=FLOW, keys=voltage_keys(arrays_of(MODEL), ("5",)))
    more = f"v_magnitude_v,5,{point['phase']},,{v[int(point['phase']) - 1]},{point['sigma']},"
    after = told(tmp_path, capsys, [*ROWS, more], suggest=1)["suggestions"][0]
    # To what the rows in use have to do with the rule of pseudo-measurements, which is the same.
    assert after["mean_sigma_pu"][0] == pytest.approx(got[0]["mean_sigma_pu"][1], rel=1e-3)


def test_both_ends_of_a_branch_are_not_both_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got = told(tmp_path, capsys, ROWS[:3], suggest=10)["suggestions"]
    flows = [each["points"][0]["element"] for each in got if each["points"][0]["kind"] == "p_flow_w"]
    assert flows
    assert len(flows) == len(set(flows))


def test_the_summary_names_them(tmp_path: Path) -> None:
    model, measurements = written(tmp_path, MODEL, ROWS)
    options = [str(model), "--measurements", str(measurements), "--suggest", "2", "--suggest-for", "worst"]
    got = CliRunner().invoke(app, ["estimate", *options])
    assert got.exit_code == 0, got.output
    assert "nodes: 10 determined by telemetry, 3 held by pseudo-measurements, 0 not held by anything" in got.output
    assert "critical: no measurement" in got.output
    assert "critical by telemetry alone: " in got.output
    assert "one more sensor would help most: " in got.output
    assert got.output.count("then: ") == 1


@pytest.mark.parametrize("pseudo", list(Pseudo))
def test_every_rule_of_pseudo_measurements_has_its_observability(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pseudo: Pseudo
) -> None:
    got = told(tmp_path, capsys, ROWS, pseudo=pseudo)
    seen = got["observability"]
    told_nodes = [*seen["determined"], *seen["held_by_pseudo_measurements"], *seen["not_held"], *seen["dead"]]
    assert sorted(told_nodes) == sorted(f"{node['bus']}.{node['phase']}" for node in got["nodes"])
    critical = [row["line"] for row in got["measurements"] if row["critical"]]
    assert critical == seen["critical_measurements"]


def test_what_can_be_asked_for_is_what_can_be_worked_out() -> None:
    assert {each.value for each in Better} == {each.value for each in Objective}


def test_without_pseudo_measurements_what_is_metered_is_solved_and_the_rest_labelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One voltage and nothing else: one node."""
    got = told(tmp_path, capsys, ROWS[3:4], pseudo=Pseudo.NONE)
    source = {f"{node['bus']}.{node['phase']}": (node["source"], node["v_v"]) for node in got["nodes"]}
    assert source["3.1"] == ("measured", pytest.approx(float(ROWS[3].split(",")[4]), rel=1e-6))
    assert got["observability"]["determined"] == ["3.1"]
    assert {word for name, (word, _) in source.items() if name[0] == "5"} == {"unobservable"}
    assert {v for name, (_, v) in source.items() if name[0] == "5"} == {None}


@pytest.mark.parametrize("sigma", ["1e308", "1e-300"])
def test_a_sigma_out_of_any_range_is_said_and_spoils_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sigma: str
) -> None:
    rows = [*ROWS]
    rows[3] = ",".join([*rows[3].split(",")[:5], sigma, ""])
    got = told(tmp_path, capsys, rows)
    assert got["measurements"][3]["use"] == "not_used"
    assert got["measurements"][3]["why"] == "sigma out of any range"
    assert got["grade"] == "solved"
