"""The report of a run: one HTML file with everything in it, made from the run's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from adms.client import InputError, Problem
from hil import plot_space, plots, results_file
from hil.against_idle import in_words, measures
from hil.plain_words import clock, long, sentences
from hil.plot_base import has_values
from hil.recorded import Run as Run
from hil.recorded import results_of
from hil.results import Results, Standing
from hil.results_rows import ImportLimit
from hil.series import RULE

NAME = "report.html"
_TEMPLATES = Path(__file__).resolve().parent / "templates"
_WORDS = {
    Standing.HELD: ("yes", "held"),
    Standing.BROKEN: ("no", "broken"),
    Standing.OPEN: ("open", "open shortfall"),
    Standing.NOT_JUDGED: ("soft", "not judged"),
}
METHOD = (
    "The plant is OpenDSS with loads drawn from the scenario's statistics; the service saw what the sensors sent and "
    "nothing else. Voltage and estimate are judged on live nodes, and not while protection was still working on a "
    "fault. What can be restored was found by brute force on the plant."
)
IDLE = "Doing nothing is the same feeder, weather, loads and faults with local controls only."


def environment() -> Environment:
    """Templates of the bench; whatever comes from a run is escaped."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.globals.update(clock=clock, long=long, in_words=in_words, words=_WORDS, tone=tone, figure_text=figure_text)
    return made


def tone(results: Results) -> str:
    """Class of the verdict: yes, open, no."""
    if not results.held:
        return "no"
    return "open" if results.shortfalls else "yes"


def figure_text(value: float, unit: str = "") -> str:
    """A figure as short as it can be; a dash where there is none."""
    return f"{value:,.5g} {unit}".rstrip() if value == value else "–"


def report(folder: Path, out: Path | None = None) -> Path:
    """Make the report of a folder again from its `results.json` alone: `report.html` in it, or the file `out`. A folder
    of runs has each report made again, and its page. What was written last is returned. Raises InputError where there
    is nothing to read, with all problems."""
    if not (folder / results_file.NAME).is_file():
        from hil.index_page import rewrite

        return rewrite(folder, out=out)
    path = out if out is not None else folder / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_html(results_file.read_results(folder / results_file.NAME), path=path)
    except OSError as error:
        raise InputError([Problem(element="--out", field="", value=str(path), message=str(error))]) from None
    return path


def write_html(results: Results, *, path: Path) -> None:
    """Write the self-contained report."""
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            results=results,
            happened=sentences(results),
            cards=_cards(results),
            plots=_figures(results),
            method=f"{METHOD} {IDLE}" if results.idle is not None else METHOD,
            rule=RULE,
        )
    )
    path.write_text(html, encoding="utf-8")


def _cards(results: Results) -> list[tuple[str, str]]:
    by_key = {measure.key: measure for measure in results.measures}
    judged = sum(check.standing is not Standing.NOT_JUDGED for check in results.all_checks)
    cards = [(f"{results.count(Standing.HELD)} / {judged}", "limits held")]
    if results.shortfalls:
        cards.append((str(len(results.shortfalls)), "open shortfalls"))
    for key in ("customer_minutes", "voltage_inside", "import_after_notice"):
        measure = by_key.get(key)
        if measure is None or measure.value != measure.value:
            continue
        value, idle = (in_words(v, unit=measure.unit, digits=measure.digits) for v in (measure.value, measure.idle))
        name = measure.name[0].lower() + measure.name[1:]
        cards.append((value, name + (f"; {idle} without the service" if results.idle is not None else "")))
    if results.estimate is not None:
        cards.append((in_words(results.estimate.ratio, unit="", digits=2), "estimate error over its prediction"))
    if results.service:
        cards.append((f"{results.commands:,}", "commands that devices received"))
    wall_s = results.measured.wall_s
    if wall_s == wall_s:
        cards.append((long(wall_s), f"wall time for {long(results.duration_s)} of feeder time"))
    return cards


def _figures(results: Results) -> list[tuple[str, list[Markup]]]:
    switched = any(event.what in {"opened", "closed"} for event in results.events)
    fleet = has_values(results.run.pv_w) or any(results.run.battery_w.known)
    measured = results.measured
    groups: list[tuple[str, list[str]]] = [
        ("Voltage", [plots.voltage_band(results), *([plot_space.voltage_profile(results)] * bool(results.profile.bus))])
    ]
    if results.estimate is not None:
        groups.append(("State estimate", [plot_space.estimate(results, results.estimate)]))
    restoration = [plots.switching(results)] if switched else []
    if switched or results.run.customers_off.highest > 0:
        groups.append(("Supply and switching", [plots.customers(results), *restoration]))
    groups.append(("Interface and losses", [plots.interface(results), plots.losses(results)]))
    if fleet:
        groups.append(("Fleet", [plots.fleet(results)]))
    if results.modes or results.grades:
        groups.append(("The service itself", [plots.modes(results)]))
    if has_values(measured.round_ms) or has_values(measured.latency.delay_s) or has_values(results.latency.delay_s):
        groups.append(("Speed and latency", [plots.rounds(results)]))
    return [(heading, [Markup(figure) for figure in figures]) for heading, figures in groups]


def write_report(run: Run, *, path: Path) -> None:
    """Write the report of a run that has just ended."""
    write_html(results_of(run), path=path)


def write_results(run: Run, *, path: Path) -> None:
    """Write the record of a run that has just ended."""
    results_file.write_results(results_of(run), path=path)


def compare(run: Run) -> list[tuple[str, str, str]]:
    """Rows of (what, with the service, doing nothing)."""
    limits = tuple(run.import_limits)
    if not limits and run.import_max_w is not None:
        limits = (ImportLimit(from_s=run.import_from_s, to_s=None, max_w=run.import_max_w),)
    rows: list[Any] = list(measures(run.run, idle=run.idle, limits=run.limits, import_limits=limits))
    return [
        (
            row.name,
            in_words(row.value, unit=row.unit, digits=row.digits),
            in_words(row.idle, unit=row.unit, digits=row.digits),
        )
        for row in rows
    ]
