"""The plan behind a held limit: one for each limit, from the first round in which it binds until it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from adms.apps.dispatch.fleet import Member, ratings_w
from adms.apps.dispatch.limits import InForce
from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.dispatch.share import FAIRNESS_RULE
from adms.apps.dispatch.state import LimitPlan
from adms.apps.interlock import check
from adms.apps.view import RoundView
from adms.core.commands import App, PowerSetpoint, Priority, Proposal
from adms.core.ids import ElementId, PlanId
from adms.core.modes import Mode
from adms.core.plans import Plan, PlanProgress, PlanStatus, PlanStep, RejectedAlternative
from adms.core.telemetry import FloatArray
from adms.grid.model import DerKind
from adms.powerflow.solve import PowerFlow


@dataclass(frozen=True, kw_only=True)
class Held:
    """What one round does for the limits of one interface. Powers in W; DER powers are injections."""

    limit: InForce
    members: tuple[Member, ...]
    """DER that are counted on."""
    p_w: FloatArray
    """[member] setpoints."""
    need_w: float
    """More (positive) or less (negative) injection than idle that the limits ask for."""
    short_w: float
    """Part of it that nobody can give."""
    import_before_w: float
    import_after_w: float
    """When the setpoints have acted."""
    correction_w: float
    flow: PowerFlow | None
    binding: str
    """Voltage limit that holds setpoints back."""
    left_out: tuple[tuple[ElementId, str], ...]
    """DER that are not counted on, and why."""
    solver: str
    """What the solver said where it found no optimum; empty where it did."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know."""
        found = []
        if self.solver:
            found.append(
                f"limit at {self.limit.interface}: the linear program says {self.solver}; "
                "shared class by class and proved by a power flow instead"
            )
        if self.need_w != 0.0 and self.short_w > 1.0:
            found.append(f"limit at {self.limit.interface} is missed by {self.short_w / 1e3:.0f} kW: {self.why_short}")
        return tuple(found)

    @property
    def why_short(self) -> str:
        """What stops the DER from giving more."""
        if self.binding:
            return self.binding
        gone = f", {len(self.left_out)} are not counted on" if self.left_out else ""
        return f"all that {len(self.members)} DER can give is in use{gone}"


def carry_plan(
    view: RoundView, held: Held, *, last: LimitPlan | None, policy: DispatchPolicy
) -> tuple[LimitPlan | None, tuple[PlanProgress, ...]]:
    """The plan of a limit after this round, and what is new about it.

    A plan is made when the limit first binds. In ADVISE it waits for approval; an aborted plan stays aborted for as
    long as its limit stands.
    """
    if last is not None and last.key == held.limit.key:
        return _carried(view, last)
    if held.need_w == 0.0:
        return None, ()
    plan = _plan(view, held, policy=policy)
    at_once = all(view.mode_of(m.der.id) is Mode.CONTROL for m in held.members)
    status = PlanStatus.EXECUTING if at_once else PlanStatus.PROPOSED
    made = LimitPlan(plan=plan, key=held.limit.key, status=status)
    return made, (PlanProgress(plan=plan, status=status, steps_done=0),)


def _carried(view: RoundView, last: LimitPlan) -> tuple[LimitPlan, tuple[PlanProgress, ...]]:
    plan = last.plan
    if plan.plan_id in view.aborted_plans and last.status is not PlanStatus.ABORTED:
        progress = PlanProgress(plan=plan, status=PlanStatus.ABORTED, steps_done=0, text="aborted by an operator")
        return replace(last, status=PlanStatus.ABORTED), (progress,)
    if last.status is PlanStatus.PROPOSED and plan.plan_id in view.approved_plans:
        return replace(last, status=PlanStatus.EXECUTING), (
            PlanProgress(plan=plan, status=PlanStatus.EXECUTING, steps_done=0, text="approved"),
        )
    return last, ()


