"""What became of earlier commands: telemetry confirms, outcomes warn, time runs out. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adms.core.commands import Outcome, OutcomeCode
from adms.core.ids import ControllerId, ElementId
from adms.core.journal import EntryKind
from adms.core.telemetry import TelemetrySnapshot
from adms.runtime.canonical import plain
from adms.runtime.devices import ReportedOutcome
from adms.runtime.gate_state import (
    HISTORY_S,
    Failure,
    GatePolicy,
    GateState,
    Issued,
    Lease,
    Outstanding,
    Strays,
    position_key,
    reported_position,
)
from adms.runtime.journal import Draft

DID_NOT_ACT = frozenset(
    {
        OutcomeCode.EXPIRED,
        OutcomeCode.LOCAL,
        OutcomeCode.INTERLOCKED,
        OutcomeCode.TOO_MANY_OPERATIONS,
        OutcomeCode.NOT_SUPPORTED,
        OutcomeCode.OUT_OF_RANGE,
        OutcomeCode.STALE_EPOCH,
    }
)
"""Answers after which the device stands where it stood; after the others only telemetry can say."""


STRAYS_NOTED_S = 60.0
"""A controller that reports on commands it was never sent fills its own count, and the journal once in this time."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The gate's state once a snapshot and its outcomes are taken in."""

    state: GateState
    drafts: tuple[Draft, ...]
    superseded: bool
    """A device refused a command of this epoch for a later one: another service leads, this one must stop."""


def observe(
    state: GateState,
    *,
    snapshot: TelemetrySnapshot,
    outcomes: Iterable[ReportedOutcome],
    attached: frozenset[ElementId],
    cleared: frozenset[ElementId],
    policy: GatePolicy,
    max_age_s: float,
    epoch: int,
) -> Observed:
    """Folds one cut into the state: outcomes in the order given, then positions, then deadlines. An outcome counts
    once, and only where its command was issued to its device; the others are counted, and that is journalled.

    `attached` are devices whose controller registered anew (a DER starts with a clean record then), `cleared` those
    that an operator released.
    """
    now = snapshot.cut_time
    drafts: list[Draft] = []
    superseded = False
    leases = dict(state.leases)
    failures = {device: failure for device, failure in state.failures.items() if device not in cleared}
    for device in attached & leases.keys():
        del leases[device]
        failures.pop(device, None)
    outstanding = dict(state.outstanding)
    issued = dict(state.issued)
    strays: dict[ControllerId, int] = {}
    for reported in outcomes:
        outcome = reported.outcome
        command = _heard(outcome, issued=issued)
        if command is None:
            strays[reported.controller] = strays.get(reported.controller, 0) + 1
            continue
        drafts.append(_draft(outcome, actor=reported.controller, time=now, told_by="controller"))
        superseded |= outcome.code is OutcomeCode.STALE_EPOCH and command.epoch == epoch
        _take_outcome(outcome, now=now, leases=leases, failures=failures, outstanding=outstanding)
    for device in sorted(outstanding):
        waiting = outstanding[device]
        if _confirmed(waiting, snapshot=snapshot, max_age_s=max_age_s):
            del outstanding[device]
            failures.pop(device, None)
            drafts.append(_resolved(waiting, code=OutcomeCode.SUCCESS, text="position confirmed", now=now))
        elif now > waiting.deadline:
            del outstanding[device]
            text = f"telemetry did not show the position by {waiting.deadline.isoformat()}"
            failures[device] = _failure(failures.get(device), reason=text, now=now)
            drafts.append(_resolved(waiting, code=OutcomeCode.UNKNOWN, text=text, now=now))
    for device, failure in failures.items():
        failures[device] = _retry(device, failure, snapshot=snapshot, state=state, policy=policy, max_age_s=max_age_s)
    oldest = now - timedelta(seconds=HISTORY_S)
    history = {
        device: recent
        for device, operations in state.history.items()
        if (recent := tuple(operation for operation in operations if operation.time > oldest))
    }
    counted, notes = _counted(state.strays, strays, now=now)
    after = replace(
        state,
        outstanding=outstanding,
        leases=leases,
        failures=failures,
        history=history,
        issued=issued,
        strays=counted,
    )
    return Observed(state=after, drafts=(*drafts, *notes), superseded=superseded)


