"""Dispatch, one round: `(view, state, policy) -> (state', proposals)`."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from adms.apps.dispatch.baseline import ahead_w, followed
from adms.apps.dispatch.fleet import Member, fleet
from adms.apps.dispatch.limits import InForce, error_w, in_force, need_w
from adms.apps.dispatch.planning import Held, carry_plan, close_plans, setpoint_proposal
from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.dispatch.proof import Shared, proof_of, share_proved
from adms.apps.dispatch.state import Baseline, DispatchState, LimitPlan
from adms.apps.view import Decision, RoundView
from adms.core.commands import App, PowerSetpoint, Priority, Proposal
from adms.core.estimate import Estimate
from adms.core.ids import ElementId
from adms.core.modes import Mode
from adms.core.plans import PlanProgress, PlanStatus
from adms.core.telemetry import FloatArray
from adms.grid.model import DerKind

LED_W = 1.0
"""A setpoint this near to idle is idle."""
INTEGRAL_STEP_MAX_S = 10.0
"""A gap between rounds counts no longer than this in the integral."""


def decide(view: RoundView, *, state: DispatchState, policy: DispatchPolicy) -> Decision[DispatchState]:
    """Hold the limits of every interface; without one, batteries idle and EV and PV are left to themselves.

    Args:
        view: the round's picture. Estimates of grade PARTIAL are accepted where the flow at the interface is known.
        state: what the last round returned.
        policy: limits and gains.

    Returns:
        P setpoints as proposals (Q is left to Volt/VAR), plans and reasons. Without a picture nothing is proposed
        and leases lapse to defaults that are safe by themselves.
    """
    if view.system_mode is Mode.OBSERVE:
        closed = close_plans(state.plans, keys=frozenset(), status=PlanStatus.ABORTED, text="mode fell to OBSERVE")
        return Decision(state=DispatchState.initial(), plans=closed)
    estimate = view.picture()
    if estimate is None or not estimate.grade.trusted or estimate.model_version != view.arrays.version:
        reason = "no usable estimate this round" if estimate is None else f"estimate is {estimate.grade.name}"
        return Decision(state=state, notes=(f"dispatch holds: {reason}",))
    members = fleet(view, picture=estimate, standing=state.standing, policy=policy)
    limits = in_force(view, policy=policy)
    baselines = _follow(view, estimate, members, state=state, policy=policy)
    plans: dict[ElementId, LimitPlan] = {}
    held: list[Held] = []
    notes: list[str] = []
    for limit in limits:
        outcome = _hold(view, estimate, limit, members, state=state, baselines=baselines, policy=policy)
        if isinstance(outcome, str):
            notes.append(f"limit at {limit.interface} not held: {outcome}")
            if limit.interface in state.plans:
                plans[limit.interface] = state.plans[limit.interface]
            continue
        held.append(outcome)
        baselines[limit.interface] = replace(baselines[limit.interface], correction_w=outcome.correction_w)
        notes += outcome.notes
    progress: list[PlanProgress] = list(
        close_plans(
            state.plans, keys=frozenset(limit.key for limit in limits), status=PlanStatus.DONE, text="the limit ended"
        )
    )
    for outcome in held:
        carried, news = carry_plan(view, outcome, last=state.plans.get(outcome.limit.interface), policy=policy)
        progress += news
        if carried is not None:
            plans[outcome.limit.interface] = carried
    proposals, standing = _proposals(view, members, held=held, plans=plans)
    return Decision(
        state=DispatchState(
            standing=MappingProxyType(standing), baselines=MappingProxyType(baselines), plans=MappingProxyType(plans)
        ),
        proposals=proposals,
        plans=tuple(progress),
        notes=tuple(notes),
    )


def _import_w(view: RoundView, estimate: Estimate, interface: ElementId) -> float | None:
    for index, source in enumerate(view.arrays.model.sources):
        if source.id == interface:
            power_w = float(estimate.s_source_va[index].real)
            return power_w if np.isfinite(power_w) else None
    return None


def _follow(
    view: RoundView,
    estimate: Estimate,
    members: tuple[Member, ...],
    *,
    state: DispatchState,
    policy: DispatchPolicy,
) -> dict[ElementId, Baseline]:
    """The filter of every interface, limit or not, so that it is warm when a limit comes."""
    interfaces = {source.id for source in view.arrays.model.sources if source.interface}
    interfaces |= {limit.interface for limit in view.interface_limits}
    found: dict[ElementId, Baseline] = {}
    for interface in sorted(interfaces):
        import_w = _import_w(view, estimate, interface)
        if import_w is None:
            continue
        given_w = sum(m.present_w for m in members if m.interface == interface)
        found[interface] = followed(
            state.baselines.get(interface),
            load_w=import_w + given_w,
            now=view.now,
            topology_version=view.grid.topology_version,
            policy=policy,
        )
    return found


def _hold(
    view: RoundView,
    estimate: Estimate,
    limit: InForce,
    members: tuple[Member, ...],
    *,
    state: DispatchState,
    baselines: Mapping[ElementId, Baseline],
    policy: DispatchPolicy,
) -> Held | str:
    """What the DER behind one interface give for its limits, proved; or why nothing can be said."""
    import_w = _import_w(view, estimate, limit.interface)
    baseline = baselines.get(limit.interface)
    if import_w is None or baseline is None:
        return "its flow is not known"
    behind = tuple(m for m in members if m.interface == limit.interface)
    usable = tuple(m for m in behind if not m.unusable)
    load_w = ahead_w(baseline, policy=policy)
    idle_w = sum(m.idle_w for m in behind)
    need = need_w(limit, load_w=load_w, correction_w=baseline.correction_w, idle_w=idle_w, policy=policy)
    shared: Shared | None = None
    if need != 0.0 and usable:
        proof = proof_of(view, picture=estimate, members=usable, policy=policy)
        if isinstance(proof, str):
            return f"setpoints cannot be proved: {proof}"
        shared = share_proved(proof, need_w=need, policy=policy)
    p = np.array([m.idle_w for m in usable]) if shared is None else shared.share.p_w
    short_w = abs(need) if shared is None else shared.share.short_w
    if need != 0.0 and short_w <= LED_W:
        p = _steady(usable, p, state.standing, band_w=policy.deadband_frac * limit.largest_w)
    p = _ramped(view, usable, p, state=state, last=state.baselines.get(limit.interface))
    correction_w = _corrected(view, limit, import_w, need=need, short_w=short_w, state=state, policy=policy)
    after_w = load_w - sum(m.present_w for m in behind if m.unusable) - float(p.sum())
    return Held(
        limit=limit,
        members=usable,
        p_w=p,
        need_w=need,
        short_w=short_w,
        import_before_w=import_w,
        import_after_w=after_w,
        correction_w=correction_w,
        flow=None if shared is None else shared.flow,
        binding="" if shared is None else shared.binding,
        left_out=tuple((m.der.id, m.unusable) for m in behind if m.unusable),
        solver="" if shared is None else shared.share.solver,
    )


def _steady(
    members: tuple[Member, ...], p: FloatArray, standing: Mapping[ElementId, float], *, band_w: float
) -> FloatArray:
    """The standing setpoints where their sum is near enough and each is still possible: no hunting."""
    last = np.array([standing.get(m.der.id, m.idle_w) for m in members])
    possible = all(
        min(m.lower_w, m.idle_w) - LED_W <= value <= max(m.upper_w, m.idle_w) + LED_W
        for m, value in zip(members, last, strict=True)
    )
    if possible and any(m.der.id in standing for m in members) and abs(float((p - last).sum())) <= band_w:
        return last
    return p


def _ramped(
    view: RoundView,
    members: tuple[Member, ...],
    p: FloatArray,
    *,
    state: DispatchState,
    last: Baseline | None,
) -> FloatArray:
    """No further from the last setpoint than the device's ramp allows since (DE2); capability goes before the ramp."""
    seconds = 0.0 if last is None else (view.now - last.time).total_seconds()
    out = p.copy()
    for k, member in enumerate(members):
        ramp = member.der.ramp_w_per_s
        if ramp is None or seconds <= 0.0:
            continue
        start = state.standing.get(member.der.id, member.present_w)
        value = min(start + ramp * seconds, max(start - ramp * seconds, float(p[k])))
        low, high = min(member.lower_w, member.idle_w), max(member.upper_w, member.idle_w)
        out[k] = min(high, max(low, value))
    return out


