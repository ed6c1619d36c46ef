"""Ends a call into HELICS that takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LOOK_S = 0.05
"""It looks so often rather than being woken by each call: a federation makes thousands a second."""


@dataclass(kw_only=True)
class Guarded:
    """One call that must not last."""

    deadline_s: float
    """On the wall's monotonic clock."""
    bite: Callable[[], None]
    bitten: bool = False


class Watchdog:
    """One thread for all guarded calls of a federate. Its wall clock decides only whether there is a run at all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Guarded | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cosim-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def guard(self, timeout_s: float, *, bite: Callable[[], None]) -> Iterator[Guarded]:
        """Call `bite` from another thread where the body takes longer."""
        guarded = Guarded(deadline_s=time.monotonic() + timeout_s, bite=bite)
        with self._lock:
            self._now = guarded
        try:
            yield guarded
        finally:
            # The lock: not while it bites.
            with self._lock:
                self._now = None

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_S):
            with self._lock:
                guarded = self._now
                if guarded is not None and not guarded.bitten and time.monotonic() >= guarded.deadline_s:
                    guarded.bitten = True
                    guarded.bite()
