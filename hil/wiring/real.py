"""A real inverter: what it delivers, read by the bench, and the unit of the plant that delivers the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from hil.endpoints.sunspec.layout import layout_of
from hil.endpoints.sunspec.words import decode
from hil.overlay import DerEntry
from hil.plant.der import DerUnit, RideThrough

BASES = (40_000, 0, 50_000)
SUNS = [0x5375, 0x6E53]
END, AC = 0xFFFF, 701
MODELS_MAX = 200
READ_MAX = 125
NEEDED = ("W", "Var", "W_SF", "Var_SF")


class NotReadError(Exception):
    """The device gave no answer that says what it delivers."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What it delivers; injections, positive into the network, as SunSpec 701 has them."""

    p_w: float
    q_var: float
    time_s: float
    """When it was asked, feeder seconds."""


class InverterReader:
    """Reads model 701 of a device again and again, on a connection of its own beside the gateway's."""

    def __init__(self, address: str, *, unit_id: int, period_s: float, now_s: Callable[[], float]) -> None:
        host, _, port = address.rpartition(":")
        self._client = AsyncModbusTcpClient(
            host.strip("[]"), port=int(port), timeout=max(period_s, 0.5), retries=0, reconnect_delay=0
        )
        self._unit_id, self._period_s, self._now_s = unit_id, period_s, now_s
        self._place: int | None = None
        self.newest: Delivered | None = None
        self.problem = "not asked yet"
        """Why there is nothing new; empty while there is."""

    async def run(self) -> None:
        """Until cancelled. Readings that were missed are not made up for."""
        due_s = self._now_s()
        try:
            while True:
                await self._once()
                due_s = max(due_s + self._period_s, self._now_s())
                await asyncio.sleep(max(0.0, due_s - self._now_s()))
        finally:
            self._client.close()

    async def _once(self) -> None:
        try:
            self.newest = await self._read()
            self.problem = ""
        except (NotReadError, ModbusException, OSError) as error:
            self.problem = str(error) or type(error).__name__
            self._place = None
            self._client.close()

    async def _read(self) -> Delivered:
        if not self._client.connected and not await self._client.connect():
            raise NotReadError("cannot be reached")
        if self._place is None:
            self._place = await self._find()
        places = {point.name: point for point in layout_of(AC, counts={}).points if point.name in NEEDED}
        last = max(point.offset + point.size for point in places.values())
        asked_s = self._now_s()
        registers = await self._registers(self._place, last)
        value = {
            name: decode(registers[point.offset : point.offset + point.size], kind=point.kind)
            for name, point in places.items()
        }
        numbers = {name: each for name, each in value.items() if isinstance(each, int)}
        if len(numbers) < len(NEEDED):
            raise NotReadError(f"model {AC} does not say {', '.join(sorted(set(NEEDED) - set(numbers)))}")
        return Delivered(
            p_w=numbers["W"] * 10.0 ** numbers["W_SF"],
            q_var=numbers["Var"] * 10.0 ** numbers["Var_SF"],
            time_s=asked_s,
        )

    async def _find(self) -> int:
        """Address of model 701."""
        for base in BASES:
            try:
                if await self._registers(base, 2) == SUNS:
                    break
            except NotReadError:
                continue
        else:
            raise NotReadError(f"no SunS at {', '.join(map(str, BASES))}")
        address = base + len(SUNS)
        for _ in range(MODELS_MAX):
            (model,) = await self._registers(address, 1)
            if model == END:
                break
            if model == AC:
                return address
            (length,) = await self._registers(address + 1, 1)
            address += length + 2
        raise NotReadError(f"it has no model {AC}")

    async def _registers(self, address: int, count: int) -> list[int]:
        answer = await self._client.read_holding_registers(address, count=min(count, READ_MAX), device_id=self._unit_id)
        if answer.isError() or len(answer.registers) < min(count, READ_MAX):
            raise NotReadError(f"no registers at {address}: {answer}")
        return list(answer.registers)


class RealUnit(DerUnit):
    """Stands in the plant for a real device: it delivers what the device was last read to deliver, for at most
    `hold_s`, then nothing. Where its bus is dead it delivers nothing: what supplies the device on the bench cannot know
    of that, and the plant has no island."""

    def __init__(self, entry: DerEntry, *, ride_through: RideThrough, hold_s: float) -> None:
        super().__init__(entry, ride_through=ride_through, soc_frac=None)
        self.hold_s = hold_s
        self.age_s = float("inf")
        """Of what it delivers."""
        self._delivered = 0j

    @property
    def stale(self) -> bool:
        """Nothing was read for too long."""
        return self.age_s > self.hold_s

    def deliver(self, p_w: float, q_var: float, *, age_s: float) -> None:
        """What the device was read to deliver so long ago."""
        self._delivered, self.age_s = complex(p_w, q_var), age_s

    def settle(self, *, irradiance_frac: float) -> None:
        """Nothing is known of it yet."""
        self.p_w = self.q_var = 0.0

    def step(self, dt_s: float, *, irradiance_frac: float, v_pu: float) -> None:
        """Advance: what was read grows older."""
        self.age_s += dt_s
        delivered = 0j if self.stale or v_pu <= 0.0 else self._delivered
        self.p_w, self.q_var = delivered.real, delivered.imag
        self.available_w = max(self.p_w, 0.0)