def _heard(outcome: Outcome, *, issued: dict[ElementId, tuple[Issued, ...]]) -> Issued | None:
    """The command that an outcome is about, marked as told; None where the device was sent no such command lately, or
    this was said before."""
    commands = issued.get(outcome.device, ())
    for row, command in enumerate(commands):
        if command.command_id != outcome.command_id:
            continue
        if outcome.code in command.told:
            return None
        told = replace(command, told=command.told | {outcome.code})
        issued[outcome.device] = (*commands[:row], told, *commands[row + 1 :])
        return command
    return None


def _counted(
    before: Mapping[ControllerId, Strays], new: Mapping[ControllerId, int], *, now: datetime
) -> tuple[dict[ControllerId, Strays], list[Draft]]:
    """The counts with those of this cut, and a draft for each controller that is due one."""
    after = dict(before)
    drafts: list[Draft] = []
    for controller in sorted(new):
        known = before.get(controller)
        count = new[controller] + (0 if known is None else known.count)
        if known is None or (now - known.noted).total_seconds() >= STRAYS_NOTED_S:
            body = {"outcomes_dropped": count, "reason": "about no command that was sent to the device, or said before"}
            drafts.append(Draft(time=now, kind=EntryKind.DEVICE, actor=controller, body=body))
            after[controller] = Strays(noted=now)
        else:
            after[controller] = replace(known, count=count)
    return after, drafts


def _take_outcome(
    outcome: Outcome,
    *,
    now: datetime,
    leases: dict[ElementId, Lease],
    failures: dict[ElementId, Failure],
    outstanding: dict[ElementId, Outstanding],
) -> None:
    device = outcome.device
    lease = leases.get(device)
    if lease is not None:
        leases[device] = replace(lease, unanswered=0)
    if outcome.code is OutcomeCode.SUCCESS:
        if lease is not None:
            failures.pop(device, None)
        return
    waiting = outstanding.get(device)
    concerns = waiting is not None and waiting.command.command_id == outcome.command_id
    if concerns and outcome.code in DID_NOT_ACT:
        del outstanding[device]
    if concerns or (lease is not None and lease.command.command_id == outcome.command_id):
        reason = f"{outcome.code.value}: {outcome.text}" if outcome.text else outcome.code.value
        failures[device] = _failure(failures.get(device), reason=reason, now=now)
        leases.pop(device, None)


def _failure(before: Failure | None, *, reason: str, now: datetime) -> Failure:
    return Failure(reason=reason, since=now, count=1 if before is None else before.count + 1)


def _confirmed(waiting: Outstanding, *, snapshot: TelemetrySnapshot, max_age_s: float) -> bool:
    command = waiting.command
    if reported_position(snapshot, command.device, like=command.setpoint, max_age_s=max_age_s) != command.setpoint:
        return False
    key = position_key(command.device, setpoint=command.setpoint)
    age_s = float("inf") if key is None else float(snapshot.age_s[snapshot.table.row[key]])
    # A position measured before the command proves nothing.
    return age_s < (snapshot.cut_time - command.issue_time).total_seconds()


def _retry(
    device: ElementId,
    failure: Failure,
    *,
    snapshot: TelemetrySnapshot,
    state: GateState,
    policy: GatePolicy,
    max_age_s: float,
) -> Failure:
    """The failure, no longer standing where the device may be tried again."""
    since_s = (snapshot.cut_time - failure.since).total_seconds()
    if not failure.standing or failure.count >= policy.failures_max or since_s < policy.retry_s:
        return failure
    operations = state.history.get(device, ())
    if operations:
        like = operations[-1].setpoint
        key = position_key(device, setpoint=like)
        fresh = reported_position(snapshot, device, like=like, max_age_s=min(max_age_s, since_s))
        if key is None or fresh is None:
            return failure
    return replace(failure, standing=False)


def _resolved(waiting: Outstanding, *, code: OutcomeCode, text: str, now: datetime) -> Draft:
    outcome = Outcome(
        command_id=waiting.command.command_id, device=waiting.command.device, code=code, time=now, text=text
    )
    return _draft(outcome, actor="service", time=now, told_by="telemetry")


def _draft(outcome: Outcome, *, actor: str, time: datetime, told_by: str) -> Draft:
    return Draft(time=time, kind=EntryKind.OUTCOME, actor=actor, body={"outcome": plain(outcome), "told_by": told_by})
