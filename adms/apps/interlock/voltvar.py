"""Guards on tap changers and capacitors."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import Operation, RoundView
from adms.core.commands import CapacitorSetpoint, Proposal, Setpoint, TapSetpoint
from adms.core.ids import ElementId


def _level(setpoint: Setpoint | None) -> int | None:
    if isinstance(setpoint, TapSetpoint):
        return setpoint.position
    return setpoint.steps if isinstance(setpoint, CapacitorSetpoint) else None


def _present(view: RoundView, device: ElementId) -> int | None:
    known = view.grid.tap_position.get(device)
    return view.grid.capacitor_steps.get(device) if known is None else known


def _directions(operations: Sequence[Operation]) -> list[int]:
    """+1 or -1 per operation; those from an unknown position, or to the same one, say nothing."""
    found = []
    for operation in operations:
        before, after = _level(operation.previous), _level(operation.setpoint)
        if before is not None and after is not None and before != after:
            found.append(1 if after > before else -1)
    return found


def one_class_at_a_time(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV2: no tap while a capacitor is under way, and the reverse."""
    other = CapacitorSetpoint if isinstance(proposal.setpoint, TapSetpoint) else TapSetpoint
    moving = sorted(device for device, command in view.outstanding.items() if isinstance(command.setpoint, other))
    return f"{', '.join(moving)} of the other class is under way" if moving else None


def within_stops_and_pace(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV3: a position that exists, not further than allowed in one move, and not sooner than allowed."""
    device, wanted, present = proposal.device, _level(proposal.setpoint), _present(view, proposal.device)
    if isinstance(proposal.setpoint, TapSetpoint):
        taps = next((b.taps for b in view.arrays.branches if b.id == device), None)
        if taps is None or wanted is None or present is None:
            return "is not a tap changer of this model"
        if not taps.min_position <= wanted <= taps.max_position:
            return f"tap {wanted:+d} is past the stops {taps.min_position:+d} and {taps.max_position:+d}"
        if abs(wanted - present) > policy.tap_steps_per_move:
            return f"{abs(wanted - present)} steps in one move, of {policy.tap_steps_per_move}"
        interval_s = policy.tap_interval_s
    else:
        capacitor = next((c for c in view.arrays.model.capacitors if c.id == device), None)
        if capacitor is None or wanted is None:
            return "is not a capacitor of this model"
        if not 0 <= wanted <= capacitor.steps:
            return f"{wanted} steps, and it has {capacitor.steps}"
        interval_s = policy.capacitor_interval_s
    operations = view.history.get(device, ())
    if operations and wanted != present:
        since_s = (view.now - operations[-1].time).total_seconds()
        if since_s < interval_s:
            return f"last operated {since_s:.0f} s ago, and {interval_s:.0f} s must pass"
    return None


def daily_budget(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV4: operations of one device in 24 h. Over it only with permission, to cure a violation."""
    is_tap = isinstance(proposal.setpoint, TapSetpoint)
    budget = policy.tap_operations_per_day if is_tap else policy.capacitor_operations_per_day
    start = view.now - timedelta(days=1)
    count = sum(operation.time > start for operation in view.history.get(proposal.device, ()))
    return None if count < budget else f"{count} operations in 24 h, of {budget}"


def discharged(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV5: a capacitor is switched in only after it has had time to discharge."""
    wanted, present = _level(proposal.setpoint), _present(view, proposal.device)
    if wanted is None or (present is not None and wanted <= present):
        return None
    for operation in reversed(view.history.get(proposal.device, ())):
        before, after = _level(operation.previous), _level(operation.setpoint)
        if after is not None and (before is None or after < before):
            since_s = (view.now - operation.time).total_seconds()
            if since_s < policy.capacitor_reclose_s:
                return f"switched out {since_s:.0f} s ago, and {policy.capacitor_reclose_s:.0f} s must pass"
    return None


def not_hunting(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """VV6: more reversals than allowed in the window freeze the device."""
    wanted, present = _level(proposal.setpoint), _present(view, proposal.device)
    start = view.now - timedelta(seconds=policy.reversals_window_s)
    recent = [operation for operation in view.history.get(proposal.device, ()) if operation.time > start]
    directions = _directions(recent)
    if wanted is not None and present is not None and wanted != present:
        directions.append(1 if wanted > present else -1)
    count = sum(a != b for a, b in pairwise(directions))
    if count <= policy.reversals_max:
        return None
    return f"would be {count} reversals in {policy.reversals_window_s:.0f} s, of {policy.reversals_max}"
