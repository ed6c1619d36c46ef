"""Guards on the device itself: can it be commanded now, and may it be."""

from adms.apps.interlock.operations import operation_account
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.wiring import wiring_of
from adms.apps.view import RoundView
from adms.core.commands import App, CapacitorSetpoint, Proposal, SwitchSetpoint, TapSetpoint
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, PointKind

_POSITION: dict[type, PointKind] = {
    SwitchSetpoint: PointKind.SWITCH_CLOSED,
    TapSetpoint: PointKind.TAP_POSITION,
    CapacitorSetpoint: PointKind.CAPACITOR_STEPS,
}


def is_usable(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW16: held by a connected controller in remote mode, position known where it has one, no failure uncleared."""
    device = proposal.device
    if device not in view.controllable:
        return "no connected controller holds it in remote mode"
    if device in view.failed_devices:
        return f"failed before and was not cleared: {view.failed_devices[device]}"
    kind = _POSITION.get(type(proposal.setpoint))
    if kind is None:
        return None
    if device in view.unknown_positions:
        return "its position is not known"
    if view.snapshot.good(PointKey(kind=kind, element=device), max_age_s=policy.telemetry_max_age_s) is None:
        return "its position is not telemetered now"
    gear = wiring_of(view.arrays).gear.get(device)
    if gear is not None and not gear.remote:
        return "it is worked by hand"
    return None


def one_command_at_a_time(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """SW17: no second command to a device before telemetry has settled the first."""
    pending = view.outstanding.get(proposal.device)
    return None if pending is None else f"{pending.command_id} to it is not confirmed yet"


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
    """SW22: the minimum of all modes lets the app act: CONTROL, or ADVISE with an approved plan. An operator's own
    proposal is not automation and passes. An aborted plan asks for nothing any more."""
    if proposal.plan_id is not None and proposal.plan_id in view.aborted_plans:
        return f"plan {proposal.plan_id} was aborted"
    if proposal.app is App.OPERATOR:
        return None
    mode = view.mode_of(proposal.device)
    if mode >= Mode.CONTROL:
        return None
    if mode is Mode.ADVISE and proposal.plan_id is not None and proposal.plan_id in view.approved_plans:
        return None
    return f"mode is {mode.name}" + (" and the plan is not approved" if mode is Mode.ADVISE else "")
