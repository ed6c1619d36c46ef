"""Limits that the interlock guards enforce. Every field is configured: nothing that protects has a default."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InterlockPolicy:
    """Limits of `check`. Ids in brackets are the invariants of the safety list."""

    telemetry_max_age_s: float
    """Older points count as missing."""
    snapshot_max_age_s: float
    """No command from an older snapshot [X1]."""
    estimate_max_age_s: float
    """No Volt/VAR move or setpoint from an older estimate [X1]."""
    lockout_timer_s: float
    """A protective device that reported its last trip this long ago will not reclose by itself any more [SW2]."""
    switch_operations_per_day: int
    """Of one switch in 24 h [SW21]."""
    tap_interval_s: float
    """Between two operations of one tap changer [VV3]."""
    tap_steps_per_move: int
    """Largest change of one tap command [VV3]."""
    tap_operations_per_day: int
    """Tap steps of one tap changer, by command [VV4: 20]."""
    capacitor_interval_s: float
    """Between two operations of one capacitor [VV3]."""
    capacitor_operations_per_day: int
    """Steps of one capacitor switched, in or out [VV4: 6]."""
    capacitor_reclose_s: float
    """From switching a capacitor out to switching it in again: its discharge time [VV5: 300]."""
    reversals_max: int
    """More changes of direction than this in the window freeze the device [VV6: 2]."""
    reversals_window_s: float
    """[VV6: 1800]."""
    der_lease_s: float
    """Longest lease of a power setpoint: the time for which stored energy must suffice [DE3]."""
    der_rating_tolerance_frac: float
    """What rounding and meter error may add to s_max_va and the power limits [DE1, DE2]."""
    soc_min_frac: float
    """[DE3]."""
    soc_max_frac: float
