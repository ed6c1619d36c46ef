"""Guards on the device itself: can it be commanded now, and may it be."""

from adms.apps.interlock.guard import Severity, Violation
from adms.apps.interlock.operations import operation_account
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.tags import tag_on
from adms.apps.interlock.wiring import wiring_of
from adms.apps.view import RoundView
from adms.core.commands import CapacitorSetpoint, Proposal, SwitchSetpoint, TapSetpoint
from adms.core.ids import ElementId
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, PointKind

_POSITION: dict[type, PointKind] = {
    SwitchSetpoint: PointKind.SWITCH_CLOSED,
    TapSetpoint: PointKind.TAP_POSITION,
    CapacitorSetpoint: PointKind.CAPACITOR_STEPS,
}


def why_not_commandable(view: RoundView, device: ElementId) -> Violation | None:
    """The one rule for "may this device be commanded at all", whoever asks and whatever for; None where it may.

    SW22 (its mode is OBSERVE), SW16 (held in remote mode, no uncleared failure, position known), SW3 (its own tags),
    SW17 (nothing outstanding). Whether a plan may act in mode ADVISE is `RoundView.permits`: a planner that only looks
    for what could be approved asks this, the gate both.
    """
    reasons = {
        "SW22": "mode is OBSERVE" if view.mode_of(device) is Mode.OBSERVE else None,
        "SW16": _unusable(view, device),
        "SW3": tag_on(view, device),
        "SW17": _outstanding(view, device),
    }
    found = next(((guard, reason) for guard, reason in reasons.items() if reason is not None), None)
    return None if found is None else Violation(guard=found[0], severity=Severity.HARD, reason=found[1])


def _unusable(view: RoundView, device: ElementId) -> str | None:
    if device not in view.controllable:
        return "no connected controller holds it in remote mode"
    if device in view.failed_devices:
        return f"failed before and was not cleared: {view.failed_devices[device]}"
    return "its position is not known" if device in view.unknown_positions else None


def _outstanding(view: RoundView, device: ElementId) -> str | None:
    pending = view.outstanding.get(device)
    return None if pending is None else f"{pending.command_id} to it is not confirmed yet"


def is_usable(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW16: held by a connected controller in remote mode, no failure uncleared, position known where it has one."""
    device = proposal.device
    reason = _unusable(view, device)
    kind = _POSITION.get(type(proposal.setpoint))
    if reason is not None or kind is None:
        return reason
    if view.snapshot.good(PointKey(kind=kind, element=device), max_age_s=policy.telemetry_max_age_s) is None:
        return "its position is not telemetered now"
    gear = wiring_of(view.arrays).gear.get(device)
    if gear is not None and not gear.remote:
        return "it is worked by hand"
    return None


def one_command_at_a_time(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW17: no second command to a device before telemetry has settled the first."""
    return _outstanding(view, proposal.device)


def position_is_fresh(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW19: after an operation, nothing more until the position has been read since."""
    operations = view.history.get(proposal.device, ())
    kind = _POSITION.get(type(proposal.setpoint))
    if not operations or kind is None:
        return None
    row = view.snapshot.table.row.get(PointKey(kind=kind, element=proposal.device))
    if row is None:
        return "its position was not read since its last operation"
    age_s = float(view.snapshot.age_s[row])
    since_s = (view.now - operations[-1].time).total_seconds()
    return None if age_s < since_s else "its position was not read since its last operation"


def switch_budget(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW21: operations of one switch in 24 h."""
    return operation_account(view, proposal.device, policy=policy).over_budget(steps=1)


def mode_permits(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW22: the minimum of all modes lets the app act: CONTROL, or ADVISE with an approved plan. An aborted plan asks
    for nothing any more."""
    if view.permits(proposal.device, plan_id=proposal.plan_id):
        return None
    if proposal.plan_id is not None and proposal.plan_id in view.aborted_plans:
        return f"an operator aborted plan {proposal.plan_id}"
    mode = view.mode_of(proposal.device)
    return f"mode is {mode.name}" + (" and no operator approved the plan" if mode is Mode.ADVISE else "")
