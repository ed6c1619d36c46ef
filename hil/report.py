"""The report: one HTML file with everything in it, and the same findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hil import plots
from hil.acceptance import Check
from hil.overlay import Limits
from hil.record import EstimateRow, EstimateScore, Trace, customer_minutes, voltage_ok_frac
from hil.story import Story

_TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that a report is made of."""

    title: str
    seed: int
    fault: str
    run: Trace
    idle: Trace
    """The same feeder and seed without the service."""
    estimates: Sequence[EstimateRow]
    score: EstimateScore
    checks: Sequence[Check]
    limits: Limits
    distance_km: Mapping[str, float]
    import_max_w: float | None
    import_from_s: float
    marks: plots.Marks
    story: Story
    wall_s: float
    commands: int
    facts: Mapping[str, Any]
    """Further figures for the JSON file."""

    @property
    def held(self) -> bool:
        """Whether every limit held."""
        return all(check.held for check in self.checks)


def _clock(time_s: float) -> str:
    return f"{int(time_s // 60)}:{time_s % 60:04.1f}"


def _energy_kwh(trace: Trace, *, column: Sequence[float]) -> float:
    times = np.array([0.0, *trace.time_s])
    return float((np.diff(times) * np.array(column)).sum() / 3.6e6)


def compare(run: Run) -> list[tuple[str, str, str]]:
    """Rows of (what, with the service, doing nothing)."""
    limits = run.limits

    def both(label: str, fmt: str, of: Any) -> tuple[str, str, str]:
        return label, fmt.format(of(run.run)), fmt.format(of(run.idle))

    def lowest(trace: Trace) -> float:
        return min((trace.live_range(i)[0] for i, bad in enumerate(trace.in_fault) if not bad), default=float("nan"))

    def highest(trace: Trace) -> float:
        return max((trace.live_range(i)[1] for i, bad in enumerate(trace.in_fault) if not bad), default=float("nan"))

    def inside(trace: Trace) -> float:
        return 100.0 * voltage_ok_frac(trace, v_min_pu=limits.v_min_pu, v_max_pu=limits.v_max_pu)

    def after_notice(trace: Trace) -> float:
        chosen = [p for t, p in zip(trace.time_s, trace.import_w, strict=True) if t > run.import_from_s]
        return max(chosen, default=float("nan")) / 1e3

    rows = [
        both("Customers off at the end", "{:.0f}", lambda t: t.customers_off[-1] if t.customers_off else 0),
        both("Customer minutes without supply", "{:.0f}", customer_minutes),
        both("Node-minutes within voltage limits", "{:.2f} %", inside),
        both("Lowest voltage of a live node", "{:.4f} pu", lowest),
        both("Highest voltage", "{:.4f} pu", highest),
        both("Losses", "{:.1f} kWh", lambda t: _energy_kwh(t, column=t.losses_w)),
        both("Energy imported", "{:.0f} kWh", lambda t: _energy_kwh(t, column=t.import_w)),
        both("Tap moves", "{:.0f}", lambda t: sum(e.what == "tap" for e in t.events)),
    ]
    if run.import_max_w is not None:
        limit = f"Highest import after notice (limit {run.import_max_w / 1e3:.0f} kW)"
        rows.append(both(limit, "{:.0f} kW", after_notice))
    return rows


def _profiles(run: Run) -> list[tuple[str, Any]]:
    trace = run.run
    before = max((i for i, bad in enumerate(trace.in_fault) if bad), default=0)
    first_bad = next((i for i, bad in enumerate(trace.in_fault) if bad), len(trace.time_s))
    chosen = [("At the start", 0), ("Before the fault", max(first_bad - 1, 0)), ("At the end", len(trace.time_s) - 1)]
    if before == 0:
        chosen = [chosen[0], chosen[2]]
    return [(f"{word} ({_clock(trace.time_s[i])})", trace.v_pu[i]) for word, i in chosen]


