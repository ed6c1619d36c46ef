"""The lockstep of plant, meters and devices, with a scripted service in place of the real one."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

import pytest

from adms.client import PowerSetpoint, Quality, ReceivedCommand, RoundReport, SwitchSetpoint, TapSetpoint
from hil import field as field_module
from hil.arms import Bench, restoration, restored_w
from hil.devices import Answer
from hil.field import Field, answer
from hil.fieldbus import Message
from hil.frames import FrameUse
from hil.meters import GATEWAY, Meters
from hil.record import Trace
from hil.referee import Referee
from hil.run import Session
from hil.scenario import Outage
from hil.setup import ders_setup, gateway_setup
from hil.story import Story
from tests.unit.hil.bench_case import bench, command_to


class StandInSource:
    """A telemetry link to nowhere."""

    def __init__(self, *, source_id: str, **_: Any) -> None:
        self.source_id = source_id
        self.sent = 0
        self.connected = True
        self.problems: list[str] = []

    async def send(
        self, *, time_s: float, index: Sequence[int], value: Sequence[float], quality: Sequence[Quality] = ()
    ) -> int:
        assert len(index) == len(value) > 0
        assert len(quality) in (0, len(value))
        self.sent += 1
        return self.sent


class StandInController:
    """A control link that a test feeds."""

    def __init__(self, *, controller_id: str, on_command: Callable[[ReceivedCommand], Answer], **_: Any) -> None:
        self.controller_id = controller_id
        self.on_command = on_command
        self.connected = True
        self.outcome_sequence = 0
        self.problems: list[str] = []
        self.stream_sequence = 0

    def deliver(self, command: ReceivedCommand) -> None:
        self.on_command(command)
        self.outcome_sequence += 1
        self.stream_sequence += 1

    async def reached(self, stream_sequence: int) -> None:
        assert self.stream_sequence >= stream_sequence


@dataclass(kw_only=True)
class FieldBus:
    field: Field

    async def ask(self, message: Message) -> Message:
        if message["type"] == "ready":
            self._set(connected=True)
            return {"problems": []}
        if message["type"] == "lost":
            self._set(connected=False)
            return {"lost": True}
        # The wire carries JSON.
        told: Message = json.loads(json.dumps(await answer(self.field, json.loads(json.dumps(message)))))
        return told

    def _set(self, *, connected: bool) -> None:
        for link in self.field.controllers.values():
            link.connected = connected  # type: ignore[misc]


class StandInSupervisor:
    async def kill(self) -> None:
        pass

    async def start(self) -> str:
        return "nowhere:1"


@dataclass(kw_only=True)
class ScriptedService:
    """Sends what the script says, at its times."""

    script: list[tuple[float, ReceivedCommand]]
    controllers: dict[str, StandInController] = field(default_factory=dict)
    granted: list[float] = field(default_factory=list)
    import_max_w: float | None = None
    releases: int = 0

    async def connect(self, endpoint: str) -> None:
        assert endpoint == "nowhere:1"

    async def advance_to(
        self, time_s: float, *, frames: Mapping[str, int], outcomes: Mapping[str, int]
    ) -> Mapping[str, int]:
        assert len(frames) == len(self.controllers)
        self.granted.append(time_s)
        streams: dict[str, int] = {}
        while self.script and self.script[0][0] <= time_s:
            _, command = self.script.pop(0)
            holder = self.controllers.get(command.device_id, self.controllers[GATEWAY])
            holder.deliver(command)
            streams[holder.controller_id] = holder.stream_sequence
        return streams

    async def round_at(self, time_s: float) -> RoundReport | None:
        return None

    async def release_to_control(self) -> str | None:
        self.releases += 1
        return None

    async def limit_import(self, import_max_w: float) -> None:
        self.import_max_w = import_max_w

    async def frames_used(self) -> Mapping[str, FrameUse]:
        return {}

    async def close(self) -> None:
        pass


def switch(device: str, *, closed: bool) -> ReceivedCommand:
    return command_to(device, SwitchSetpoint(closed=closed))


def session(
    setup: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *,
    script: list[tuple[float, ReceivedCommand]],
    outage: Outage | None = None,
) -> tuple[Session, ScriptedService]:
    monkeypatch.setattr(field_module, "TelemetryLink", StandInSource)
    monkeypatch.setattr(field_module, "ControlLink", StandInController)
    plant = setup.plant()
    meters = Meters(plant, plan=setup.scenario.meters, seed=setup.seed)
    fields = {
        GATEWAY: Field(gateway_setup(plant, meters, scenario=setup.scenario, endpoint="nowhere:1")),
        "ders": Field(ders_setup(plant, meters, scenario=setup.scenario, endpoint="nowhere:1")),
    }
    service = ScriptedService(script=script)
    for one in fields.values():
        service.controllers.update(one.controllers)  # type: ignore[arg-type]
    made = Session(
        bench=setup,
        plant=plant,
        meters=meters,
        referee=Referee(plant.circuit, tap_min_interval_s=15.0),
        pseudo=setup.pseudo_flow(),
        trace=Trace(nodes=plant.circuit.nodes),
        story=Story(out=StringIO()),
        service=service,
        supervisor=StandInSupervisor(),
        endpoint="nowhere:1",
        buses={role: FieldBus(field=one) for role, one in fields.items()},
        outage=outage,
    )
    return made, service


def lasting(seconds: float) -> Bench:
    setup = bench()
    return replace(setup, scenario=replace(setup.scenario, timing=replace(setup.scenario.timing, duration_s=seconds)))


async def test_the_restoration_that_brute_force_finds_can_be_switched_and_counts_as_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = session(lasting(200.0), monkeypatch, script=[])
    await first.play()
    state = first.before_restoration
    assert state is not None
    best = restoration(first.bench, state=state)
    assert best.restorable_w > 0.8 * best.lost_w
    opening = [(200.0, switch(device, closed=False)) for device, closed in best.switches.items() if not closed]
    closing = [(210.0, switch(device, closed=True)) for device, closed in best.switches.items() if closed]
    second, service = session(lasting(230.0), monkeypatch, script=[*opening, *closing])
    await second.play()
    assert second.referee.found == []
    assert restored_w(second.plant, state=state) == pytest.approx(best.restorable_w)
    assert second.trace.customers_off[-1] < first.trace.customers_off[-1]
    assert service.releases == 1


async def test_closing_the_recloser_without_isolation_is_counted_as_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = session(lasting(210.0), monkeypatch, script=[(200.0, switch("line.sw4", closed=True))])
    await run.play()
    assert [found.rule for found in run.referee.found] == ["SW1"]
    assert not run.plant.closed["line.sw4"]


async def test_a_battery_follows_its_lease_and_falls_back_when_the_service_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease = command_to("der.battery_47", PowerSetpoint(p_injection_w=100e3, q_injection_var=20e3), expiry_s=60.0)
    run, service = session(
        lasting(80.0), monkeypatch, script=[(20.0, lease)], outage=Outage(start_s=40.0, duration_s=None)
    )
    await run.play()
    assert max(service.granted) == 38.0
    battery = [round(value / 1e3) for value in run.trace.battery_w]
    ev_w = -90
    by_time = dict(zip(run.trace.time_s, battery, strict=True))
    # 25 kW/s from 20 s on; the lease ends at 60 s, when the service has been dead for 20 s.
    assert by_time[30.0] - ev_w == 100
    assert by_time[58.0] - ev_w == 100
    assert by_time[70.0] - ev_w == 0
    assert not run.service_up


async def test_after_an_outage_the_story_goes_on_and_the_operator_releases_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, service = session(lasting(60.0), monkeypatch, script=[], outage=Outage(start_s=20.0, duration_s=20.0))
    await run.play()
    assert service.releases == 2
    assert [t for t in service.granted if 20.0 <= t < 40.0] == []
    assert service.granted[-1] == 60.0
    told = [json.loads(line)["event"] for line in run.story.out.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert told.index("service_kill") < told.index("service_start")


async def test_regulators_return_to_local_control_when_supervision_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    tap = command_to("transformer.reg1a", TapSetpoint(position=4))
    run, _ = session(lasting(60.0), monkeypatch, script=[(10.0, tap)], outage=Outage(start_s=20.0, duration_s=None))
    seen: dict[float, bool] = {}
    advance = run.plant.advance

    def watch(time_s: float) -> None:
        seen[time_s] = run.plant.automatic["transformer.reg1a"]
        advance(time_s)

    monkeypatch.setattr(run.plant, "advance", watch)
    await run.play()
    assert seen[10.0]
    assert not seen[14.0]
    assert not seen[48.0]
    assert seen[56.0]
