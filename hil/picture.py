"""What the bench asks of the service, and how it reads a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from adms.client import EstimateReport, RoundReport, SigmaSource
from hil.engine import FloatArray
from hil.frames import FrameUse
from hil.plant.circuit import Node


def in_columns(estimate: EstimateReport, *, nodes: tuple[Node, ...]) -> tuple[FloatArray, FloatArray]:
    """Estimated voltage and sigma over the trace's nodes, NaN where there is none."""
    known = {
        (node.bus, node.phase): (node.v_pu, node.sigma_v_pu)
        for node in estimate.nodes
        if node.v_pu is not None and node.sigma_v_pu is not None and node.source is not SigmaSource.DEAD
    }
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

    async def round_at(self, time_s: float) -> RoundReport | None:
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
