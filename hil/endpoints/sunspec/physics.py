"""What stands behind a simulated inverter or battery: what it measures, and what was written into its registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol


class OperatingState(IntEnum):
    """`InvSt` of model 701."""

    OFF = 0
    SLEEPING = 1
    STARTING = 2
    RUNNING = 3
    THROTTLED = 4
    SHUTTING_DOWN = 5
    FAULT = 6
    STANDBY = 7


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a unit measures at its terminals. Powers are injections, positive into the network. NaN: not measured."""

    p_w: tuple[float, ...]
    """By phase, in the order of the nameplate's phases."""
    q_var: tuple[float, ...]
    v_v: tuple[float, ...]
    """Phase to neutral."""
    f_hz: float
    state: OperatingState
    connected: bool
    local: bool = False
    """True: somebody at the device has taken it out of remote control."""
    soc_frac: float | None = None
    """Of storage, 0 to 1."""
    p_available_w: float | None = None
    """What it could inject now; None: it does not say."""
    p_dc_w: float | None = None
    alarms: int = 0
    """Bits of `Alrm` of model 701."""


@dataclass(frozen=True, kw_only=True)
class PowerFactor:
    """A fixed power factor."""

    factor: float
    """Magnitude, 0 to 1."""
    over_excited: bool
    """True: Q is injected."""


@dataclass(frozen=True, kw_only=True)
class ActiveCurve:
    """The curve in force of a function (models 705 to 710 and 712)."""

    points: tuple[tuple[float, float], ...]
    """(x, y) as the registers scale them: volts as a fraction of nominal, Hz, watts as a fraction of WMax; y as a
    fraction of `reference`, or seconds of a trip curve."""
    reference: int = 0
    """`DeptRef`: what a y of 1 is."""
    response_s: float | None = None
    """Open loop response time."""


@dataclass(frozen=True, kw_only=True)
class Droop:
    """The frequency droop in force (model 711)."""

    dead_band_over_hz: float
    dead_band_under_hz: float
    k_over: float
    """Change of frequency, pu, for one pu of power."""
    k_under: float
    response_s: float


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the registers ask of the unit now, reversions done. Powers are injections; None: not asked."""

    permitted: bool
    """703 ES: it may be in service."""
    p_target_w: float | None
    """704 WSet."""
    p_limit_w: float | None
    """704 WMaxLimPct of WMax: it injects no more."""
    q_target_var: float | None
    """704 VarSet."""
    power_factor_injecting: PowerFactor | None
    power_factor_absorbing: PowerFactor | None
    droop: Droop | None = None
    curves: Mapping[str, ActiveCurve] = field(default_factory=dict)
    """Of enabled functions: volt_var, volt_watt, watt_var; of trips low_voltage.must, .may, .momentary, and the same
    for high_voltage, low_frequency, high_frequency."""


class Physics(Protocol):
    """The unit behind the registers."""

    def measured(self) -> Measured:
        """What it measures now."""
        ...

    def want(self, wanted: Wanted) -> None:
        """What is asked of it from now on. Called when something was written or reverted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Nameplate:
    """What a device is; powers are magnitudes."""

    serial: str
    phases: int
    """1, 2 or 3."""
    s_max_va: float
    p_max_w: float
    """Largest injection."""
    p_charge_max_w: float
    """Largest absorption; 0 of what cannot charge."""
    q_max_var: float
    v_nominal_v: float
    """Phase to neutral."""
    f_nominal_hz: float = 60.0
    energy_wh: float | None = None
    """Of storage."""
    manufacturer: str = "ADMS-lite bench"
    model: str = "Simulated DER"
    version: str = "1"
