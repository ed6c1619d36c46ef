"""One device: polled, led by leases, returned to its default. It waits for no other and holds none up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import floor, hypot, inf

from adms.client import Lease, Now, OutcomeCode, PowerSetpoint, ReceivedCommand
from adms.gateway.sunspec.board import Board
from adms.gateway.sunspec.config import DeviceTable, GatewayTable
from adms.gateway.sunspec.counts import Counts
from adms.gateway.sunspec.discovery import NoSunSpecError
from adms.gateway.sunspec.modbus import DeviceRefusedError, Line, LineError
from adms.gateway.sunspec.session import Session
from adms.gateway.sunspec.writing import Refusal

ReportOutcome = Callable[[ReceivedCommand, OutcomeCode, str], Awaitable[None]]
FAILURES_BEFORE_LOST = 2
"""One missed answer is asked for again before the device counts as lost."""
CHECK_PERIOD_S = 2.0
"""Whether a device still does what it was told is looked at so often."""
TOLERANCE_W = 1.0
"""Setpoints at the nameplate may be beyond it by rounding."""


class Station:
    """Runs one device. `report` is told what became of each command given to `take`."""

    def __init__(
        self,
        entry: DeviceTable,
        *,
        gateway: GatewayTable,
        line: Line,
        board: Board,
        counts: Counts,
        report: ReportOutcome,
        now: Now,
    ) -> None:
        self.entry = entry
        self._gateway, self._board, self._counts = gateway, board, counts
        self._report, self._now = report, now
        self._session = Session(entry, line=line)
        self._commands: asyncio.Queue[tuple[ReceivedCommand, float]] = asyncio.Queue()
        self._lease = Lease(stored_default=entry.default, now=now)
        self._held: ReceivedCommand | None = None
        # Until looked at, the device may stand anywhere.
        self._settled = False
        # What was written before this gateway began, or before the device was lost, may run out by itself.
        self._may_run_out = True
        self._remote = True
        self._failures = 0
        self._checked_s = -inf
        self._back_off_s = gateway.back_off_first_s
        counts.answering(entry.device_id, False)
        self.problem = "not asked yet"
        """Why it does not answer; empty while it does."""

    @property
    def name(self) -> str:
        """Manufacturer, model and serial number, once it has answered."""
        return self._session.name

    def take(self, command: ReceivedCommand) -> None:
        """A command for this device; it is answered through `report`."""
        self._commands.put_nowait((command, time.perf_counter()))

    async def run(self, *, start_after_s: float = 0.0) -> None:
        """Polls and carries out commands until cancelled."""
        loop = asyncio.get_running_loop()
        poll_due_s = loop.time() + start_after_s
        while True:
            wait_s = min(max(0.0, poll_due_s - loop.time()), self._lapses_in_s())
            command = await self._next_command(wait_s)
            if command is not None:
                await self._guarded(lambda arrived=command: self._carry_out(*arrived))  # type: ignore[misc]
            elif self._held is not None and self._lapses_in_s() <= 0.0:
                self._held, self._settled, self._may_run_out = None, False, False
                await self._guarded(self._settle)
            if loop.time() >= poll_due_s:
                await self._guarded(self._poll)
                period_s = self._back_off_s if self.problem else self._gateway.poll_period_s
                # Polls that were missed are not made up for.
                poll_due_s = max(poll_due_s + period_s, loop.time())

    async def _next_command(self, wait_s: float) -> tuple[ReceivedCommand, float] | None:
        """The newest command; older ones that wait are answered, not carried out."""
        newest = None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                newest = await self._commands.get()
        while newest is not None and not self._commands.empty():
            following = self._commands.get_nowait()
            older, newest = sorted((newest, following), key=lambda waits: (waits[0].epoch, waits[0].sequence))
            await self._answer(older, OutcomeCode.EXPIRED, "a newer command waits")
        return newest

    def _lapses_in_s(self) -> float:
        return inf if self._held is None else (self._held.expiry - self._now()).total_seconds()

    def _hold_s(self, command: ReceivedCommand) -> int:
        """Whole seconds that the device may hold a command: what is left of its lease, and never more than all of it,
        however wrong this machine's clock is."""
        left = min(command.expiry - self._now(), command.expiry - command.issue_time)
        return floor(left.total_seconds())

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> None:
        """Whatever a device does ends here: counted, and asked again later."""
        try:
            await act()
        except LineError as error:
            self._failed(error.kind.value, str(error))
        except DeviceRefusedError as error:
            self._failed("exception", str(error))
        except NoSunSpecError as error:
            self._failed("no_sunspec", str(error))
        except Exception as error:
            # A mistake of ours must not end the others' polling.
            self._failed("internal", f"{type(error).__name__}: {error}")

    def _failed(self, kind: str, text: str) -> None:
        self._counts.fault(self.entry.device_id, kind)
        self._settled = False
        self._failures += 1
        if self._failures < FAILURES_BEFORE_LOST:
            return
        first = self._failures == FAILURES_BEFORE_LOST
        self._back_off_s = (
            self._gateway.back_off_first_s if first else min(2.0 * self._back_off_s, self._gateway.back_off_max_s)
        )
        self.problem = text
        self._session.forget()
        self._counts.answering(self.entry.device_id, False)
        self._board.lost(self.entry.device_id, now=self._now())

    async def _poll(self) -> None:
        began_s, began = time.perf_counter(), self._now()
        reading = await self._session.poll()
        self._failures, self.problem = 0, ""
        self._counts.polled(self.entry.device_id, seconds=time.perf_counter() - began_s)
        self._counts.answering(self.entry.device_id, True)
        for _ in range(reading.implausible):
            self._counts.fault(self.entry.device_id, "implausible")
        self._remote = reading.remote
        self._board.put(self.entry.device_id, reading, now=began)
        if not self._settled or time.monotonic() - self._checked_s >= CHECK_PERIOD_S:
            await self._settle()

    async def _settle(self) -> None:
        """Sees to it that the device does what is due: of the lease in force, else its default."""
        if not self._remote:
            # Local control is never fought (DE10).
            return
        due = self._lease.due()
        hold_s = self._hold_s(self._held) if due.leased and self._held is not None else 0
        if due.leased and hold_s < 1:
            # The device reverts in whole seconds, and may have done so already.
            return
        self._checked_s = time.monotonic()
        if await self._session.stands(due.setpoint, or_will_by_itself=self._may_run_out and not due.leased):
            self._settled = True
            return
        if self._settled:
            self._counts.fault(self.entry.device_id, "overridden")
        refused = await self._session.enforce(due.setpoint, hold_s=hold_s)
        self._settled = refused is None
        if refused is not None:
            self._counts.fault(self.entry.device_id, "default_refused")

    async def _carry_out(self, command: ReceivedCommand, arrived_s: float) -> None:
        answered = False

        async def answer(code: OutcomeCode, text: str) -> None:
            nonlocal answered
            answered = True
            await self._answer((command, arrived_s), code, text)

        offered = Lease(stored_default=self.entry.default, now=self._now)
        if self._held is not None:
            offered.take(self._held)
        refusal = self._refusal(command)
        if refusal is None and not offered.take(command):
            refusal = Refusal(code=OutcomeCode.EXPIRED, text="the lease has ended, or there is a newer one")
        hold_s = self._hold_s(command)
        if refusal is None and hold_s < 1:
            refusal = Refusal(code=OutcomeCode.EXPIRED, text="less than a second of the lease is left")
        if refusal is not None:
            await answer(refusal.code, refusal.text)
            return
        try:
            refusal = await self._session.enforce(offered.due().setpoint, hold_s=hold_s)
            # Written in part or undone by the device: what was due before is due again.
            self._settled = refusal is None
            if refusal is None:
                self._lease, self._held, self._may_run_out = offered, command, False
                await answer(OutcomeCode.SUCCESS, "read back from model 704")
            else:
                await answer(refusal.code, refusal.text)
                await self._settle()
        finally:
            if not answered:
                # It may have been carried out: the device falls back by itself, and is looked at when it answers.
                self._lease, self._held = Lease(stored_default=self.entry.default, now=self._now), None
                self._settled, self._may_run_out = False, True
                await answer(OutcomeCode.UNKNOWN, "the device stopped answering")

    def _refusal(self, command: ReceivedCommand) -> Refusal | None:
        """Why a command is not even tried."""
        setpoint, plate = command.setpoint, self.entry
        if not isinstance(setpoint, PowerSetpoint):
            return Refusal(code=OutcomeCode.NOT_SUPPORTED, text="a DER takes power setpoints only")
        if self.problem:
            return Refusal(code=OutcomeCode.HARDWARE_ERROR, text=f"the device does not answer: {self.problem}")
        if not self._remote:
            return Refusal(code=OutcomeCode.LOCAL, text="the device is in local control")
        p_w, q_var = setpoint.p_injection_w, setpoint.q_injection_var
        inside = (p_w is None or plate.p_min_w - TOLERANCE_W <= p_w <= plate.p_max_w + TOLERANCE_W) and (
            q_var is None or abs(q_var) <= plate.q_max_var + TOLERANCE_W
        )
        # A limit on P says nothing of P itself, so that it cannot be held against Q.
        p_set_w = p_w if plate.p_control == "setpoint" else None
        if not inside or hypot(p_set_w or 0.0, q_var or 0.0) > plate.s_max_va + TOLERANCE_W:
            return Refusal(code=OutcomeCode.OUT_OF_RANGE, text="outside the nameplate")
        return None

    async def _answer(self, arrived: tuple[ReceivedCommand, float], code: OutcomeCode, text: str) -> None:
        command, arrived_s = arrived
        self._counts.command(self.entry.device_id, code, seconds=time.perf_counter() - arrived_s)
        await self._report(command, code, text)
