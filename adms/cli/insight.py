"""`adms status|watch|plans` and the journal of a running service: everything through the client, nothing changed."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from adms.cli.exits import ExitCode
from adms.cli.journal import say_verdict, show
from adms.cli.words import json_line
from adms.client import (
    AdapterError,
    InputError,
    Insight,
    JournalEntry,
    JournalVerdict,
    ListedPlan,
    Operator,
    Problem,
    RoundReport,
    setpoint_in_words,
)

T = TypeVar("T")
TIMEOUT_S = 3.0
VERIFY_TIMEOUT_S = 300.0
"""The service recomputes every hash since the journal began."""
ACTOR = "command line"


def status(endpoint: str, *, as_json: bool) -> ExitCode:
    """Print the service at a glance."""

    async def ask() -> None:
        async with Insight(endpoint, timeout_s=TIMEOUT_S) as insight:
            report = await insight.status()
        if as_json:
            print(json_line(report))
            return
        stopped = "  EMERGENCY STOP" if report.emergency_stopped else ""
        reason = f" ({report.mode_reason})" if report.mode_reason else ""
        print(f"mode       {report.mode.name.lower()}{reason}{stopped}")
        print(f"model      {report.model_name}, version {report.model_version[:12]}")
        print(f"time       {report.time.isoformat()}{' (simulated)' if report.simulation else ''}")
        print(f"rounds     {report.rounds}, epoch {report.epoch}")
        print(
            f"field      {report.telemetry_sources} sources, {report.controllers} controllers, {report.devices} devices"
        )
        print(f"journal    {report.journal_entries} entries")
        print(f"live store {report.live_store_problem or 'in use'}")

    return _run(endpoint, ask())


def watch(endpoint: str, *, as_json: bool, rounds: int) -> ExitCode:
    """Print each round as it ends, so many or until interrupted."""

    async def follow() -> None:
        seen = 0
        async with Insight(endpoint, timeout_s=TIMEOUT_S) as insight:
            async for report in insight.rounds():
                print(json_line(report) if as_json else _round_line(report), flush=True)
                seen += 1
                if seen == rounds:
                    return

    return _run(endpoint, follow())


def _round_line(report: RoundReport) -> str:
    parts = [
        f"{report.time:%H:%M:%S}",
        report.mode.name.lower(),
        f"{report.grade.name.lower()} {report.estimate_ms:.1f} ms",
    ]
    if report.v_min_pu is not None and report.v_max_pu is not None:
        parts.append(f"{report.v_min_pu:.4f} ({report.v_min_node}) to {report.v_max_pu:.4f} ({report.v_max_node}) pu")
    if report.losses_w is not None:
        parts.append(f"losses {report.losses_w / 1e3:.1f} kW")
    if report.interface_import_w is not None:
        limit = "" if report.interface_import_max_w is None else f" of {report.interface_import_max_w / 1e3:.0f}"
        parts.append(f"import {report.interface_import_w / 1e3:.0f}{limit} kW")
    lines = ["  ".join(parts)]
    lines += [f"    {report.grade.name.lower()}: {report.grade_reason}"] if report.grade_reason else []
    lines += [f"    {c.app}: {c.device_id} {setpoint_in_words(c.setpoint)}: {c.reason}" for c in report.commands]
    lines += [f"    refused {r.app}: {r.device_id}: {r.guard}: {r.reason}" for r in report.refusals]
    return "\n".join(lines)


def plans(endpoint: str, *, as_json: bool, open_only: bool) -> ExitCode:
    """Print what the apps want, why, and what they rejected."""

    async def ask() -> None:
        async with Operator(endpoint, actor=ACTOR, timeout_s=TIMEOUT_S) as operator:
            listed = await operator.plans(open_only=open_only)
        for plan in listed:
            print(json_line(plan) if as_json else _plan_text(plan))
        if not listed and not as_json:
            print("no plans")

    return _run(endpoint, ask())


def _plan_text(plan: ListedPlan) -> str:
    lines = [f"{plan.plan_id}  {plan.app}  {plan.status.value} {plan.steps_done}/{len(plan.steps)}  {plan.title}"]
    lines.append(f"    because {plan.reason}")
    for number, step in enumerate(plan.steps, start=1):
        mark = "x" if number <= plan.steps_done else " "
        lines.append(f"    [{mark}] {step.device_id} {setpoint_in_words(step.setpoint)}: {step.reason}")
    if plan.predicted:
        lines.append("    predicted " + ", ".join(f"{name} {value:.6g}" for name, value in plan.predicted))
    lines += [f"    rejected {what}: {why}" for what, why in plan.rejected]
    if plan.status_text:
        lines.append(f"    {plan.status_text}")
    return "\n".join(lines)


def verify_journal(endpoint: str, *, as_json: bool) -> ExitCode:
    """Let the service recompute the chain of its journal."""

    async def ask() -> JournalVerdict:
        async with Insight(endpoint, timeout_s=VERIFY_TIMEOUT_S) as insight:
            return await insight.verify_journal()

    found = _ask(endpoint, ask())
    return say_verdict(
        intact=found.intact,
        entries=found.entries,
        first_bad_index=found.first_bad_index,
        reason=found.reason,
        as_json=as_json,
    )


def tail_journal(endpoint: str, *, count: int, follow: bool, as_json: bool) -> ExitCode:
    """Print the newest entries of a running service, then those to come if asked."""

    async def read() -> None:
        async with Insight(endpoint, timeout_s=TIMEOUT_S) as insight:
            size = (await insight.status()).journal_entries
            first = max(0, size - count)
            newest: deque[JournalEntry] = deque(maxlen=count)
            async for entry in insight.journal(from_index=first, follow=follow):
                if follow:
                    show([entry], as_json=as_json)
                else:
                    newest.append(entry)
            show(newest, as_json=as_json)

    return _run(endpoint, read())


def _run(endpoint: str, work: Coroutine[Any, Any, None]) -> ExitCode:
    _ask(endpoint, work)
    return ExitCode.OK


def _ask(endpoint: str, work: Coroutine[Any, Any, T]) -> T:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        work.close()
        message = "must be HOST:PORT, e.g. 127.0.0.1:7350"
        raise InputError([Problem(element="command line", field="--endpoint", value=endpoint, message=message)])
    try:
        return asyncio.run(work)
    except AdapterError as failed:
        if failed.retryable:
            raise AdapterError(f"no service answers at {endpoint} ({failed})", retryable=True) from failed
        raise
