"""Volt/VAR, one round: `(view, state, policy) -> (state', proposals)`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from adms.apps.interlock import check
from adms.apps.interlock.operations import level_of
from adms.apps.view import Decision, RoundView
from adms.apps.voltvar.picture import Picture, picture_of, unsettled
from adms.apps.voltvar.planning import Outlook, look, standing_q
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.progress import advance, begin, keep_targets, stop
from adms.apps.voltvar.reactive import q_limit_var, reactive_controls
from adms.apps.voltvar.state import ActivePlan, DeviceClass, Stage, Target, VoltVarState
from adms.apps.voltvar.study import Study
from adms.core.commands import App, CapacitorSetpoint, PowerSetpoint, Priority, Proposal, Setpoint, TapSetpoint
from adms.core.ids import ElementId, PlanId
from adms.core.modes import Mode
from adms.core.plans import Plan, PlanProgress, PlanStatus, PlanStep, RejectedAlternative
from adms.estimation.prior import nominal_loads
from adms.grid.state import GridState


def decide(view: RoundView, *, state: VoltVarState, policy: VoltVarPolicy) -> Decision[VoltVarState]:
    """Look for a violation to cure (fast) or losses to save (slow); carry the plan under way further.

    Args:
        view: the round's picture. Estimates of grade PARTIAL are accepted; see `picture_of` for what is left alone.
        state: what the last round returned.
        policy: limits and weights.

    Returns:
        Standing targets as proposals (levels), plans that are new or progressed, and reasons. Without a usable
        picture nothing is proposed: latched devices stay, leases lapse to their defaults.
    """
    if view.system_mode is Mode.OBSERVE:
        halted = stop(view, state=state, reason="mode fell to OBSERVE")
        return Decision(state=VoltVarState.initial(), plans=halted.plans, notes=halted.notes)
    picture = picture_of(view, sigma_margin=policy.sigma_margin)
    if isinstance(picture, str):
        return Decision(state=state, notes=(f"Volt/VAR holds: {picture}",))
    if picture.worst_outside_pu() > policy.violation_deadband_pu:
        picture = picture.with_reserve(policy.cure_reserve_pu)
    study = Study(
        arrays=view.arrays,
        picture=picture,
        s_nominal_va=nominal_loads(picture.estimate, arrays=view.arrays),
        policy=policy,
    )
    kept = keep_targets(view, state=state)
    gone = advance(
        view,
        state=kept.state,
        prove=lambda stages: _objection(view, stages, state=kept.state, picture=picture, study=study, policy=policy),
        policy=policy,
    )
    state, plans, notes = gone.state, gone.plans, kept.notes + gone.notes
    if state.active is None:
        state, new_plans, new_notes = _look(view, state=state, picture=picture, study=study, policy=policy)
        plans, notes = plans + new_plans, notes + new_notes
    proposals = _proposals(view, state=state, picture=picture, policy=policy)
    return Decision(state=state, proposals=proposals, plans=plans, notes=notes)


def _look(
    view: RoundView, *, state: VoltVarState, picture: Picture, study: Study, policy: VoltVarPolicy
) -> tuple[VoltVarState, tuple[PlanProgress, ...], tuple[str, ...]]:
    cures = picture.worst_outside_pu() > policy.violation_deadband_pu
    due = state.next_fast if cures else state.next_slow
    if due is not None and view.now < due:
        return state, (), ()
    outlook = look(
        view,
        state=state,
        picture=picture,
        study=study,
        cures=cures,
        latched_forbidden="" if cures else unsettled(view),
        policy=policy,
    )
    state = replace(state, next_fast=view.now + timedelta(seconds=policy.fast_period_s))
    if not cures:
        state = replace(state, next_slow=view.now + timedelta(seconds=policy.slow_period_s))
    if isinstance(outlook, str):
        return state, (), (f"Volt/VAR holds: {outlook}",)
    if not outlook.stages:
        left_out = "; ".join(f"{what}: {why}" for what, why in outlook.rejected[:4])
        return state, (), (f"Volt/VAR: {outlook.reason}" + (f" ({left_out})" if left_out else ""),)
    active = _plan(view, outlook, policy=policy)
    if isinstance(active, str):
        return state, (), (f"Volt/VAR holds: {active}",)
    at_once = all(
        view.permits(device, plan_id=active.plan.plan_id) for stage in active.stages for device in stage.targets
    )
    if at_once:
        state = begin(view, state=state, active=active)
    else:
        state = replace(state, active=active)
    status = PlanStatus.EXECUTING if at_once else PlanStatus.PROPOSED
    progress = PlanProgress(plan=active.plan, status=status, steps_done=0)
    return state, (progress,), (f"Volt/VAR: {active.plan.title}; {active.plan.reason}",)


def _plan(view: RoundView, outlook: Outlook, *, policy: VoltVarPolicy) -> ActivePlan | str:
    """The plan of an outlook, each step with the guards that held for it in the state before its stage; or the
    refusal of a guard, by which the gate would refuse it too."""
    plan_id = PlanId(f"voltvar-{view.snapshot.snapshot_id}")
    stages: list[Stage] = []
    steps: list[PlanStep] = []
    # Planning in ADVISE judges everything but the approval.
    before_stage = replace(view, approved_plans=view.approved_plans | {plan_id})
    for proved in outlook.stages:
        targets: dict[ElementId, Target] = {}
        for device in sorted(proved.levels):
            reason = f"{proved.device_class}: losses {proved.score.losses_w / 1e3:.1f} kW after it"
            setpoint = _setpoint(proved.device_class, proved.levels[device])
            latched = proved.device_class is not DeviceClass.REACTIVE
            target = Target(
                setpoint=setpoint,
                plan_id=plan_id,
                step=len(steps),
                reason=reason,
                priority=Priority.LIMITS if latched and outlook.cures else Priority.VOLTVAR,
            )
            verdict = check(before_stage, _proposal(device, target), policy=policy.interlock)
            refusal = verdict.refusal()
            if refusal is not None:
                return f"{refusal.guard}: {refusal.reason}"
            targets[device] = target
            steps.append(PlanStep(device=device, setpoint=setpoint, reason=reason, checks=verdict.held))
        stage = Stage(device_class=proved.device_class, targets=MappingProxyType(targets))
        stages.append(stage)
        before_stage = replace(before_stage, grid=_after(before_stage.grid, stage, {})[0])
    before, after = outlook.before, outlook.after
    saved_w = before.losses_w - after.losses_w
    why = f"saves {saved_w / 1e3:.1f} kW of {before.losses_w / 1e3:.1f} kW losses"
    if outlook.cures:
        why = f"brings the sum outside limits from {before.violation_pu:.4f} to {after.violation_pu:.4f} pu"
    plan = Plan(
        plan_id=plan_id,
        app=App.VOLTVAR,
        created=view.now,
        snapshot_id=view.snapshot.snapshot_id,
        model_version=view.arrays.version,
        title=", then ".join(f"{stage.device_class} ({len(stage.targets)})" for stage in stages),
        reason=why,
        steps=tuple(steps),
        predicted=(
            ("losses_before_w", before.losses_w),
            ("losses_after_w", after.losses_w),
            ("v_min_before_pu", before.v_min_pu),
            ("v_min_after_pu", after.v_min_pu),
            ("v_max_before_pu", before.v_max_pu),
            ("v_max_after_pu", after.v_max_pu),
            ("violation_before_pu", before.violation_pu),
            ("violation_after_pu", after.violation_pu),
        ),
        rejected=tuple(RejectedAlternative(summary=what, reason=why_not) for what, why_not in outlook.rejected),
        binding_limit=outlook.binding_limit,
    )
    return ActivePlan(
        plan=plan,
        stages=tuple(stages),
        status=PlanStatus.PROPOSED,
        stage=0,
        since=view.now,
        reached=None,
    )


def _setpoint(device_class: DeviceClass, value: float) -> Setpoint:
    match device_class:
        case DeviceClass.TAP:
            return TapSetpoint(position=int(value))
        case DeviceClass.CAPACITOR:
            return CapacitorSetpoint(steps=int(value))
        case DeviceClass.REACTIVE:
            return PowerSetpoint(p_injection_w=None, q_injection_var=value)


def _objection(
    view: RoundView,
    stages: tuple[Stage, ...],
    *,
    state: VoltVarState,
    picture: Picture,
    study: Study,
    policy: VoltVarPolicy,
) -> str:
    """Why the first of the stages must not start now, by power flows on the present estimate; empty where it may:
    the state after it can be left, and the state after all of them is better than the present one."""
    cures = picture.worst_outside_pu() > policy.violation_deadband_pu
    if not cures and any(stage.device_class is not DeviceClass.REACTIVE for stage in stages):
        reason = unsettled(view)
        if reason:
            return reason
    inverters = reactive_controls(view, picture=picture, policy=policy)
    q = standing_q(view, state, study=study, limits={c.der: c.q_limit_var for c in inverters})
    before = study.evaluate(view.grid, q=q)
    grid, changed = _after(view.grid, stages[0], q)
    next_ = study.evaluate(grid, q=changed)
    for stage in stages[1:]:
        grid, changed = _after(grid, stage, changed)
    after = study.evaluate(grid, q=changed)
    if before is None or next_ is None or after is None:
        return "no power flow"
    # The picture is noisy: what is less than the dead band is neither a reason for nor against.
    band_pu = policy.violation_deadband_pu
    worst_pu = max(next_.violation_pu, after.violation_pu)
    if worst_pu > before.violation_pu + band_pu:
        return f"it would now raise the sum outside limits to {worst_pu:.4f} pu"
    if after.violation_pu >= before.violation_pu - band_pu and after.losses_w > before.losses_w:
        return f"the plan would now raise losses by {after.losses_w - before.losses_w:.0f} W"
    return ""


def _after(grid: GridState, stage: Stage, q: Mapping[ElementId, float]) -> tuple[GridState, Mapping[ElementId, float]]:
    changed = dict(q)
    for device, target in stage.targets.items():
        wanted = level_of(target.setpoint)
        if isinstance(target.setpoint, PowerSetpoint) and target.setpoint.q_injection_var is not None:
            changed[device] = target.setpoint.q_injection_var
        elif wanted is not None and device in grid.tap_position:
            grid = grid.with_tap(device, position=wanted)
        elif wanted is not None:
            grid = grid.with_capacitor(device, steps=wanted)
    return grid, changed


def _proposals(
    view: RoundView, *, state: VoltVarState, picture: Picture, policy: VoltVarPolicy
) -> tuple[Proposal, ...]:
    """Every standing target whose device answers, as a level; Q never more than the inverter has beside its P."""
    ders = {der.id: der for der in view.arrays.model.ders}
    found = []
    for device in sorted(state.standing):
        target = state.standing[device]
        if device not in view.controllable or device in view.unknown_positions:
            continue
        setpoint = target.setpoint
        if isinstance(setpoint, PowerSetpoint) and setpoint.q_injection_var is not None:
            limit = q_limit_var(view, ders[device], picture=picture, policy=policy)
            setpoint = replace(setpoint, q_injection_var=min(limit, max(-limit, setpoint.q_injection_var)))
        found.append(_proposal(device, replace(target, setpoint=setpoint)))
    return tuple(found)


def _proposal(device: ElementId, target: Target) -> Proposal:
    return Proposal(
        device=device,
        setpoint=target.setpoint,
        app=App.VOLTVAR,
        priority=target.priority,
        plan_id=target.plan_id,
        step=target.step,
        reason=target.reason,
    )
