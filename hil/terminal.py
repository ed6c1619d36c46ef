"""Runs and comparisons in the terminal. What a run says is shown as it is, never as mark-up."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hil.against_idle import in_words
from hil.compare import Comparison, difference_text
from hil.plain_words import long, sentences
from hil.report import figure_text, tone
from hil.results import Results, Standing

_COLOUR = {"yes": "green", "open": "yellow", "no": "bold red"}
_WORDS = {
    Standing.HELD: Text("held", style="green"),
    Standing.BROKEN: Text("BROKEN", style="bold red"),
    Standing.OPEN: Text("open shortfall", style="yellow"),
    Standing.NOT_JUDGED: Text("not judged", style="dim"),
}


def show(console: Console, results: Results) -> None:
    """What happened in one run, each limit, and the verdict last."""
    console.print(Text(results.title, style="bold"))
    # What broke is in the table below.
    for sentence in sentences(results):
        if not sentence.startswith(("Broken:", "Open shortfall:")):
            console.print(Text(sentence))
    table = _table("what had to hold", "", "limit", "value>", "at>", "found")
    for check in results.all_checks:
        found = check.text + (f"; {check.shortfall}" if check.standing is Standing.OPEN else "")
        sign = {True: "≥ ", False: "≤ ", None: ""}[check.at_least]
        table.add_row(
            _WORDS[check.standing],
            Text(check.name),
            Text(figure_text(check.value, check.unit)),
            Text(sign + figure_text(check.limit, check.unit)),
            Text(found),
        )
    console.print(table)
    if results.idle is not None:
        beside = _table("beside doing nothing", "", "with the service>", "doing nothing>")
        for row in results.measures:
            values = (in_words(value, unit=row.unit, digits=row.digits) for value in (row.value, row.idle))
            beside.add_row(Text(row.name), *(Text(value) for value in values))
        console.print(beside)
    wall_s = results.measured.wall_s
    took = f"; {long(results.duration_s)} of feeder time in {long(wall_s)}" if wall_s == wall_s else ""
    console.print(Text(results.verdict + took, style=_COLOUR[tone(results)]))


def show_all(console: Console, results: Sequence[Results]) -> None:
    """A row for each of many runs, the open shortfalls by name, and how many held."""
    table = _table("scenarios", "", "scenario", "seed>", "held>", "broken>", "open>", "wall time>", "what broke")
    for run in results:
        wall_s = run.measured.wall_s
        table.add_row(
            Text("held" if run.held else "BROKEN", style=_COLOUR[tone(run)]),
            Text(run.scenario),
            str(run.seed),
            str(run.count(Standing.HELD)),
            str(run.count(Standing.BROKEN)),
            str(len(run.shortfalls)),
            long(wall_s) if wall_s == wall_s else "–",
            Text(", ".join(check.name for check in run.all_checks if check.standing is Standing.BROKEN)),
        )
    console.print(table)
    shortfalls = [(run.scenario, check) for run in results for check in run.shortfalls]
    for scenario, check in shortfalls:
        console.print(Text(f"open shortfall: {scenario} {check.name}: {check.shortfall}", style="yellow"))
    held = sum(run.held for run in results)
    style = "green" if held == len(results) and results else "bold red"
    left = f", {len(shortfalls)} open shortfall{'s' if len(shortfalls) != 1 else ''}"
    console.print(Text(f"{held} of {len(results)} scenarios held{left}", style=style))


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Measures and limits of two runs side by side."""
    a, b = comparison.a.label, comparison.b.label
    table = _table("figures", "", f"A: {a}>", f"B: {b}>", "B less A>", "better")
    for row in comparison.measures:
        values = (in_words(value, unit=row.unit, digits=row.digits) for value in (row.a, row.b))
        better = {"a": "A", "b": "B", "equal": "=", "neither": ""}.get(row.better, "?")
        table.add_row(Text(row.name), *(Text(value) for value in values), Text(difference_text(row)), better)
    console.print(table)
    limits = _table("limits", "", f"A: {a}", f"B: {b}", "value in A>", "value in B>")
    for one in comparison.checks:
        standings = [_WORDS[s] if s is not None else Text("–") for s in (one.a_standing, one.b_standing)]
        limits.add_row(Text(one.name), *standings, figure_text(one.a, one.unit), figure_text(one.b, one.unit))
    console.print(limits)
    for note in comparison.notes:
        console.print(Text(note, style="yellow"))
    console.print(Text(comparison.verdict, style="bold"))


def _table(title: str, *columns: str) -> Table:
    """A table; a column whose name ends with > stands to the right."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        right = column.endswith(">")
        table.add_column(Text(column.removesuffix(">")), justify="right" if right else "left", overflow="fold")
    return table
