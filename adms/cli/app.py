"""Commands and options. Everything behind them is imported when it runs, so that `--help` answers at once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from adms.cli.estimate import estimate
from adms.cli.exits import finish, to_the_end
from adms.cli.shortcircuit import shortcircuit

ENDPOINT = "127.0.0.1:7350"

app = typer.Typer(
    name="adms",
    help="A real-time distribution operations service, its demonstration and its tools.",
    epilog="Exit codes: 0 it worked; 1 it ran and what was to hold did not; 2 it could not run, reasons on stderr.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
journal_app = typer.Typer(no_args_is_help=True, help="The record of everything decided: read it, verify it.")
gateway_app = typer.Typer(no_args_is_help=True, help="Processes that carry field telemetry as clients of the gRPC API.")
app.add_typer(journal_app, name="journal")
app.add_typer(gateway_app, name="gateway")


class Notes(StrEnum):
    """How notes are told."""

    KINDS = "kinds"
    ALL = "all"


JsonFlag = Annotated[bool, typer.Option("--json", help="Machine-readable: JSON, one value a line.")]
Endpoint = Annotated[str, typer.Option(envvar="ADMS_ENDPOINT", help="HOST:PORT of the service.")]


@app.command()
def serve(config: Annotated[Path, typer.Option("--config", help="Configuration, TOML.")]) -> None:
    """Run the control service in this process."""
    from adms.cli.serve import serve as run

    finish(lambda: run(config))


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Chance of loads, clouds and meters.")] = 1,
    fault: Annotated[str, typer.Option(help="Line that fails, e.g. l67.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for report, journal and logs.")] = None,
    feeder: Annotated[str, typer.Option(help="Feeder of the bench.")] = "123-operated",
    real_time: Annotated[bool, typer.Option("--real-time", help="One feeder second takes one second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Pass the bench's events on, one JSON value a line.")] = False,
    service_outage: Annotated[
        str, typer.Option(metavar="S,D", help="Kill the service at feeder second S and start it again D seconds later.")
    ] = "",
    service_stop: Annotated[
        float | None,
        typer.Option(metavar="S", help="Kill the service for good at feeder second S."),
    ] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", help="End the story at feeder second S.")] = None,
) -> None:
    """Show the whole loop on the IEEE 123-bus feeder: ten feeder-minutes with a cloud, a fault and an import limit."""
    from adms.cli.demo.run import DemoRequest
    from adms.cli.demo.run import run_demo as run

    request = DemoRequest(
        seed=seed,
        fault=fault,
        out=out,
        feeder=feeder,
        real_time=real_time,
        as_json=as_json,
        service_outage=service_outage,
        service_stop_s=service_stop,
        duration_s=duration,
    )
    finish(lambda: run(request))


@app.command()
def config(
    output: Annotated[Path, typer.Argument(help="Configuration to write, TOML.")],
    *,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="A key of the reference; repeatable.")
    ] = None,
    additions: Annotated[
        list[Path] | None, typer.Option("--add", help="TOML file whose tables are added at the end; repeatable.")
    ] = None,
) -> None:
    """Write a configuration of the service: the commented reference with some keys set."""
    from adms.cli.configuration import write_configuration

    finish(lambda: write_configuration(output, settings=settings or (), additions=additions or ()))


@app.command(name="import")
def import_network(
    source: Annotated[Path, typer.Argument(help="OpenDSS deck (.dss) or pandapower net (.json).")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file to write.")],
    overlay: Annotated[Path | None, typer.Option(help="What the network lacks, TOML.")] = None,
    three_phase: Annotated[
        bool | None,
        typer.Option("--three-phase/--balanced", help="Of a pandapower net; without it, as the net asks for."),
    ] = None,
    notes: Annotated[Notes, typer.Option(help="What was not carried over: by kind, or every note.")] = Notes.KINDS,
    as_json: JsonFlag = False,
) -> None:
    """Turn a network of another tool into the model file that the service loads."""
    from adms.cli.network import import_model as run

    finish(
        lambda: run(
            source,
            overlay=overlay,
            output=output,
            as_json=as_json,
            every_note=notes is Notes.ALL,
            three_phase=three_phase,
        )
    )


@app.command()
def powerflow(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    *,
    study: Annotated[Path | None, typer.Option(help="Positions, loads, DER and forecasts, TOML.")] = None,
    time_s: Annotated[float, typer.Option("--at", metavar="S", help="Second of the study to solve.")] = 0.0,
    opened: Annotated[list[str] | None, typer.Option("--open", help="Switch to open first.")] = None,
    closed: Annotated[list[str] | None, typer.Option("--close", help="Switch to close first.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the voltages: .png, .svg or .pdf.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Solve the power flow of a model file, loads and DER as in the file or as a study has them."""
    from adms.cli.power_flow import power_flow as run

    finish(
        lambda: run(
            model,
            opened=tuple(opened or ()),
            closed=tuple(closed or ()),
            as_json=as_json,
            study=study,
            time_s=time_s,
            plot=plot,
        )
    )


