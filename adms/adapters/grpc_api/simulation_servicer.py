"""Time is granted, in simulation only."""

# ruff: noqa: N802 (methods are named by the protos)

import grpc

from adms.adapters.grpc_api.refusal import Context, refusing
from adms.convert.common import time_from_proto, time_problem, time_to_proto
from adms.core.errors import InputError
from adms.core.ids import ControllerId, TelemetrySourceId
from adms.ports.inward import SimulationClock
from adms.ports.records import Expected, NotArrived
from adms.wire.simulation.v1 import simulation_pb2 as pb
from adms.wire.simulation.v1 import simulation_pb2_grpc


class SimulationClockServicer(simulation_pb2_grpc.SimulationClockServiceServicer):
    """Serves the bench."""

    def __init__(self, clock: SimulationClock) -> None:
        self._clock = clock

    async def AdvanceTo(self, request: pb.AdvanceToRequest, context: Context) -> pb.AdvanceToResponse:
        """Waits for what is expected, then does everything due up to and including a time."""
        expected = Expected(
            frames=tuple((TelemetrySourceId(item.source_id), item.sequence) for item in request.expect_frames),
            outcomes=tuple((ControllerId(item.controller_id), item.sequence) for item in request.expect_outcomes),
        )
        async with refusing(context):
            problem = time_problem(request.time, element="advance_to", field="time")
            if problem is not None:
                raise InputError([problem])
            result = await self._clock.advance_to(time_from_proto(request.time), expected=expected)
        if isinstance(result, NotArrived):
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "not arrived: " + "; ".join(result.missing))
        return pb.AdvanceToResponse(
            time=time_to_proto(result.time),
            rounds=result.rounds,
            streams=[
                pb.StreamProgress(controller_id=controller, stream_sequence=sequence)
                for controller, sequence in result.streams
            ],
        )
