"""What a run of the kit found: table for the terminal, JSON, JUnit XML and a self-contained HTML page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from hil.conformance.rules import Standing, Verdict
from hil.conformance.run import Conformance
from hil.conformance.seen import Sample

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_COLOUR = {Standing.PASSED: "green", Standing.FAILED: "bold red", Standing.NOT_APPLICABLE: "dim"}
PLOT_WIDTH, PLOT_HEIGHT = 1000.0, 220.0
PLOT_POINTS = 2000


def words(verdict: Verdict) -> str:
    """What there is to say of a verdict, in one line."""
    match verdict.standing:
        case Standing.FAILED:
            return f"expected {verdict.expected}; seen: {verdict.seen}"
        case Standing.NOT_APPLICABLE:
            return verdict.seen
        case _:
            return ""


def summary(found: Conformance) -> str:
    """One line."""
    return (
        f"{found.count(Standing.PASSED)} passed, {found.count(Standing.FAILED)} failed,"
        f" {found.count(Standing.NOT_APPLICABLE)} not applicable, in {found.wall_s:.0f} s"
    )


def print_table(found: Conformance, *, console: Console) -> None:
    """A row for each rule, and the line below."""
    table = Table(title=f"Conformance of {found.device_id or 'nobody'}", title_justify="left", show_lines=False)
    for name in ("rule", "what the client owes", "", "after", "expected and seen, or why not"):
        table.add_column(name, justify="right" if name == "after" else "left", vertical="top")
    for verdict in found.verdicts:
        colour = _COLOUR[verdict.standing]
        said = words(verdict)
        if verdict.standing is Standing.FAILED:
            said += f" [{verdict.rule.source}]"
        # What a client says is shown as it is, never as mark-up.
        row = (verdict.rule.rule_id, verdict.rule.title, verdict.standing.value, f"{verdict.at_s:.1f} s", said)
        table.add_row(*[_plain(cell) for cell in row], style=colour)
    console.print(table)
    console.print(summary(found), style="green" if found.passed else "bold red", markup=False, highlight=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def as_json(found: Conformance) -> str:
    """The findings, for programs."""
    result: dict[str, Any] = {
        "passed": found.passed,
        "endpoint": found.endpoint,
        "device_id": found.device_id,
        "controller_id": found.controller_id,
        "start": datetime.fromtimestamp(found.start_s, UTC).isoformat(),
        "wall_s": round(found.wall_s, 3),
        "counts": {standing.value: found.count(standing) for standing in Standing},
        "timing": asdict(found.timing),
        "rules": [
            {
                "rule": verdict.rule.rule_id,
                "title": verdict.rule.title,
                "source": verdict.rule.source,
                "standing": verdict.standing.value,
                "expected": verdict.expected,
                "seen": verdict.seen,
                "at_s": round(verdict.at_s, 3),
                "took_s": round(verdict.took_s, 3),
            }
            for verdict in found.verdicts
        ],
    }
    return json.dumps(result, indent=1)


def write_junit(found: Conformance, *, path: Path) -> None:
    """JUnit XML: a test case for each rule; what does not apply is skipped."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"conformance of {found.device_id or 'nobody'}",
        tests=str(len(found.verdicts)),
        failures=str(found.count(Standing.FAILED)),
        skipped=str(found.count(Standing.NOT_APPLICABLE)),
        errors="0",
        time=f"{found.wall_s:.3f}",
        timestamp=datetime.fromtimestamp(found.start_s, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for verdict in found.verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"conformance.{verdict.rule.rule_id[:3]}",
            name=f"{verdict.rule.rule_id} {verdict.rule.title}",
            time=f"{verdict.took_s:.3f}",
        )
        if verdict.standing is Standing.FAILED:
            failure = ElementTree.SubElement(case, "failure", message=_xml(words(verdict)))
            failure.text = _xml(f"{words(verdict)}\nafter {verdict.at_s:.1f} s\nsource: {verdict.rule.source}")
        elif verdict.standing is Standing.NOT_APPLICABLE:
            ElementTree.SubElement(case, "skipped", message=_xml(verdict.seen))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _xml(text: str) -> str:
    """What XML 1.0 can carry of a client's words."""
    return "".join(
        c for c in text if c in "\t\n" or (" " <= c <= "\ud7ff") or ("\ue000" <= c <= "\ufffd") or c > "\uffff"
    )


def write_html(found: Conformance, *, path: Path) -> None:
    """A page with everything in it."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    html = environment.get_template("conformance.html.j2").render(
        found=found,
        summary=summary(found),
        start=datetime.fromtimestamp(found.start_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        rows=[(verdict, words(verdict), _class_of(verdict)) for verdict in found.verdicts],
        timing=asdict(found.timing),
        plot=_plot(found.samples, start_s=found.start_s, verdicts=found.verdicts),
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
    )
    path.write_text(html, encoding="utf-8")


def _class_of(verdict: Verdict) -> str:
    return {Standing.PASSED: "yes", Standing.FAILED: "no", Standing.NOT_APPLICABLE: "soft"}[verdict.standing]


def _plot(samples: Sequence[Sample], *, start_s: float, verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """The output over the run, in the coordinates of the picture, and the rules as bands; None without telemetry."""
    known = [sample for sample in samples if isfinite(sample.p_w)]
    if len(known) < 2 or not verdicts:
        return None
    known = known[:: max(1, len(known) // PLOT_POINTS)]
    end_s = max(verdicts[-1].at_s, 1e-3)
    low_w, high_w = min(s.p_w for s in known), max(s.p_w for s in known)
    span_w = max(high_w - low_w, 1.0)

    def x(at_s: float) -> float:
        return PLOT_WIDTH * min(max(at_s / end_s, 0.0), 1.0)

    def y(p_w: float) -> float:
        return PLOT_HEIGHT * (0.95 - 0.9 * (p_w - low_w) / span_w)

    return {
        "line": " ".join(f"{x(s.measure_s - start_s):.1f},{y(s.p_w):.1f}" for s in known),
        "bands": [
            (f"{x(v.at_s - v.took_s):.1f}", f"{max(x(v.at_s) - x(v.at_s - v.took_s), 0.5):.1f}", v.rule.rule_id)
            for v in verdicts
            if v.standing is Standing.FAILED
        ],
        "zero": f"{y(0.0):.1f}" if low_w <= 0.0 <= high_w else None,
        "low": f"{low_w / 1e3:.1f} kW",
        "high": f"{high_w / 1e3:.1f} kW",
        "end": f"{end_s:.0f} s",
    }
