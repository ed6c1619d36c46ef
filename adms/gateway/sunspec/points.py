"""The SunSpec points that the gateway reads and writes: where they stand in their models, and what their registers say.

Offsets count registers from the model's ID register (SunSpec DER Information Model Specification V1.2, and the Common
model 1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["uint16", "int16", "uint32", "int32", "enum16", "sunssf", "string"]
SCALE_MAX = 10
"""SunSpec: scale factors are -10 to 10."""
_SIGNED = frozenset({"int16", "int32", "sunssf"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a point stands in its model."""

    offset: int
    kind: Kind
    scale: str = ""
    """Name of its scale factor in the same model."""
    size: int = 1


def _p(offset: int, kind: Kind, scale: str = "") -> Place:
    return Place(offset=offset, kind=kind, scale=scale, size=2 if kind in ("uint32", "int32") else 1)


COMMON, AC, CAPACITY, ENTER_SERVICE, CONTROLS, STORAGE, OPERATION = 1, 701, 702, 703, 704, 713, 715
PLACES: Mapping[int, Mapping[str, Place]] = {
    COMMON: {
        "Mn": Place(offset=2, kind="string", size=16),
        "Md": Place(offset=18, kind="string", size=16),
        "SN": Place(offset=50, kind="string", size=16),
    },
    AC: {
        "InvSt": _p(4, "enum16"),
        "ConnSt": _p(5, "enum16"),
        "W": _p(10, "int16", "W_SF"),
        "Var": _p(12, "int16", "Var_SF"),
        "LNV": _p(16, "uint16", "V_SF"),
        "VL1": _p(47, "uint16", "V_SF"),
        "VL2": _p(70, "uint16", "V_SF"),
        "VL3": _p(93, "uint16", "V_SF"),
        "ThrotPct": _p(110, "uint16"),
        "V_SF": _p(114, "sunssf"),
        "W_SF": _p(116, "sunssf"),
        "Var_SF": _p(119, "sunssf"),
    },
    CAPACITY: {
        "VNomRtg": _p(14, "uint16", "V_SF"),
        "WMax": _p(26, "uint16", "W_SF"),
        "W_SF": _p(45, "sunssf"),
        "V_SF": _p(49, "sunssf"),
    },
    ENTER_SERVICE: {"ES": _p(2, "enum16")},
    CONTROLS: {
        "WMaxLimPctEna": _p(14, "enum16"),
        "WMaxLimPct": _p(15, "uint16", "WMaxLimPct_SF"),
        "WMaxLimPctRvrt": _p(16, "uint16", "WMaxLimPct_SF"),
        "WMaxLimPctEnaRvrt": _p(17, "enum16"),
        "WMaxLimPctRvrtTms": _p(18, "uint32"),
        "WMaxLimPctRvrtRem": _p(20, "uint32"),
        "WSetEna": _p(22, "enum16"),
        "WSetMod": _p(23, "enum16"),
        "WSet": _p(24, "int32", "WSet_SF"),
        "WSetRvrt": _p(26, "int32", "WSet_SF"),
        "WSetEnaRvrt": _p(30, "enum16"),
        "WSetRvrtTms": _p(31, "uint32"),
        "WSetRvrtRem": _p(33, "uint32"),
        "VarSetEna": _p(35, "enum16"),
        "VarSetMod": _p(36, "enum16"),
        "VarSet": _p(38, "int32", "VarSet_SF"),
        "VarSetRvrt": _p(40, "int32", "VarSet_SF"),
        "VarSetEnaRvrt": _p(44, "enum16"),
        "VarSetRvrtTms": _p(45, "uint32"),
        "VarSetRvrtRem": _p(47, "uint32"),
        "WMaxLimPct_SF": _p(54, "sunssf"),
        "WSet_SF": _p(55, "sunssf"),
        "VarSet_SF": _p(57, "sunssf"),
    },
    STORAGE: {"SoC": _p(4, "uint16", "Pct_SF"), "Pct_SF": _p(8, "sunssf")},
    OPERATION: {"LocRemCtl": _p(2, "enum16")},
}


def encode(value: int, *, kind: Kind) -> list[int]:
    """Registers of a number. Raises OverflowError where it does not fit."""
    size = 2 if kind in ("uint32", "int32") else 1
    raw = value.to_bytes(2 * size, "big", signed=kind in _SIGNED)
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, 2 * size, 2)]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Registers of one model as they were read: as many as the device has, and as one message carries."""

    model_id: int
    registers: Sequence[int]

    def raw(self, name: str) -> int | None:
        """Number of a point before its scale factor; None where the device does not have it."""
        place = PLACES[self.model_id][name]
        words = self.registers[place.offset : place.offset + place.size]
        if len(words) < place.size:
            return None
        raw = b"".join(word.to_bytes(2, "big") for word in words)
        if place.kind in _SIGNED:
            number = int.from_bytes(raw, "big", signed=True)
            return None if number == -(1 << (16 * place.size - 1)) else number
        number = int.from_bytes(raw, "big")
        return None if number == (1 << (16 * place.size)) - 1 else number

    def exponent(self, name: str) -> int | None:
        """Scale factor of a point; None where it is absent or outside -10 to 10. 0 of a point that has none."""
        scale = PLACES[self.model_id][name].scale
        if not scale:
            return 0
        found = self.raw(scale)
        return found if found is not None and abs(found) <= SCALE_MAX else None

    def value(self, name: str) -> float | None:
        """A point in its unit; None where the device does not say."""
        raw, exponent = self.raw(name), self.exponent(name)
        return None if raw is None or exponent is None else raw * 10.0**exponent

    def text(self, name: str) -> str:
        """A text, printable."""
        place = PLACES[self.model_id][name]
        raw = b"".join(word.to_bytes(2, "big") for word in self.registers[place.offset : place.offset + place.size])
        return "".join(
            character for character in raw.decode("ascii", errors="ignore") if character.isprintable()
        ).strip()
