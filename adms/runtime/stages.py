"""The pure parts that a round calls, as the composition binds them to their policies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from adms.apps.view import Decision, RoundView
from adms.core.commands import App, Proposal
from adms.core.estimate import Estimate, NotEstimated
from adms.core.ids import ElementId
from adms.core.telemetry import TelemetrySnapshot
from adms.grid.state import GridState


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Where everything stands, as reported."""

    grid: GridState
    unknown: frozenset[ElementId]


class PositionReader(Protocol):
    """Positions from a snapshot; what was never telemetered keeps its last."""

    def __call__(self, snapshot: TelemetrySnapshot, *, previous: GridState) -> Positions:
        """Reads one snapshot."""
        ...


class Estimator(Protocol):
    """One scan. State is the estimator's own; None at first."""

    def __call__(
        self, snapshot: TelemetrySnapshot, *, positions: Positions, state: Any
    ) -> tuple[Any, Estimate | NotEstimated]:
        """Returns the state to be and the picture."""
        ...


class Decide(Protocol):
    """One app, bound to its policy."""

    def __call__(self, view: RoundView, *, state: Any) -> Decision[Any]:
        """Decides on one view."""
        ...


class Violation(Protocol):
    """One guard that did not hold."""

    @property
    def guard(self) -> str:
        """Id of the invariant."""
        ...

    @property
    def severity(self) -> str:
        """H never overridable, P needs a permission, W warns."""
        ...

    @property
    def reason(self) -> str:
        """Why it does not hold."""
        ...


class Verdict(Protocol):
    """What the interlock found for one proposal."""

    @property
    def held(self) -> tuple[str, ...]:
        """Ids of the guards that held."""
        ...

    @property
    def violations(self) -> Sequence[Violation]:
        """Those that did not."""
        ...


class Check(Protocol):
    """The interlock, bound to its policy."""

    def __call__(self, view: RoundView, proposal: Proposal) -> Verdict:
        """Checks one change against one view."""
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
