"""`adms shortcircuit`: fault currents of a model file. What it needs is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from adms.cli.exits import finish


def shortcircuit(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    *,
    bus: Annotated[str, typer.Option(help="Fault at this bus only; without it, the table of all buses.")] = "",
    fault: Annotated[str, typer.Option(help="3ph, 3phg, ll, llg or lg; without it, all of them.")] = "",
    phases: Annotated[str, typer.Option(help="Phases, e.g. 1,2; without them, every choice.")] = "",
    r_fault_ohm: Annotated[float, typer.Option(help="Resistance of the fault.")] = 0.0,
    r_ground_ohm: Annotated[float, typer.Option(help="From where the phases meet to ground.")] = 0.0,
    loads: Annotated[
        bool, typer.Option("--loads", help="From the power flow, loads as admittances; otherwise from no load.")
    ] = False,
    iec: Annotated[str, typer.Option(help="max or min: equivalent voltage source of IEC 60909.")] = "",
    reach: Annotated[
        bool,
        typer.Option("--reach", help="The weakest fault in each device's zone, and if it picks up."),
    ] = False,
    opened: Annotated[list[str] | None, typer.Option("--open", help="Switch to open first.")] = None,
    closed: Annotated[list[str] | None, typer.Option("--close", help="Switch to close first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON value.")] = False,
) -> None:
    """Fault currents at every bus, one bus with what its protective devices see, or how far the devices reach."""
    from adms.cli.shortcircuit_study import FaultStudy, run

    study = FaultStudy(
        model=model,
        bus=bus,
        fault=fault,
        phases=phases,
        r_fault_ohm=r_fault_ohm,
        r_ground_ohm=r_ground_ohm,
        loads=loads,
        iec=iec,
        reach=reach,
        opened=tuple(opened or ()),
        closed=tuple(closed or ()),
        as_json=as_json,
    )
    finish(lambda: run(study))
