"""`python -m hil ...`: see README.md in this folder."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hil.conformance.cli import add_parser as add_conformance
from hil.conformance.cli import conformance
from hil.feeders import FEEDERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hil", description="Hardware-in-the-loop bench.")
    commands = parser.add_subparsers(dest="command", required=True)
    feeder = commands.add_parser("feeder", help="where a feeder's files are, as JSON")
    feeder.add_argument("name")
    demo = commands.add_parser("demo", help="play a story against a running service")
    demo.add_argument("--endpoint", required=True, help="gRPC address of the service, HOST:PORT")
    demo.add_argument("--feeder", default="123-operated")
    demo.add_argument("--out", type=Path, required=True, help="folder for report.html and results.json")
    demo.add_argument("--seed", type=int, default=1)
    demo.add_argument("--fault", default=None, help="line that fails, e.g. l67")
    demo.add_argument("--fault-kind", choices=["three_phase", "line_ground"], default=None)
    demo.add_argument("--scenario", type=Path, default=None)
    demo.add_argument("--duration", type=float, default=None, metavar="SECONDS", help="feeder time to play")
    demo.add_argument("--real-time", action="store_true", help="pace at wall speed")
    demo.add_argument("--service-outage", default=None, metavar="START,DURATION")
    demo.add_argument("--service-stop", type=float, default=None, metavar="START")
    run = commands.add_parser("run", help="play scenarios, each against a service of its own")
    run.add_argument("scenario", nargs="*", help="names (see `hil list`) or TOML files")
    run.add_argument("--all", action="store_true", help="every scenario of the library")
    run.add_argument("--fast", action="store_true", help="the set that every test run plays")
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--out", type=Path, default=Path("hil-runs"), help="folder for the runs")
    run.add_argument("--duration", type=float, default=None, metavar="SECONDS", help="feeder time to play")
    run.add_argument("--real-time", action="store_true", help="pace at wall speed")
    run.add_argument(
        "--bench", type=Path, default=None, metavar="FILE", help="devices on SunSpec and DNP3, real ones among them"
    )
    run.add_argument("--without-service", action="store_true", help="the feeder left alone")
    run.add_argument("--junit", type=Path, default=None, metavar="FILE", help="JUnit XML for CI")
    run.add_argument("--json", action="store_true", dest="as_json", help="one JSON line a run")
    again = commands.add_parser("report", help="write the report of a run, or of a folder of runs, again")
    again.add_argument("folder", type=Path)
    again.add_argument("--out", type=Path, default=None)
    beside = commands.add_parser("compare", help="two runs, or two folders of runs, side by side")
    beside.add_argument("a", type=Path)
    beside.add_argument("b", type=Path)
    beside.add_argument("--out", type=Path, default=Path("hil-compare"))
    beside.add_argument("--json", action="store_true", dest="as_json")
    listing = commands.add_parser("list", help="what scenarios there are")
    listing.add_argument("--json", action="store_true", dest="as_json")
    add_conformance(commands)
    for role in ("gateway", "ders"):
        field = commands.add_parser(role, help="field process; spawned by demo")
        field.add_argument("--bus", required=True, metavar="HOST:PORT")
    return parser


def _feeder(name: str) -> int:
    from hil.scenario_file import read_scenario

    files = FEEDERS.get(name)
    if files is None:
        print(f"no feeder {name}; there is {', '.join(FEEDERS)}", file=sys.stderr)
        return 2
    scenario = read_scenario(files.scenario)
    facts = {
        "name": name,
        "deck": str(files.deck),
        "overlay": str(files.overlay),
        "coordinates": str(files.coordinates),
        "scenario": str(files.scenario),
        "load_factor_mean": scenario.loads.mean_frac,
        "load_sigma_frac": scenario.loads.sigma_frac,
        "load_correlation_s": scenario.loads.correlation_s,
        "period_s": scenario.timing.scan_s,
    }
    print(json.dumps(facts))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from hil.demo import Options, demo
    from hil.scenario import Outage

    problems = []
    if arguments.feeder not in FEEDERS:
        problems.append(f"--feeder {arguments.feeder}: there is {', '.join(FEEDERS)}")
    outage: Outage | None = None
    if arguments.service_outage is not None:
        try:
            start_s, duration_s = map(float, arguments.service_outage.split(","))
            outage = Outage(start_s=start_s, duration_s=duration_s)
        except ValueError:
            problems.append(f"--service-outage {arguments.service_outage}: give START,DURATION in seconds")
    if arguments.service_stop is not None:
        if outage is not None:
            problems.append("--service-stop and --service-outage exclude each other")
        outage = Outage(start_s=arguments.service_stop, duration_s=None)
    host, _, port = arguments.endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= 65535:
        problems.append(f"--endpoint {arguments.endpoint}: must be HOST:PORT")
    if arguments.scenario is not None and not arguments.scenario.is_file():
        problems.append(f"--scenario {arguments.scenario}: no such file")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        problems.append(f"--out {arguments.out}: no folder that can be made: {error}")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    options = Options(
        endpoint=arguments.endpoint,
        feeder=arguments.feeder,
        out=arguments.out,
        seed=arguments.seed,
        fault=arguments.fault,
        fault_kind=arguments.fault_kind,
        scenario=arguments.scenario,
        duration_s=arguments.duration,
        real_time=arguments.real_time,
        outage=outage,
    )
    try:
        return asyncio.run(demo(options))
    except Exception as problem:  # whatever ended the run is said in one line, and the code says that it did not finish
        reason = f"{type(problem).__name__}: {problem}"
        print(json.dumps({"event": "error", "t": 0.0, "message": reason}), flush=True)
        print(reason, file=sys.stderr)
        return 2


def main() -> int:
    """Run one command; the exit code."""
    arguments = _parser().parse_args()
    match arguments.command:
        case "feeder":
            return _feeder(arguments.name)
        case "demo":
            return _demo(arguments)
        case "run":
            from hil.run_command import run

            return run(arguments)
        case "list":
            from hil.run_command import list_scenarios

            return list_scenarios(arguments)
        case "report":
            from hil.run_command import report_of

            return report_of(arguments)
        case "compare":
            from hil.run_command import compare_runs

            return compare_runs(arguments)
        case "conformance":
            return conformance(arguments)
        case role:
            from hil.field import serve

            asyncio.run(serve(role=role, address=arguments.bus))
            return 0


if __name__ == "__main__":
    sys.exit(main())
