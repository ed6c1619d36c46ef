"""Guards on what a switch joins or parts: suspected sections, lockout, radiality, parallels, phases, breaking duty."""

from collections.abc import Collection

import numpy as np

from adms.apps.interlock.evidence import may_still_reclose
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.positions import Positions, read_positions
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.interlock.zone import suspected_zone
from adms.apps.view import RoundView
from adms.core.commands import App, Proposal
from adms.core.ids import ElementId, SectionId
from adms.grid.model import SwitchKind
from adms.grid.topology import topology

_V_BASE_TOLERANCE_FRAC = 1e-3


def pending_protection(view: RoundView, *, area: Collection[SectionId], policy: InterlockPolicy) -> str | None:
    """Why protection around some dead sections may still act by itself; None when lockout is known (SW2)."""
    wiring = wiring_of(view.arrays)
    for section in sorted(area):
        for switch in wiring.switches_at[section]:
            if may_still_reclose(
                view,
                wiring,
                switch=switch,
                timer_s=policy.lockout_timer_s,
                max_age_s=policy.telemetry_max_age_s,
            ):
                return f"{switch} is open and neither locked out nor ordered open: it may still reclose"
    return None


def _read(view: RoundView, policy: InterlockPolicy) -> tuple[Wiring, Positions]:
    wiring = wiring_of(view.arrays)
    return wiring, read_positions(view, wiring, max_age_s=policy.telemetry_max_age_s)


def picked_up(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> frozenset[SectionId]:
    """Dead sections that closing the device would energise; all that it might, where positions are not confirmed."""
    wiring, positions = _read(view, policy)
    sides = wiring.ends[proposal.device]
    if not any(side in positions.maybe_live for side in sides):
        return frozenset()
    joined = wiring.reach(sides, closed=positions.maybe_closed | {proposal.device})
    return joined - positions.surely_live


def not_onto_a_fault(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW1: no close that joins anything to a suspected section, directly or over switches not confirmed open.

    So a suspected section can only be re-energised after its indicators are reset: by people, after the patrol.
    """
    wiring, positions = _read(view, policy)
    zone = suspected_zone(view, max_age_s=policy.telemetry_max_age_s)
    joined = wiring.reach(wiring.ends[proposal.device], closed=positions.maybe_closed | {proposal.device})
    hit = joined & zone.sections
    if not hit:
        return None
    doubtful = sorted(
        switch
        for section in hit
        for switch in wiring.switches_at[section]
        if switch in positions.maybe_closed and switch != proposal.device
    )
    why = f"; not confirmed open: {', '.join(doubtful)}" if doubtful else ""
    return f"would join {', '.join(sorted(hit))}, which may hold the fault{why}"


def lockout_known(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW2: FLISR touches nothing while protection at the same dead sections may still reclose by itself."""
    if proposal.app is not App.FLISR:
        return None
    wiring, positions = _read(view, policy)
    dead_sides = [side for side in wiring.ends[proposal.device] if side not in positions.surely_live]
    island = wiring.reach(dead_sides, closed=positions.maybe_closed) - positions.surely_live
    return pending_protection(view, area=island, policy=policy)


def radial_after(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW6: after the step, what the device is joined to has at most one source path."""
    wiring, positions = _read(view, policy)
    closed = positions.maybe_closed | {proposal.device}
    part = wiring.reach(wiring.ends[proposal.device], closed=closed)
    after = topology(wiring.network, closed=closed)
    most = max(after.supply(section).count for section in part)
    return None if most <= 1 else f"{len(part)} sections would have {most} source paths instead of one"


def no_parallel(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW7: no close between two sections that are, or may be, energised on a phase that the switch carries. A section
    in which a voltage is read counts as energised on all its phases, by whatever feeds it."""
    wiring, positions = _read(view, policy)
    if proposal.device in positions.closed:
        return None
    before = topology(wiring.network, closed=positions.maybe_closed - {proposal.device})
    told = wiring.reach(positions.unaccounted, closed=positions.maybe_closed - {proposal.device})
    fr, to = (
        before.supply(side).phases | (wiring.graph.sections[side].phases if side in told else frozenset())
        for side in wiring.ends[proposal.device]
    )
    if fr & to & wiring.graph.switch_phases[proposal.device]:
        return "both sides are or may be energised: it would parallel them"
    return None


def same_voltage_and_phases(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW8: both terminals have the same phases and nominal voltage, and every phase of what is picked up comes alive.

    A one-phase switch therefore restores one-phase sections only.
    """
    wiring, positions = _read(view, policy)
    arrays = view.arrays
    fr, to = arrays.model.branches[arrays.branch_idx[proposal.device]].terminals
    if [node.phase for node in fr] != [node.phase for node in to]:
        return "its terminals do not have the same phases"
    v_fr, v_to = (arrays.v_base_v[[arrays.node_idx[node] for node in side]] for side in (fr, to))
    if np.any(np.abs(v_fr - v_to) > _V_BASE_TOLERANCE_FRAC * v_fr):
        return "its sides have different nominal voltages"
    sides = wiring.ends[proposal.device]
    if not any(side in positions.live for side in sides):
        return None
    after = view.grid.with_switch(proposal.device, closed=True)
    fed = arrays.energised(after)
    joined = wiring.reach(sides, closed=positions.closed | {proposal.device}) - positions.live
    for section in sorted(joined):
        if not fed[wiring.nodes[section]].all():
            return f"{section} would come alive on some of its phases only"
    return None


def within_breaking_duty(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW9: isolators only between dead sections; fuses are not operated at all."""
    wiring, positions = _read(view, policy)
    kind = wiring.gear[proposal.device].kind
    if kind is SwitchKind.FUSE:
        return "a fuse is not operated by command"
    if kind is SwitchKind.ISOLATOR and any(side in positions.maybe_live for side in wiring.ends[proposal.device]):
        return "an isolator is operated only when both sides are dead"
    return None


def no_new_outage(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW23: opening a switch takes no energised customer off. Where a voltage is read that the switches do not account
    for, nobody knows from which side it comes: everything joined to the switch counts as lost."""
    wiring, positions = _read(view, policy)
    after = wiring.live(closed=positions.closed - {proposal.device})
    lost = positions.fed - after
    joined = wiring.reach(wiring.ends[proposal.device], closed=positions.maybe_closed)
    if joined & positions.unaccounted:
        lost |= joined - after
    customers = sum(wiring.customers[section] for section in lost)
    critical = sum(wiring.critical_customers[section] for section in lost)
    if customers == 0 and sum(wiring.load_w[section] for section in lost) == 0:
        return None
    flagged = f", {critical} of them critical" if critical else ""
    return f"would take {customers} energised customers off{flagged}"


def is_switch(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """X0: the device is a switch of the model. The other switching guards rely on it."""
    known: Collection[ElementId] = wiring_of(view.arrays).gear
    return None if proposal.device in known else "is not a switch of this model"