@app.command()
def schema(
    name: Annotated[str, typer.Argument(help="model, overlay or study.")],
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; else it is printed.")] = None,
) -> None:
    """Show the JSON Schema of a file that this program reads."""
    from adms.cli.network import show_schema as run

    finish(lambda: run(name, output=output))


app.command()(estimate)
app.command()(shortcircuit)


@app.command()
def status(*, endpoint: Endpoint = ENDPOINT, as_json: JsonFlag = False) -> None:
    """Show the service at a glance."""
    from adms.cli.insight import status as run

    finish(lambda: run(endpoint, as_json=as_json))


@app.command()
def watch(
    *,
    endpoint: Endpoint = ENDPOINT,
    as_json: JsonFlag = False,
    rounds: Annotated[int, typer.Option(min=0, help="Stop after so many; 0 is never.")] = 0,
) -> None:
    """Follow the rounds as they end."""
    from adms.cli.insight import watch as run

    finish(lambda: run(endpoint, as_json=as_json, rounds=rounds))


@app.command()
def plans(
    *,
    endpoint: Endpoint = ENDPOINT,
    as_json: JsonFlag = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only those neither done nor aborted.")] = False,
) -> None:
    """List what the apps want and why."""
    from adms.cli.insight import plans as run

    finish(lambda: run(endpoint, as_json=as_json, open_only=open_only))


JournalFile = Annotated[Path | None, typer.Argument(help="Journal file; without one, that of the service.")]


@journal_app.command()
def tail(
    file: JournalFile = None,
    *,
    endpoint: Endpoint = ENDPOINT,
    count: Annotated[int, typer.Option("-n", min=0, help="Entries to show.")] = 20,
    follow: Annotated[bool, typer.Option("-f", help="Wait for more (from the service only).")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest entries."""
    from adms.cli.journal import tail as run

    finish(lambda: run(file, endpoint=endpoint, count=count, follow=follow, as_json=as_json))


@journal_app.command()
def verify(file: JournalFile = None, *, endpoint: Endpoint = ENDPOINT, as_json: JsonFlag = False) -> None:
    """Recompute the hash chain; exit code 1 where it does not hold."""
    from adms.cli.journal import verify as run

    finish(lambda: run(file, endpoint=endpoint, as_json=as_json))


@gateway_app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(help="Recording, CSV: time_s,kind,element,side,phase,value[,sigma[,quality]].")
    ],
    *,
    endpoint: Endpoint = ENDPOINT,
    source: Annotated[str, typer.Option(help="Name of this telemetry source.")] = "replay",
    speed: Annotated[float, typer.Option(min=0.0, help="Recorded seconds a second; 0 is as fast as it goes.")] = 1.0,
) -> None:
    """Stream a recording of telemetry to the service."""
    from adms.cli.serve import run_module

    arguments = ["replay", str(file), "--endpoint", endpoint, "--source", source, "--speed", str(speed)]
    finish(lambda: run_module("adms.gateway", arguments))


@gateway_app.command()
def sunspec(
    config: Annotated[Path, typer.Argument(help="The devices: their addresses, nameplates and defaults, TOML.")],
) -> None:
    """Lead SunSpec Modbus TCP inverters and batteries: telemetry out, leases in."""
    from adms.cli.serve import run_module

    finish(lambda: run_module("adms.gateway", ["sunspec", str(config)]))


@gateway_app.command()
def dnp3(config: Annotated[Path, typer.Argument(help="RTUs, their points and devices, TOML.")]) -> None:
    """Carry between RTUs on DNP3 and the service, until interrupted."""
    from adms.cli.serve import run_module

    finish(lambda: run_module("adms.gateway", ["dnp3", str(config)]))


def run() -> None:
    """Run the command line to its exit code."""
    to_the_end(app)
