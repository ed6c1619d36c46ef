"""What the gateway has seen: Prometheus metrics and a line for people."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from adms.client import AdapterError, OutcomeCode

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Counts:
    """Counters of one gateway, with a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._polls = Counter("adms_sunspec_polls", "Polls answered", ["device"], registry=r)
        self._faults = Counter("adms_sunspec_faults", "What devices did wrong", ["device", "kind"], registry=r)
        self._commands = Counter("adms_sunspec_commands", "Commands by outcome", ["device", "outcome"], registry=r)
        self._answering = Gauge("adms_sunspec_answering", "1 while a device answers", ["device"], registry=r)
        self._poll_s = Histogram("adms_sunspec_poll_seconds", "Duration of a poll", buckets=SECONDS, registry=r)
        self._write_s = Histogram(
            "adms_sunspec_command_seconds", "From a command's arrival to its read-back", buckets=SECONDS, registry=r
        )
        self._up: dict[str, bool] = {}
        self._total: dict[str, int] = {}
        self._server: Any = None

    def serve(self, *, host: str, port: int) -> int:
        """Answers scrapes on a thread of its own; the port. Raises AdapterError where the address cannot be had."""
        try:
            self._server, _ = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise AdapterError(f"cannot listen on {host}:{port} for metrics: {error}", retryable=False) from error
        return int(self._server.server_port)

    def close(self) -> None:
        """Stops answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def polled(self, device_id: str, *, seconds: float) -> None:
        """A poll was answered."""
        self._polls.labels(device_id).inc()
        self._poll_s.observe(seconds)
        self._add("polls")

    def fault(self, device_id: str, kind: str) -> None:
        """A device did something wrong."""
        self._faults.labels(device_id, kind).inc()
        self._add(kind)

    def command(self, device_id: str, outcome: OutcomeCode, *, seconds: float) -> None:
        """A command was answered."""
        self._commands.labels(device_id, outcome.value).inc()
        self._write_s.observe(seconds)
        self._add(f"commands {outcome.value}")

    def answering(self, device_id: str, up: bool) -> None:
        """Whether a device answers."""
        self._answering.labels(device_id).set(float(up))
        self._up[device_id] = up

    def _add(self, what: str) -> None:
        self._total[what] = self._total.get(what, 0) + 1

    def total(self, what: str) -> int:
        """Of polls, a kind of fault, or `commands <outcome>`."""
        return self._total.get(what, 0)

    def status(self) -> str:
        """All of it in one line."""
        counted = ", ".join(f"{what} {count}" for what, count in sorted(self._total.items()))
        return f"{sum(self._up.values())} of {len(self._up)} devices answer; {counted or 'nothing yet'}"
