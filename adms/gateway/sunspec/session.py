"""What is said to one device: find its models, read its state, put a setpoint into model 704 and prove it."""

from collections.abc import Mapping

from adms.client import OutcomeCode, PowerSetpoint
from adms.gateway.sunspec.config import DeviceTable
from adms.gateway.sunspec.discovery import ModelPlace, discover, read_block
from adms.gateway.sunspec.modbus import DeviceRefusedError, ExceptionCode, Line
from adms.gateway.sunspec.points import AC, CAPACITY, COMMON, CONTROLS, OPERATION, STORAGE, Block
from adms.gateway.sunspec.reading import Reading, read_state
from adms.gateway.sunspec.writing import Function, Refusal, Target, achieved, keeps_time, target, writes

OUTCOME_OF_EXCEPTION = {
    ExceptionCode.ILLEGAL_FUNCTION: OutcomeCode.NOT_SUPPORTED,
    ExceptionCode.ILLEGAL_ADDRESS: OutcomeCode.NOT_SUPPORTED,
    ExceptionCode.ILLEGAL_VALUE: OutcomeCode.OUT_OF_RANGE,
}


class Session:
    """One device behind a line. Its methods raise LineError, DeviceRefusedError and NoSunSpecError, which mean that
    nothing is known of what was asked."""

    def __init__(self, entry: DeviceTable, *, line: Line) -> None:
        self._entry = entry
        self._line = line
        self._models: Mapping[int, ModelPlace] = {}
        self._capacity: Block | None = None
        self.name = ""
        """Manufacturer, model and serial number."""

    def forget(self) -> None:
        """Look for its models anew: another device may stand there."""
        self._models, self._capacity = {}, None

    async def poll(self) -> Reading:
        """Its state."""
        capacity = await self._found()
        entry = self._entry
        return read_state(
            await self._block(AC),
            capacity=capacity,
            storage=await self._block(STORAGE) if STORAGE in self._models and entry.energy_wh is not None else None,
            operation=await self._block(OPERATION) if OPERATION in self._models else None,
            phases=len(entry.phases),
            s_max_va=entry.s_max_va,
        )

    async def stands(self, setpoint: PowerSetpoint, *, or_will_by_itself: bool) -> bool:
        """Whether the device does what a setpoint asks, or, where that is enough, reverts to it when its own time is
        over."""
        capacity = await self._measure()
        block = await self._block(CONTROLS)
        wanted = self._target(setpoint, hold_s=0, block=block, capacity=capacity)
        if isinstance(wanted, Refusal):
            return False
        return all(
            not achieved(block, function) or (or_will_by_itself and _reverts(block, function))
            for function in (wanted.p, wanted.q)
        )

    async def enforce(self, setpoint: PowerSetpoint, *, hold_s: int) -> Refusal | None:
        """Writes a setpoint for so many seconds, 0 for ever, and reads it back; why it was not achieved, or None."""
        capacity = await self._measure()
        block = await self._block(CONTROLS)
        wanted = self._target(setpoint, hold_s=hold_s, block=block, capacity=capacity)
        if isinstance(wanted, Refusal):
            return wanted
        start = self._models[CONTROLS].address
        for function in (wanted.q, wanted.p):
            for write in writes(function, block=block):
                try:
                    await self._line.write(self._entry.unit_id, address=start + write.offset, registers=write.registers)
                except DeviceRefusedError as refused:
                    known = {int(code): outcome for code, outcome in OUTCOME_OF_EXCEPTION.items()}
                    code = known.get(refused.code, OutcomeCode.HARDWARE_ERROR)
                    return Refusal(code=code, text=f"704 {function.name}: {refused}")
        block = await self._block(CONTROLS)
        for function in (wanted.p, wanted.q):
            otherwise = achieved(block, function)
            if otherwise:
                return Refusal(code=OutcomeCode.HARDWARE_ERROR, text=f"not as written: {otherwise}")
            timed = function.enabled and function.time_s > 0
            if timed and self._entry.without_reversion == "refuse" and not keeps_time(block, function):
                text = f"704 {function.name} does not count down to its default, and without_reversion is refuse"
                return Refusal(code=OutcomeCode.NOT_SUPPORTED, text=text)
        return None

    def _target(self, setpoint: PowerSetpoint, *, hold_s: int, block: Block, capacity: Block) -> Target | Refusal:
        return target(
            setpoint,
            default=self._entry.default,
            hold_s=hold_s,
            control=self._entry.control,
            block=block,
            w_max_w=capacity.value("WMax"),
        )

    async def _measure(self) -> Block:
        """Model 702 as it is now: WMax is a setting, and what a limit in percent is of."""
        await self._found()
        self._capacity = await self._block(CAPACITY)
        return self._capacity

    async def _found(self) -> Block:
        if self._capacity is None:
            self._models = await discover(self._line, unit_id=self._entry.unit_id)
            common = await self._block(COMMON)
            self.name = " ".join(filter(None, (common.text(name) for name in ("Mn", "Md", "SN"))))
            self._capacity = await self._block(CAPACITY)
        return self._capacity

    async def _block(self, model_id: int) -> Block:
        return await read_block(
            self._line, unit_id=self._entry.unit_id, model_id=model_id, place=self._models[model_id]
        )


def _reverts(block: Block, function: Function) -> bool:
    """A time is running after which the device will be so by itself."""
    left_s = block.raw(f"{function.name}RvrtRem")
    if not left_s:
        return False
    enabled = block.raw(f"{function.name}EnaRvrt")
    if not function.enabled:
        return enabled == 0
    return enabled == 1 and block.raw(f"{function.name}Rvrt") == function.raw