def _figures(run: Run) -> list[tuple[str, list[Markup]]]:
    v_min, v_max = run.limits.v_min_pu, run.limits.v_max_pu
    profile = plots.voltage_profile(
        _profiles(run), nodes=run.run.nodes, distance_km=run.distance_km, v_min_pu=v_min, v_max_pu=v_max
    )
    band = plots.voltage_band(run.run, idle=run.idle, v_min_pu=v_min, v_max_pu=v_max, marks=run.marks)
    off = plots.customers(run.run, idle=run.idle, marks=run.marks)
    moves = plots.switching(run.run.events, duration_s=run.run.time_s[-1] if run.run.time_s else 0.0)
    flow = plots.interface(
        run.run, idle=run.idle, limit_w=run.import_max_w, limit_from_s=run.import_from_s, marks=run.marks
    )
    truth = plots.estimate(run.estimates, marks=run.marks)
    groups = [
        ("Voltage", [profile, band]),
        ("Fault and restoration", [moves, off]),
        ("Interface", [flow]),
        ("State estimate", [truth]),
    ]
    return [(heading, [Markup(figure) for figure in figures]) for heading, figures in groups]


def write_report(run: Run, *, path: Path) -> None:
    """Write the self-contained HTML report."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    duration_s = run.run.time_s[-1] if run.run.time_s else 0.0
    off = run.run.customers_off[-1] if run.run.customers_off else 0
    cards = [
        {"value": f"{sum(c.held for c in run.checks)} / {len(run.checks)}", "label": "limits held"},
        {
            "value": f"{off}",
            "label": f"customers off at the end ({run.idle.customers_off[-1] if run.idle.time_s else 0} without)",
        },
        {"value": f"{run.score.ratio:.2f}", "label": "estimate error over its prediction"},
        {"value": f"{run.score.pseudo_ratio:.2f}", "label": "estimate error over a power flow on the priors"},
        {"value": f"{run.commands}", "label": "commands that devices received"},
        {"value": f"{run.wall_s:.0f} s", "label": f"wall time for {duration_s / 60.0:.0f} feeder minutes"},
    ]
    refusals = sorted(((n, d, g, r) for (d, g, r), n in run.story.refusals.items()), reverse=True)[:30]
    html = environment.get_template("report.html.j2").render(
        title=run.title,
        held=run.held,
        subtitle=f"seed {run.seed}, fault at {run.fault or 'none'}, {duration_s / 60.0:.1f} feeder minutes",
        cards=cards,
        checks=run.checks,
        comparison=compare(run),
        plots=_figures(run),
        story=[(_clock(t), what, why) for t, what, why in sorted(run.story.rows, key=lambda row: row[0])],
        moves=[(_clock(t), *rest) for t, *rest in run.story.moves],
        lease_count=run.story.lease_count,
        refusals=refusals,
        method=(
            "The plant is OpenDSS with loads drawn from the scenario's statistics; the service saw noisy meters only. "
            "Voltage and estimate are judged on live nodes, and not while protection was still working on the fault. "
            "What can be restored was found by brute force on the plant."
        ),
    )
    path.write_text(html, encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def write_results(run: Run, *, path: Path) -> None:
    """Write the findings as JSON; what is not a number becomes null."""
    results = {
        "title": run.title,
        "held": run.held,
        "seed": run.seed,
        "fault": run.fault,
        "wall_s": run.wall_s,
        "checks": [asdict(check) for check in run.checks],
        "estimate": {
            **asdict(run.score),
            "ratio": run.score.ratio,
            "ratio_to_pseudo_load_power_flow": run.score.pseudo_ratio,
        },
        "comparison": [
            {"what": what, "with_service": with_it, "doing_nothing": without} for what, with_it, without in compare(run)
        ],
        "series": {
            "time_s": run.run.time_s,
            "import_w": run.run.import_w,
            "import_doing_nothing_w": run.idle.import_w,
            "customers_off": run.run.customers_off,
            "customers_off_doing_nothing": run.idle.customers_off,
        },
        "moves": [list(move) for move in run.story.moves],
        "lease_count": run.story.lease_count,
        **run.facts,
    }
    path.write_text(json.dumps(_plain(results), indent=1) + "\n", encoding="utf-8")
