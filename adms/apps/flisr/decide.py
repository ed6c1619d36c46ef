"""FLISR: one level-based decision a round. Idle, wait for lockout, plan, execute step by step, stop and plan again."""

from dataclasses import replace
from hashlib import sha256

from adms.apps.flisr.execution import end_plan, follow
from adms.apps.flisr.loads import remember_loads
from adms.apps.flisr.outage import lockout_is_known
from adms.apps.flisr.planner import make_plan
from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import ActivePlan, Attempt, Exclusion, FlisrState
from adms.apps.flisr.trial import awaited_close, handed_over, note_trials
from adms.apps.interlock.general import picture_problem
from adms.apps.interlock.zone import SuspectedZone, suspected_zone
from adms.apps.view import Decision, RoundView
from adms.core.modes import Mode
from adms.core.plans import NoPlan, PlanProgress, PlanStatus


def decide(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> Decision[FlisrState]:
    """What FLISR wants now.

    The state is only pre-fault loads and the plan in hand; zone, topology and what can be used come from the view's
    levels. With an empty state (a restart) it therefore plans the rest from the measured positions.

    Modes: OBSERVE notes only; ADVISE a plan for approval, executed once approved; CONTROL executes at once, unless a
    close in this outage was a trial (see `trial`): then plans wait for approval as in ADVISE. Just before
    each step the guards and, for a close, the power flow are asked again, here and by the gate
    (`interlock.check_step`).
    """
    zone = suspected_zone(view, max_age_s=policy.interlock.telemetry_max_age_s)
    if not zone.area:
        return _no_outage(view, state=state, policy=policy)
    state = replace(
        state,
        outage_start=state.outage_start or (view.now if state.loads is not None else None),
        excluded={
            device: exclusion
            for device, exclusion in state.excluded.items()
            if (view.now - exclusion.time).total_seconds() < policy.trial_block_s
        },
    )
    before = state.trials.keys()
    state = note_trials(view, area=zone.area, state=state, policy=policy)
    new = {device: trial for device, trial in state.trials.items() if device not in before}
    failed = {d: Exclusion(reason=t.reason, time=view.now) for d, t in new.items() if not view.grid.closed[d]}
    state = replace(state, excluded={**state.excluded, **failed})
    notes = [f"suspected: {', '.join(sorted(zone.sections)) or 'nothing'}", *zone.reasons]
    handover = handed_over(state)
    notes += [] if handover is None else [handover]
    plans: list[PlanProgress] = []
    if state.active is not None and new:
        # Whoever approved it did not know of the trial.
        ended = end_plan(state, state.active, status=PlanStatus.ABORTED, text=handover or "")
        state, plans = ended.state, [*ended.plans]
    if state.active is not None:
        followed = follow(view, zone=zone, state=state, active=state.active, policy=policy)
        state, notes, plans = followed.state, [*notes, *followed.notes], [*plans, *followed.plans]
        if state.active is not None:
            return Decision(
                state=state,
                proposals=followed.proposals,
                plans=tuple(plans),
                notes=tuple(notes),
                expected=followed.expected,
            )
    waiting = _why_not_now(view, zone=zone, state=state, policy=policy)
    if waiting is not None:
        return Decision(state=state, plans=tuple(plans), notes=(*notes, waiting))
    key = _attempt_key(view, zone=zone, state=state)
    last = state.attempt
    if last is not None and last.key == key and (view.now - last.time).total_seconds() < policy.replan_interval_s:
        return Decision(state=state, plans=tuple(plans), notes=(*notes, last.reason))
    found = make_plan(view, zone=zone, state=state, policy=policy)
    if isinstance(found, NoPlan):
        state = replace(state, attempt=Attempt(key=key, time=view.now, reason=found.reason))
        return Decision(state=state, plans=tuple(plans), notes=(*notes, found.reason))
    active = ActivePlan(plan=found, zone=zone.sections, status=PlanStatus.PROPOSED, step=0, step_start=view.now)
    state = replace(state, active=active, attempt=None)
    followed = follow(view, zone=zone, state=state, active=active, policy=policy, is_new=True)
    return Decision(
        state=followed.state,
        proposals=followed.proposals,
        plans=(*plans, *followed.plans),
        notes=(*notes, *followed.notes),
        expected=followed.expected,
    )


def _no_outage(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> Decision[FlisrState]:
    plans: tuple[PlanProgress, ...] = ()
    if state.active is not None:
        active = state.active
        done = all(view.grid.closed[s.device] == getattr(s.setpoint, "closed", None) for s in active.plan.steps)
        status = PlanStatus.DONE if done else PlanStatus.ABORTED
        steps_done = len(active.plan.steps) if done else active.step
        plans = (PlanProgress(plan=active.plan, status=status, steps_done=steps_done, text="the outage is over"),)
    state = replace(state, outage_start=None, active=None, excluded={}, trials={}, attempt=None, stopped=None)
    return Decision(state=remember_loads(view, state=state, policy=policy), plans=plans)


def _why_not_now(view: RoundView, *, zone: SuspectedZone, state: FlisrState, policy: FlisrPolicy) -> str | None:
    if view.system_mode is Mode.OBSERVE:
        return "mode is OBSERVE: no plan is made"
    if state.stopped is not None and state.stopped[1] == zone.sections:
        return f"plan {state.stopped[0]} was aborted by an operator: no new one until the zone changes"
    awaited = awaited_close(view)
    if awaited is not None:
        return f"waits for the outcome of closing {awaited}"
    problem = picture_problem(view, policy=policy.interlock)
    if problem is not None:
        return f"X1: {problem}"
    return lockout_is_known(view, zone=zone, policy=policy)


def _attempt_key(view: RoundView, *, zone: SuspectedZone, state: FlisrState) -> str:
    parts = [
        view.grid.topology_version,
        *sorted(zone.sections),
        "usable",
        *sorted(view.controllable & view.grid.closed.keys()),
        "unknown",
        *sorted(view.unknown_positions),
        "failed",
        *sorted(view.failed_devices),
        "moving",
        *sorted(view.outstanding.keys() & view.grid.closed.keys()),
        "excluded",
        *sorted(state.excluded),
        "trials",
        *sorted(state.trials),
        "tags",
        *sorted(tag.tag_id for tag in view.tags),
        "modes",
        str(int(view.system_mode)),
        *sorted(f"{device}={int(mode)}" for device, mode in view.device_modes.items()),
    ]
    return sha256("|".join(parts).encode()).hexdigest()
