"""A plan on its way: approval, stages confirmed by telemetry, settling, and what stops it. Targets as levels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from adms.apps.interlock.operations import level_of
from adms.apps.view import RoundView
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.state import ActivePlan, Stage, Target, VoltVarState
from adms.core.commands import PowerSetpoint
from adms.core.ids import ElementId
from adms.core.plans import PlanProgress, PlanStatus


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """State after this round's look at the plan under way."""

    state: VoltVarState
    plans: tuple[PlanProgress, ...] = ()
    notes: tuple[str, ...] = ()


def position_of(view: RoundView, device: ElementId) -> int | None:
    """Reported position of a tap changer or capacitor; None where it is not known."""
    if device in view.unknown_positions:
        return None
    found = view.grid.tap_position.get(device)
    return view.grid.capacitor_steps.get(device) if found is None else found


def keep_targets(view: RoundView, *, state: VoltVarState) -> Advanced:
    """Drop the standing targets that no longer hold; mark those that are reached."""
    kept: dict[ElementId, Target] = {}
    notes: list[str] = []
    for device, target in state.standing.items():
        reason = ""
        wanted = level_of(target.setpoint)
        position = None if wanted is None else position_of(view, device)
        if not view.permits(device, plan_id=target.plan_id):
            reason = "its plan is not permitted any more"
        elif device in view.failed_devices:
            reason = f"it failed: {view.failed_devices[device]}"
        elif target.reached and position is not None and position != wanted and device not in view.outstanding:
            # Local control, a crew or an operator moved it: planned from where it is, not fought.
            reason = f"something else moved it to {position}"
        if reason:
            notes.append(f"target of {device} dropped: {reason}")
        else:
            kept[device] = target if target.reached else replace(target, reached=position == wanted is not None)
    return Advanced(state=replace(state, standing=MappingProxyType(kept)), notes=tuple(notes))


def begin(view: RoundView, *, state: VoltVarState, active: ActivePlan) -> VoltVarState:
    """State with the plan's present stage among the standing targets."""
    standing = {**state.standing, **active.stages[active.stage].targets}
    running = replace(active, status=PlanStatus.EXECUTING, since=view.now, reached=None)
    return replace(state, standing=MappingProxyType(standing), active=running)


def stop(view: RoundView, *, state: VoltVarState, reason: str) -> Advanced:
    """State without the plan: targets that are not reached are dropped, the rest can be left as it is."""
    active = state.active
    if active is None:
        return Advanced(state=state)
    plan_id = active.plan.plan_id

    def stays(device: ElementId, target: Target) -> bool:
        return target.plan_id != plan_id or target.reached or isinstance(target.setpoint, PowerSetpoint)

    aborted = plan_id in view.aborted_plans
    kept = {
        device: target
        for device, target in state.standing.items()
        if stays(device, target) and not (aborted and target.plan_id == plan_id)
    }
    done = PlanProgress(plan=active.plan, status=PlanStatus.ABORTED, steps_done=_steps(active), text=reason)
    return Advanced(
        state=replace(state, standing=MappingProxyType(kept), active=None),
        plans=(done,),
        notes=(f"plan {plan_id} stopped: {reason}",),
    )


def advance(
    view: RoundView, *, state: VoltVarState, prove: Callable[[tuple[Stage, ...]], str], policy: VoltVarPolicy
) -> Advanced:
    """Carry the plan under way one step further, if its stage is confirmed and settled.

    `prove` gives the reason why the first of the stages that are left must not start now, or nothing.
    """
    active = state.active
    if active is None:
        return Advanced(state=state)
    plan_id = active.plan.plan_id
    if plan_id in view.aborted_plans:
        return stop(view, state=state, reason="aborted by an operator")
    waited = view.now - active.since
    if active.status is PlanStatus.PROPOSED:
        if plan_id in view.approved_plans:
            reason = prove(active.stages[active.stage :])
            if reason:
                return stop(view, state=state, reason=f"the picture has moved on since it was proposed: {reason}")
            return _running(begin(view, state=state, active=active), text="approved")
        if waited > timedelta(seconds=policy.proposal_valid_s):
            return stop(view, state=state, reason="nobody approved it in time")
        return Advanced(state=state)
    stage = active.stages[active.stage]
    missing = sorted(device for device in stage.targets if device not in state.standing)
    if missing:
        return stop(view, state=state, reason=f"target of {missing[0]} was dropped")
    if active.reached is None:
        if not all(_reached(state.standing, device) for device in stage.targets):
            if waited > timedelta(seconds=policy.stage_timeout_s):
                return stop(view, state=state, reason=f"{stage.device_class} not confirmed in time")
            return Advanced(state=state)
        active = replace(active, reached=view.now)
        state = replace(state, active=active)
    if active.reached is not None and view.now - active.reached < timedelta(seconds=policy.settle_s):
        return Advanced(state=state)
    return _next(view, state=state, active=active, prove=prove)


def _next(
    view: RoundView, *, state: VoltVarState, active: ActivePlan, prove: Callable[[tuple[Stage, ...]], str]
) -> Advanced:
    if active.stage + 1 == len(active.stages):
        done = PlanProgress(
            plan=active.plan, status=PlanStatus.DONE, steps_done=len(active.plan.steps), text="all stages confirmed"
        )
        return Advanced(state=replace(state, active=None), plans=(done,))
    following = replace(active, stage=active.stage + 1)
    reason = prove(following.stages[following.stage :])
    if reason:
        return stop(view, state=state, reason=f"before {following.stages[following.stage].device_class}: {reason}")
    return _running(begin(view, state=state, active=following), text="next stage")


def _running(state: VoltVarState, *, text: str) -> Advanced:
    active = state.active
    assert active is not None
    progress = PlanProgress(plan=active.plan, status=PlanStatus.EXECUTING, steps_done=_steps(active), text=text)
    return Advanced(state=state, plans=(progress,))


def _steps(active: ActivePlan) -> int:
    if active.status is PlanStatus.PROPOSED:
        return 0
    return sum(len(stage.targets) for stage in active.stages[: active.stage])


def _reached(standing: Mapping[ElementId, Target], device: ElementId) -> bool:
    target = standing[device]
    return target.reached or isinstance(target.setpoint, PowerSetpoint)
