"""What a device may do wrong on the wire, on purpose: one fault per unit, set and cleared by the bench."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Silent:
    """It does not answer."""


@dataclass(frozen=True, kw_only=True)
class Slow:
    """It answers late."""

    delay_s: float


@dataclass(frozen=True, kw_only=True)
class Cut:
    """It closes the connection instead of answering."""


@dataclass(frozen=True, kw_only=True)
class Raises:
    """It answers everything with an exception."""

    code: int


@dataclass(frozen=True, kw_only=True)
class Garbled:
    """It answers with these bytes whatever was asked."""

    answer: bytes


@dataclass(frozen=True, kw_only=True)
class Ignores:
    """It accepts writes and carries none out."""


Fault = Silent | Slow | Cut | Raises | Garbled | Ignores
