"""The outage as a switching problem: what must stay dead, what can be restored, and which switches can be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import Exclusion
from adms.apps.interlock.evidence import is_protective, opened_by_command, read_evidence
from adms.apps.interlock.positions import Positions, read_positions
from adms.apps.interlock.switching import pending_protection
from adms.apps.interlock.tags import free_of_tags, tagged_sections
from adms.apps.interlock.usable import is_usable, one_command_at_a_time, position_is_fresh, switch_budget
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.interlock.zone import SuspectedZone
from adms.apps.view import RoundView
from adms.core.commands import App, Priority, Proposal, SwitchSetpoint
from adms.core.ids import ElementId, SectionId
from adms.core.modes import Mode
from adms.grid.model import SwitchKind

_DEVICE_GUARDS = (free_of_tags, is_usable, one_command_at_a_time, position_is_fresh, switch_budget)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outage:
    """What a plan chooses from. Every switch named here can be operated."""

    healthy: frozenset[SectionId]
    """Dead, not suspected, and separable from what is: to be restored."""
    zone_block: frozenset[SectionId]
    """Suspected sections and what cannot be separated from them."""
    blocked: frozenset[SectionId]
    """Every dead section that must not be energised."""
    isolate: tuple[ElementId, ...]
    """Closed switches between `blocked` and `healthy`."""
    cuts: tuple[ElementId, ...]
    """Closed switches between two healthy sections that can be opened."""
    ties: tuple[ElementId, ...]
    """Open switches that can be closed: between healthy sections, or a healthy and a live one."""
    shut: frozenset[ElementId]
    """Closed switches between two healthy sections, `cuts` included."""
    unusable: Mapping[ElementId, str]
    """Switches that would have been of use, and why they are not."""


def lockout_is_known(view: RoundView, *, zone: SuspectedZone, policy: FlisrPolicy) -> str | None:
    """Why FLISR must wait, None when it may act: protection has finished, and it was protection that opened (SW2)."""
    waiting = pending_protection(view, area=zone.area, policy=policy.interlock)
    if waiting is not None:
        return waiting
    wiring = wiring_of(view.arrays)
    if zone.locked_out:
        return None
    border = {switch for section in zone.area for switch in wiring.switches_at[section]}
    tripped = (
        is_protective(wiring, s)
        and wiring.gear[s].normally_closed
        and not view.grid.closed[s]
        and not opened_by_command(view, s)
        for s in border
    )
    # After the locked-out device is closed again, the open boundary of the zone is what is left of the outage.
    isolated = all(
        not view.grid.closed[switch] or wiring.across(switch, section) in zone.sections
        for section in zone.sections
        for switch in wiring.switches_at[section]
    )
    return None if isolated or any(tripped) else "indicators saw a fault, and no protective device is locked out"


def why_not_usable(
    view: RoundView, device: ElementId, *, closed: bool, policy: FlisrPolicy, excluded: Mapping[ElementId, Exclusion]
) -> str | None:
    """Why a switch cannot take part in a plan, whatever the rest of the plan; None where it can."""
    if device in excluded:
        return excluded[device].reason
    wiring = wiring_of(view.arrays)
    kind = wiring.gear[device].kind
    if kind is SwitchKind.FUSE or (closed and kind is SwitchKind.ISOLATOR):
        return f"a {kind} cannot do it"
    needed = min(view.system_mode, Mode.CONTROL)
    if view.mode_of(device) < needed:
        return f"its mode is {view.mode_of(device).name}"
    evidence = read_evidence(view, wiring, max_age_s=policy.interlock.telemetry_max_age_s)
    last = view.history.get(device, ())
    if closed and last and device in evidence.locked_out:
        tried = last[-1].setpoint
        ago_s = (view.now - last[-1].time).total_seconds()
        if isinstance(tried, SwitchSetpoint) and tried.closed and ago_s < policy.trial_block_s:
            return f"it tripped after it was closed {ago_s:.0f} s ago"
    opened_by_operator = last and last[-1].app is App.OPERATOR and opened_by_command(view, device)
    if closed and opened_by_operator:
        return "an operator opened it"
    # As an opening, so that the tag guard judges the device itself; what a close picks up is judged step by step.
    proposal = Proposal(
        device=device, setpoint=SwitchSetpoint(closed=False), app=App.FLISR, priority=Priority.FLISR, plan_id=None,
        step=0, reason="",
    )  # fmt: skip
    for guard in _DEVICE_GUARDS:
        reason = guard(view, proposal, policy=policy.interlock)
        if reason is not None:
            return reason
    return None


def read_outage(
    view: RoundView, *, zone: SuspectedZone, policy: FlisrPolicy, excluded: Mapping[ElementId, Exclusion]
) -> Outage:
    """The switching problem of an outage.

    A boundary switch that cannot be opened hands the task to the next ones: the section behind it joins the block.
    Sections that a hold or clearance tag bounds, and dead sections that are no part of this outage, stay dead too.
    """
    wiring = wiring_of(view.arrays)
    positions = read_positions(view, wiring, max_age_s=policy.interlock.telemetry_max_age_s)
    dead = frozenset(wiring.sections) - positions.live
    unusable: dict[ElementId, str] = {}

    def cannot(device: ElementId, *, closed: bool) -> bool:
        if device not in unusable:
            reason = why_not_usable(view, device, closed=closed, policy=policy, excluded=excluded)
            if reason is None:
                return False
            unusable[device] = reason
        return True

    zone_block = _absorb(wiring, positions, start=zone.sections, within=dead, cannot_open=cannot)
    forbidden = zone_block | (dead - zone.area) | (tagged_sections(view).keys() & dead)
    blocked = _absorb(wiring, positions, start=forbidden, within=dead, cannot_open=cannot)
    healthy = zone.area - blocked - positions.live
    isolate, cuts, ties, shut = [], [], [], []
    for switch, (fr, to) in wiring.ends.items():
        sides = {fr, to}
        if fr == to or not sides & healthy:
            continue
        if switch in positions.maybe_closed:
            if sides & blocked:
                isolate.append(switch)
            elif sides <= healthy:
                shut.append(switch)
                if not cannot(switch, closed=False):
                    cuts.append(switch)
        elif not sides & blocked and not cannot(switch, closed=True):
            carried = wiring.graph.switch_phases[switch]
            if any(not wiring.graph.sections[side].phases <= carried for side in sides - positions.live):
                unusable[switch] = "it does not carry all phases of the section"
            else:
                ties.append(switch)
    return Outage(
        healthy=healthy,
        zone_block=zone_block,
        blocked=blocked,
        isolate=tuple(isolate),
        cuts=tuple(cuts),
        ties=tuple(ties),
        shut=frozenset(shut),
        unusable=unusable,
    )


class _CannotOperate(Protocol):
    def __call__(self, device: ElementId, *, closed: bool) -> bool: ...


def _absorb(
    wiring: Wiring,
    positions: Positions,
    *,
    start: frozenset[SectionId],
    within: frozenset[SectionId],
    cannot_open: _CannotOperate,
) -> frozenset[SectionId]:
    """`start` and the dead sections that no usable switch separates from it."""
    block = set(start)
    front = sorted(block)
    while front:
        section = front.pop()
        for switch in wiring.switches_at[section]:
            other = wiring.across(switch, section)
            if switch not in positions.maybe_closed or other in block or other not in within:
                continue
            if switch not in positions.closed or cannot_open(switch, closed=False):
                block.add(other)
                front.append(other)
    return frozenset(block)
