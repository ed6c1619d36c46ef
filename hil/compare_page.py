"""The comparison of two runs as a page and as JSON, for one scenario or a folder of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup
from matplotlib.axes import Axes
from rich.console import Console

from adms.client import InputError, Problem
from hil import results_file
from hil.compare import Comparison, compare, difference_text
from hil.index_page import read_all
from hil.plot_base import LIMIT, TimeAxis, figure, has_values, legend, literal, svg, time_axis
from hil.report import environment
from hil.results import Arm, Results
from hil.results_file import plain
from hil.series import Series
from hil.terminal import show_comparison

A_COLOUR, B_COLOUR = "#ca6f1e", "#1a5276"
NAME = "compare.html"


def compare_folders(
    a: Path, b: Path, *, out: Path | None = None, as_json: bool = False, console: Console | None = None
) -> list[Comparison]:
    """Compare the runs of two folders: one run each, or the scenarios that both have. Prints tables, or JSON alone.
    With `out`, `compare.html` and `compare.json` are written there, in a folder for each scenario where there are many.
    Raises InputError with all problems of both folders."""
    pairs, missing = _pairs(a, b)
    found = []
    screen = console if console is not None else Console()
    for first, second in pairs:
        comparison = compare(first, second)
        if first.title == second.title and comparison.a.label == "first run":
            # Nothing in the records tells them apart: their folders do.
            comparison = replace(
                comparison, a=replace(comparison.a, label=a.name), b=replace(comparison.b, label=b.name)
            )
        found.append(comparison)
        if out is not None:
            _write(comparison, first, second, folder=out / second.scenario if len(pairs) > 1 else out)
        if not as_json:
            screen.print(second.title, style="bold", markup=False, highlight=False)
            show_comparison(screen, comparison)
    if as_json:
        screen.print_json(json.dumps({"comparisons": [as_plain(one) for one in found], "only_in_one": missing}))
    elif missing:
        screen.print(f"only in one of the folders: {', '.join(missing)}", markup=False)
    return found


def as_plain(comparison: Comparison) -> object:
    """For JSON."""
    return {**plain(comparison), "verdict": comparison.verdict}


def _pairs(a: Path, b: Path) -> tuple[list[tuple[Results, Results]], list[str]]:
    problems: list[Problem] = []
    sides: list[list[Results]] = []
    for folder in (a, b):
        try:
            single = folder / results_file.NAME
            sides.append([results_file.read_results(single)] if single.is_file() else read_all(folder))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if len(sides[0]) == len(sides[1]) == 1:
        return [(sides[0][0], sides[1][0])], []
    mine, other = ({run.scenario: run for run in side} for side in sides)
    pairs = [(mine[name], other[name]) for name in mine if name in other]
    if not pairs:
        said = f"no scenario of {a} is in {b}"
        raise InputError([Problem(element="compare", field="", value="", message=said)])
    return pairs, sorted(set(mine) ^ set(other))


def _write(comparison: Comparison, a: Results, b: Results, *, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_comparison(comparison, a, b, path=folder / NAME)
    except OSError as error:
        raise InputError([Problem(element="--out", field="", value=str(folder), message=str(error))]) from None


def write_comparison(comparison: Comparison, a: Results, b: Results, *, path: Path) -> None:
    """Write the page, and its JSON twin beside it."""
    html = (
        environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            difference_text=difference_text,
            plots=[Markup(plot) for plot in overlays(comparison, a, b)],
            a_colour=A_COLOUR,
            b_colour=B_COLOUR,
        )
    )
    path.write_text(html, encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(as_plain(comparison), indent=1) + "\n", encoding="utf-8")


def overlays(comparison: Comparison, a: Results, b: Results) -> list[str]:
    """Both runs in one plot each: voltage, import, customers off, losses, error of the estimate."""
    sides = [(a, A_COLOUR, f"A: {comparison.a.label}"), (b, B_COLOUR, f"B: {comparison.b.label}")]
    longer = a if a.duration_s > b.duration_s else b
    both = replace(
        time_axis(longer), marks=a.marks if a.marks == b.marks else (), faults=a.faults if a.faults == b.faults else ()
    )

    def over(title: str, ylabel: str, of: Callable[[Arm], list[Series]], *, scale: float = 1.0, **extra: bool) -> str:
        with figure(height=2.8) as ((ax,), out):
            for run, colour, word in sides:
                for number, series in enumerate(of(run.run)):
                    # A is wider, so that it shows below B where they are the same.
                    width = 2.4 if run is a else 1.1
                    label = None if number else literal(word)
                    both.line(
                        ax,
                        series,
                        scale=scale,
                        step=extra.get("step", False),
                        color=colour,
                        linewidth=width,
                        label=label,
                    )
            if extra.get("limits"):
                for limit in (a.v_min_pu, a.v_max_pu):
                    ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle="--")
            if extra.get("interface"):
                _import_limits(ax, b, axis=both)
            ax.set(title=title, ylabel=ylabel)
            legend(ax)
            both.finish(ax)
        return svg(out)

    plots = [
        over(
            "Lowest and highest voltage of live nodes",
            "voltage, pu",
            lambda arm: [arm.v_min_pu, arm.v_max_pu],
            limits=True,
        ),
        over("Import", "import, kW", lambda arm: [arm.import_w], scale=1e-3, interface=True),
        over("Customers without supply", "customers", lambda arm: [arm.customers_off], step=True),
        over("Losses", "losses, kW", lambda arm: [arm.losses_w], scale=1e-3),
    ]
    if any(run.estimate is not None and has_values(run.estimate.error_pu) for run, *_ in sides):
        plots.append(_estimates(sides, axis=both))
    return plots


def _import_limits(ax: Axes, run: Results, *, axis: TimeAxis) -> None:
    for limit in run.import_limits:
        stop = run.duration_s if limit.to_s is None else limit.to_s
        ax.plot(axis.at([limit.from_s, stop]), [limit.max_w / 1e3] * 2, color=LIMIT, linestyle="--")


def _estimates(sides: list[tuple[Results, str, str]], *, axis: TimeAxis) -> str:
    with figure(height=2.8) as ((ax,), out):
        for run, colour, word in sides:
            if run.estimate is not None:
                axis.line(ax, run.estimate.error_pu, scale=1e3, color=colour, label=literal(word))
                axis.line(ax, run.estimate.sigma_pu, scale=1e3, color=colour, linestyle="--", linewidth=0.8)
        ax.set(title="Error of the estimate (dashed: predicted)", ylabel="rms error, 0.001 pu")
        ax.set_ylim(bottom=0.0)
        legend(ax)
        axis.finish(ax)
    return svg(out)
