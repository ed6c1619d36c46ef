"""The page of many runs: a row for each scenario, the open shortfalls by name with their count; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adms.client import InputError, Problem
from hil import results_file
from hil.report import NAME as REPORT
from hil.report import environment, write_html
from hil.results import Results, Standing
from hil.results_file import plain

NAME, TWIN = "index.html", "index.json"


def write_index(results: Sequence[Results], path: Path) -> None:
    """Write the page, and its JSON twin beside it. Reports are linked where `hil run` puts them: in a folder named for
    the scenario, beside the page."""
    rows = sorted(results, key=lambda run: (run.scenario, run.seed))
    shortfalls = [(run, check) for run in rows for check in run.shortfalls]
    html = (
        environment()
        .get_template("index.html.j2")
        .render(
            rows=rows,
            shortfalls=shortfalls,
            held=sum(run.held for run in rows),
            standing=Standing,
            link=lambda run: f"{quote(run.scenario)}/{REPORT}",
        )
    )
    path.write_text(html, encoding="utf-8")
    twin = {
        "held": bool(rows) and all(run.held for run in rows),
        "runs": [_line(run) for run in rows],
        "shortfall_count": len(shortfalls),
        "shortfalls": [
            {"scenario": run.scenario, "limit": check.name, "why": check.shortfall} for run, check in shortfalls
        ],
    }
    path.with_suffix(".json").write_text(json.dumps(plain(twin), indent=1) + "\n", encoding="utf-8")


def _line(run: Results) -> dict[str, Any]:
    return {
        "scenario": run.scenario,
        "title": run.title,
        "feeder": run.feeder,
        "seed": run.seed,
        "held": run.held,
        "verdict": run.verdict,
        "limits": {standing.value: run.count(standing) for standing in Standing},
        "broken": [check.name for check in run.all_checks if check.standing is Standing.BROKEN],
        "report": f"{run.scenario}/{REPORT}",
        "duration_s": run.duration_s,
        "wall_s": run.measured.wall_s,
    }


def folders_of(folder: Path) -> list[Path]:
    """Folders of runs in a folder."""
    return sorted(one.parent for one in folder.glob(f"*/{results_file.NAME}"))


def read_all(folder: Path) -> list[Results]:
    """The runs in a folder. Raises InputError with the problems of all of them, or where there is none."""
    folders = folders_of(folder)
    problems: list[Problem] = []
    if not folders:
        said = f"no {results_file.NAME} in it, nor in the folders in it"
        raise InputError([Problem(element=str(folder), field="", value="", message=said)])
    found = []
    for one in folders:
        try:
            found.append(results_file.read_results(one / results_file.NAME))
        except InputError as error:
            problems += [
                Problem(element=f"{one.name}/{p.element}", field=p.field, value=p.value, message=p.message)
                for p in error.problems
            ]
    if problems:
        raise InputError(problems)
    return found


def rewrite(folder: Path, *, out: Path | None) -> Path:
    """Make the report of every run in a folder again, and the page of all, which is returned."""
    found = read_all(folder)
    page = out if out is not None else folder / NAME
    try:
        for one, results in zip(folders_of(folder), found, strict=True):
            write_html(results, path=one / REPORT)
        page.parent.mkdir(parents=True, exist_ok=True)
        write_index(found, page)
    except OSError as error:
        raise InputError([Problem(element="--out", field="", value=str(page), message=str(error))]) from None
    return page
