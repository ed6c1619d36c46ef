"""Guards on tap changers and capacitors."""

from adms.apps.interlock.operations import level_of, operation_account
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import CapacitorSetpoint, Proposal, TapSetpoint
from adms.core.ids import ElementId


def _present(view: RoundView, device: ElementId) -> int | None:
    known = view.grid.tap_position.get(device)
    return view.grid.capacitor_steps.get(device) if known is None else known


def one_class_at_a_time(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV2: no tap while a capacitor is under way, and the reverse."""
    other = CapacitorSetpoint if isinstance(proposal.setpoint, TapSetpoint) else TapSetpoint
    moving = sorted(device for device, command in view.outstanding.items() if isinstance(command.setpoint, other))
    return f"{', '.join(moving)} of the other class is under way" if moving else None


def within_stops_and_pace(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV3: a position that exists, not further than allowed in one move, and not sooner than allowed."""
    device, wanted, present = proposal.device, level_of(proposal.setpoint), _present(view, proposal.device)
    if isinstance(proposal.setpoint, TapSetpoint):
        taps = next((b.taps for b in view.arrays.branches if b.id == device), None)
        if taps is None or wanted is None or present is None:
            return "is not a tap changer of this model"
        if not taps.min_position <= wanted <= taps.max_position:
            return f"tap {wanted:+d} is past the stops {taps.min_position:+d} and {taps.max_position:+d}"
        if abs(wanted - present) > policy.tap_steps_per_move:
            return f"{abs(wanted - present)} steps in one move, of {policy.tap_steps_per_move}"
    else:
        capacitor = next((c for c in view.arrays.model.capacitors if c.id == device), None)
        if capacitor is None or wanted is None:
            return "is not a capacitor of this model"
        if not 0 <= wanted <= capacitor.steps:
            return f"{wanted} steps, and it has {capacitor.steps}"
    return None if wanted == present else operation_account(view, device, policy=policy).too_soon()


def daily_budget(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV4: steps of one device in 24 h. Over it only with permission; a proposal that cures a violation brings its own
    (`guard.own_permissions`)."""
    steps = _steps(view, proposal)
    account = operation_account(view, proposal.device, policy=policy)
    return account.over_budget(steps=1 if steps is None else abs(steps))


def discharged(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV5: a capacitor is switched in only after it has had time to discharge."""
    steps = _steps(view, proposal)
    if steps is not None and steps <= 0:
        return None
    return operation_account(view, proposal.device, policy=policy).not_discharged()


def not_hunting(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV6: more reversals than allowed in the window freeze the device."""
    steps = _steps(view, proposal)
    if not steps:
        return None
    return operation_account(view, proposal.device, policy=policy).hunting(rises=steps > 0)


def _steps(view: RoundView, proposal: Proposal) -> int | None:
    """Signed steps that a proposal asks for; None where the present position is not known."""
    wanted, present = level_of(proposal.setpoint), _present(view, proposal.device)
    return None if wanted is None or present is None else wanted - present
