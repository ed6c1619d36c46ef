"""Values as registers and back: sixteen bits a register, the high word first, and SunSpec's "not implemented" values
(SunSpec Device Information Model Specification, section on data types)."""

from __future__ import annotations

from collections.abc import Sequence

Value = int | str | None
"""A number before its scale factor, a text, or None: not implemented."""

SIGNED = frozenset({"int16", "int32", "int64", "sunssf"})
# Accumulators, texts and addresses say "not implemented" with zero; signed numbers, scale factors and padding with the
# lowest number; the rest with all bits set.
ZERO = frozenset({"acc16", "acc32", "acc64", "string", "ipaddr", "ipv6addr"})
LOWEST = SIGNED | {"pad"}


def absent(kind: str, *, size: int) -> list[int]:
    """Registers of a point that is not implemented."""
    if kind in ZERO:
        return [0] * size
    if kind in LOWEST:
        return [0x8000] + [0] * (size - 1)
    return [0xFFFF] * size


def limits(kind: str, *, size: int) -> tuple[int, int]:
    """Lowest and highest number that says something."""
    bits = 16 * size
    if kind in SIGNED:
        return -(1 << (bits - 1)) + 1, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - (1 if kind in ZERO else 2)


def encode(value: Value, *, kind: str, size: int) -> list[int]:
    """Registers of a value; a number outside the type stands at its end."""
    if value is None:
        return absent(kind, size=size)
    if isinstance(value, str):
        raw = value.encode("ascii", errors="replace")[: 2 * size].ljust(2 * size, b"\0")
    else:
        low, high = limits(kind, size=size)
        held = min(max(value, low), high)
        raw = held.to_bytes(2 * size, "big", signed=kind in SIGNED)
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, 2 * size, 2)]


def decode(registers: Sequence[int], *, kind: str) -> Value:
    """The value in registers; None where they say "not implemented"."""
    if list(registers) == absent(kind, size=len(registers)) and (kind not in ZERO or kind == "string"):
        return None
    raw = b"".join(register.to_bytes(2, "big") for register in registers)
    if kind == "string":
        return raw.rstrip(b"\0").decode("ascii", errors="replace")
    return int.from_bytes(raw, "big", signed=kind in SIGNED)
