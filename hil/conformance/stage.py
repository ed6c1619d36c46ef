"""What a rule has in its hands: the played service, the device under test, commands to send, and what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isfinite, nan
from statistics import median
from typing import Protocol, TypeVar

from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from hil.conformance.levels import DeviceUnderTest, two_levels
from hil.conformance.rules import BrokenError, NotApplicableError
from hil.conformance.seen import Sample, SeenOutcome, SeenStream
from hil.conformance.service import Manner, PlayedService
from hil.conformance.timing import Timing

T = TypeVar("T")
POLL_S = 0.02
HOLD_S = 60.0
"""Length of a lease whose end does not matter, beyond the time that the device needs to settle."""
GRAIN_FRAMES = 10


class Restartable(Protocol):
    """A client that the kit may start again."""

    @property
    def exit_code(self) -> int | None:
        """Of one that ended by itself; None while it runs, and where the kit ended it."""

    async def start(self, endpoint: str) -> None:
        """Starts it."""

    async def stop(self) -> None:
        """Ends it."""


class Stage:
    """One device of one client, for the length of a run."""

    def __init__(
        self, *, service: PlayedService, timing: Timing, device: DeviceUnderTest, client: Restartable | None
    ) -> None:
        self.service = service
        self.timing = timing
        self.device = device
        self.client = client
        self.seen = service.seen
        self.manner = service.manner
        self.tolerance_w = timing.tolerance_frac * device.s_max_va
        self._sequence = 0

    # --- what is known -------------------------------------------------------------------------------------------

    def now_s(self) -> float:
        """The kit's clock."""
        return self.seen.now_s()

    def samples(self, *, since_s: float = -inf) -> list[Sample]:
        """Outputs of the device that it measured from a moment on."""
        found = []
        for sample in reversed(self.seen.samples.get(self.device.device_id, [])):
            if sample.measure_s < since_s:
                break
            found.append(sample)
        return found[::-1]

    @property
    def reports_p(self) -> bool:
        """Whether the output of the device is seen at all."""
        return any(isfinite(sample.p_w) for sample in self.samples())

    def grain_s(self) -> float:
        """Longest time between the last few samples."""
        times = [sample.measure_s for sample in self.seen.samples.get(self.device.device_id, [])[-GRAIN_FRAMES:]]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def usual_grain_s(self) -> float:
        """Median time between the last few samples."""
        times = [sample.measure_s for sample in self.seen.samples.get(self.device.device_id, [])[-GRAIN_FRAMES:]]
        return median([b - a for a, b in pairwise(times)] or [0.0])

    def watch_s(self) -> float:
        """For how long it is watched that nothing happens."""
        return max(self.timing.watch_s, 4.0 * self.grain_s())

    def levels(self) -> tuple[float, float]:
        """Two levels in W, apart from each other and from the default. Raises NotApplicableError."""
        if not self.reports_p:
            raise NotApplicableError(
                f"no telemetry of the injection of {self.device.device_id} (see TEL1): no effect is seen"
            )
        newest = self.samples()[-1].p_available_w
        found = two_levels(self.device, tolerance_w=self.tolerance_w, p_available_w=newest)
        if found is None:
            raise NotApplicableError(
                f"{self.device.p_min_w:g} to {self.device.p_max_w:g} W is too narrow a range to tell levels apart"
                f" within {self.tolerance_w:g} W"
            )
        return found

    def near(self, p_w: float, level_w: float) -> bool:
        """Whether an output is at a level."""
        return abs(p_w - level_w) <= self.tolerance_w

    def at_rest(self, p_w: float, *, leased_w: float) -> bool:
        """Whether an output is at the stored default; where that leaves P to the device, no more at the lease."""
        if isfinite(self.device.default_p_w):
            return self.near(p_w, self.device.default_p_w)
        return abs(p_w - leased_w) > self.tolerance_w

    def default_words(self) -> str:
        """The stored default, for a person."""
        p_w = self.device.default_p_w
        return f"{p_w:.0f} W" if isfinite(p_w) else "what the device does by itself"

    def outcomes_of(self, command_id: str) -> list[SeenOutcome]:
        """Every outcome of a command, repetitions of one message left out."""
        found: dict[tuple[str, int], SeenOutcome] = {}
        instance = {stream.index: _instance(stream) for stream in self.seen.streams}
        for outcome in self.seen.outcomes:
            if outcome.report.command_id == command_id:
                found.setdefault((instance[outcome.stream], outcome.sequence), outcome)
        return list(found.values())

    # --- what is done --------------------------------------------------------------------------------------------

    def command(
        self,
        *,
        p_w: float | None = None,
        q_var: float | None = None,
        lease_s: float = nan,
        issued_ago_s: float = 0.0,
        epoch: int | None = None,
        sequence: int | None = None,
        command_id: str = "",
    ) -> control_pb2.Command:
        """A lease. Without more it is in order: the newest sequence of the present epoch, and it lasts long."""
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        epoch = self.manner.epoch if epoch is None else epoch
        now_s = self.now_s()
        message = control_pb2.Command(
            command_id=command_id or f"conformance-{epoch}-{sequence}",
            device_id=self.device.device_id,
            epoch=epoch,
            sequence=sequence,
            setpoint=common_pb2.Setpoint(power=common_pb2.PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var)),
            app="dispatch",
            reason="conformance kit",
        )
        long_s = HOLD_S + 2.0 * (self.timing.settle_s + self.device.reach_s(2.0 * self.device.s_max_va))
        message.issue_time.FromMicroseconds(int((now_s - issued_ago_s) * 1e6))
        message.expiry.FromMicroseconds(int((now_s + (lease_s if isfinite(lease_s) else long_s)) * 1e6))
        return message

    def next_epoch(self) -> int:
        """The played service is led anew."""
        self.manner.epoch += 1
        return self.manner.epoch

    def harmless(self) -> control_pb2.Command:
        """A lease in order that asks for what the device would do anyway, or for the least that it gives."""
        rest_w = self.device.default_p_w
        return self.command(p_w=rest_w if isfinite(rest_w) else self.device.p_min_w)

    async def send(self, *commands: control_pb2.Command) -> float:
        """Sends one batch on the client's stream; when. Raises BrokenError where there is none in time."""
        await self.registered()
        line = self.service.control.lines[self.device.controller_id]
        line.batches += 1
        batch = control_pb2.CommandBatch(stream_sequence=line.batches, commands=commands)
        line.put(control_pb2.AttachResponse(command_batch=batch))
        return self.now_s()

    def cut(self, *, refuse: bool) -> None:
        """Breaks the client's control stream; `refuse` keeps it out until `restore`."""
        self.manner.refuse_control = refuse
        line = self.service.control.lines.pop(self.device.controller_id, None)
        if line is not None:
            line.end(cut=True)

    async def restore(self) -> None:
        """The played service is back to its ordinary manner, and the client on its stream, started again where it had
        ended. Raises BrokenError."""
        ordinary = Manner(epoch=self.manner.epoch)
        vars(self.manner).update(vars(ordinary))
        await self.service.revive()
        if self.client is not None and self.client.exit_code is not None:
            await self.client.stop()
            await self.client.start(self.service.endpoint)
            await self.registered(within_s=self.timing.begin_s)
        await self.registered()
        if self.reports_p:
            await self.fresh_sample()

    # --- what is waited for --------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], T | None], *, within_s: float) -> T | None:
        """The first answer that is not None; None where there is none in time."""
        until_s = self.now_s() + within_s
        while True:
            found = condition()
            if found is not None or self.now_s() >= until_s:
                return found
            await asyncio.sleep(POLL_S)

    async def registered(self, *, within_s: float | None = None) -> SeenStream:
        """The client's stream. Raises BrokenError where it does not register in time."""
        limit_s = self.timing.reconnect_s if within_s is None else within_s
        line = await self.until(lambda: self.service.control.lines.get(self.device.controller_id), within_s=limit_s)
        if line is None:
            raise BrokenError(
                expected=f"controller {self.device.controller_id} registers within {limit_s:g} s",
                seen=f"no registration; {len(self.seen.attach_attempts_s)} attempts in all",
            )
        return self.seen.streams[line.index - 1]

    async def fresh_sample(self) -> Sample:
        """One that is measured from now on. Raises BrokenError where none comes in time."""
        now_s = self.now_s()
        found = await self.until(
            lambda: next(
                (s for s in self.samples()[-1:] if s.arrival_s >= now_s and s.measure_s >= now_s - self.timing.skew_s),
                None,
            ),
            within_s=self.timing.reconnect_s,
        )
        if found is None:
            raise BrokenError(
                expected=f"telemetry of {self.device.device_id} within {self.timing.reconnect_s:g} s", seen="none"
            )
        return found

    async def answer(self, command: control_pb2.Command, *, count: int = 1) -> SeenOutcome:
        """The outcome number `count` of a command. Raises BrokenError where it does not come in time."""
        found = await self.until(
            lambda: self.outcomes_of(command.command_id)[count - 1 : count] or None, within_s=self.timing.answer_s
        )
        if found is None:
            which = "an outcome" if count == 1 else f"outcome number {count}"
            raise BrokenError(
                expected=f"{which} of command {command.command_id} within {self.timing.answer_s:g} s",
                seen=f"{len(self.outcomes_of(command.command_id))} outcomes",
            )
        return found[0]

    async def arrives(self, level_w: float, *, since_s: float, distance_w: float) -> Sample | None:
        """The first sample at a level, within the time that the device has for it."""
        return await self.until(
            lambda: next((s for s in self.samples(since_s=since_s) if self.near(s.p_w, level_w)), None),
            within_s=self.timing.settle_s + self.device.reach_s(distance_w) + 2.0 * self.grain_s(),
        )

    async def strays(self, level_w: float, *, for_s: float | None = None) -> Sample | None:
        """The first sample that is not at a level, from now on; None where all are."""
        since_s = self.now_s()
        return await self.until(
            lambda: next((s for s in self.samples(since_s=since_s) if abs(s.p_w - level_w) > self.tolerance_w), None),
            within_s=self.watch_s() if for_s is None else for_s,
        )

    async def obeys(self, command: control_pb2.Command, *, level_w: float) -> SeenOutcome:
        """A command that is in order: SUCCESS, and the output at the level. Raises BrokenError."""
        sent_s = await self.send(command)
        outcome = await self.answer(command)
        if outcome.code != "SUCCESS":
            raise BrokenError(
                expected=f"SUCCESS for a setpoint of {level_w:.0f} W that is in order",
                seen=f"{outcome.code} {outcome.report.text}".strip(),
            )
        await self.reaches(level_w, since_s=sent_s)
        return outcome

    async def reaches(self, level_w: float, *, since_s: float) -> Sample:
        """The output gets to a level. Raises BrokenError."""
        found = await self.arrives(level_w, since_s=since_s, distance_w=2.0 * self.device.s_max_va)
        if found is None:
            raise BrokenError(
                expected=f"an output of {level_w:.0f} ± {self.tolerance_w:.0f} W within {self.timing.settle_s:g} s"
                " and the time of its ramp",
                seen=self.output_words(),
            )
        return found

    async def stays(self, level_w: float, *, why: str, for_s: float | None = None) -> None:
        """The output keeps a level while it is watched. Raises BrokenError."""
        began_s = self.now_s()
        stray = await self.strays(level_w, for_s=for_s)
        if stray is not None:
            raise BrokenError(
                expected=f"the output stays at {level_w:.0f} W: {why}",
                seen=f"{stray.p_w:.0f} W after {stray.measure_s - began_s:.2f} s",
            )

    async def refuses(self, command: control_pb2.Command, *, codes: Sequence[str], level_w: float, why: str) -> None:
        """A command that must not be carried out: the code says so, and the output stays. Raises BrokenError."""
        await self.send(command)
        await self.declines(command, codes=codes, why=why)
        await self.stays(level_w, why=why)

    async def declines(self, command: control_pb2.Command, *, codes: Sequence[str], why: str, count: int = 1) -> None:
        """The code says that a command is not carried out. Raises BrokenError."""
        outcome = await self.answer(command, count=count)
        if outcome.code not in codes:
            raise BrokenError(
                expected=f"{' or '.join(codes)}: {why}", seen=f"{outcome.code} {outcome.report.text}".strip()
            )

    def output_words(self) -> str:
        """The newest output, for a person."""
        newest = self.samples()[-1:]
        return f"{newest[0].p_w:.0f} W" if newest else "no telemetry"


def _instance(stream: SeenStream) -> str:
    return "" if stream.registration is None else stream.registration.instance_id
