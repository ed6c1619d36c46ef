"""What the service says about a round, as the bench keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hil.engine import FloatArray
from hil.frames import FrameUse
from hil.plant.circuit import Node

LATCHED = frozenset({"switch", "tap", "capacitor"})


@dataclass(frozen=True, kw_only=True)
class RoundMove:
    """A command of a round. `kind` is switch, tap, capacitor or power."""

    device: str
    kind: str
    setpoint: str
    app: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RoundNews:
    """One round in the service's own words. None is "not known"."""

    time_s: float
    mode: str
    grade: str
    grade_reason: str
    v_min_pu: float | None
    v_min_node: str
    v_max_pu: float | None
    v_max_node: str
    losses_w: float | None
    import_w: float | None
    import_max_w: float | None
    estimate_ms: float
    notes: Sequence[tuple[str, str]]
    moves: Sequence[RoundMove]
    refusals: Sequence[tuple[str, str, str]]
    """(device, guard, reason)."""
    nodes: Mapping[Node, tuple[float, float]] | None
    """Voltage and its sigma by live node; None where there was no estimate."""


def in_columns(news: RoundNews, *, nodes: tuple[Node, ...]) -> tuple[FloatArray, FloatArray]:
    """Estimated voltage and sigma over the trace's nodes, NaN where there is none."""
    known = news.nodes or {}
    nothing = (np.nan, np.nan)
    table = np.array([known.get(node, nothing) for node in nodes], dtype=np.float64)
    return table[:, 0], table[:, 1]


class Service(Protocol):
    """What the bench asks of the service, besides what its devices do. Times are feeder seconds."""

    async def connect(self, endpoint: str) -> None:
        """Speak with the service there from now on."""
        ...

    async def advance_to(
        self, time_s: float, *, frames: Mapping[str, int], outcomes: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Grant time once the named frames and outcomes have arrived; the stream sequence of each controller."""
        ...

    async def round_at(self, time_s: float) -> RoundNews | None:
        """The round of that time; None where there was none."""
        ...

    async def release_to_control(self) -> str | None:
        """The operator asks for CONTROL; why it was refused, or None."""
        ...

    async def limit_import(self, import_max_w: float) -> None:
        """The transmission operator's notice."""
        ...

    async def frames_used(self) -> Mapping[str, FrameUse]:
        """Frames by source in the journal's account."""
        ...

    async def close(self) -> None:
        """Let go of the service."""
        ...
