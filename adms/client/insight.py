"""Read only: what the service sees, decides and has recorded."""

import asyncio
from collections.abc import AsyncGenerator

import grpc.aio

from adms.client.caller import Caller
from adms.client.channel import as_error, lost
from adms.client.desk_proto import entry_from_proto, estimate_from_proto, round_from_proto, status_from_proto
from adms.client.records import EstimateReport, JournalVerdict, RoundReport, StatusReport
from adms.core.journal import JournalEntry
from adms.wire.insight.v1 import insight_pb2 as pb
from adms.wire.insight.v1 import insight_pb2_grpc


class Insight(Caller):
    """Raises AdapterError where the service stays away for `timeout_s`, or goes while a stream is read."""

    def __init__(self, endpoint: str, *, timeout_s: float = 10.0) -> None:
        super().__init__(endpoint, timeout_s=timeout_s)
        self._stub: insight_pb2_grpc.InsightServiceAsyncStub = insight_pb2_grpc.InsightServiceStub(self._channel)

    async def status(self) -> StatusReport:
        """The service at a glance."""
        response = await self._call(self._stub.GetStatus, pb.GetStatusRequest())
        return status_from_proto(response)

    async def estimate(self) -> EstimateReport | str:
        """The newest picture, or why there is none."""
        response = await self._call(self._stub.GetEstimate, pb.GetEstimateRequest())
        return estimate_from_proto(response.estimate) if response.HasField("estimate") else response.reason

    async def rounds(self, *, with_nodes: bool = False) -> AsyncGenerator[RoundReport]:
        """Every round as it ends; a reader that is too slow misses rounds."""
        stream = self._stub.WatchRounds(pb.WatchRoundsRequest(with_nodes=with_nodes))
        try:
            async for message in stream:
                yield round_from_proto(message)
        except grpc.aio.AioRpcError as error:
            raise as_error(error) from error
        except asyncio.CancelledError:
            raise lost() from None
        finally:
            stream.cancel()

    async def journal(self, *, from_index: int = 0, follow: bool = False) -> AsyncGenerator[JournalEntry]:
        """Entries from an index on, then those to come if asked."""
        stream = self._stub.ReadJournal(pb.ReadJournalRequest(from_index=from_index, follow=follow))
        try:
            async for message in stream:
                yield entry_from_proto(message.entry)
        except grpc.aio.AioRpcError as error:
            raise as_error(error) from error
        except asyncio.CancelledError:
            raise lost() from None
        finally:
            stream.cancel()

    async def verify_journal(self) -> JournalVerdict:
        """Whether the chain holds, recomputed by the service."""
        response = await self._call(self._stub.VerifyJournal, pb.VerifyJournalRequest())
        return JournalVerdict(
            intact=response.intact,
            entries=response.entries,
            first_bad_index=None if response.intact else response.first_bad_index,
            reason=response.reason,
        )
