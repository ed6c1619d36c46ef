"""Rows of the record of a run: what happened, what was done, what took part. Times are feeder seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Event:
    """What the feeder did."""

    time_s: float
    element: str
    what: str
    text: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the story, for people."""

    time_s: float
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Move:
    """A latched command of the service."""

    time_s: float
    device: str
    setpoint: str
    app: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What the gate refused, and how often."""

    times: int
    device: str
    guard: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class InjectedFault:
    """Something that the scenario did to sensors, channels, devices, the model or the service."""

    start_s: float
    end_s: float | None
    """None: to the end of the run."""
    where: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment that every plot shows."""

    time_s: float
    text: str


@dataclass(frozen=True, kw_only=True)
class ImportLimit:
    """A limit at the interface."""

    from_s: float
    to_s: float | None
    max_w: float


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Telemetry of one source."""

    source_id: str
    sent: int
    used: int
    used_twice: int


@dataclass(frozen=True, kw_only=True)
class FleetRow:
    """One DER over the run. Energies are injections."""

    der: str
    kind: str
    s_max_va: float
    energy_wh: float
    curtailed_wh: float
    """Of PV: available less injected while it held a lease. NaN for what stores energy."""
    leased_frac: float
    """Share of the scans in which it held a lease."""
    obeying_frac: float
    """Share of the scans under a lease, and not away by its own protection, in which it was where the lease or its
    resource puts it; NaN without any."""
    trips: int


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One item of cost, with and without the service."""

    item: str
    quantity: float
    idle_quantity: float
    unit: str
    amount: float
    """Paid; negative where it was received."""
    idle_amount: float
    currency: str


@dataclass(frozen=True, kw_only=True)
class JournalCheck:
    """What the service's own check of its record said after the run."""

    intact: bool
    entries: int
    reason: str
