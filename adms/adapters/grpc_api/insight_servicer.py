"""Read only: what the service sees, decides and has recorded."""

# ruff: noqa: N802 (methods are named by the protos)

from collections.abc import AsyncIterator

from adms.adapters.grpc_api.insight_proto import (
    entry_to_proto,
    estimate_to_proto,
    round_to_proto,
    status_to_proto,
    verification_to_proto,
)
from adms.adapters.grpc_api.refusal import Context
from adms.core.estimate import Estimate
from adms.ports.inward import InsightDesk
from adms.wire.insight.v1 import insight_pb2 as pb
from adms.wire.insight.v1 import insight_pb2_grpc


class InsightServicer(insight_pb2_grpc.InsightServiceServicer):
    """Serves whoever wants to look."""

    def __init__(self, desk: InsightDesk) -> None:
        self._desk = desk

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """The service at a glance."""
        return status_to_proto(self._desk.status())

    async def GetEstimate(self, request: pb.GetEstimateRequest, context: Context) -> pb.GetEstimateResponse:
        """The newest picture, or why there is none."""
        estimate = self._desk.estimate()
        if isinstance(estimate, Estimate):
            return pb.GetEstimateResponse(estimate=estimate_to_proto(estimate, arrays=self._desk.arrays()))
        return pb.GetEstimateResponse(reason="no round yet" if estimate is None else estimate.reason)

    async def WatchRounds(
        self, request: pb.WatchRoundsRequest, context: Context
    ) -> AsyncIterator[pb.WatchRoundsResponse]:
        """Every round as it ends; a reader that is too slow misses rounds."""
        rounds = self._desk.rounds()
        await context.send_initial_metadata(())
        async for summary, picture in rounds:
            message = round_to_proto(summary)
            if request.with_nodes and picture is not None:
                message.estimate.CopyFrom(estimate_to_proto(picture, arrays=self._desk.arrays()))
            yield message

    async def ReadJournal(
        self, request: pb.ReadJournalRequest, context: Context
    ) -> AsyncIterator[pb.ReadJournalResponse]:
        """Entries from an index on, then those to come if asked."""
        async for entry in self._desk.journal(from_index=request.from_index, follow=request.follow):
            yield pb.ReadJournalResponse(entry=entry_to_proto(entry))

    async def VerifyJournal(self, request: pb.VerifyJournalRequest, context: Context) -> pb.VerifyJournalResponse:
        """Recomputes the hash chain."""
        return verification_to_proto(await self._desk.verify())