def _corrected(
    view: RoundView,
    limit: InForce,
    import_w: float,
    *,
    need: float,
    short_w: float,
    state: DispatchState,
    policy: DispatchPolicy,
) -> float:
    """Small integral of the error, while the limit binds and there is something left to give; else it fades."""
    last = state.baselines.get(limit.interface)
    if last is None:
        return 0.0
    pace = policy.integral_gain_per_s * min(INTEGRAL_STEP_MAX_S, (view.now - last.time).total_seconds())
    if need == 0.0 or short_w > LED_W:
        return last.correction_w * max(0.0, 1.0 - pace)
    margin_w = policy.margin_frac * limit.largest_w
    error = min(margin_w, max(-margin_w, error_w(limit, import_w=import_w, policy=policy)))
    largest_w = policy.integral_max_frac * limit.largest_w
    return min(largest_w, max(-largest_w, last.correction_w + pace * error))


def _proposals(
    view: RoundView, members: tuple[Member, ...], *, held: list[Held], plans: Mapping[ElementId, LimitPlan]
) -> tuple[tuple[Proposal, ...], dict[ElementId, float]]:
    """Setpoints of led DER under their plan, P = 0 for every other battery. EV and PV at idle are left alone."""
    proposals: list[Proposal] = []
    standing: dict[ElementId, float] = {}
    for outcome in held:
        plan = plans.get(outcome.limit.interface)
        if plan is None or plan.status is not PlanStatus.EXECUTING:
            continue
        steps = {step.device: k for k, step in enumerate(plan.plan.steps)}
        for member, p in zip(outcome.members, outcome.p_w, strict=True):
            if abs(p - member.idle_w) < LED_W or not view.permits(member.der.id, plan_id=plan.plan.plan_id):
                continue
            standing[member.der.id] = float(p)
            proposals.append(
                setpoint_proposal(
                    member,
                    p_w=float(p),
                    plan_id=plan.plan.plan_id,
                    step=steps.get(member.der.id, 0),
                    reason=plan.plan.title,
                )
            )
    for member in members:
        idle = member.der.kind is DerKind.BATTERY and not member.unusable and member.der.id not in standing
        if idle and view.permits(member.der.id, plan_id=None):
            proposals.append(
                Proposal(
                    device=member.der.id,
                    setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=None),
                    app=App.DISPATCH,
                    priority=Priority.ECONOMICS,
                    plan_id=None,
                    step=0,
                    reason="no limit asks for it: it idles",
                )
            )
    return tuple(sorted(proposals, key=lambda proposal: proposal.device)), standing
