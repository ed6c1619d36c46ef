import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from adms.client import InputError
from hil.compare import compare, difference_text
from hil.compare_page import compare_folders
from hil.measures.judgement import Verdict
from hil.results import Results, Standing
from hil.results_file import write_results
from hil.terminal import show, show_all
from tests.unit.hil.report.results_case import NASTY, check, results, trace


def with_less_import() -> Results:
    """100 W less than the others all the time, and every customer off."""
    return results(run=trace(import_w=900.0, off=5), service=False)


def test_differences_are_b_less_a_and_the_better_one_is_named() -> None:
    rows = {row.key: row for row in compare(results(), with_less_import()).measures}
    # By hand: ten scans of 4 s, (1000 + k) W, the same less 100 W: highest 1010 W and 910 W.
    assert rows["import_highest"].difference == pytest.approx(-0.1)
    # 0.1 kW is not to be seen at whole kW.
    assert rows["import_highest"].better == "equal"
    assert rows["customers_off_end"].difference == 5.0
    assert rows["customers_off_end"].better == "a"
    assert difference_text(rows["customers_off_end"]) == "+5"
    # 5 customers for 40 s.
    assert rows["customer_minutes"].difference == pytest.approx(5 * 40 / 60)
    assert rows["import_energy"].better == "neither"
    # Of the service there is nothing in a run without it.
    assert rows["moves"].better == "unknown"
    assert difference_text(rows["moves"]) == "–"


def test_exchanging_the_runs_turns_every_sign_and_every_verdict() -> None:
    there, back = compare(results(), with_less_import()), compare(with_less_import(), results())
    turned = {"a": "b", "b": "a"}
    other = {row.key: row for row in back.measures}
    for row in there.measures:
        assert other[row.key].better == turned.get(row.better, row.better)
        if row.difference == row.difference:
            assert other[row.key].difference == -row.difference
    assert (there.a.label, there.b.label) == ("with the service", "without the service")


def test_more_is_better_where_it_is() -> None:
    worse = trace()
    for v_pu in worse.v_pu[:3]:
        v_pu[1] = 0.9
    rows = {row.key: row for row in compare(results(), results(run=worse)).measures}
    # By hand: of 18 calm node-scans 3 are outside.
    assert rows["voltage_inside"].difference == pytest.approx(-100.0 * 3 / 18)
    assert rows["voltage_inside"].better == "a"


def test_limits_are_compared_by_how_they_came_out() -> None:
    broken = results(checks=(check(verdict=Verdict.BROKEN, value=2.0), check("voltage")))
    comparison = compare(results(), broken)
    rows = {row.name: row for row in comparison.checks}
    assert rows["frames_lost"].better == "a"
    assert rows["voltage"].better == "b"
    assert (rows["voltage"].a_standing, rows["voltage"].b_standing) == (Standing.OPEN, Standing.HELD)
    assert rows["round_p99_ms"].better == "unknown"
    assert comparison.notes == ("Not the same limit of voltage: 0.99 and 0.",)


def test_versions_and_seeds_tell_two_runs_apart() -> None:
    older = results(versions={"adms-lite": "0.0.9"})
    assert compare(older, results()).a.label == "adms-lite 0.0.9"
    other_seed = compare(results(), results(seed=4))
    assert (other_seed.a.label, other_seed.b.label) == ("seed 3", "seed 4")
    assert "Not the same seed: 3 and 4: loads, weather and noise differ by chance." in other_seed.notes


def test_folders_are_compared_with_a_page_json_and_a_table(tmp_path: Path) -> None:
    for name, found in (("a", results()), ("b", with_less_import())):
        (tmp_path / name).mkdir()
        write_results(found, path=tmp_path / name / "results.json")
    screen = StringIO()
    console = Console(file=screen, width=200)
    compare_folders(tmp_path / "a", tmp_path / "b", out=tmp_path / "out", console=console)
    assert "Customers off at the end" in screen.getvalue()
    assert NASTY in screen.getvalue()
    assert (tmp_path / "out" / "compare.html").is_file()
    twin = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert {"a", "b", "measures", "checks", "moves", "notes", "verdict"} <= set(twin)
    alone = StringIO()
    compare_folders(tmp_path / "a", tmp_path / "b", as_json=True, console=Console(file=alone, width=80))
    assert json.loads(alone.getvalue())["comparisons"][0]["a"]["label"] == "with the service"


def test_scenarios_of_two_folders_are_matched_and_the_rest_is_named(tmp_path: Path) -> None:
    for side, names in (("a", ("one", "two", "three")), ("b", ("two", "three", "four"))):
        for name in names:
            (tmp_path / side / name).mkdir(parents=True)
            write_results(replace(results(), scenario=name), path=tmp_path / side / name / "results.json")
    screen = StringIO()
    found = compare_folders(tmp_path / "a", tmp_path / "b", out=tmp_path / "out", console=Console(file=screen))
    assert len(found) == 2
    assert "only in one of the folders: four, one" in screen.getvalue()
    assert (tmp_path / "out" / "two" / "compare.html").is_file()


def test_problems_of_both_folders_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        compare_folders(tmp_path / "x", tmp_path / "y")
    assert len(refused.value.problems) == 2


def test_the_terminal_shows_names_as_they_are_and_the_verdict_last() -> None:
    screen = StringIO()
    bold = "[bold]name[/bold]"
    show(Console(file=screen, width=160), results(title=bold))
    lines = screen.getvalue().splitlines()
    assert lines[0] == bold
    assert lines[-1].startswith("All other limits held, 1 open shortfall; 40 s of feeder time in 50 s")
    screen = StringIO()
    show_all(Console(file=screen, width=160), [results(), replace(results(checks=()), scenario="nothing")])
    assert "open shortfall: small voltage: issue 6" in screen.getvalue()
    assert "1 of 2 scenarios held, 1 open shortfall" in screen.getvalue()
