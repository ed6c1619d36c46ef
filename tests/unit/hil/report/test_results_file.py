import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.client import InputError
from hil.record import EstimateRow, Trace
from hil.recorded import results_of
from hil.results import Results, Standing
from hil.results_file import plain, read_results, repeatable, write_results
from tests.unit.hil.report.results_case import check, results, run


def written(found: Results, folder: Path) -> Path:
    write_results(found, path=folder / "results.json")
    return folder / "results.json"


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    found = results()
    back = read_results(written(found, tmp_path))
    # NaN is not equal to itself: compared as the file says it.
    assert plain(back) == plain(found)
    assert (back.verdict, back.estimate is not None, back.journal) == (found.verdict, True, found.journal)


def test_two_runs_that_only_took_longer_differ_in_nothing_but_what_is_measured(tmp_path: Path) -> None:
    quick, slow = results(ms=5.0), results(ms=50.0)
    contents = []
    for name, found in (("a", quick), ("b", slow)):
        (tmp_path / name).mkdir()
        contents.append(json.loads(written(found, tmp_path / name).read_text()))
    differing = {key for key in contents[0] if contents[0][key] != contents[1][key]}
    assert differing == {"measured"}
    assert repeatable(quick) == repeatable(slow)
    # A limit on a measured time is judged all the same.
    assert [one.name for one in quick.measured.checks] == ["round_p99_ms"]
    assert repeatable(quick) != repeatable(results(seed=4))


def test_a_file_with_many_faults_says_all_of_them(tmp_path: Path) -> None:
    path = written(results(), tmp_path)
    content = json.loads(path.read_text())
    content["seed"] = "three"
    content["checks"][0]["standing"] = "perhaps"
    content["run"]["import_w"]["value"][2] = "much"
    content["colour"] = "blue"
    del content["feeder"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        read_results(path)
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"seed", "checks[0].standing", "run.import_w.value[2]", "colour", "feeder"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "cannot be read"), ("[]", "no record of a run"), ("{}", "not a record"), ('{"schema": 99}', "99")],
)
def test_what_is_no_record_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_results(tmp_path / "results.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_results(tmp_path / "nowhere.json")


def test_a_run_holds_only_with_something_judged_and_a_whole_journal() -> None:
    assert results().held
    assert not results(checks=()).held
    assert results(checks=()).verdict == "Nothing was judged"
    torn = results(journal={"intact": False, "entries": 3, "reason": "hash"})
    assert not torn.held
    assert "journal is not whole" in torn.verdict
    assert results().count(Standing.OPEN) == 1
    assert results(checks=(check(),)).verdict == "All limits held"
    assert results().verdict == "All other limits held, 1 open shortfall"
    assert not run(journal={"intact": False}).held


def _a_day() -> dict[str, Any]:
    """21,600 scans of 300 nodes, every series full of noise and every event kept."""
    rng = np.random.default_rng(2)
    truth, estimates = Trace(nodes=tuple((f"bus{k // 3}", k % 3 + 1) for k in range(300))), []
    base = run()
    for k in range(21_600):
        v_pu = 1.0 + 0.02 * rng.standard_normal(300)
        truth.time_s.append(4.0 * (k + 1))
        truth.v_pu.append(v_pu)
        truth.in_fault.append(False)
        truth.customers_off.append(int(rng.integers(100)))
        for column in (truth.import_w, truth.losses_w, truth.battery_w, truth.pv_w):
            column.append(1e6 * float(rng.standard_normal()))
        if k % 10 == 0:
            error = 0.001 * rng.standard_normal(300)
            estimates.append(
                EstimateRow(
                    time_s=4.0 * (k + 1),
                    grade="solved" if k % 20 else "partial",
                    v_pu=v_pu + error,
                    sigma_pu=np.full(300, 0.001),
                    truth_pu=v_pu,
                    pseudo_pu=v_pu + 0.01,
                )
            )
    truth.events = list(base.run.events) * 4000
    base.story.moves = list(base.story.moves) * 9000
    distance = {f"bus{k}": 0.1 * k for k in range(100)}
    return {"run": truth, "idle": truth, "estimates": estimates, "distance_km": distance, "rounds": ()}


def test_a_day_at_four_seconds_stays_below_five_megabytes(tmp_path: Path) -> None:
    base = run()
    day = _a_day()
    found = results_of(replace(base, **day))
    assert written(found, tmp_path).stat().st_size < 5_000_000
    assert found.events_left_out == 12_000 - 5000
    # Percentiles by numpy of all scans, before anything was left out.
    lowest = min(float(v_pu.min()) for v_pu in day["run"].v_pu)
    assert found.run.v_min_pu.lowest == pytest.approx(lowest, rel=1e-6)
