"""What a deck says of its loads, local controls and terminals, as values."""

from __future__ import annotations

from dataclasses import dataclass


class EngineError(Exception):
    """OpenDSS refused a command or found no solution."""


@dataclass(frozen=True, kw_only=True)
class LoadRecord:
    """A load as the deck states it. Powers are drawn, at nominal voltage."""

    name: str
    bus: str
    phases: tuple[int, ...]
    p_w: float
    q_var: float


@dataclass(frozen=True, kw_only=True)
class RegulatorControl:
    """Local control of a regulator, from the deck's RegControl. Voltages on the 120 V base of its transformer."""

    transformer: str
    winding: int
    v_set_v: float
    v_band_v: float
    pt_ratio: float
    ct_primary_a: float
    drop_r_v: float
    drop_x_v: float
    delay_s: float
    """Out of band for so long before the first tap."""
    tap_delay_s: float
    """From one tap to the next while it stays out of band."""
    winding_v: float
    """Nominal voltage across a phase of the winding."""
    bus: str
    phases: tuple[int, ...]
    """Where its voltage transformer stands: from one phase to ground, or between two."""
    tap_step_pu: float
    tap_low: int
    """Lowest position, in steps from neutral."""
    tap_high: int


@dataclass(frozen=True, kw_only=True)
class CapacitorControl:
    """Local control of a capacitor, from the deck's CapControl or the overlay."""

    capacitor: str
    kind: str
    """What `on` and `off` are: "voltage" (V behind the ratio), "current" (A behind the ratio) or "kvar"."""
    element: str
    """Full name of the element it watches: the mean of its phases' voltages, or one phase's current or kvar."""
    side: int
    """At this terminal, 0 first."""
    on: float
    off: float
    pt_ratio: float
    ct_ratio: float
    delay_on_s: float
    delay_off_s: float
    dead_time_s: float
    """After it has opened, before it may start towards closing again."""
    v_min_v: float | None
    """Closes below this whatever its kind says, V behind the ratio; None without voltage override."""
    v_max_v: float | None


@dataclass(frozen=True, kw_only=True)
class ElementRecord:
    """Terminals of a circuit element: bus and phases (grounded and neutral conductors left out)."""

    name: str
    terminals: tuple[tuple[str, tuple[int, ...]], ...]


def split_bus(text: str, *, phase_count: int) -> tuple[str, tuple[int, ...]]:
    """Bus and phases of an OpenDSS bus string such as ``35.1.2``; without dots the first `phase_count` phases."""
    bus, *nodes = text.lower().split(".")
    phases = tuple(int(node) for node in nodes[:phase_count] if int(node) != 0)
    return bus, phases or tuple(range(1, phase_count + 1))
