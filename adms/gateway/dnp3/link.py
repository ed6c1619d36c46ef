"""The life with one RTU: call, read, listen, operate; when it is lost, say so and call again."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable

from dnp3.application.fragment import ObjectBlock
from dnp3.core.enums import CommandStatus, FunctionCode
from dnp3.core.flags import IIN

from adms.client import Now, OutcomeCode, ReceivedCommand
from adms.gateway.dnp3.association import REFUSED, Association
from adms.gateway.dnp3.config import GatewayTable, PointTable, RtuTable
from adms.gateway.dnp3.controls import OUTCOME_OF, NoControl, control_of, status_in
from adms.gateway.dnp3.heard import Heard

Report = Callable[[ReceivedCommand, OutcomeCode, str], Awaitable[None]]
"""Says what became of a command."""
Say = Callable[[str], None]
"""Tells an operator."""

CANCEL_AGAIN_S = 0.02
"""See `Link.end`: a cancellation may be lost."""
NOT_SENT = "nothing was sent to the device"


class Link:
    """One RTU. `run` keeps the conversation up until it is cancelled; `submit` gives it a command."""

    def __init__(
        self, rtu: RtuTable, *, gateway: GatewayTable, heard: Heard, report: Report, say: Say, now: Now
    ) -> None:
        self.rtu = rtu
        self._gateway = gateway
        self._heard = heard
        self._report = report
        self._say = say
        self._now = now
        self._devices = {device.id: device for device in rtu.devices}
        self._commands: deque[ReceivedCommand] = deque()
        self._commanded = asyncio.Event()
        self._chance = random.Random()
        self._failures = 0
        self._over = asyncio.Event()
        self._untold: set[str] = set()
        self._cut_short = ""
        self.connected = False
        """Whether it has been read since it was called."""

    def submit(self, command: ReceivedCommand) -> bool:
        """Takes a command for one of its devices; False where the RTU is not there, so that nothing waits for it and
        is carried out when it is stale."""
        if not self.connected:
            return False
        self._commands.append(command)
        self._commanded.set()
        return True

    def end(self) -> None:
        """Makes `run` return soon. Call it before its task is cancelled: on Python 3.11 `asyncio.wait_for`, which the
        library waits with, loses a cancellation that meets an answer."""
        self._over.set()

    async def run(self) -> None:
        """Until ended or cancelled."""
        while not self._over.is_set():
            problem = await self._converse()
            if self._over.is_set():
                return
            if self._failures == 0:
                self._say(f"{self.rtu.name}: lost: {problem}")
            await asyncio.sleep(self._wait_s())
            self._failures += 1

    def _wait_s(self) -> float:
        """Doubled with each failure; by chance shorter, so that a hundred RTUs are not called at once."""
        longest_s = self._gateway.reconnect_longest_s
        doubled_s = self._gateway.reconnect_first_s * 2.0 ** min(self._failures, 30)
        return min(doubled_s, longest_s) * self._chance.uniform(0.5, 1.0)

    async def _converse(self) -> str:
        """One conversation, until it ends; why it did."""
        gateway = self._gateway
        association = Association(
            self.rtu, heard=self._heard, response_timeout_s=gateway.response_timeout_s, now=self._now
        )
        try:
            await association.open()
            await self._begin(association)
            self.connected = True
            self._say(f"{self.rtu.name}: connected")
            self._failures = 0
            await self._talk(association)
            problem = "ended"
        except Exception as lost:  # Whatever a peer's octets lead to ends its own conversation and no other.
            problem = str(lost) or type(lost).__name__
        finally:
            self.connected = False
            self._heard.lost(now=self._now())
            await self._refuse_waiting()
            await association.close()
        return problem

    async def _begin(self, association: Association) -> None:
        """What a master does first (IEEE 1815-2012 clause 5.1.1): silence, time, everything, then reports."""
        await association.report_unasked(wanted=False)
        await self._set_time(association)
        await self._read_all(association)
        if self.rtu.unsolicited and not await association.report_unasked(wanted=True):
            self._say(f"{self.rtu.name}: reports nothing unasked; it is polled")

    async def _set_time(self, association: Association) -> None:
        if self.rtu.time_sync and not await association.set_time():
            self._say(f"{self.rtu.name}: does not take the time")

    async def _read_all(self, association: Association) -> None:
        if association.indications & IIN.DEVICE_RESTART:
            await association.clear_restart()
        self._heard.poll_begins()
        await association.read_all()
        self._tell_untold(self._heard.poll_ended())
        if association.cut_short not in ("", self._cut_short):
            self._cut_short = association.cut_short
            self._say(f"{self.rtu.name}: what follows {self._cut_short} in an answer cannot be read")

    def _tell_untold(self, tables: list[PointTable]) -> None:
        untold = {f"{table.object} {table.index} ({table.name})" for table in tables}
        if untold - self._untold:
            self._say(f"{self.rtu.name}: has no {', '.join(sorted(untold - self._untold))}")
        self._untold = untold

    async def _talk(self, association: Association) -> None:
        """Commands first, then what is due, else listening."""
        clock = asyncio.get_running_loop().time
        all_s = clock() + self._gateway.integrity_poll_s
        events_s = clock() + self._gateway.event_poll_s
        stuck = False
        while not self._over.is_set():
            restarted = bool(association.indications & IIN.DEVICE_RESTART)
            stuck = stuck and restarted
            if self._commands:
                if await self._operate(association, self._commands.popleft()):
                    events_s = clock()
            elif restarted and not stuck:
                await self._begin(association)
                all_s = clock() + self._gateway.integrity_poll_s
                stuck = bool(association.indications & IIN.DEVICE_RESTART)
                if stuck:
                    self._say(f"{self.rtu.name}: goes on saying that it has restarted; this is disregarded")
            elif clock() >= all_s:
                if association.indications & IIN.NEED_TIME:
                    await self._set_time(association)
                await self._read_all(association)
                all_s = clock() + self._gateway.integrity_poll_s
                events_s = clock() + self._gateway.event_poll_s
            elif clock() >= events_s:
                overflowed = bool(association.indications & IIN.EVENT_BUFFER_OVERFLOW)
                await association.read_events()
                events_s = clock() + self._gateway.event_poll_s
                if association.indications & IIN.EVENT_BUFFER_OVERFLOW and not overflowed:
                    all_s = clock()
            else:
                await self._listen(association, timeout_s=min(all_s, events_s) - clock())

    async def _listen(self, association: Association, *, timeout_s: float) -> None:
        """Until a report, a command or the time-out."""
        self._commanded.clear()
        if self._commands:
            return
        listening = asyncio.ensure_future(association.listen(timeout_s=max(timeout_s, 0.0)))
        commanded = asyncio.ensure_future(self._commanded.wait())
        try:
            await asyncio.wait({listening, commanded}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What has arrived by halves stays with the association and is finished later.
            commanded.cancel()
            while not listening.done():
                listening.cancel()
                await asyncio.wait({listening}, timeout=CANCEL_AGAIN_S)
        if not listening.cancelled():
            listening.result()

    # ---- commands -----------------------------------------------------------------------------------------------

    async def _operate(self, association: Association, command: ReceivedCommand) -> bool:
        """Select before operate; whether the device may have moved."""
        asked = control_of(self._devices[command.device_id], command.setpoint)
        if isinstance(asked, NoControl):
            await self._report(command, asked.code, asked.text)
            return False
        if command.expiry <= self._now():
            await self._report(command, OutcomeCode.EXPIRED, f"came too late; {NOT_SENT}")
            return False
        code, text = OutcomeCode.HARDWARE_ERROR, "SELECT was not answered; nothing was operated"
        sent = False
        try:
            selected, why = await self._step(association, FunctionCode.SELECT, asked)
            if selected is not CommandStatus.SUCCESS:
                # Of a selection even an answer that says nothing means that nothing moved.
                code = OutcomeCode.NOT_SUPPORTED if selected is None else OUTCOME_OF[selected]
                text = f"SELECT: {why}"
            elif command.expiry <= self._now():
                code, text = OutcomeCode.EXPIRED, "expired between SELECT and OPERATE; nothing was operated"
            else:
                code, text = OutcomeCode.UNKNOWN, "OPERATE was not answered; the device is read, nothing is sent again"
                sent = True
                operated, why = await self._step(association, FunctionCode.OPERATE, asked)
                code = OutcomeCode.UNKNOWN if operated is None else OUTCOME_OF[operated]
                text = "" if code is OutcomeCode.SUCCESS else f"OPERATE: {why}"
        finally:
            await self._report(command, code, text)
        return sent

    @staticmethod
    async def _step(
        association: Association, function: FunctionCode, asked: ObjectBlock
    ) -> tuple[CommandStatus | None, str]:
        """The status that is echoed, None where none is, and what to say of it."""
        answer = await association.ask(function, asked)
        status = status_in(asked, answer.objects)
        if status is not None:
            return status, status.name
        refused = answer.indications & REFUSED
        why = f"refused with {refused!r}" if refused else "the answer does not echo the request"
        return (CommandStatus.NOT_SUPPORTED if refused else None), why

    async def _refuse_waiting(self) -> None:
        while self._commands:
            command = self._commands.popleft()
            await self._report(command, OutcomeCode.HARDWARE_ERROR, f"the RTU was lost; {NOT_SENT}")
