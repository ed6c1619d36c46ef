"""How a limit is held. Every field is configured: nothing that protects has a default."""

from dataclasses import dataclass

from adms.apps.interlock import InterlockPolicy


@dataclass(frozen=True, kw_only=True)
class DispatchPolicy:
    """Limits and gains of `decide`. Ids in brackets are the invariants of the safety list."""

    interlock: InterlockPolicy
    """The same limits that the gate enforces: the range of the state of charge, the length of a lease [DE3] and the age
    of telemetry."""
    prepare_s: float
    """A limit is held from this long before it starts, so that ramps are over when it does."""
    margin_frac: float
    """Share of the limit that is kept free: room for noise and for the ramp between two rounds."""
    deadband_frac: float
    """Share of the limit by which the sum of setpoints may be off before they change (no hunting)."""
    lead_s: float
    """Time from a decision to its effect: the load is extrapolated by it."""
    level_gain: float
    """Share of a surprise that the load's level takes over each round (alpha of an alpha-beta filter, 0..1)."""
    trend_gain: float
    """The same for its trend (beta)."""
    integral_gain_per_s: float
    """Share of a lasting error that is corrected each second: devices that give less than they are told."""
    integral_max_frac: float
    """Largest correction, share of the limit."""
    sigma_margin: float
    """Voltage limits are tightened by this many standard deviations of the estimate. Less than Volt/VAR's: it plans up
    to its own tightened limits, and the room between the two is what dispatch may use until Volt/VAR follows."""
    voltage_allowance_pu: float
    """Setpoints may always move a voltage by this much against idle, also near or outside a limit: Volt/VAR cures what
    is left, and a node that is outside already does not forbid everything."""
    voltage_corrections_max: int
    """Linear programs with more voltage rows before the setpoints are scaled back."""
