"""The limits in force at an interface, and what the DER behind it must give together."""

from dataclasses import dataclass
from datetime import timedelta

from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.view import InterfaceLimit, RoundView
from adms.core.ids import ElementId


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The tightest of the limits that are active or about to start at one interface."""

    interface: ElementId
    import_max_w: float | None
    export_max_w: float | None
    key: str
    """Changes when the limits do."""

    @property
    def largest_w(self) -> float:
        """Size of the limit that margins are shares of."""
        return max(abs(self.import_max_w or 0.0), abs(self.export_max_w or 0.0))


def in_force(view: RoundView, *, policy: DispatchPolicy) -> tuple[InForce, ...]:
    """Limits by interface, in order of their ids."""
    notice = view.now + timedelta(seconds=policy.prepare_s)
    active = [
        limit
        for limit in view.interface_limits
        if limit.start <= notice and (limit.end is None or view.now < limit.end)
    ]
    found = []
    for interface in sorted({limit.interface for limit in active}):
        here = [limit for limit in active if limit.interface == interface]
        found.append(_tightest(interface, here))
    return tuple(found)


def _tightest(interface: ElementId, limits: list[InterfaceLimit]) -> InForce:
    imports = [limit.import_max_w for limit in limits if limit.import_max_w is not None]
    exports = [limit.export_max_w for limit in limits if limit.export_max_w is not None]
    import_max_w, export_max_w = min(imports, default=None), min(exports, default=None)
    return InForce(
        interface=interface,
        import_max_w=import_max_w,
        export_max_w=export_max_w,
        key=f"{interface} import {import_max_w} export {export_max_w}",
    )


def need_w(limit: InForce, *, load_w: float, correction_w: float, idle_w: float, policy: DispatchPolicy) -> float:
    """What the DER must give more (positive) or less (negative) than idle.

    Args:
        limit: at the interface.
        load_w: import if no DER gave anything.
        correction_w: more injection that experience asks for.
        idle_w: sum of what all DER behind the interface give without a limit.
    """
    margin_w = policy.margin_frac * limit.largest_w
    least_w = None if limit.import_max_w is None else load_w - limit.import_max_w + margin_w + correction_w
    most_w = None if limit.export_max_w is None else load_w + limit.export_max_w - margin_w + correction_w
    if least_w is not None and idle_w < least_w:
        return least_w - idle_w
    if most_w is not None and idle_w > most_w:
        return most_w - idle_w
    return 0.0


def error_w(limit: InForce, *, import_w: float, policy: DispatchPolicy) -> float:
    """How much more the DER should give for the flow to be at its target, by the side of the limit that it is
    nearer to; positive is more injection."""
    margin_w = policy.margin_frac * limit.largest_w
    errors = []
    if limit.import_max_w is not None:
        errors.append(import_w - (limit.import_max_w - margin_w))
    if limit.export_max_w is not None:
        errors.append(import_w + limit.export_max_w - margin_w)
    return min(errors, key=abs, default=0.0)
