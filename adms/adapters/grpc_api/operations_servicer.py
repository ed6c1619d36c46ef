"""What operators ask for."""

# ruff: noqa: N802 (methods are named by the protos)

from datetime import datetime

from adms.adapters.grpc_api.operations_proto import plan_to_proto, tag_to_proto
from adms.adapters.grpc_api.refusal import Context, refusing
from adms.apps.view import InterfaceLimit
from adms.convert.common import time_from_proto, time_problem, time_to_proto
from adms.convert.enums import MODE, TAG_KIND
from adms.core.errors import InputError, Problem
from adms.core.ids import ElementId, PlanId
from adms.core.modes import Mode
from adms.ports.inward import OperatorDesk
from adms.ports.records import (
    AbortPlan,
    ApprovePlan,
    EmergencyStop,
    OperatorAct,
    PlaceTag,
    RemoveTag,
    Request,
    SetInterfaceLimit,
    SetMode,
)
from adms.wire.operations.v1 import operations_pb2 as pb
from adms.wire.operations.v1 import operations_pb2_grpc


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Serves operators and the transmission operator."""

    def __init__(self, desk: OperatorDesk, *, interfaces: tuple[ElementId, ...]) -> None:
        self._desk = desk
        self._interfaces = interfaces

    def _ask(self, request_id: str, *, actor: str, reason: str, act: OperatorAct) -> Mode:
        return self._desk.request(Request(request_id=request_id, actor=actor, reason=reason, act=act))

    async def SetMode(self, request: pb.SetModeRequest, context: Context) -> pb.SetModeResponse:
        """Mode of the system or of one device."""
        async with refusing(context):
            asked = MODE.known(request.mode)
            if asked is None:
                raise _unknown("mode", request.mode)
            device = ElementId(request.device_id) if request.device_id else None
            act = SetMode(mode=asked, device=device)
            mode = self._ask(request.request_id, actor=request.actor, reason=request.reason, act=act)
        return pb.SetModeResponse(effective_mode=MODE.to_proto(mode))

    async def ListPlans(self, request: pb.ListPlansRequest, context: Context) -> pb.ListPlansResponse:
        """Plans, oldest first."""
        plans = self._desk.plans(open_only=request.open_only)
        return pb.ListPlansResponse(plans=[plan_to_proto(progress) for progress in plans])

    async def ApprovePlan(self, request: pb.ApprovePlanRequest, context: Context) -> pb.ApprovePlanResponse:
        """Lets a proposed plan execute."""
        async with refusing(context):
            act = ApprovePlan(approve=PlanId(request.plan_id))
            self._ask(request.request_id, actor=request.actor, reason=request.reason, act=act)
        return pb.ApprovePlanResponse()

    async def AbortPlan(self, request: pb.AbortPlanRequest, context: Context) -> pb.AbortPlanResponse:
        """Stops a plan after the step in hand."""
        async with refusing(context):
            act = AbortPlan(abort=PlanId(request.plan_id))
            self._ask(request.request_id, actor=request.actor, reason=request.reason, act=act)
        return pb.AbortPlanResponse()

    async def PlaceTag(self, request: pb.PlaceTagRequest, context: Context) -> pb.PlaceTagResponse:
        """Forbids operations of a device."""
        async with refusing(context):
            kind = TAG_KIND.known(request.kind)
            if kind is None:
                raise _unknown("kind", request.kind)
            act = PlaceTag(device=ElementId(request.device_id), kind=kind)
            self._ask(request.request_id, actor=request.actor, reason=request.reason, act=act)
            tag = self._desk.placed_tag(request.request_id)
        return pb.PlaceTagResponse(tag=tag_to_proto(tag))

    async def RemoveTag(self, request: pb.RemoveTagRequest, context: Context) -> pb.RemoveTagResponse:
        """Takes away a tag; only its holder may."""
        async with refusing(context):
            act = RemoveTag(tag_id=request.tag_id)
            self._ask(request.request_id, actor=request.actor, reason="", act=act)
        return pb.RemoveTagResponse()

    async def ListTags(self, request: pb.ListTagsRequest, context: Context) -> pb.ListTagsResponse:
        """All tags in force."""
        return pb.ListTagsResponse(tags=[tag_to_proto(tag) for tag in self._desk.tags()])

    async def EmergencyStop(self, request: pb.EmergencyStopRequest, context: Context) -> pb.EmergencyStopResponse:
        """All automation off."""
        async with refusing(context):
            self._ask(request.request_id, actor=request.actor, reason=request.reason, act=EmergencyStop())
        return pb.EmergencyStopResponse(stopped=time_to_proto(self._desk.now()))

    async def SetInterfaceLimit(
        self, request: pb.SetInterfaceLimitRequest, context: Context
    ) -> pb.SetInterfaceLimitResponse:
        """Limits exchange with the transmission system."""
        async with refusing(context):
            act = _limit_act(request, interfaces=self._interfaces, now=self._desk.now())
            self._ask(request.request_id, actor=request.actor, reason=request.reason, act=act)
        return pb.SetInterfaceLimitResponse()


def _unknown(field: str, number: int) -> InputError:
    return InputError([Problem(element="request", field=field, value=str(number), message="not known here")])


def _limit_act(
    request: pb.SetInterfaceLimitRequest, *, interfaces: tuple[ElementId, ...], now: datetime
) -> SetInterfaceLimit:
    problems = [
        problem
        for field, stamp in (("start", request.start), ("end", request.end))
        if (problem := time_problem(stamp, element="request", field=field)) is not None
    ]
    if problems:
        raise InputError(problems)
    only = interfaces[0] if len(interfaces) == 1 else ElementId("")
    limit = InterfaceLimit(
        interface=ElementId(request.interface_id) if request.interface_id else only,
        import_max_w=request.import_max_w if request.HasField("import_max_w") else None,
        export_max_w=request.export_max_w if request.HasField("export_max_w") else None,
        start=time_from_proto(request.start) if request.HasField("start") else now,
        end=time_from_proto(request.end) if request.HasField("end") else None,
    )
    return SetInterfaceLimit(limit=limit, immediate=not request.HasField("start"))
