"""Processes that the wiring starts, and that do not outlive it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

GRACE_S = 5.0


class Started:
    """`python -m ...`, whose output goes to a file."""

    def __init__(self, arguments: Sequence[str], *, log: Path) -> None:
        self._arguments, self.log = tuple(arguments), log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Of the process. Raises RuntimeError before it is started."""
        if self._process is None:
            raise RuntimeError(f"{self._arguments[0]} has not been started")
        return self._process.pid

    async def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hil.wiring.attached",
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    async def kill(self) -> None:
        """End it as a power failure does."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()

    async def end(self) -> None:
        """Ask it to end, and see to it that it does."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_S)
        except TimeoutError:
            await self.kill()

    @property
    def last_words(self) -> str:
        """The end of what it said."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-500:].strip()
        return ""
