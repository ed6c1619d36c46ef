"""The pure parts that a round calls, as the composition binds them to their policies."""

from dataclasses import dataclass
from typing import Any, Protocol

from adms.apps.interlock import Verdict
from adms.apps.view import Decision, ExpectedState, RoundView
from adms.core.commands import App, Proposal
from adms.core.estimate import Estimate, NotEstimated
from adms.core.telemetry import TelemetrySnapshot
from adms.grid.reported import ReportedGrid
from adms.grid.state import GridState


class PositionReader(Protocol):
    """Positions from a snapshot; what was never telemetered keeps its last."""

    def __call__(self, snapshot: TelemetrySnapshot, *, previous: GridState) -> ReportedGrid:
        """Reads one snapshot."""
        ...


class Estimator(Protocol):
    """One scan. State is the estimator's own; None at first."""

    def __call__(
        self, snapshot: TelemetrySnapshot, *, positions: ReportedGrid, state: Any
    ) -> tuple[Any, Estimate | NotEstimated]:
        """Returns the state to be and the picture."""
        ...


class Decide(Protocol):
    """One app, bound to its policy."""

    def __call__(self, view: RoundView, *, state: Any) -> Decision[Any]:
        """Decides on one view."""
        ...


class Check(Protocol):
    """The interlock, bound to its policy."""

    def __call__(self, view: RoundView, proposal: Proposal, *, expected: ExpectedState | None) -> Verdict:
        """Checks one change against one view; a close also with the power flow of what is expected after it."""
        ...


@dataclass(frozen=True, kw_only=True)
class AppStage:
    """An app and where it starts."""

    app: App
    decide: Decide
    initial: Any


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Everything that a round computes with."""

    read_positions: PositionReader
    estimate: Estimator
    apps: tuple[AppStage, ...]
    check: Check
