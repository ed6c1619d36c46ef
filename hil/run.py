"""The run in lockstep: plant, meters, service, devices, referee, one scan after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from adms.client import DeviceClass, OutcomeCode, PowerSetpoint, RoundReport, setpoint_in_words
from hil.arms import Bench, feeder_state, protection_busy
from hil.engine import FloatArray
from hil.feeder_time import seconds
from hil.fieldbus import Message
from hil.measures import Actuation, Deadline, ServiceOutage
from hil.meters import GATEWAY, Meters
from hil.oracle import FeederState
from hil.picture import Service, in_columns
from hil.plant.plant import Plant
from hil.pseudo import PseudoFlow
from hil.record import EstimateRow, Trace
from hil.referee import Referee
from hil.rounds import RoundLog
from hil.scenario import Outage
from hil.sensors.channel import Delivery
from hil.story import Story
from hil.wiring.pace import Pacer, Pacing
from hil.wiring.start import Wiring


class Bus(Protocol):
    """A field process, as the plant speaks with it."""

    async def ask(self, message: Message) -> Message:
        """One message, one answer."""
        ...


class Supervisor(Protocol):
    """Whoever can kill and start the service."""

    async def kill(self) -> None:
        """End it at once."""
        ...

    async def start(self) -> str:
        """Start it again; the address of its API."""
        ...


@dataclass(kw_only=True)
class Session:
    """Everything of one run that changes."""

    bench: Bench
    plant: Plant
    meters: Meters
    referee: Referee
    pseudo: PseudoFlow
    trace: Trace
    story: Story
    service: Service
    supervisor: Supervisor
    endpoint: str
    buses: Mapping[str, Bus]
    """Field processes by role."""
    outage: Outage | None = None
    real_time: bool = False
    wiring: Wiring | None = None
    """Devices on other protocols than gRPC."""
    pacing: Pacing | None = None
    """How a run in real time kept its time."""
    estimates: list[EstimateRow] = field(default_factory=list)
    rounds: RoundLog = field(default_factory=RoundLog)
    actuations: list[Actuation] = field(default_factory=list)
    wall_s: dict[str, float] = field(default_factory=dict)
    """What the run waited for, by part: for the report only."""
    late: list[Deadline] = field(default_factory=list)
    """Scans of a run in real time that ended after the next was due."""
    outages: list[ServiceOutage] = field(default_factory=list)
    service_up: bool = True
    released: bool = False
    """The operator has put the service into CONTROL (since its last start)."""
    import_max_w: float | None = None
    import_from_s: float = 0.0
    before_restoration: FeederState | None = None
    commands: int = 0
    targets: dict[str, tuple[float | None, float]] = field(default_factory=dict)
    leased: frozenset[str] = frozenset()
    _outcomes: dict[str, int] = field(default_factory=dict)
    _outcomes_before: dict[str, int] = field(default_factory=dict)
    _events_told: int = 0
    _wired_leases: frozenset[str] = frozenset()
    _last_mode: str = ""
    _notes: frozenset[tuple[str, str]] = frozenset()
    """Of the round before: a note is told when it is new."""

    async def play(self) -> None:
        """The whole story."""
        self.plant.watcher = self.referee
        self.plant.on_step = self.meters.observe
        if self.bench.fault is not None:
            self.referee.fault_began(time_s=self.bench.fault.time_s)
        async for now_s in self._ticks():
            await self._service_events(now_s)
            if self.wiring is not None:
                with self._taking("devices"):
                    await self._wired_devices(self.wiring, now_s=now_s)
            with self._taking("plant"):
                self.plant.advance(now_s)
            await self._scan(now_s)

    async def _ticks(self) -> AsyncIterator[float]:
        """Feeder seconds of the scans: one after the other, or at wall speed, where those that passed meanwhile are
        left out."""
        timing = self.bench.scenario.timing
        if not self.real_time:
            for k in range(1, round(timing.duration_s / timing.scan_s) + 1):
                yield k * timing.scan_s
            return
        pacer = Pacer(timing.scan_s)
        pacer.start(zero_s=self.wiring.zero_s if self.wiring is not None else None)
        while (now_s := await pacer.tick()) <= timing.duration_s + 1e-9:
            yield now_s
            late_s = pacer.now_s - (now_s + timing.scan_s)
            if late_s > 0.0:
                self.late.append(Deadline(time_s=now_s, late_s=late_s))
        self.pacing = pacer.stop()

    # ---- one scan -------------------------------------------------------------------------------------------

    async def _scan(self, now_s: float) -> None:
        with self._taking("record"):
            self._look(now_s)
        with self._taking("meters and frames"):
            frames = await self._read_meters(now_s)
        expect: Mapping[str, int] = {}
        news: RoundReport | None = None
        if self.service_up:
            with self._taking("service"):
                await self._operators(now_s)
                expect = await self.service.advance_to(now_s, frames=frames, outcomes=self._new_outcomes())
                news = await self.service.round_at(now_s)
            if news is not None and self.wiring is not None:
                self.wiring.round(news)
        with self._taking("devices"):
            await self._devices(now_s, expect=expect)
        with self._taking("record"):
            self.rounds.take(news, time_s=now_s, service_up=self.service_up)
            if news is not None:
                self._keep_estimate(news)
            self._tell(now_s, news=news)

    @contextmanager
    def _taking(self, part: str) -> Iterator[None]:
        """Adds the wall time of what is inside to a part of the run."""
        began = time.perf_counter()
        yield
        self.wall_s[part] = self.wall_s.get(part, 0.0) + time.perf_counter() - began

    @property
    def _wired(self) -> frozenset[str]:
        return self.wiring.left_out if self.wiring is not None else frozenset()

    def _new_outcomes(self) -> dict[str, int]:
        """Outcomes to wait for: those given since the service (re)started."""
        return {name: n for name, n in self._outcomes.items() if n > self._outcomes_before.get(name, 0)}

    def _look(self, now_s: float) -> None:
        busy = protection_busy(self.plant)
        self.trace.take(self.plant, in_fault=busy)
        fresh = self.plant.events[self._events_told :]
        self._events_told = len(self.plant.events)
        self.trace.events.extend(fresh)
        for event in fresh:
            self.story.plant(event)
        locked = any(event.what == "lockout" for event in self.plant.events)
        if self.before_restoration is None and self.plant.fault_on and not busy and locked:
            self.before_restoration = feeder_state(self.plant)

    async def _read_meters(self, now_s: float) -> dict[str, int]:
        arrived = self.meters.deliveries(now_s)
        if self.wiring is not None:
            await self.wiring.show(now_s, deliveries=arrived)
            arrived = {owner: of for owner, of in arrived.items() if owner not in self.wiring.left_out}
        frames: dict[str, int] = {}
        replies = await asyncio.gather(
            *(
                bus.ask({"type": "deliver", "time_s": now_s, "deliveries": self._of_role(role, arrived)})
                for role, bus in self.buses.items()
            )
        )
        for reply in replies:
            frames.update(reply["frames"])
        return frames

    def _of_role(self, role: str, arrived: Mapping[str, Sequence[Delivery]]) -> dict[str, Any]:
        """DER have a process of their own; everything else hangs on the gateway's."""
        return {
            owner: [delivery.to_message() for delivery in deliveries]
            for owner, deliveries in arrived.items()
            if (owner in self.plant.ders) == (role != GATEWAY)
        }

    async def _wired_devices(self, wiring: Wiring, *, now_s: float) -> None:
        """What devices on other protocols were told since the last tick."""
        reply = await wiring.act()
        for command in reply["commands"]:
            self.commands += 1
            self._judge(command, now_s=now_s)
        wiring.obey(reply)
        for name, (p_w, q_var) in reply["targets"].items():
            self.targets[name] = (p_w, q_var)
        self._wired_leases = frozenset(reply["leased"])
        for problem in wiring.news():
            self.story.emit("problem", time_s=now_s, message=problem)

    async def _devices(self, now_s: float, *, expect: Mapping[str, int]) -> None:
        question: Message = {"type": "act", "time_s": now_s, "expect": dict(expect)}
        replies = await asyncio.gather(*(bus.ask(question) for bus in self.buses.values()))
        leases = 0
        leased: list[str] = []
        for reply in replies:
            for command in reply["commands"]:
                self.commands += 1
                self._time(command, now_s=now_s)
                if self.wiring is not None:
                    self.wiring.heard(command)
                leases += command["power"] is not None
                self._judge(command, now_s=now_s)
            for action in reply["actions"]:
                self._act(action)
            for name, (p_w, q_var) in reply["targets"].items():
                unit = self.plant.ders[name]
                unit.p_target_w, unit.q_target_var = p_w, q_var
                self.targets[name] = (p_w, q_var)
            leased += reply["leased"]
            if reply["supervised"] is not None:
                for name in self.plant.automatic.keys() - self._wired:
                    self.plant.automatic[name] = not reply["supervised"]
            self._outcomes.update(reply["outcomes"])
        self.leased = frozenset(leased) | self._wired_leases
        for name, unit in self.plant.ders.items():
            if name not in self._wired:
                unit.leased = name in self.leased
        self.story.lease_count += leases
        if leases:
            self.story.emit("leases", time_s=now_s, count=leases)

    def _time(self, command: Message, *, now_s: float) -> None:
        self.actuations.append(
            Actuation(
                device_id=command["device_id"],
                sensed_s=command["issue_s"],
                heard_s=now_s,
                wall_s=command["wall_s"] if self.real_time else float("nan"),
            )
        )

    def _act(self, action: Message) -> None:
        device, position = action["device_id"], int(action["position"])
        match action["kind"]:
            case DeviceClass.SWITCH:
                self.plant.operate_switch(device, closed=bool(position))
            case DeviceClass.TAP_CHANGER:
                self.plant.move_tap(device, position=position)
            case DeviceClass.CAPACITOR:
                self.plant.switch_capacitor(device, steps=position)

    def _judge(self, command: Message, *, now_s: float) -> None:
        device = command["device_id"]
        if command["code"] != OutcomeCode.SUCCESS:
            text = f"{device} answers {command['code']}: {command['text']}"
            self.story.step(text, time_s=now_s, why=command["reason"])
            if command["code"] == OutcomeCode.LOCAL:
                self.referee.local_command(device, time_s=now_s)
            return
        if command["tap"] is not None:
            moves = self.plant.taps[device] != command["tap"]
            self.referee.tap_command(device, time_s=now_s, moves=moves)
        elif command["power"] is not None:
            p_w, q_var = command["power"]
            self.referee.power_command(
                self.plant.ders[device].entry, time_s=now_s, p_injection_w=p_w, q_injection_var=q_var
            )

    # ---- people ---------------------------------------------------------------------------------------------

    async def _operators(self, now_s: float) -> None:
        scenario = self.bench.scenario
        if not self.released and now_s >= scenario.control_time_s:
            refusal = await self.service.release_to_control()
            self.released = refusal is None
            if self.released:
                self.story.step("the operator releases the service to CONTROL", time_s=now_s, why="story")
        notice = scenario.import_limit
        if notice is not None and self.import_max_w is None and now_s >= notice.time_s:
            present = float(np.mean(self.trace.import_w[-15:]))
            self.import_max_w = max(round(present * notice.share_frac, -3), notice.floor_w)
            self.import_from_s = now_s
            await self.service.limit_import(self.import_max_w)
            self.story.step(
                f"the transmission operator limits import to {self.import_max_w / 1e3:.0f} kW",
                time_s=now_s,
                why=f"{notice.share_frac:.0%} of the present {present / 1e3:.0f} kW",
            )

    async def _service_events(self, now_s: float) -> None:
        outage = self.outage
        if outage is None:
            return
        if self.service_up and outage.start_s <= now_s < outage.start_s + (outage.duration_s or np.inf):
            self.story.emit("service_kill", time_s=now_s)
            await self.supervisor.kill()
            await self.service.close()
            await asyncio.gather(*(bus.ask({"type": "lost"}) for bus in self.buses.values()))
            self.service_up = self.released = False
            self.outages.append(ServiceOutage(start_s=now_s))
            self.story.step("the service is killed", time_s=now_s, why="scenario")
        elif not self.service_up and outage.duration_s is not None and now_s >= outage.start_s + outage.duration_s:
            self.story.emit("service_start", time_s=now_s)
            endpoint = await self.supervisor.start()
            if endpoint != self.endpoint:
                raise RuntimeError(f"field devices look for the service at {self.endpoint}, it started at {endpoint}")
            await self.service.connect(endpoint)
            await asyncio.gather(*(bus.ask({"type": "ready"}) for bus in self.buses.values()))
            self._outcomes_before = dict(self._outcomes)
            self.service_up = True
            self.outages[-1] = replace(self.outages[-1], end_s=now_s)
            self.story.step("the service is started again", time_s=now_s, why="scenario")

    # ---- what it says ---------------------------------------------------------------------------------------

    def _keep_estimate(self, news: RoundReport) -> None:
        if news.estimate is None or self.trace.in_fault[-1]:
            return
        v_pu, sigma_pu = in_columns(news.estimate, nodes=self.trace.nodes)
        self.estimates.append(
            EstimateRow(
                time_s=seconds(news.time),
                grade=news.grade.name.lower(),
                v_pu=v_pu,
                sigma_pu=sigma_pu,
                truth_pu=self.trace.v_pu[-1],
                pseudo_pu=self._pseudo(),
            )
        )

    def _pseudo(self) -> FloatArray:
        plant = self.plant
        v_pu = self.pseudo.solve(
            closed=plant.closed,
            taps=plant.taps,
            capacitors=plant.capacitors,
            der_va={name: complex(unit.p_w, unit.q_var) for name, unit in plant.ders.items()},
        )
        return v_pu[self.pseudo.rows(self.trace.nodes)]

    def _tell(self, now_s: float, *, news: RoundReport | None) -> None:
        fields: dict[str, Any] = {}
        if news is not None:
            mode = news.mode.name.lower()
            fields = {
                "mode": mode,
                "grade": news.grade.name.lower(),
                "grade_reason": news.grade_reason,
                "estimate_ms": news.estimate_ms,
                "v_min_pu": news.v_min_pu,
                "v_min_node": news.v_min_node,
                "v_max_pu": news.v_max_pu,
                "v_max_node": news.v_max_node,
                "losses_w": news.losses_w,
                "import_w": news.interface_import_w,
                "import_max_w": news.interface_import_max_w,
            }
            for command in news.commands:
                if not isinstance(command.setpoint, PowerSetpoint):
                    words = setpoint_in_words(command.setpoint)
                    self.story.move(
                        time_s=now_s, device=command.device_id, setpoint=words, app=command.app, reason=command.reason
                    )
            for refused in news.refusals:
                self.story.refusal(device=refused.device_id, guard=refused.guard, reason=refused.reason)
            for app, text in news.notes:
                if app == "flisr" and (app, text) not in self._notes:
                    self.story.step(f"FLISR: {text}", time_s=now_s)
            self._notes = frozenset(news.notes)
            if mode != self._last_mode:
                self.story.step(f"mode {mode.upper()}", time_s=now_s)
                self._last_mode = mode
        self.story.emit(
            "scan",
            time_s=now_s,
            **fields,
            customers_off=self.trace.customers_off[-1],
            true_import_w=round(self.trace.import_w[-1]),
            service_up=self.service_up,
        )
