"""The client under test where the kit itself starts it: a command line with {endpoint} in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal

from adms.client import AdapterError, InputError, Problem

PLACE = "{endpoint}"
END_S = 5.0
"""A client that was told to end and has not is killed after this."""


class ClientProcess:
    """One client, started in a process group of its own so that its children end with it."""

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InputError([_problem(command, f"cannot be split into words: {error}")]) from error
        if not any(PLACE in word for word in self._words):
            raise InputError([_problem(command, f"must have {PLACE} where the address belongs")])
        self._process: asyncio.subprocess.Process | None = None

    @property
    def exit_code(self) -> int | None:
        """Of a client that ended by itself."""
        return None if self._process is None else self._process.returncode

    async def start(self, endpoint: str) -> None:
        """Starts it. Raises AdapterError where that cannot be done."""
        words = [word.replace(PLACE, endpoint) for word in self._words]
        try:
            # What it prints is for the person who watches, and must not mix with --json.
            self._process = await asyncio.create_subprocess_exec(*words, stdout=2, start_new_session=True)
        except OSError as error:
            raise AdapterError(f"cannot start {words[0]}: {error}", retryable=False) from error

    async def stop(self) -> None:
        """Ends it and its children."""
        process, self._process = self._process, None
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), timeout=END_S)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _problem(command: str, message: str) -> Problem:
    return Problem(element="--client-command", field="", value=command, message=message)
