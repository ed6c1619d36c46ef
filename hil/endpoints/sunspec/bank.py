"""The registers of one device: "SunS", its models, the end model; values by model and point."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite

from hil.endpoints.sunspec.layout import Layout, PointPlace
from hil.endpoints.sunspec.words import Value, absent, decode, encode

SUNS = (0x5375, 0x6E53)
END = (0xFFFF, 0)
READ_MAX = 125
WRITE_MAX = 123


class Refusal(IntEnum):
    """Exception codes of the Modbus Application Protocol V1.1b3, section 7."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    """Also: registers that are read-only, or a part of a value that spans several registers."""
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    BUSY = 6


class RefusedError(Exception):
    """A request that is answered with an exception."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        self.refusal = refusal
        super().__init__(text)


@dataclass(frozen=True, kw_only=True)
class BankPoint:
    """A point and where it stands in the bank."""

    model_id: int
    place: PointPlace
    start: int
    """Registers from the bank's first."""


class RegisterBank:
    """All registers of one device."""

    def __init__(self, layouts: Sequence[Layout], *, base_address: int) -> None:
        self.base_address = base_address
        self.registers = list(SUNS)
        self._points: list[BankPoint] = []
        self._by_name: dict[tuple[int, str], BankPoint] = {}
        for layout in layouts:
            start = len(self.registers)
            for place in layout.points:
                point = BankPoint(model_id=layout.model_id, place=place, start=start + place.offset)
                self._points.append(point)
                self._by_name[layout.model_id, place.name] = point
                self.registers += absent(place.kind, size=place.size)
            self.put(layout.model_id, "ID", layout.model_id)
            self.put(layout.model_id, "L", layout.size - 2)
        self.registers += END
        self._starts = [point.start for point in self._points]

    def has(self, model_id: int, name: str) -> bool:
        """Whether the device has the point at all."""
        return (model_id, name) in self._by_name

    def names(self, model_id: int) -> Iterator[str]:
        """Points of a model, in order."""
        return (point.place.name for point in self._points if point.model_id == model_id)

    def address(self, model_id: int, name: str) -> int:
        """Modbus address of a point's first register."""
        return self.base_address + self._by_name[model_id, name].start

    def put(self, model_id: int, name: str, value: Value) -> None:
        """Set a point to a raw value; None is "not implemented"."""
        point = self._by_name[model_id, name]
        place = point.place
        self.registers[point.start : point.start + place.size] = encode(value, kind=place.kind, size=place.size)

    def get(self, model_id: int, name: str) -> Value:
        """Raw value of a point; None where it is not implemented."""
        point = self._by_name[model_id, name]
        place = point.place
        return decode(self.registers[point.start : point.start + place.size], kind=place.kind)

    def number(self, model_id: int, name: str) -> int:
        """Raw number of a point that has one. Raises KeyError where it is not implemented."""
        value = self.get(model_id, name)
        if not isinstance(value, int):
            raise KeyError(f"{model_id}.{name} holds no number")
        return value

    def exponent(self, model_id: int, name: str) -> int:
        """Scale factor of a point: the exponent of ten."""
        scale = self._by_name[model_id, name].place.scale
        return scale if isinstance(scale, int) else self.number(model_id, scale)

    def measure(self, model_id: int, name: str, value: float | None) -> None:
        """Set a point to a value in its unit; None and what is not finite are "not implemented"."""
        if value is None or not isfinite(value):
            self.put(model_id, name, None)
        else:
            self.put(model_id, name, round(value / 10.0 ** self.exponent(model_id, name)))

    def scaled(self, model_id: int, name: str) -> float | None:
        """A point's value in its unit."""
        value = self.get(model_id, name)
        return value * 10.0 ** self.exponent(model_id, name) if isinstance(value, int) else None

    def read(self, address: int, count: int) -> list[int]:
        """Registers as they stand. Raises RefusedError."""
        start = address - self.base_address
        if not 1 <= count <= READ_MAX:
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{count} registers")
        if start < 0 or start + count > len(self.registers):
            raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{address}..{address + count - 1} is outside the map")
        return self.registers[start : start + count]

    def written(self, address: int, registers: Sequence[int]) -> list[tuple[BankPoint, list[int]]]:
        """The points that a write would change, whole and writable. Raises RefusedError; changes nothing."""
        start, count = address - self.base_address, len(registers)
        if not 1 <= count <= WRITE_MAX:
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{count} registers")
        if start < self._starts[0] or start + count > len(self.registers) - len(END):
            raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{address}..{address + count - 1} cannot be written")
        found = []
        index = bisect_right(self._starts, start) - 1
        while index < len(self._points) and self._starts[index] < start + count:
            point = self._points[index]
            first, size = point.start - start, point.place.size
            if first < 0 or first + size > count:
                raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{point.place.name} is written in part")
            if not point.place.writable:
                raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{point.place.name} is read-only")
            found.append((point, list(registers[first : first + size])))
            index += 1
        self._groups_whole(found)
        return found

    def _groups_whole(self, found: Sequence[tuple[BankPoint, list[int]]]) -> None:
        written = {(point.model_id, point.place.name) for point, _ in found}
        for point, _ in found:
            group = point.place.together
            for other in self._points if group else ():
                same = other.model_id == point.model_id and other.place.together == group
                if same and (other.model_id, other.place.name) not in written:
                    raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{group} is written in part")
