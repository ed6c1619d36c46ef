"""`hil conformance`: the command line of the kit."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from adms.client import AdapterError, InputError, Problem

if TYPE_CHECKING:
    from hil.conformance.rules import Rule
    from hil.conformance.timing import Timing

ABOUT = """Find out whether a DER controller that speaks the gRPC API keeps its rules.

The kit plays the service: it listens, waits for the client, and tries one rule after the other. What the device does
is seen by the client's own telemetry (POINT_KIND_P_INJECTION_W of the device). The device must be one that may be
moved: the kit sends it setpoints over its whole range. Exit code: 0 nothing failed, 1 some rule failed, 2 bad input."""

WIDTH = 200
"""Columns of the table where it does not go to a terminal."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `conformance` to the commands of `hil`."""
    parser = commands.add_parser(
        "conformance",
        help="does a DER controller keep the rules of the gRPC API",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 takes a free one")
    parser.add_argument(
        "--client-command",
        default=None,
        metavar="COMMAND",
        help="start the client so, with {endpoint} where the address belongs; without it, start it yourself",
    )
    parser.add_argument("--device", default="", metavar="ID", help="device under test; the first DER that registers")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out rules that take long or need a restart, and watch for a shorter time",
    )
    parser.add_argument("--rules", default="", metavar="ID,ID", help="only these rules, e.g. EXP1,EPO3")
    parser.add_argument("--list", action="store_true", help="list the rules and where they come from, and end")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another allowance than the kit's own, e.g. settle_s=60; --list names them",
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON on stdout; progress goes to stderr")
    parser.add_argument("--junit", type=Path, default=None, metavar="FILE", help="the findings as JUnit XML")
    parser.add_argument("--report", type=Path, default=None, metavar="FILE", help="the findings as one HTML page")


def conformance(arguments: argparse.Namespace) -> int:
    """Runs the command; the exit code."""
    try:
        if arguments.list:
            return _list()
        return asyncio.run(_until_told(arguments))
    except InputError as error:
        print("\n".join(str(problem) for problem in error.problems), file=sys.stderr)
        return 2
    except AdapterError as error:
        print(str(error), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted; nothing was judged", file=sys.stderr)
        return 2


async def _until_told(arguments: argparse.Namespace) -> int:
    """The run, which a SIGTERM ends as Ctrl-C does: the client that it started ends with it."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await _run(arguments)


async def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from hil.conformance import report
    from hil.conformance.client_process import ClientProcess
    from hil.conformance.rules import Verdict
    from hil.conformance.run import conform
    from hil.conformance.service import PlayedService

    problems: list[Problem] = []
    address = read_address(arguments.listen, problems=problems)
    rules = choose_rules(arguments.rules, quick=arguments.quick, problems=problems)
    timing = read_timing(arguments.allow, quick=arguments.quick, problems=problems)
    client: ClientProcess | None = None
    if arguments.client_command is not None:
        try:
            client = ClientProcess(arguments.client_command)
        except InputError as error:
            problems.extend(error.problems)
    for name, path in (("--junit", arguments.junit), ("--report", arguments.report)):
        if path is not None and not (path.parent.is_dir() and not path.is_dir()):
            problems.append(Problem(element=name, field="", value=str(path), message="no file can be written there"))
    if problems or timing is None or address is None:
        raise InputError(problems)

    console = Console(stderr=arguments.json, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=arguments.json, highlight=False, width=WIDTH)
    service = PlayedService(host=address[0], port=address[1])
    await service.start()
    try:
        console.print(f"listening at {service.endpoint}", markup=False)
        if client is None:
            console.print(f"connect the client to it within {timing.begin_s:g} s", markup=False)

        def progress(verdict: Verdict, number: int, count: int) -> None:
            said = report.words(verdict)
            line = f"[{number:2d}/{count}] {verdict.rule.rule_id} {verdict.standing.value} ({verdict.took_s:.1f} s)"
            console.print(f"{line}{': ' if said else ''}{said}", markup=False)

        found = await conform(
            service, rules=rules, timing=timing, device_id=arguments.device, client=client, progress=progress
        )
    finally:
        if client is not None:
            await client.stop()
        await service.die()
    if arguments.json:
        print(report.as_json(found))
    else:
        report.print_table(found, console=console)
    if arguments.junit is not None:
        report.write_junit(found, path=arguments.junit)
    if arguments.report is not None:
        report.write_html(found, path=arguments.report)
    return 0 if found.passed else 1


def read_address(text: str, *, problems: list[Problem]) -> tuple[str, int] | None:
    """HOST and PORT of --listen; None, and a problem, where it is none."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        problems.append(
            Problem(element="--listen", field="", value=text, message="must be HOST:PORT, the port 0 to 65535")
        )
        return None
    return host, int(port)


def choose_rules(text: str, *, quick: bool, problems: list[Problem]) -> tuple[Rule, ...]:
    """The rules to try, in the order of the rulebook."""
    from hil.conformance.rulebook import FULL, QUICK

    if not text:
        return QUICK if quick else FULL
    wanted = [word.strip() for word in text.split(",")]
    known = {rule.rule_id for rule in FULL}
    problems.extend(
        Problem(element="--rules", field="", value=word, message="no such rule; --list names them")
        for word in wanted
        if word not in known
    )
    if quick:
        problems.append(Problem(element="--rules", field="", value=text, message="not together with --quick"))
    return tuple(rule for rule in FULL if rule.rule_id in wanted)


def read_timing(pairs: list[str], *, quick: bool, problems: list[Problem]) -> Timing | None:
    """The kit's allowances with those of --allow; None, and problems, where one cannot be."""
    from hil.conformance.timing import QUICK_ALLOWANCES, Timing

    names = {each.name for each in fields(Timing)}
    given: dict[str, float] = dict(QUICK_ALLOWANCES) if quick else {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in names:
            message = f"no such allowance; there is {', '.join(sorted(names))}"
            problems.append(Problem(element="--allow", field="", value=pair, message=message))
            continue
        try:
            given[name] = float(value)
        except ValueError:
            problems.append(Problem(element="--allow", field=name, value=value, message="must be a number"))
    try:
        return Timing(**given)
    except InputError as error:
        problems.extend(error.problems)
        return None


def _list() -> int:
    from hil.conformance.rulebook import FULL
    from hil.conformance.timing import Timing

    for rule in FULL:
        print(f"{rule.rule_id}{'' if rule.quick else ' (not quick)'}: {rule.title}\n      {rule.source}")
    print("\nAllowances (--allow NAME=VALUE):")
    for each in fields(Timing):
        print(f"{each.name} = {getattr(Timing(), each.name):g}")
    return 0
