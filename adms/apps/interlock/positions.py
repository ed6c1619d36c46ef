"""What is known of the switches: not only where they are said to be, but what each might be doing."""

from dataclasses import dataclass

from adms.apps.interlock.wiring import Wiring
from adms.apps.view import RoundView
from adms.core.commands import SwitchSetpoint
from adms.core.ids import ElementId, SectionId
from adms.core.telemetry import PointKey, PointKind


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Switches of one view. A position that is not confirmed counts as closed where closed would be dangerous and as
    open where open would be: absence of knowledge never permits anything."""

    closed: frozenset[ElementId]
    """As reported or, where unknown, as last known."""
    unconfirmed: frozenset[ElementId]
    """Unknown, remote without good telemetry, or under way."""
    maybe_closed: frozenset[ElementId]
    """Closed, or not confirmed to be open."""
    surely_closed: frozenset[ElementId]
    live: frozenset[SectionId]
    """Energised by `closed`."""
    maybe_live: frozenset[SectionId]
    surely_live: frozenset[SectionId]


def read_positions(view: RoundView, wiring: Wiring, *, max_age_s: float) -> Positions:
    """Positions of every switch of a view.

    A hand-operated switch has no telemetry: its position in `view.grid` is what the operators keep. A remote one must
    report: after a restart, one that never did is unconfirmed.
    """
    closed = frozenset(switch for switch in wiring.ends if view.grid.closed[switch])
    moving = {device for device, command in view.outstanding.items() if isinstance(command.setpoint, SwitchSetpoint)}
    silent = {
        switch
        for switch, gear in wiring.gear.items()
        if gear.remote
        and view.snapshot.good(PointKey(kind=PointKind.SWITCH_CLOSED, element=switch), max_age_s=max_age_s) is None
    }
    unconfirmed = (view.unknown_positions | moving | silent) & wiring.ends.keys()
    maybe_closed = closed | unconfirmed
    surely_closed = closed - unconfirmed
    return Positions(
        closed=closed,
        unconfirmed=frozenset(unconfirmed),
        maybe_closed=maybe_closed,
        surely_closed=surely_closed,
        live=wiring.live(closed=closed),
        maybe_live=wiring.live(closed=maybe_closed),
        surely_live=wiring.live(closed=surely_closed),
    )
