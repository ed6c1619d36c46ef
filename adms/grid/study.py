"""What a study asks for, as values: positions, loads, DER, forecasts and faults on top of a model.

`adms.grid.study_applied` applies it. Times are seconds after the study's start. Powers of DER are injections into the
network; powers of loads are what they draw at nominal voltage.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adms.core.ids import BusId, ElementId
from adms.grid.faults import Fault, FaultKind
from adms.grid.model import Der, DerKind


class Quantity(StrEnum):
    """What a forecast is of."""

    SCALE = "scale_frac"
    """Times the load's power."""
    LOAD_P = "p_w"
    """Of each load; reactive power follows in proportion where no forecast gives it."""
    LOAD_Q = "q_var"
    DER_P = "p_injection_w"
    DER_Q = "q_injection_var"
    DER_AVAILABLE = "available_frac"
    """Times the DER's largest injection."""

    @property
    def of_loads(self) -> bool:
        """True of those of loads, False of those of DER."""
        return self in (Quantity.SCALE, Quantity.LOAD_P, Quantity.LOAD_Q)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which loads or DER something is about. One field is given; an element goes before its class or kind, that
    before its zone, that before the default; of equals the later one counts."""

    element: str | None = None
    load_class: str | None = None
    der_kind: DerKind | None = None
    zone: str | None = None
    default: bool = False

    @property
    def rank(self) -> int:
        """Higher goes before lower."""
        if self.element is not None:
            return 3
        if self.load_class is not None or self.der_kind is not None:
            return 2
        return 0 if self.zone is None else 1

    def __str__(self) -> str:
        given = (self.element, self.load_class, self.der_kind, self.zone)
        return next((str(one) for one in given if one is not None), "default")


@dataclass(frozen=True, kw_only=True)
class LoadChange:
    """Power of loads. None keeps what the model says."""

    chosen: Chosen
    p_w: float | None = None
    q_var: float | None = None
    scale_frac: float | None = None


@dataclass(frozen=True, kw_only=True)
class DerChange:
    """Output of DER that the model has. None keeps what the model says."""

    chosen: Chosen
    p_injection_w: float | None = None
    q_injection_var: float | None = None
    s_max_va: float | None = None


@dataclass(frozen=True, kw_only=True)
class NewDer:
    """A DER at a site of its own."""

    der: Der
    """Without pairs and nominal voltage: they come from the bus."""
    bus: BusId
    phases: tuple[int, ...]
    """Empty: those of the bus."""
    delta: bool


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Values over time. Each holds from its time until the next one's."""

    chosen: Chosen
    quantity: Quantity
    times_s: tuple[float, ...]
    """Rising."""
    values: tuple[float, ...]

    def at(self, time_s: float) -> float | None:
        """The value in force; None before the first."""
        row = bisect_right(self.times_s, time_s) - 1
        return self.values[row] if row >= 0 else None


@dataclass(frozen=True, kw_only=True)
class FaultEvent:
    """A short circuit at one place for a time. One of branch, section and bus is given."""

    branch: str | None = None
    at_frac: float = 0.5
    """Along the branch, from its first terminal."""
    section: str | None = None
    bus: str | None = None
    kind: FaultKind
    phases: tuple[int, ...] = ()
    """As in `Fault`."""
    r_fault_ohm: float
    start_s: float
    clear_s: float | None
    """When it is gone by itself; None is permanent."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """The whole of it."""

    name: str
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    taps: tuple[tuple[str, int], ...] = ()
    capacitors: tuple[tuple[str, int], ...] = ()
    loads: tuple[LoadChange, ...] = ()
    ders: tuple[DerChange, ...] = ()
    new_ders: tuple[NewDer, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    faults: tuple[FaultEvent, ...] = ()
    start: datetime | None = None
    """When it begins; None where the time of day plays no part."""
    step_s: float | None = None
    steps: int = 1

    @property
    def times_s(self) -> tuple[float, ...]:
        """When each of its steps begins."""
        return tuple(step * (self.step_s or 0.0) for step in range(self.steps))


@dataclass(frozen=True, kw_only=True)
class PlacedFault:
    """A fault with the names that the model has."""

    event: FaultEvent
    element: ElementId | None
    """The branch; None where it is at a bus or in a section."""
    fault: Fault
    """At a bus: of one in a branch that of its nearer terminal, of one in a section its first."""
