"""Child processes that never outlive the command: each leads a process group that is ended as a whole."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from adms.core.errors import AdapterError

PR_SET_PDEATHSIG = 1
GRACE_S = 5.0
# One event of the bench may carry a report's worth of text.
LINE_LIMIT_BYTES = 16 * 1024 * 1024


def _die_with_parent() -> None:
    # Linux: also when this process is killed outright and cannot clean up. Elsewhere the process groups must do.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A process and the group that it leads."""

    def __init__(self, process: asyncio.subprocess.Process, *, name: str, errors: Path) -> None:
        self._process = process
        self.name = name
        self._errors = errors

    @classmethod
    async def start(cls, arguments: Sequence[str], *, name: str, log: Path) -> "Child":
        """Start `python -m ...` with the interpreter of this process; stderr goes to the file `log`."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                limit=LINE_LIMIT_BYTES,
            )
        return cls(process, name=name, errors=log)

    @property
    def pid(self) -> int:
        """Process id, also that of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the process has ended and been waited for."""
        return self._process.returncode is None

    async def lines(self) -> AsyncIterator[str]:
        """Lines of its standard output until it closes it."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield line.decode(errors="replace").rstrip("\n")

    async def line(self, *, timeout_s: float) -> str:
        """Its next line; raises AdapterError when it ends or says nothing in time."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise AdapterError(
                f"{self.name} said nothing for {timeout_s:.0f} s; see {self._errors}", retryable=False
            ) from None
        if not line:
            raise AdapterError(f"{self.name} ended before it was ready", retryable=False)
        return line.decode(errors="replace").rstrip("\n")

    async def tell(self, line: str) -> None:
        """Write a line to its standard input; a process that has gone is not told."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()

    def complaints(self) -> str:
        """What it wrote to stderr."""
        return self._errors.read_text(errors="replace").strip() if self._errors.exists() else ""

    async def wait(self) -> int:
        """Its exit code."""
        return await self._process.wait()

    async def kill(self) -> None:
        """End the whole group at once, as a crash would."""
        self._signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        """Ask the group to end, then end it."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._process.wait()
        # Whatever the leader left behind, also where it ended long ago.
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class Family:
    """The children of one command; leaving the context ends all of them, whatever happened."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    async def __aenter__(self) -> "Family":
        return self

    async def __aexit__(self, *exc: object) -> None:
        # A second Ctrl-C must not stop this.
        await asyncio.shield(self._end())

    async def _end(self) -> None:
        # Youngest first: the bench before the service that it talks to.
        for child in reversed(self._children):
            await child.stop()

    async def start(self, arguments: Sequence[str], *, name: str, log: Path) -> Child:
        """Start a child that ends with the family."""
        child = await Child.start(arguments, name=name, log=log)
        self._children.append(child)
        return child
