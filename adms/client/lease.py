"""A DER's side of a lease: what it should do now. When a lease lapses, the stored default holds."""

from dataclasses import dataclass

from adms.client.clock import Now, utc_now
from adms.client.records import ReceivedCommand
from adms.core.commands import PowerSetpoint


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a DER should do now."""

    setpoint: PowerSetpoint
    """Both quantities resolved; None only where the default itself leaves it to the device (a PV's active power)."""
    leased: bool
    """False while the default holds."""


class Lease:
    """Keeps the newest lease of one DER and resolves it against the stored default."""

    def __init__(self, *, stored_default: PowerSetpoint, now: Now = utc_now) -> None:
        self._default = stored_default
        self._now = now
        self._newest: ReceivedCommand | None = None

    def take(self, command: ReceivedCommand) -> bool:
        """Takes a command as the newest lease; False for one that is no power setpoint, is older than the one in
        force or has lapsed already."""
        if not isinstance(command.setpoint, PowerSetpoint) or command.expiry <= self._now():
            return False
        held = self._newest
        if held is not None and (command.epoch, command.sequence) < (held.epoch, held.sequence):
            return False
        self._newest = command
        return True

    def due(self) -> Due:
        """What holds now. A quantity that the lease leaves open follows the default."""
        newest = self._newest
        if newest is None or newest.expiry <= self._now():
            return Due(setpoint=self._default, leased=False)
        leased = newest.setpoint
        assert isinstance(leased, PowerSetpoint)
        p, q = leased.p_injection_w, leased.q_injection_var
        setpoint = PowerSetpoint(
            p_injection_w=self._default.p_injection_w if p is None else p,
            q_injection_var=self._default.q_injection_var if q is None else q,
        )
        return Due(setpoint=setpoint, leased=True)
