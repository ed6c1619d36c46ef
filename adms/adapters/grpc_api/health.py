"""What health checks are told (`adms.ports.outward.Health`)."""

import asyncio

from grpc_health.v1 import health, health_pb2  # type: ignore[import-untyped, unused-ignore]

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthBoard:
    """The standard health service, with one state for all services: they share their rounds."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()
        self._services: tuple[str, ...] = ("",)
        self._ok = True
        self._telling: asyncio.Task[None] | None = None

    async def begin(self, services: tuple[str, ...]) -> None:
        """Names the services that are checked, and says that they serve."""
        self._services = ("", *services)
        await self._tell()

    def serving(self, *, ok: bool) -> None:
        """Whether rounds run as they should."""
        if ok != self._ok:
            self._ok = ok
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def end(self) -> None:
        """Says for good that nothing is served any more."""
        await self.servicer.enter_graceful_shutdown()

    async def _tell(self) -> None:
        for service in self._services:
            await self.servicer.set(service, SERVING if self._ok else NOT_SERVING)
