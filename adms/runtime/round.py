"""The shell of a round: cut, compute, journal, then tell the world. No arithmetic, and nothing published by halves."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from adms.core.commands import App
from adms.core.errors import AdapterError
from adms.core.estimate import Estimate, NotEstimated
from adms.core.ids import ControllerId, SnapshotId
from adms.core.modes import Mode
from adms.ports.outward import (
    AcknowledgementSink,
    CommandSink,
    Health,
    LiveStore,
    Metrics,
    OutcomeAcknowledgementSink,
    Stopwatch,
)
from adms.ports.records import RoundSummary
from adms.runtime.carried import Carried, cut_draft
from adms.runtime.clock import Clock
from adms.runtime.cycle import Cycle, CycleInputs, CycleResult, CycleState, Picture
from adms.runtime.devices import DeviceCut, DeviceRegister
from adms.runtime.feed import Feed
from adms.runtime.image import Cut, TelemetryImage
from adms.runtime.journal import Draft, JournalWriter
from adms.runtime.modes import ModeChange, ModeKeeper
from adms.runtime.operator_desk import Desk, mode_draft
from adms.runtime.scheduler import Tick
from adms.runtime.summary import live_values, summarise

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Inlets:
    """Where a round reads from."""

    clock: Clock
    image: TelemetryImage
    devices: DeviceRegister
    desk: Desk
    modes: ModeKeeper


@dataclass(frozen=True, kw_only=True)
class Outlets:
    """Where a round writes to, in this order: the journal first."""

    journal: JournalWriter
    frames: AcknowledgementSink
    outcomes: OutcomeAcknowledgementSink
    commands: CommandSink
    live: LiveStore
    metrics: Metrics
    health: Health
    stopwatch: Stopwatch


class Round:
    """Runs one cycle per tick and keeps its state."""

    def __init__(
        self,
        cycle: Cycle,
        *,
        state: CycleState,
        inlets: Inlets,
        outlets: Outlets,
        executor: Executor,
    ) -> None:
        self._cycle = cycle
        self._in = inlets
        self._out = outlets
        self._executor = executor
        self._carried = Carried()
        self.state = state
        self.number = 0
        self.newest: Estimate | NotEstimated | None = None
        self.summaries: Feed[tuple[RoundSummary, Estimate | None]] = Feed(depth=64)

    async def run(self, tick: Tick) -> None:
        """One round. Whatever goes wrong in it, it ends without a decision and the mode falls to OBSERVE. The service
        is healthy only after a round that the journal has."""
        self.number += 1
        started_s = self._out.stopwatch.seconds()
        try:
            summary, recorded = await self._cycle_once(tick, started_s=started_s)
        except Exception as error:
            self._out.health.serving(ok=False)
            self._dropped(error)
        else:
            self._out.health.serving(ok=recorded)
            await self._publish(summary)

    async def _cycle_once(self, tick: Tick, *, started_s: float) -> tuple[RoundSummary, bool]:
        modes, desk = self._in.modes, self._in.desk
        snapshot_id = SnapshotId(f"s{self._cycle.gate.epoch}-{self.number}")
        cut = self._in.image.cut(tick.time, horizon=self._in.clock.horizon(), snapshot_id=snapshot_id)
        devices = self._in.devices.cut(tick.time)
        self._carried = self._carried.plus(cut, devices, cleared=desk.take_cleared())
        inputs = self._inputs(cut, devices)
        before_s = self._out.stopwatch.seconds()
        picture = await self._compute(lambda: self._cycle.picture(inputs, state=self.state))
        estimate_s = self._out.stopwatch.seconds() - before_s
        graded = modes.round_graded(picture.grade)
        mode = modes.mode
        result = await self._compute(lambda: self._cycle.act(inputs, state=self.state, picture=picture, mode=mode))
        self.newest = picture.estimate
        overtaken = desk.state.version != inputs.desk.version or modes.mode < mode
        if overtaken:
            result = self._without_decision(result)
        recorded = self._record(cut, picture=picture, result=result, graded=graded, mode=mode, overtaken=overtaken)
        notes: tuple[tuple[App | None, str], ...] = tuple((None, note) for note in _notes(tick, overtaken=overtaken))
        if recorded:
            self._adopt(result, devices, overtaken=overtaken)
        else:
            result = self._without_decision(result)
            notes = (*notes, (None, "nothing was decided: the journal cannot record"))
        summary = summarise(result, number=self.number, mode=modes.mode, notes=notes)
        return replace(summary, estimate_s=estimate_s, round_s=self._out.stopwatch.seconds() - started_s), recorded

    def _inputs(self, cut: Cut, devices: DeviceCut) -> CycleInputs:
        return CycleInputs(
            snapshot=cut.snapshot,
            held=frozenset(devices.holder),
            outcomes=self._carried.outcomes,
            attached=self._carried.attached,
            cleared=self._carried.cleared,
            desk=self._in.desk.state,
        )

    async def _compute(self, work: Callable[[], T]) -> T:
        """Off the event loop, so that an emergency stop is heard while a round computes."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _record(
        self,
        cut: Cut,
        *,
        picture: Picture,
        result: CycleResult,
        graded: ModeChange | None,
        mode: Mode,
        overtaken: bool,
    ) -> bool:
        """Journals the round, all or nothing. False where the journal cannot."""
        drafts: list[Draft] = [
            cut_draft(cut.snapshot, carried=self._carried, picture=picture, mode=mode),
            *self._carried.drafts,
        ]
        if graded is not None:
            drafts.append(mode_draft(graded, now=cut.snapshot.cut_time, actor="service"))
        if not overtaken:
            drafts.extend(result.drafts)
        try:
            self._out.journal.commit(drafts)
        except AdapterError as error:
            self.carry(self._in.modes.round_failed(str(error)))
            self._out.metrics.round_dropped(reason="journal")
            log.error("journal cannot record; observing", reason=str(error))
            return False
        self._out.frames.acknowledge(
            {
                source: frames.sequence
                for source, frames in self._carried.used.items()
                if frames.instance_epoch == self._in.image.instance_epoch(source)
            }
        )
        for source, spans in self._carried.frames.items():
            self._out.metrics.frames_used(source=source, count=sum(span.count for span in spans))
        self._carried = self._carried.after_cut_only()
        return True

    def _adopt(self, result: CycleResult, devices: DeviceCut, *, overtaken: bool) -> None:
        """The journal has it: now it is so."""
        if overtaken:
            return
        self._out.outcomes.acknowledge_outcomes(self._carried.recorded)
        self._carried = Carried()
        self.state = result.state
        self._send(result, devices)
        if result.superseded:
            self.carry(self._in.modes.block("a device has obeyed a later service: this one is superseded"))

    def carry(self, change: ModeChange | None) -> None:
        """Journals a change of mode with the next round that the journal takes."""
        if change is not None:
            draft = mode_draft(change, now=self._in.clock.now(), actor="service")
            self._carried = replace(self._carried, drafts=(*self._carried.drafts, draft))

    def _send(self, result: CycleResult, devices: DeviceCut) -> None:
        by_controller: dict[ControllerId, list[int]] = {}
        for row, command in enumerate(result.commands):
            by_controller.setdefault(devices.holder[command.device], []).append(row)
        for controller in sorted(by_controller):
            commands = tuple(result.commands[row] for row in by_controller[controller])
            self._out.commands.send(controller, commands)
        for command in result.commands:
            self._out.metrics.commands_sent(app=command.app.value, count=1)
        for refusal in result.refused:
            self._out.metrics.refused(app=refusal.proposal.app.value, guard=refusal.guard)

    @staticmethod
    def _without_decision(result: CycleResult) -> CycleResult:
        return replace(result, commands=(), refused=(), drafts=())

    def _dropped(self, error: Exception) -> None:
        reason = f"round dropped: {type(error).__name__}: {error}"
        log.error(reason, round=self.number, exc_info=error)
        self._out.metrics.round_dropped(reason=type(error).__name__)
        self.carry(self._in.modes.round_failed(reason))

    async def _publish(self, summary: RoundSummary) -> None:
        estimate = self.newest
        picture = estimate if isinstance(estimate, Estimate) else None
        self.summaries.publish((summary, picture))
        metrics = self._out.metrics
        metrics.round_done(
            duration_s=summary.round_s,
            estimate_s=summary.estimate_s,
            grade=summary.grade.name,
            mode=summary.mode.name,
        )
        if estimate is None:
            return
        values = live_values(summary, estimate=estimate, arrays=self._cycle.arrays)
        for name, value in values.items():
            if "/" not in name:
                metrics.gauge(name=name, value=value)
        facts = {"mode": summary.mode.name, "grade": summary.grade.name, "round": str(summary.round)}
        await self._out.live.publish(time=summary.time, values=values, facts=facts)


def _notes(tick: Tick, *, overtaken: bool) -> list[str]:
    notes = []
    if tick.skipped:
        notes.append(f"the round before overran: {tick.skipped} skipped")
    if overtaken:
        notes.append("an operator acted while the round computed: nothing was decided, the next one sees it")
    return notes
