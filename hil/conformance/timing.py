"""Times and allowances of the kit. Every wait is bounded by one of them, and each says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from adms.client import InputError, Problem


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, unless the name says otherwise."""

    answer_s: float = 5.0
    """An outcome comes within this. The kit's own allowance: a device that does not answer its leases is left alone
    (SAFETY DE11)."""
    act_s: float = 5.0
    """After SUCCESS the output begins to move within this. The kit's own allowance: as long as the fall-back has."""
    settle_s: float = 30.0
    """An output is at its setpoint within this, and the time of its declared ramp. IEEE 1547-2018 4.6.2: an active
    power limit is kept within 30 s."""
    fall_back_s: float = 5.0
    """After the end of a lease the output begins to move to the stored default within this. SAFETY, fault D."""
    early_s: float = 0.2
    """How much sooner than the end of a lease, on the client's clock, an output may begin to leave it."""
    watch_s: float = 3.0
    """For so long it is watched that something does not happen; at least four telemetry frames."""
    lease_s: float = 4.0
    """Length of a lease whose end is watched."""
    reconnect_s: float = 10.0
    """A client is back within this once the service is. The kit's own allowance."""
    storm_s: float = 6.0
    """For so long every attempt to connect is refused, and the attempts are counted."""
    skew_s: float = 1.0
    """The client's clock agrees with the kit's within this. A lease ends at a moment (control.proto, Command.expiry),
    so a clock that is off ends it at another."""
    tolerance_frac: float = 0.05
    """An output is at a level when it is within this share of s_max_va. IEEE 1547-2018 Table 3: 5 % of the rating."""
    begin_s: float = 60.0
    """The client is there, and reports, within this after the kit began to listen."""

    def __post_init__(self) -> None:
        problems = [
            Problem(element="timing", field=each.name, value=str(value), message="must be above zero and finite")
            for each in fields(self)
            if not (isfinite(value := getattr(self, each.name)) and value > 0.0)
        ]
        if problems:
            raise InputError(problems)


QUICK_ALLOWANCES = {"watch_s": 1.0, "lease_s": 2.0}
"""Of the quick set, where nothing else is asked for: what happens late is missed sooner."""
