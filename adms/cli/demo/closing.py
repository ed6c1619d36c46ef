"""What is left when the story is over: the comparison, the verdict, where to read on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_result(console: Console, result: Mapping[str, Any]) -> None:
    """The comparison with doing nothing, and every acceptance limit."""
    comparison = Table(title="with the service, and doing nothing", title_justify="left")
    comparison.add_column("")
    comparison.add_column("with the service", justify="right")
    comparison.add_column("doing nothing", justify="right")
    for row in result.get("comparison") or ():
        comparison.add_row(str(row["what"]), str(row["with_service"]), str(row["doing_nothing"]))
    if comparison.row_count:
        console.print(comparison)
    checks = Table(title="what had to hold", title_justify="left")
    checks.add_column("")
    checks.add_column("limit")
    checks.add_column("found", overflow="fold")
    for check in result.get("checks") or ():
        held = bool(check["held"])
        verdict = Text("held" if held else "NOT HELD", style="green" if held else "bold red")
        checks.add_row(verdict, str(check["name"]), Text(str(check["text"])))
    console.print(checks)


def show_places(console: Console, *, folder: Path, report: str | None, journal: Path, verdict: str) -> None:
    """Where the report and the record are."""
    if report:
        console.print(f"report   {report}", markup=False, soft_wrap=True)
    console.print(f"journal  {journal} ({verdict})", markup=False, soft_wrap=True)
    console.print(f"folder   {folder}", markup=False, soft_wrap=True)
