"""`adms estimate`: the state of a model file's network from measurements. What it needs is imported when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from adms.cli.exits import finish


class Pseudo(StrEnum):
    """Which injections are given pseudo-measurements from the model."""

    NEEDED = "needed"
    """Those that no row names, and none where the telemetry alone determines every node."""
    ALL = "all"
    NONE = "none"


class Better(StrEnum):
    """What one more sensor is to help; the values of `adms.estimation.placement.Objective`."""

    VOLTAGE = "voltage"
    WORST = "worst"
    REDUNDANCY = "redundancy"


def estimate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    *,
    measurements: Annotated[
        Path, typer.Option(help="CSV: kind, element, phase, side, value, sigma, age_s (adms/schemas/measurements.md).")
    ],
    pseudo: Annotated[
        Pseudo, typer.Option(help="Loads and DER from the model, where telemetry does not suffice, always or never.")
    ] = Pseudo.NEEDED,
    study: Annotated[Path | None, typer.Option(help="Positions, loads, DER and forecasts, TOML.")] = None,
    time_s: Annotated[float, typer.Option("--at", metavar="S", help="Second of the study.")] = 0.0,
    opened: Annotated[list[str] | None, typer.Option("--open", help="Switch that is open.")] = None,
    closed: Annotated[list[str] | None, typer.Option("--close", help="Switch that is closed.")] = None,
    suggest: Annotated[
        int,
        typer.Option(min=0, max=100, metavar="N", help="Name N sensors that would help most, each as the only one."),
    ] = 0,
    better: Annotated[
        Better,
        typer.Option(
            "--suggest-for",
            help="What they help: mean voltage variance, the worst known voltage, or measurements nothing else checks.",
        ),
    ] = Better.VOLTAGE,
    positions: Annotated[
        bool,
        typer.Option(
            "--positions",
            help="Test each switch the other way and each tap a step off, with the odds; one file is one scan.",
        ),
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw voltages and meters: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON value.")] = False,
) -> None:
    """Estimate the state of a network from measurements, with what is known how well, and which meters are wrong.

    Says which nodes the telemetry determines, which only pseudo-measurements hold and which nothing does; which
    measurements are rejected, which nothing else checks, and which only check one another. Exit code 0 with an
    estimate, 1 without one, 2 where a file is wrong: every complaint is then told with its line.
    """
    from adms.cli.estimate_run import EstimateRequest, run
    from adms.estimation.placement import Objective

    request = EstimateRequest(
        model=model,
        measurements=measurements,
        pseudo=pseudo,
        study=study,
        time_s=time_s,
        opened=tuple(opened or ()),
        closed=tuple(closed or ()),
        positions=positions,
        plot=plot,
        suggest=suggest,
        objective=Objective(better.value),
        as_json=as_json,
    )
    finish(lambda: run(request))
