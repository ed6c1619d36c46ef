"""All guards, and the one question that planner, gate and operators' orders ask of them."""

from adms.apps.interlock import der, general, regulators, switching, tags, usable, voltvar
from adms.apps.interlock.guard import (
    Guard,
    Severity,
    Verdict,
    Violation,
    is_any,
    is_capacitor,
    is_close,
    is_latched,
    is_open,
    is_power,
    is_regulation,
    is_switching,
    own_permissions,
)
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import Proposal

H, P = Severity.HARD, Severity.PERMISSION

GUARDS: tuple[Guard, ...] = (
    Guard(id="X1", severity=H, applies_to=is_any, function=general.picture_is_good),
    Guard(id="SW1", severity=H, applies_to=is_close, function=switching.not_onto_a_fault),
    Guard(id="SW2", severity=H, applies_to=is_switching, function=switching.lockout_known),
    Guard(id="SW3", severity=H, applies_to=is_any, function=tags.free_of_tags),
    Guard(id="SW5", severity=H, applies_to=is_switching, function=tags.no_live_line_work),
    Guard(id="SW6", severity=P, applies_to=is_close, function=switching.radial_after),
    Guard(id="SW7", severity=P, applies_to=is_close, function=switching.no_parallel),
    Guard(id="SW8", severity=H, applies_to=is_close, function=switching.same_voltage_and_phases),
    Guard(id="SW9", severity=H, applies_to=is_switching, function=switching.within_breaking_duty),
    Guard(id="SW16", severity=H, applies_to=is_any, function=usable.is_usable),
    Guard(id="SW17", severity=H, applies_to=is_latched, function=usable.one_command_at_a_time),
    Guard(id="SW19", severity=H, applies_to=is_latched, function=usable.position_is_fresh),
    Guard(id="SW21", severity=P, applies_to=is_switching, function=usable.switch_budget),
    Guard(id="SW22", severity=H, applies_to=is_any, function=usable.mode_permits),
    Guard(id="SW23", severity=P, applies_to=is_open, function=switching.no_new_outage),
    Guard(id="SW24", severity=H, applies_to=is_close, function=regulators.regulators_fit_direction),
    Guard(id="VV2", severity=H, applies_to=is_regulation, function=voltvar.one_class_at_a_time),
    Guard(id="VV3", severity=H, applies_to=is_regulation, function=voltvar.within_stops_and_pace),
    Guard(id="VV4", severity=P, applies_to=is_regulation, function=voltvar.daily_budget),
    Guard(id="VV5", severity=H, applies_to=is_capacitor, function=voltvar.discharged),
    Guard(id="VV6", severity=H, applies_to=is_regulation, function=voltvar.not_hunting),
    Guard(id="DE1", severity=H, applies_to=is_power, function=der.within_capability_circle),
    Guard(id="DE2", severity=H, applies_to=is_power, function=der.within_nameplate),
    Guard(id="DE3", severity=H, applies_to=is_power, function=der.energy_suffices),
)
"""In the order in which a refusal is named. SW10 to SW12 need a power flow: `adms.apps.interlock.proof`."""

_KNOWN = Guard(id="X0", severity=H, applies_to=is_switching, function=switching.is_switch)


def check(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> Verdict:
    """What every guard that applies says about one proposal in one view.

    Args:
        view: the present round; to check a later step of a plan, the same with `grid` as the earlier steps leave it.
        proposal: one change of one device.
        policy: limits.
    """
    unknown = _KNOWN.function(view, proposal, policy=policy) if _KNOWN.applies_to(proposal) else None
    if unknown is not None:
        return Verdict(held=(), violations=(Violation(guard=_KNOWN.id, severity=_KNOWN.severity, reason=unknown),))
    held: list[str] = []
    violations = []
    for guard in GUARDS:
        if not guard.applies_to(proposal):
            continue
        reason = guard.function(view, proposal, policy=policy)
        if reason is None:
            held.append(guard.id)
        else:
            text = f"{proposal.device}: {reason}"
            violations.append(Violation(guard=guard.id, severity=guard.severity, reason=text))
    return Verdict(held=tuple(held), violations=tuple(violations), permitted=own_permissions(proposal))
