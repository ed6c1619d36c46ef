"""Grants time to a service in simulation."""

from collections.abc import Mapping
from datetime import datetime

from adms.client.caller import Caller
from adms.client.records import Advance
from adms.convert.common import time_from_proto, time_to_proto
from adms.wire.simulation.v1 import simulation_pb2 as pb
from adms.wire.simulation.v1 import simulation_pb2_grpc


class SimulationClock(Caller):
    """The bench's hand on the clock."""

    def __init__(self, endpoint: str, *, timeout_s: float = 30.0) -> None:
        super().__init__(endpoint, timeout_s=timeout_s)
        self._stub: simulation_pb2_grpc.SimulationClockServiceAsyncStub = (
            simulation_pb2_grpc.SimulationClockServiceStub(self._channel)
        )

    async def advance_to(
        self,
        time: datetime,
        *,
        expect_frames: Mapping[str, int] | None = None,
        expect_outcomes: Mapping[str, int] | None = None,
    ) -> Advance:
        """Lets the service do everything due up to and including `time`, once the frames (per source id) and outcomes
        (per controller id) named by their last sequence have arrived. Raises InputError for a time in the past and
        AdapterError naming what did not arrive. A grant may be repeated after a failure: what was done is not done
        again."""
        request = pb.AdvanceToRequest(
            time=time_to_proto(time),
            expect_frames=[
                pb.FrameProgress(source_id=source, sequence=sequence)
                for source, sequence in (expect_frames or {}).items()
            ],
            expect_outcomes=[
                pb.OutcomeProgress(controller_id=controller, sequence=sequence)
                for controller, sequence in (expect_outcomes or {}).items()
            ],
        )
        response = await self._call(self._stub.AdvanceTo, request)
        return Advance(
            time=time_from_proto(response.time),
            rounds=response.rounds,
            streams={stream.controller_id: stream.stream_sequence for stream in response.streams},
        )
