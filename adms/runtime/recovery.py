"""What a new process learns from the journal of the one before. Pure fold over entries.

Tags, limits, device modes, an emergency stop, the account of frames, the day's operations and unconfirmed commands come
back. The system's mode and approvals do not: start-up observes, and no plan resumes by itself (X6, X7).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adms.apps.view import Operation
from adms.core.commands import Command, Outcome
from adms.core.ids import CommandId, ElementId, TelemetrySourceId
from adms.core.journal import EntryKind, JournalEntry
from adms.ports import records
from adms.ports.records import OperatorAct, Request
from adms.runtime.canonical import restored
from adms.runtime.confirmation import DID_NOT_ACT
from adms.runtime.desk_state import DeskState, applied
from adms.runtime.gate_state import GateState, Issued, Outstanding, with_issued
from adms.runtime.image import UsedFrames

ACTS: dict[str, type[OperatorAct]] = {
    act.__name__: act
    for act in (
        records.SetMode,
        records.ApprovePlan,
        records.AbortPlan,
        records.PlaceTag,
        records.RemoveTag,
        records.EmergencyStop,
        records.SetInterfaceLimit,
    )
}


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """State as the journal tells it."""

    epoch: int = 0
    """Highest epoch that ever started; the next process takes the one after."""
    simulation: bool | None = None
    """Whether the journal is one of simulations; None where it does not say."""
    used: dict[TelemetrySourceId, UsedFrames] = field(default_factory=dict)
    gate: GateState = field(default_factory=GateState)
    desk: DeskState = field(default_factory=DeskState)


class Recovery:
    """Folds a journal entry by entry, so that one pass over the file verifies it and reads it back."""

    def __init__(self) -> None:
        self._epoch = 0
        self._simulation: bool | None = None
        self._used: dict[TelemetrySourceId, UsedFrames] = {}
        self._outstanding: dict[ElementId, Outstanding] = {}
        self._history: dict[ElementId, tuple[Operation, ...]] = {}
        self._issued: dict[ElementId, tuple[Issued, ...]] = {}
        self._desk = DeskState()
        self.next_index = 0
        """Index of the entry that comes next."""
        self.problem = ""
        """Why the journal cannot be understood; empty where it can. Nothing is taken after it."""

    def take(self, entry: JournalEntry) -> None:
        """The next entry."""
        self.next_index = entry.index + 1
        if self.problem:
            return
        try:
            self._fold(entry)
        except (ValueError, KeyError, TypeError) as error:
            self.problem = f"entry {entry.index} cannot be understood: {error}"

    def _fold(self, entry: JournalEntry) -> None:
        match entry.kind:
            case EntryKind.START:
                body = json.loads(entry.body)
                self._epoch = max(self._epoch, int(body["epoch"]))
                if self._simulation is None and "simulation" in body:
                    self._simulation = bool(body["simulation"])
            case EntryKind.CUT:
                for source, (instance_epoch, sequence) in json.loads(entry.body)["used"].items():
                    account = UsedFrames(instance_epoch=instance_epoch, sequence=sequence)
                    self._used[TelemetrySourceId(source)] = account
            case EntryKind.COMMAND:
                body = json.loads(entry.body)
                _take_issued(body["command"], issued=self._issued)
                _take_command(body, outstanding=self._outstanding, history=self._history)
            case EntryKind.OUTCOME:
                _take_outcome(json.loads(entry.body), outstanding=self._outstanding)
            case EntryKind.OPERATOR:
                self._desk = applied(self._desk, _request(json.loads(entry.body)), now=entry.time)
            case _:
                pass

    def result(self) -> Recovered:
        """What the entries so far tell; nothing where they cannot be understood."""
        if self.problem:
            return Recovered()
        return Recovered(
            epoch=self._epoch,
            simulation=self._simulation,
            used=dict(self._used),
            gate=GateState(outstanding=dict(self._outstanding), history=dict(self._history), issued=dict(self._issued)),
            desk=replace(self._desk, approved=frozenset(), aborted=frozenset()),
        )


def recovered(entries: Iterable[JournalEntry]) -> Recovered:
    """Folds a journal from its first entry on. Raises ValueError for a body that is not ours."""
    recovery = Recovery()
    for entry in entries:
        recovery.take(entry)
    if recovery.problem:
        raise ValueError(recovery.problem)
    return recovery.result()


def _take_issued(command: dict[str, Any], *, issued: dict[ElementId, tuple[Issued, ...]]) -> None:
    device = ElementId(command["device"])
    issued[device] = with_issued(issued.get(device, ()), CommandId(command["command_id"]), epoch=int(command["epoch"]))


def _take_command(
    body: dict[str, Any],
    *,
    outstanding: dict[ElementId, Outstanding],
    history: dict[ElementId, tuple[Operation, ...]],
) -> None:
    if "deadline" not in body:
        return
    command = restored(Command, body["command"])
    operation = restored(Operation, body["operation"])
    outstanding[command.device] = Outstanding(command=command, deadline=datetime.fromisoformat(body["deadline"]))
    history[command.device] = (*history.get(command.device, ()), operation)


def _take_outcome(body: dict[str, Any], *, outstanding: dict[ElementId, Outstanding]) -> None:
    outcome = restored(Outcome, body["outcome"])
    waiting = outstanding.get(outcome.device)
    if waiting is None or waiting.command.command_id != outcome.command_id:
        return
    # A device that says "done" proves nothing; one that says "not done" has not moved.
    if body["told_by"] == "telemetry" or outcome.code in DID_NOT_ACT:
        del outstanding[outcome.device]


def _request(body: dict[str, Any]) -> Request:
    told = body["request"]
    return Request(
        request_id=told["request_id"],
        actor=told["actor"],
        reason=told["reason"],
        act=restored(ACTS[body["act"]], told["act"]),
    )
