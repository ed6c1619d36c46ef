"""Prometheus metrics over HTTP (`adms.ports.outward.Metrics`)."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from adms.core.errors import AdapterError

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
MODES = ("OBSERVE", "ADVISE", "CONTROL")


class PrometheusMetrics:
    """Own registry, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._rounds = Counter("adms_rounds", "Rounds by grade of their picture", ["grade"], registry=r)
        self._dropped = Counter("adms_rounds_dropped", "Rounds without a decision", ["reason"], registry=r)
        self._round_s = Histogram("adms_round_seconds", "Duration of a round", buckets=SECONDS, registry=r)
        self._estimate_s = Histogram("adms_estimate_seconds", "Duration of an estimate", buckets=SECONDS, registry=r)
        self._mode = Gauge("adms_mode", "1 for the effective mode", ["mode"], registry=r)
        self._commands = Counter("adms_commands", "Commands sent", ["app"], registry=r)
        self._refused = Counter("adms_refused", "Proposals not permitted", ["app", "guard"], registry=r)
        self._frames = Counter("adms_frames_used", "Telemetry frames accounted for", ["source"], registry=r)
        self._feeder = Gauge("adms_feeder", "Feeder quantities, unit in the name", ["quantity"], registry=r)
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

    def round_done(self, *, duration_s: float, estimate_s: float, grade: str, mode: str) -> None:
        """One round of the cycle."""
        self._rounds.labels(grade).inc()
        self._round_s.observe(duration_s)
        self._estimate_s.observe(estimate_s)
        for name in MODES:
            self._mode.labels(name).set(float(name == mode))

    def round_dropped(self, *, reason: str) -> None:
        """A round that ended without a decision."""
        self._dropped.labels(reason).inc()

    def commands_sent(self, *, app: str, count: int) -> None:
        """Commands that left the gate."""
        self._commands.labels(app).inc(count)

    def refused(self, *, app: str, guard: str) -> None:
        """A proposal that the gate did not permit."""
        self._refused.labels(app, guard).inc()

    def frames_used(self, *, source: str, count: int) -> None:
        """Frames that a journalled cut accounts for."""
        self._frames.labels(source).inc(count)

    def gauge(self, *, name: str, value: float) -> None:
        """A feeder quantity."""
        self._feeder.labels(name).set(value)
