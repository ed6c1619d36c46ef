"""Operator acts and plans between wire and domain."""

from adms.apps.view import Tag
from adms.convert.common import setpoint_to_proto, time_to_proto
from adms.convert.enums import PLAN_STATUS, TAG_KIND
from adms.core.plans import PlanProgress
from adms.wire.operations.v1 import operations_pb2 as pb


def tag_to_proto(tag: Tag) -> pb.Tag:
    """One tag."""
    return pb.Tag(
        tag_id=tag.tag_id,
        device_id=tag.device,
        kind=TAG_KIND.to_proto(tag.kind),
        holder=tag.holder,
        reason=tag.reason,
        placed=time_to_proto(tag.placed),
    )


def plan_to_proto(progress: PlanProgress) -> pb.Plan:
    """One plan and how far it has come."""
    plan = progress.plan
    return pb.Plan(
        plan_id=plan.plan_id,
        app=plan.app.value,
        created=time_to_proto(plan.created),
        snapshot_id=plan.snapshot_id,
        title=plan.title,
        reason=plan.reason,
        steps=[
            pb.PlanStep(
                device_id=step.device,
                setpoint=setpoint_to_proto(step.setpoint),
                reason=step.reason,
                checks=step.checks,
            )
            for step in plan.steps
        ],
        predicted=[pb.PredictedEffect(name=name, value=value) for name, value in plan.predicted],
        rejected=[pb.RejectedAlternative(summary=r.summary, reason=r.reason) for r in plan.rejected],
        binding_limit=plan.binding_limit,
        status=PLAN_STATUS.to_proto(progress.status),
        steps_done=progress.steps_done,
        status_text=progress.text,
    )
