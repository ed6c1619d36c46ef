"""Read only: what the service sees, decides and has recorded."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

import grpc.aio

from adms.client.channel import as_error, call, lost, open_channel
from adms.client.desk_proto import entry_from_proto, estimate_from_proto, round_from_proto, status_from_proto
from adms.client.records import EstimateReport, JournalVerdict, RoundReport, StatusReport
from adms.core.journal import JournalEntry
from adms.wire.insight.v1 import insight_pb2 as pb
from adms.wire.insight.v1 import insight_pb2_grpc


class Insight:
    """Raises AdapterError where the service stays away for `timeout_s`, or goes while a stream is read."""

    def __init__(self, endpoint: str, *, timeout_s: float = 10.0) -> None:
        self._channel = open_channel(endpoint)
        self._stub: insight_pb2_grpc.InsightServiceAsyncStub = insight_pb2_grpc.InsightServiceStub(self._channel)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def status(self) -> StatusReport:
        """The service at a glance."""
        response = await call(lambda: self._stub.GetStatus(pb.GetStatusRequest()), timeout_s=self._timeout_s)
        return status_from_proto(response)

    async def estimate(self) -> EstimateReport | str:
        """The newest picture, or why there is none."""
        response = await call(lambda: self._stub.GetEstimate(pb.GetEstimateRequest()), timeout_s=self._timeout_s)
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
        response = await call(lambda: self._stub.VerifyJournal(pb.VerifyJournalRequest()), timeout_s=self._timeout_s)
        return JournalVerdict(
            intact=response.intact,
            entries=response.entries,
            first_bad_index=None if response.intact else response.first_bad_index,
            reason=response.reason,
        )
