"""Executes a plan step by step: one proposal at a time, confirmed by telemetry, stopped by any surprise."""

from dataclasses import dataclass, replace

from adms.apps.flisr.accept import as_if_approved, proposal_of
from adms.apps.flisr.loads import expected_state
from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import ActivePlan, Exclusion, FlisrState
from adms.apps.interlock.proof import check_step
from adms.apps.interlock.zone import SuspectedZone
from adms.apps.view import ExpectedState, RoundView
from adms.core.commands import Proposal, SwitchSetpoint
from adms.core.modes import Mode
from adms.core.plans import PlanProgress, PlanStatus, PlanStep

_PASSING = frozenset({"X1", "SW2", "SW16", "SW17", "SW19"})
"""Refusals that the next rounds may lift by themselves; the step's time-out bounds the wait."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What became of the plan in hand this round; `state.active` is None when it has ended."""

    state: FlisrState
    proposals: tuple[Proposal, ...] = ()
    plans: tuple[PlanProgress, ...] = ()
    notes: tuple[str, ...] = ()
    expected: ExpectedState | None = None
    """What the proposals were proved with."""


def _closed(step: PlanStep) -> bool:
    assert isinstance(step.setpoint, SwitchSetpoint)
    return step.setpoint.closed


def _confirmed(view: RoundView, step: PlanStep) -> bool:
    """Telemetry shows the wanted position, and nothing is under way at the device."""
    settled = step.device not in view.unknown_positions and step.device not in view.outstanding
    return settled and view.grid.closed[step.device] == _closed(step)


def end_plan(state: FlisrState, active: ActivePlan, *, status: PlanStatus, text: str) -> Followed:
    """The plan in hand is over."""
    progress = PlanProgress(plan=active.plan, status=status, steps_done=active.step, text=text)
    return Followed(state=replace(state, active=None), plans=(progress,), notes=(text,))


def _surprise(view: RoundView, *, zone: SuspectedZone, active: ActivePlan) -> str | None:
    """Why the plan no longer fits what is measured."""
    if zone.sections != active.zone:
        return f"the suspected zone is now {', '.join(sorted(zone.sections)) or 'empty'}"
    for step in active.plan.steps[: active.step]:
        if view.grid.closed[step.device] != _closed(step):
            return f"{step.device} did not stay {'closed' if _closed(step) else 'open'}"
    return None


def follow(
    view: RoundView,
    *,
    zone: SuspectedZone,
    state: FlisrState,
    active: ActivePlan,
    policy: FlisrPolicy,
    is_new: bool = False,
) -> Followed:
    """One round of the plan in hand.

    A changed zone (a second fault, a wrong indicator found out), a completed step undone, a device that failed or did
    not move in time, or a guard that refuses end the plan; the caller then plans again from the measured topology,
    without the device that failed. A plan that `is_new` is reported even if nothing moved.
    """
    plan = active.plan
    if plan.plan_id in view.aborted_plans:
        ended = end_plan(state, active, status=PlanStatus.ABORTED, text="aborted by an operator")
        return replace(ended, state=replace(ended.state, stopped=(plan.plan_id, zone.sections)))
    if view.system_mode is Mode.OBSERVE:
        return end_plan(state, active, status=PlanStatus.ABORTED, text="mode is OBSERVE")
    before = active
    while active.step < len(plan.steps) and _confirmed(view, plan.steps[active.step]):
        active = replace(active, step=active.step + 1, step_start=view.now)
    surprise = _surprise(view, zone=zone, active=active)
    if surprise is not None:
        return end_plan(state, active, status=PlanStatus.ABORTED, text=surprise)
    if active.step == len(plan.steps):
        return end_plan(state, active, status=PlanStatus.DONE, text="all steps are confirmed")

    step = plan.steps[active.step]
    permitted = view.permits(step.device, plan_id=plan.plan_id)
    if state.trials:
        permitted = permitted and plan.plan_id in view.approved_plans
    status = PlanStatus.EXECUTING if permitted else PlanStatus.PROPOSED
    if status is not active.status:
        active = replace(active, status=status, step_start=view.now)
    failure = view.failed_devices.get(step.device)
    if failure is None and permitted and (view.now - active.step_start).total_seconds() >= policy.step_timeout_s:
        failure = f"not confirmed in {policy.step_timeout_s:.0f} s"
    if failure is not None:
        state = replace(state, excluded={**state.excluded, step.device: Exclusion(reason=failure, time=view.now)})
        return end_plan(state, active, status=PlanStatus.ABORTED, text=f"{step.device}: {failure}")
    proposal = proposal_of(
        step.device, closed=_closed(step), plan_id=plan.plan_id, step=active.step, reason=step.reason
    )
    expected = expected_state(view, state=state, policy=policy)
    approved = as_if_approved(view, plan_id=plan.plan_id)
    refusal = check_step(approved, proposal, expected=expected, policy=policy.interlock).refusal()
    if refusal is not None and refusal.guard not in _PASSING:
        return end_plan(state, active, status=PlanStatus.ABORTED, text=f"{refusal.guard}: {refusal.reason}")
    changed = active.status is not before.status or active.step != before.step
    progress = PlanProgress(plan=plan, status=status, steps_done=active.step)
    return Followed(
        state=replace(state, active=active),
        proposals=(proposal,) if permitted and refusal is None else (),
        plans=(progress,) if changed or is_new else (),
        expected=expected,
        notes=() if refusal is None else (f"waiting: {refusal.guard}: {refusal.reason}",),
    )
