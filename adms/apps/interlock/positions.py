"""What is known of the switches: not only where they are said to be, but what each might be doing, and where a
voltage is measured whatever they say."""

from dataclasses import dataclass

import numpy as np

from adms.apps.interlock.wiring import Wiring
from adms.apps.view import RoundView
from adms.core.commands import SwitchSetpoint
from adms.core.ids import BusId, ElementId, SectionId
from adms.core.telemetry import PointKey, PointKind, Quality

LIVE_V_PU = 0.1
"""A meter that reads more says that its section has voltage."""


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
    measured: frozenset[SectionId]
    """A good and fresh voltage meter in the section reads a voltage."""
    live: frozenset[SectionId]
    """Energised by `closed`, or measured, or joined to what is measured: a status that calls a section dead in which a
    voltage is read is wrong, and nothing treats the section as dead."""
    fed: frozenset[SectionId]
    """Energised by `closed` alone."""
    maybe_live: frozenset[SectionId]
    surely_live: frozenset[SectionId]

    @property
    def unaccounted(self) -> frozenset[SectionId]:
        """Live sections without a source that the switches account for."""
        return self.live - self.fed


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
    measured = measured_live(view, wiring, max_age_s=max_age_s)
    fed = wiring.live(closed=closed)
    return Positions(
        closed=closed,
        unconfirmed=frozenset(unconfirmed),
        maybe_closed=maybe_closed,
        surely_closed=surely_closed,
        measured=measured,
        live=fed | wiring.reach(measured, closed=closed),
        fed=fed,
        maybe_live=wiring.live(closed=maybe_closed) | wiring.reach(measured, closed=maybe_closed),
        surely_live=wiring.live(closed=surely_closed) | wiring.reach(measured, closed=surely_closed),
    )


def measured_live(view: RoundView, wiring: Wiring, *, max_age_s: float) -> frozenset[SectionId]:
    """Sections in which a good and fresh voltage meter reads more than `LIVE_V_PU` of nominal."""
    snapshot = view.snapshot
    heard = (snapshot.quality == Quality.GOOD) & (snapshot.age_s <= max_age_s) & np.isfinite(snapshot.value)
    found = set()
    for row in np.flatnonzero(heard):
        key = snapshot.table.keys[row]
        v_base_v = wiring.v_base_v.get(BusId(key.element)) if key.kind is PointKind.V_MAGNITUDE else None
        if v_base_v is not None and snapshot.value[row] > LIVE_V_PU * v_base_v:
            found.add(wiring.section_of_bus[BusId(key.element)])
    return frozenset(found)
