"""What may move this round, how far, and why the rest may not."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from adms.apps.interlock import OperationAccount, operation_account, why_not_commandable
from adms.apps.view import RoundView
from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.state import DeviceClass
from adms.core.ids import ElementId
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


def _uncommandable(view: RoundView, device: ElementId) -> str:
    refusal = why_not_commandable(view, device)
    return "" if refusal is None else f"{refusal.guard}: {refusal.reason}"


def _gang(branch: Branch) -> str:
    group = branch.taps.group if branch.taps is not None else ""
    return group or str(branch.id)


def _tap_control(
    view: RoundView, name: str, members: tuple[Branch, ...], *, picture: Picture, policy: VoltVarPolicy
) -> DiscreteControl | Blocked:
    accounts = [operation_account(view, branch.id, policy=policy.interlock) for branch in members]
    for branch in members:
        reason = _uncommandable(view, branch.id)
        if not reason and not picture.watched[view.arrays.branch_nodes[view.arrays.branch_idx[branch.id]]].all():
            reason = "it is dead or in an unobservable part"
        if reason:
            return Blocked(device=branch.id, reason=reason)
    up, down = _forbidden(accounts, rises=True), _forbidden(accounts, rises=False)
    if up and down:
        return Blocked(device=name, reason=down)
    positions = {view.grid.tap_position[branch.id] for branch in members}
    if len(positions) > 1:
        return Blocked(device=name, reason=f"ganged positions disagree: {sorted(positions)}")
    position = positions.pop()
    taps = [branch.taps for branch in members if branch.taps is not None]
    left = min(account.left for account in accounts)
    cure_only = "VV4: daily budget used" if left == 0 else ""
    if _reversed(view, members, picture=picture, policy=policy):
        cure_only = "VV10: power flows backwards through it"
    # A command moves no further than that; without a budget left a cure still may.
    reach = min(policy.interlock.tap_steps_per_move, left or policy.interlock.tap_steps_per_move)
    return DiscreteControl(
        name=name,
        device_class=DeviceClass.TAP,
        members=tuple(branch.id for branch in members),
        position=position,
        minimum=max(position - reach, *(t.min_position for t in taps)) if not down else position,
        maximum=min(position + reach, *(t.max_position for t in taps)) if not up else position,
        cure_only=cure_only,
    )


def _forbidden(accounts: list[OperationAccount], *, rises: bool) -> str:
    """Why a device, or the first of a gang, must not move that way (VV3, VV5, VV6); empty where it may."""
    return next((reason for reason in (account.forbids(rises=rises) for account in accounts) if reason), "")


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
    account = operation_account(view, capacitor.id, policy=policy.interlock)
    up, down = account.forbids(rises=True), account.forbids(rises=False)
    reason = _uncommandable(view, capacitor.id) or (down if up else "")
    if not reason and not picture.watched[view.arrays.capacitor_nodes[row]].all():
        reason = "it is dead or in an unobservable part"
    if reason:
        return Blocked(device=capacitor.id, reason=reason)
    steps = view.grid.capacitor_steps[capacitor.id]
    reach = account.left or capacitor.steps
    return DiscreteControl(
        name=capacitor.id,
        device_class=DeviceClass.CAPACITOR,
        members=(capacitor.id,),
        position=steps,
        minimum=steps if down else max(0, steps - reach),
        maximum=steps if up else min(capacitor.steps, steps + reach),
        cure_only="VV4: daily budget used" if account.left == 0 else "",
    )
