"""Operator acts and plans between wire and domain."""

from adms.adapters.grpc_api.common_proto import setpoint_to_proto, time_to_proto
from adms.apps.view import Tag, TagKind
from adms.core.plans import PlanProgress, PlanStatus
from adms.wire.operations.v1 import operations_pb2 as pb

TAG_KIND = {
    pb.TAG_KIND_HOLD: TagKind.HOLD,
    pb.TAG_KIND_CLEARANCE: TagKind.CLEARANCE,
    pb.TAG_KIND_HOT_LINE: TagKind.HOT_LINE,
}
TAG_KIND_TO_PROTO = {kind: number for number, kind in TAG_KIND.items()}
PLAN_STATUS_TO_PROTO = {
    PlanStatus.PROPOSED: pb.PLAN_STATUS_PROPOSED,
    PlanStatus.APPROVED: pb.PLAN_STATUS_APPROVED,
    PlanStatus.EXECUTING: pb.PLAN_STATUS_EXECUTING,
    PlanStatus.DONE: pb.PLAN_STATUS_DONE,
    PlanStatus.ABORTED: pb.PLAN_STATUS_ABORTED,
}


def tag_to_proto(tag: Tag) -> pb.Tag:
    """One tag."""
    return pb.Tag(
        tag_id=tag.tag_id,
        device_id=tag.device,
        kind=TAG_KIND_TO_PROTO[tag.kind],
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
        status=PLAN_STATUS_TO_PROTO[progress.status],
        steps_done=progress.steps_done,
        status_text=progress.text,
    )
