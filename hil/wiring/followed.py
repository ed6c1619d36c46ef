"""Line devices behind a real RTU: the bench is not its master, so that the plant learns from the service's journal what
they have done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

from adms.client import AdapterError, DeviceClass, EntryKind, Insight, OutcomeCode

AGAIN_S = 1.0
"""A service that went away is asked again after this."""
_KEYS = {"closed": DeviceClass.SWITCH, "position": DeviceClass.TAP_CHANGER, "steps": DeviceClass.CAPACITOR}


class Followed:
    """Commands of a journal that the controllers of some devices have carried out. Entries in the order of the
    journal."""

    def __init__(self, devices: Collection[str]) -> None:
        self._devices = frozenset(devices)
        self._commands: dict[str, dict[str, Any]] = {}
        self._done: list[dict[str, Any]] = []

    def take(self, kind: EntryKind, body: Mapping[str, Any]) -> None:
        """One entry."""
        if kind is EntryKind.COMMAND:
            command = body["command"]
            action = _action(command["device"], command["setpoint"])
            if command["device"] in self._devices and action is not None:
                self._commands[command["command_id"]] = action
        elif kind is EntryKind.OUTCOME and body["told_by"] == "controller":
            outcome = body["outcome"]
            done = self._commands.pop(outcome["command_id"], None)
            if done is not None and outcome["code"] == OutcomeCode.SUCCESS:
                self._done.append(done)

    def actions(self) -> list[dict[str, Any]]:
        """What was done since it was asked, as `hil.wiring.start.move` takes it."""
        done, self._done = self._done, []
        return done

    async def run(self, endpoint: str) -> None:
        """Reads the journal of a service from now on, until cancelled. The service may go and come."""
        next_index: int | None = None
        while True:
            try:
                async with Insight(endpoint) as insight:
                    if next_index is None:
                        next_index = (await insight.status()).journal_entries
                    async for entry in insight.journal(from_index=next_index, follow=True):
                        next_index = entry.index + 1
                        if entry.kind in (EntryKind.COMMAND, EntryKind.OUTCOME):
                            self.take(entry.kind, json.loads(entry.body))
            except AdapterError:
                pass
            await asyncio.sleep(AGAIN_S)


def _action(device_id: str, setpoint: Mapping[str, Any]) -> dict[str, Any] | None:
    for key, kind in _KEYS.items():
        if key in setpoint:
            return {"device_id": device_id, "kind": kind, "position": int(setpoint[key])}
    return None
