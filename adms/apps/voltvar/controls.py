"""What may move this round, how far, and why the rest may not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise

import numpy as np

from adms.apps.view import Operation, RoundView, TagKind
from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.state import DeviceClass
from adms.core.commands import CapacitorSetpoint, TapSetpoint
from adms.core.ids import ElementId
from adms.core.modes import Mode
from adms.grid.model import Branch, Capacitor


@dataclass(frozen=True, kw_only=True)
class DiscreteControl:
    """A tap changer, a ganged group of them, or a capacitor."""

    name: str
    device_class: DeviceClass
    members: tuple[ElementId, ...]
    position: int
    minimum: int
    maximum: int
    """Reachable in this plan: the stops, the budget and the re-close time included."""
    cure_only: str
    """Why it moves only to cure a violation; empty where it moves for economy too."""


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A device that does not take part, and the reason."""

    device: str
    reason: str


def usable(view: RoundView, device: ElementId) -> str:
    """Why a device cannot be commanded at all; empty where it can (SW16, SW22, DE11)."""
    if view.mode_of(device) is Mode.OBSERVE:
        return "its mode is OBSERVE"
    if device not in view.controllable:
        return "no controller holds it in remote mode"
    if device in view.unknown_positions:
        return "its position is unknown"
    if device in view.failed_devices:
        return f"it failed: {view.failed_devices[device]}"
    if device in view.outstanding:
        return "a command is outstanding"
    for tag in view.tags:
        if tag.device == device and tag.kind in (TagKind.HOLD, TagKind.CLEARANCE):
            return f"tagged {tag.kind} by {tag.holder}"
    return ""


def level(setpoint: object) -> int | None:
    """Position of a latched setpoint that Volt/VAR moves; None for any other."""
    match setpoint:
        case TapSetpoint(position=position):
            return position
        case CapacitorSetpoint(steps=steps):
            return steps
        case _:
            return None


def travels(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, int | None]]:
    """Each operation with its signed steps; None where the position before it is unknown."""
    for operation in operations:
        end, start = level(operation.setpoint), level(operation.previous)
        if end is not None:
            yield operation, None if start is None else end - start


@dataclass(frozen=True, kw_only=True)
class History:
    """What its past leaves a device."""

    blocked: str
    steps_left: int
    """In today's budget (VV4)."""
    may_rise: bool
    """False for a capacitor that opened too recently (VV5), or where it would be one reversal too many (VV6)."""
    may_fall: bool


def history_of(view: RoundView, device: ElementId, *, tap: bool, policy: VoltVarPolicy) -> History:
    """VV3 to VV6 from the operations of the last 24 h. The gate asks the interlock the same; a planner that did not
    would plan what is refused."""
    moves = [(operation, steps) for operation, steps in travels(view.history.get(device, ())) if steps != 0]
    interval_s = policy.tap_min_interval_s if tap else policy.capacitor_min_interval_s
    budget = policy.tap_budget_per_day if tap else policy.capacitor_budget_per_day
    window = view.now - timedelta(seconds=policy.reversals_window_s)
    rises = [steps > 0 for operation, steps in moves if steps is not None and operation.time > window]
    reversals = sum(a != b for a, b in pairwise(rises))
    may_rise = reversals + (bool(rises) and not rises[-1]) <= policy.reversals_max
    may_fall = reversals + (bool(rises) and rises[-1]) <= policy.reversals_max
    blocked = ""
    if not may_rise and not may_fall:
        blocked = f"VV6: {reversals} reversals in {policy.reversals_window_s / 60:.0f} min"
    if moves and (since_s := (view.now - moves[-1][0].time).total_seconds()) < interval_s:
        blocked = f"VV3: operated {since_s:.0f} s ago"
    if not tap:
        opened = [operation.time for operation, steps in moves if steps is None or steps < 0]
        hold = timedelta(seconds=policy.capacitor_reclose_s)
        may_rise = may_rise and not (opened and view.now - opened[-1] < hold)
    day = view.now - timedelta(days=1)
    spent = sum(1 if steps is None else abs(steps) for operation, steps in moves if operation.time > day)
    return History(blocked=blocked, steps_left=max(0, budget - spent), may_rise=may_rise, may_fall=may_fall)


