"""What operators ask for. Every call names its actor; a call that was cut off is repeated and has one effect."""

import secrets
from datetime import datetime

from adms.client.caller import Caller
from adms.client.desk_proto import plan_from_proto, tag_from_proto
from adms.client.records import ListedPlan, PlacedTag
from adms.convert.common import time_from_proto, time_to_proto
from adms.convert.enums import MODE, TAG_KIND
from adms.core.devices import TagKind
from adms.core.modes import Mode
from adms.wire.operations.v1 import operations_pb2 as pb
from adms.wire.operations.v1 import operations_pb2_grpc


class Operator(Caller):
    """Calls of one actor. Raises InputError for what cannot be done and AdapterError where the service stays away for
    `timeout_s`.

    Request ids are `run_id` and a count: give a run id where two runs shall write the same journal, and never the same
    one twice to one journal.
    """

    def __init__(self, endpoint: str, *, actor: str, run_id: str | None = None, timeout_s: float = 10.0) -> None:
        super().__init__(endpoint, timeout_s=timeout_s)
        self._stub: operations_pb2_grpc.OperationsServiceAsyncStub = operations_pb2_grpc.OperationsServiceStub(
            self._channel
        )
        self._actor = actor
        self._run_id = run_id or secrets.token_hex(8)
        self._count = 0

    def _request_id(self) -> str:
        self._count += 1
        return f"{self._run_id}-{self._count}"

    async def set_mode(self, mode: Mode, *, reason: str, device: str = "") -> Mode:
        """Sets the mode of the system or of one device; the mode in effect now. CONTROL takes effect after enough
        good rounds."""
        request = pb.SetModeRequest(
            request_id=self._request_id(),
            actor=self._actor,
            reason=reason,
            mode=MODE.to_proto(mode),
            device_id=device,
        )
        response = await self._call(self._stub.SetMode, request)
        return MODE.from_proto(response.effective_mode, unknown=Mode.OBSERVE)

    async def plans(self, *, open_only: bool = False) -> tuple[ListedPlan, ...]:
        """Plans, oldest first."""
        request = pb.ListPlansRequest(open_only=open_only)
        response = await self._call(self._stub.ListPlans, request)
        return tuple(plan_from_proto(plan) for plan in response.plans)

    async def approve_plan(self, plan_id: str, *, reason: str) -> None:
        """Lets a proposed plan execute."""
        request = pb.ApprovePlanRequest(
            request_id=self._request_id(), actor=self._actor, reason=reason, plan_id=plan_id
        )
        await self._call(self._stub.ApprovePlan, request)

    async def abort_plan(self, plan_id: str, *, reason: str) -> None:
        """Stops a plan after the step in hand."""
        request = pb.AbortPlanRequest(request_id=self._request_id(), actor=self._actor, reason=reason, plan_id=plan_id)
        await self._call(self._stub.AbortPlan, request)

    async def place_tag(self, device: str, *, kind: TagKind, reason: str) -> PlacedTag:
        """Forbids operations of a device; this actor is the tag's holder."""
        request = pb.PlaceTagRequest(
            request_id=self._request_id(),
            actor=self._actor,
            reason=reason,
            device_id=device,
            kind=TAG_KIND.to_proto(kind),
        )
        response = await self._call(self._stub.PlaceTag, request)
        return tag_from_proto(response.tag)

    async def remove_tag(self, tag_id: str) -> None:
        """Takes away a tag that this actor holds."""
        request = pb.RemoveTagRequest(request_id=self._request_id(), actor=self._actor, tag_id=tag_id)
        await self._call(self._stub.RemoveTag, request)

    async def tags(self) -> tuple[PlacedTag, ...]:
        """All tags in force."""
        response = await self._call(self._stub.ListTags, pb.ListTagsRequest())
        return tuple(tag_from_proto(tag) for tag in response.tags)

    async def emergency_stop(self, *, reason: str) -> datetime:
        """All automation off; when it was."""
        request = pb.EmergencyStopRequest(request_id=self._request_id(), actor=self._actor, reason=reason)
        response = await self._call(self._stub.EmergencyStop, request)
        return time_from_proto(response.stopped)

    async def set_interface_limit(
        self,
        *,
        reason: str,
        import_max_w: float | None = None,
        export_max_w: float | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        interface: str = "",
    ) -> None:
        """Limits import and export from `start` (now where not given) to `end` (until further notice); None is
        unlimited. `interface` may be left out where the model has one."""
        request = pb.SetInterfaceLimitRequest(
            request_id=self._request_id(),
            actor=self._actor,
            reason=reason,
            interface_id=interface,
            import_max_w=import_max_w,
            export_max_w=export_max_w,
            start=None if start is None else time_to_proto(start),
            end=None if end is None else time_to_proto(end),
        )
        await self._call(self._stub.SetInterfaceLimit, request)
