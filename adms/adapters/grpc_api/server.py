"""One grpc.aio server with every service, health checking, and reflection in simulation only."""

from dataclasses import dataclass

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped, unused-ignore]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped, unused-ignore]

from adms.adapters.grpc_api.control_servicer import ControlServicer
from adms.adapters.grpc_api.health import HealthBoard
from adms.adapters.grpc_api.insight_servicer import InsightServicer
from adms.adapters.grpc_api.operations_servicer import OperationsServicer
from adms.adapters.grpc_api.simulation_servicer import SimulationClockServicer
from adms.adapters.grpc_api.telemetry_servicer import TelemetryServicer
from adms.core.errors import AdapterError
from adms.wire.control.v1 import control_pb2, control_pb2_grpc
from adms.wire.insight.v1 import insight_pb2, insight_pb2_grpc
from adms.wire.operations.v1 import operations_pb2, operations_pb2_grpc
from adms.wire.simulation.v1 import simulation_pb2, simulation_pb2_grpc
from adms.wire.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc

MESSAGE_MAX_BYTES = 4 * 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    ("grpc.max_send_message_length", 4 * MESSAGE_MAX_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Two services on one port would share the connections between them: the second shall fail instead.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, kw_only=True)
class Servicers:
    """Everything that is served."""

    telemetry: TelemetryServicer
    control: ControlServicer
    operations: OperationsServicer
    insight: InsightServicer
    simulation: SimulationClockServicer | None
    """None outside simulation."""


class GrpcServer:
    """Serves until stopped."""

    def __init__(self, servicers: Servicers, *, health: HealthBoard) -> None:
        self._server = grpc.aio.server(options=OPTIONS)
        self._health = health
        services = [
            telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"].full_name,
            control_pb2.DESCRIPTOR.services_by_name["ControlService"].full_name,
            operations_pb2.DESCRIPTOR.services_by_name["OperationsService"].full_name,
            insight_pb2.DESCRIPTOR.services_by_name["InsightService"].full_name,
        ]
        telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(servicers.telemetry, self._server)
        control_pb2_grpc.add_ControlServiceServicer_to_server(servicers.control, self._server)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(servicers.operations, self._server)
        insight_pb2_grpc.add_InsightServiceServicer_to_server(servicers.insight, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, self._server)
        if servicers.simulation is not None:
            simulation_pb2_grpc.add_SimulationClockServiceServicer_to_server(servicers.simulation, self._server)
            services.append(simulation_pb2.DESCRIPTOR.services_by_name["SimulationClockService"].full_name)
            checked = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            reflection.enable_server_reflection([*services, reflection.SERVICE_NAME, checked], self._server)
        self._services = tuple(services)

    async def start(self, address: str) -> int:
        """Listens; the port. Raises AdapterError where the address cannot be had."""
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise AdapterError(f"cannot listen on {address}: {error}", retryable=False) from error
        if port == 0:
            raise AdapterError(f"cannot listen on {address}", retryable=False)
        await self._health.begin(self._services)
        await self._server.start()
        return port

    async def stop(self, *, grace_s: float) -> None:
        """Tells clients, lets calls end, then closes."""
        await self._health.end()
        await self._server.stop(grace_s)