def close_plans(
    plans: Mapping[ElementId, LimitPlan], *, keys: frozenset[str], status: PlanStatus, text: str
) -> tuple[PlanProgress, ...]:
    """Progress of the plans whose limits are not among `keys` any more."""
    found = []
    for interface in sorted(plans):
        gone = plans[interface]
        if gone.key in keys or gone.status is PlanStatus.ABORTED:
            continue
        end = PlanStatus.ABORTED if gone.status is PlanStatus.PROPOSED else status
        steps = len(gone.plan.steps) if end is PlanStatus.DONE else 0
        found.append(PlanProgress(plan=gone.plan, status=end, steps_done=steps, text=text))
    return tuple(found)


def _plan(view: RoundView, held: Held, *, policy: DispatchPolicy) -> Plan:
    limit = held.limit
    plan_id = PlanId(f"dispatch-{limit.interface}-{view.snapshot.snapshot_id}")
    # Planning in ADVISE judges everything but the approval.
    approved = replace(view, approved_plans=view.approved_plans | {plan_id})
    size = [
        f"{name} {value / 1e3:.0f} kW"
        for name, value in (("import", limit.import_max_w), ("export", limit.export_max_w))
        if value is not None
    ]
    direction = "more" if held.need_w > 0.0 else "less"
    steps = tuple(
        PlanStep(
            device=proposal.device,
            setpoint=proposal.setpoint,
            reason=f"{FAIRNESS_RULE} share of what the limit needs",
            checks=check(approved, proposal, policy=policy.interlock).held,
        )
        for proposal in (
            setpoint_proposal(member, p_w=float(p), plan_id=plan_id, step=0, reason="")
            for member, p in zip(held.members, held.p_w, strict=True)
            if p != member.idle_w
        )
    )
    predicted = [
        ("import_before_w", held.import_before_w),
        ("import_after_w", held.import_after_w),
        ("needed_w", abs(held.need_w)),
        ("short_w", held.short_w),
        *_shares(held),
    ]
    if held.flow is not None:
        v = np.abs(held.flow.v_phasor_pu[held.flow.energised])
        predicted += [("v_min_after_pu", float(v.min())), ("v_max_after_pu", float(v.max()))]
    if held.short_w > 1.0:
        binding = f"short by {held.short_w / 1e3:.0f} kW: {held.why_short}"
    else:
        binding = held.binding or f"limit at {limit.interface}"
    return Plan(
        plan_id=plan_id,
        app=App.DISPATCH,
        created=view.now,
        snapshot_id=view.snapshot.snapshot_id,
        model_version=view.arrays.version,
        title=f"hold {' and '.join(size)} at {limit.interface}",
        reason=f"{abs(held.need_w) / 1e3:.0f} kW {direction} injection than idle is needed; "
        f"batteries first, then EV charging, then PV; shared by the rule {FAIRNESS_RULE}",
        steps=steps,
        predicted=tuple(predicted),
        rejected=tuple(RejectedAlternative(summary=device, reason=why) for device, why in held.left_out),
        binding_limit=binding,
    )


def setpoint_proposal(member: Member, *, p_w: float, plan_id: PlanId, step: int, reason: str) -> Proposal:
    """P of one DER for a limit; its Q is left to Volt/VAR."""
    return Proposal(
        device=member.der.id,
        setpoint=PowerSetpoint(p_injection_w=p_w, q_injection_var=None),
        app=App.DISPATCH,
        priority=Priority.LIMITS,
        plan_id=plan_id,
        step=step,
        reason=reason,
    )


def _shares(held: Held) -> list[tuple[str, float]]:
    """Largest share of its rating that a member of each class gives (DE12)."""
    rating = ratings_w(held.members, down=held.need_w < 0.0)
    found = []
    for kind in DerKind:
        shares = [
            abs(p - m.idle_w) / r
            for m, p, r in zip(held.members, held.p_w, rating, strict=True)
            if m.der.kind is kind and r > 0.0
        ]
        if shares:
            found.append((f"{kind}_share_max_frac", float(max(shares))))
    return found
