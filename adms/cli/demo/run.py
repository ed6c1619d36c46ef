"""`adms demo` from the first check to the exit code: files, service, bench, events, verdict, clean-up."""

import asyncio
import json
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from adms.cli.demo.closing import show_places, show_result
from adms.cli.demo.displays import Display, display_for
from adms.cli.demo.settings import MODEL_FILE, set_earlier_run_aside, write_configuration
from adms.cli.exits import ExitCode
from adms.cli.extras import HIL, require
from adms.cli.names import full_name
from adms.cli.network import convert
from adms.cli.processes import Child, Family
from adms.core.errors import AdapterError, InputError, Problem
from adms.ports.records import Verification

READY_TIMEOUT_S = 120.0
# Where the output goes to no terminal, tables have room.
PIPE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class DemoRequest:
    """The command line of `adms demo`. Times are feeder seconds."""

    seed: int
    fault: str
    """Line that fails as typed; empty for the story's own."""
    out: Path | None
    feeder: str
    real_time: bool
    as_json: bool
    service_outage: str
    """START,DURATION or empty."""
    service_stop_s: float | None
    duration_s: float | None


def run_demo(request: DemoRequest) -> ExitCode:
    """Run it; raises InputError with every problem found before anything starts."""
    _check(request)
    folder = request.out or Path(tempfile.mkdtemp(prefix="adms-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What cannot be written into is found now and not after the run.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"no folder that can be written into: {reason}"
        raise InputError(
            [Problem(element="command line", field="--out", value=str(folder), message=message)]
        ) from error
    return asyncio.run(_Demo(request, folder=folder.resolve()).run())


def _check(request: DemoRequest) -> None:
    problems: list[Problem] = []

    def wrong(field: str, value: object, message: str) -> None:
        problems.append(Problem(element="command line", field=field, value=str(value), message=message))

    try:
        require(HIL, purpose="the demonstration")
    except InputError as absent:
        problems += absent.problems
    if request.out is not None and request.out.exists() and not request.out.is_dir():
        wrong("--out", request.out, "is a file; a folder is needed")
    if request.service_outage:
        try:
            start, duration = (float(part) for part in request.service_outage.split(","))
        except ValueError:
            wrong("--service-outage", request.service_outage, "must be START,DURATION in feeder seconds, e.g. 200,20")
        else:
            if start <= 0.0 or duration <= 0.0:
                wrong("--service-outage", request.service_outage, "start and duration must be positive")
    for field, seconds in (("--service-stop", request.service_stop_s), ("--duration", request.duration_s)):
        if seconds is not None and not seconds > 0.0:
            wrong(field, seconds, "must be positive")
    if problems:
        raise InputError(problems)


class _Demo:
    """One run."""

    def __init__(self, request: DemoRequest, *, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._console = _console()
        self._display: Display = display_for(self._console, as_json=request.as_json)
        self._family = Family()
        self._service: Child | None = None
        self._endpoint = "127.0.0.1:0"
        self._journal = folder
        self._feeder_facts: Mapping[str, Any] = {}
        self._result: Mapping[str, Any] | None = None

    async def run(self) -> ExitCode:
        task = asyncio.current_task()
        assert task is not None
        # A polite end from outside is an end like Ctrl-C.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            async with self._family:
                code = await self._story()
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED
        return self._close(code)

    async def _story(self) -> int:
        feeder = await self._feeder()
        if (aside := set_earlier_run_aside(self._folder)) is not None:
            self._display.say(f"the journal of an earlier run is now in {aside}")
        self._display.say(f"importing {feeder['deck']}")
        model, _ = await asyncio.to_thread(
            convert, Path(feeder["deck"]), overlay=Path(feeder["overlay"]), output=self._folder / MODEL_FILE
        )
        lines = [branch.id for branch in model.branches if branch.id.startswith("line.") and branch.switch is None]
        fault = full_name(self._request.fault, known=lines, field="--fault") if self._request.fault else ""
        self._feeder_facts = feeder
        self._display.say("starting the service (its numerics are compiled at the first start after an installation)")
        await self._start_service()
        self._display.say(f"service at {self._endpoint}; starting the bench")
        bench = await self._family.start(self._bench_arguments(fault), name="bench", log=self._folder / "bench.log")
        with self._display.running():
            async for line in bench.lines():
                await self._take(line, bench=bench)
        code = await bench.wait()
        if code not in (ExitCode.OK, ExitCode.FAILED):
            raise AdapterError(f"the bench ended early ({code}): {_last_words(bench)}", retryable=False)
        return code

    async def _feeder(self) -> dict[str, Any]:
        child = await self._family.start(
            ["hil", "feeder", self._request.feeder], name="bench", log=self._folder / "bench.log"
        )
        text = "\n".join([line async for line in child.lines()])
        if await child.wait() != 0:
            problem = Problem(element="command line", field="--feeder", value=self._request.feeder, message="")
            raise InputError([_said_by(child, otherwise=problem)])
        feeder: dict[str, Any] = json.loads(text)
        return feeder

    def _bench_arguments(self, fault: str) -> list[str]:
        request = self._request
        arguments = ["hil", "demo", "--endpoint", self._endpoint, "--feeder", request.feeder]
        arguments += ["--out", str(self._folder), "--seed", str(request.seed)]
        optional = {
            "--fault": fault,
            "--service-outage": request.service_outage,
            "--service-stop": request.service_stop_s,
            "--duration": request.duration_s,
        }
        for option, value in optional.items():
            if value not in ("", None):
                arguments += [option, str(value)]
        return [*arguments, "--real-time"] if request.real_time else arguments

    async def _start_service(self) -> None:
        configuration = write_configuration(self._folder, listen=self._endpoint, feeder=self._feeder_facts)
        service = await self._family.start(
            ["adms.service", "--config", str(configuration)], name="service", log=self._folder / "service.log"
        )
        self._service = service
        try:
            ready = json.loads(await service.line(timeout_s=READY_TIMEOUT_S))
        except AdapterError as silent:
            raise AdapterError(f"{silent}\n{service.complaints()}", retryable=False) from None
        # A restarted service must be found where its clients look for it.
        self._endpoint = ready["grpc"]
        self._journal = Path(ready["journal"])

    async def _take(self, line: str, *, bench: Child) -> None:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            return
        self._display.show(event)
        match event.get("event"):
            case "service_kill" if self._service is not None:
                await self._service.kill()
                await bench.tell("killed")
            case "service_start":
                await self._start_service()
                await bench.tell(f"started {self._endpoint}")
            case "result":
                self._result = event
            case "error":
                raise AdapterError(f"the bench gave up: {event.get('message', '')}", retryable=False)

    def _close(self, code: int) -> ExitCode:
        from adms.runtime.journal import verify_file

        verification = verify_file(self._journal)
        held = code == ExitCode.OK and self._result is not None and bool(self._result.get("held"))
        end = ExitCode.OK if held and verification.intact else ExitCode.FAILED
        if self._request.as_json:
            print(json.dumps(self._end_event(verification, code=end)), flush=True)
            return end
        verdict = (
            f"intact, {verification.entries} entries" if verification.intact else f"NOT intact: {verification.reason}"
        )
        if self._result is not None:
            show_result(self._console, self._result)
        report = self._result.get("report") if self._result is not None else None
        show_places(self._console, folder=self._folder, report=report, journal=self._journal, verdict=verdict)
        self._console.print("all limits held" if end == ExitCode.OK else "NOT all limits held", style="bold")
        return end

    def _end_event(self, verification: Verification, *, code: ExitCode) -> dict[str, Any]:
        journal = {
            "file": str(self._journal),
            "intact": verification.intact,
            "entries": verification.entries,
            "reason": verification.reason,
        }
        return {"event": "end", "folder": str(self._folder), "journal": journal, "exit_code": int(code)}


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def _last_words(child: Child) -> str:
    words = child.complaints().splitlines()
    return words[-1] if words else "no reason given"


def _said_by(child: Child, *, otherwise: Problem) -> Problem:
    words = child.complaints()
    return Problem(element="bench", field="", value="", message=words) if words else otherwise
