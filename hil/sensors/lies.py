"""How a sensor can lie, as values, and what each makes of a healthy value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Annotated, TypeAlias, assert_never

from pydantic import Field

from hil.sensors.terms import Finite, Pattern, Span

Phase = Annotated[int, Field(ge=1, le=3)]


@dataclass(frozen=True, kw_only=True)
class StuckAtLast:
    """Shows what it last showed before the fault began (where it had shown nothing: its first value under it)."""


@dataclass(frozen=True, kw_only=True)
class StuckAtValue:
    """Shows one value, whatever the truth."""

    value: Finite
    """In the unit of the point's kind."""


@dataclass(frozen=True, kw_only=True)
class SignFlipped:
    """Wired the wrong way round: shows the negative."""


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """A two-state point that shows the other state: 1 for 0, 0 for 1."""


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A gross error, e.g. of a transformer ratio: shows so many times the value."""

    factor: Finite


@dataclass(frozen=True, kw_only=True)
class NotANumber:
    """Shows NaN, and calls it good."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """An offset that grows from zero at the fault's start."""

    drift_per_h: Finite
    """Unit of the point's kind, per hour."""


@dataclass(frozen=True, kw_only=True)
class PhasesSwapped:
    """Leads of two phases exchanged: a point of one shows the truth of the other, with its own errors."""

    phases: tuple[Phase, Phase]


@dataclass(frozen=True, kw_only=True)
class TimeFrozen:
    """Values go on, the time that they are said to be measured at stays that of the fault's start."""


Lie: TypeAlias = (
    StuckAtLast | StuckAtValue | SignFlipped | Inverted | Scaled | NotANumber | Drift | PhasesSwapped | TimeFrozen
)

LIES: Mapping[str, type[Lie]] = {
    "stuck_at_last": StuckAtLast,
    "stuck_at_value": StuckAtValue,
    "sign_flipped": SignFlipped,
    "inverted": Inverted,
    "scaled": Scaled,
    "nan": NotANumber,
    "drift": Drift,
    "phases_swapped": PhasesSwapped,
    "time_frozen": TimeFrozen,
}
"""By the word that stands for it as `kind`."""


@dataclass(frozen=True, kw_only=True)
class SensorFault:
    """A lie of every point that matches, over a stretch of time."""

    point: Pattern
    """`kind/element/side/phase`, e.g. `p_flow_w/switch.x/0/1`."""
    source: Pattern = "*"
    """Who reports it."""
    span: Span
    lie: Lie

    @property
    def kind(self) -> str:
        """The word for its lie."""
        return next(word for word, lie in LIES.items() if isinstance(self.lie, lie))


def offset_of(fault: SensorFault, *, time_s: float) -> float:
    """What a fault adds to the quantity before it is limited and quantised, unit of the point."""
    match fault.lie:
        case Drift(drift_per_h=rate):
            return rate * (time_s - fault.span.start_s) / 3600.0
        case _:
            return 0.0


def shown_by(lie: Lie, value: float, *, last: float | None) -> float:
    """What is shown for a value that was limited and quantised; `last` is what was shown before the fault began."""
    match lie:
        case StuckAtLast():
            return value if last is None else last
        case StuckAtValue(value=stuck):
            return stuck
        case SignFlipped():
            return -value
        case Inverted():
            return 1.0 - value
        case Scaled(factor=factor):
            return factor * value
        case NotANumber():
            return nan
        case Drift() | PhasesSwapped() | TimeFrozen():
            return value
        case _ as unreachable:
            assert_never(unreachable)