def discrete_controls(
    view: RoundView, *, picture: Picture, policy: VoltVarPolicy
) -> tuple[tuple[DiscreteControl, ...], tuple[Blocked, ...]]:
    """Tap changers (by group) and capacitors that may move this round, in order of their names; and the others."""
    found: list[DiscreteControl] = []
    blocked: list[Blocked] = []
    changers = [b for b in view.arrays.branches if b.taps is not None and b.taps.remote]
    for name, group in groupby(sorted(changers, key=_gang), key=_gang):
        control = _tap_control(view, name, tuple(group), picture=picture, policy=policy)
        (blocked if isinstance(control, Blocked) else found).append(control)  # type: ignore[arg-type]
    for row, capacitor in sorted(enumerate(view.arrays.model.capacitors), key=lambda item: item[1].id):
        if capacitor.remote:
            cap = _capacitor_control(view, capacitor, row, picture=picture, policy=policy)
            (blocked if isinstance(cap, Blocked) else found).append(cap)  # type: ignore[arg-type]
    return tuple(found), tuple(blocked)


def _gang(branch: Branch) -> str:
    group = branch.taps.group if branch.taps is not None else ""
    return group or str(branch.id)


def _tap_control(
    view: RoundView, name: str, members: tuple[Branch, ...], *, picture: Picture, policy: VoltVarPolicy
) -> DiscreteControl | Blocked:
    past: list[History] = []
    for branch in members:
        reason = usable(view, branch.id)
        history = history_of(view, branch.id, tap=True, policy=policy)
        if reason or history.blocked:
            return Blocked(device=branch.id, reason=reason or history.blocked)
        if not picture.watched[view.arrays.branch_nodes[view.arrays.branch_idx[branch.id]]].all():
            return Blocked(device=branch.id, reason="it is dead or in an unobservable part")
        past.append(history)
    positions = {view.grid.tap_position[branch.id] for branch in members}
    if len(positions) > 1:
        return Blocked(device=name, reason=f"ganged positions disagree: {sorted(positions)}")
    position = positions.pop()
    taps = [branch.taps for branch in members if branch.taps is not None]
    left = min(history.steps_left for history in past)
    may_rise, may_fall = all(h.may_rise for h in past), all(h.may_fall for h in past)
    cure_only = "VV4: daily budget used" if left == 0 else ""
    if _reversed(view, members, picture=picture, policy=policy):
        cure_only = "VV10: power flows backwards through it"
    reach = policy.tap_steps_per_plan_max if left == 0 else min(policy.tap_steps_per_plan_max, left)
    return DiscreteControl(
        name=name,
        device_class=DeviceClass.TAP,
        members=tuple(branch.id for branch in members),
        position=position,
        minimum=max(position - reach, *(t.min_position for t in taps)) if may_fall else position,
        maximum=min(position + reach, *(t.max_position for t in taps)) if may_rise else position,
        cure_only=cure_only,
    )


def _reversed(view: RoundView, members: tuple[Branch, ...], *, picture: Picture, policy: VoltVarPolicy) -> bool:
    power_w = 0.0
    for branch in members:
        index = view.arrays.branch_idx[branch.id]
        power = view.arrays.branch_power_va(index, view.grid, picture.estimate.v_phasor_pu)
        power_w += float(np.real(power[: len(branch.terminals[0])]).sum())
    return power_w < -policy.reverse_power_w


def _capacitor_control(
    view: RoundView, capacitor: Capacitor, row: int, *, picture: Picture, policy: VoltVarPolicy
) -> DiscreteControl | Blocked:
    history = history_of(view, capacitor.id, tap=False, policy=policy)
    reason = usable(view, capacitor.id) or history.blocked
    if not reason and not picture.watched[view.arrays.capacitor_nodes[row]].all():
        reason = "it is dead or in an unobservable part"
    if reason:
        return Blocked(device=capacitor.id, reason=reason)
    steps = view.grid.capacitor_steps[capacitor.id]
    return DiscreteControl(
        name=capacitor.id,
        device_class=DeviceClass.CAPACITOR,
        members=(capacitor.id,),
        position=steps,
        minimum=0 if history.may_fall else steps,
        maximum=capacitor.steps if history.may_rise else steps,
        cure_only="VV4: daily budget used" if history.steps_left == 0 else "",
    )
