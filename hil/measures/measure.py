"""What a measure is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import nan

from hil.measures.findings import Findings


class Bound(StrEnum):
    """Which side of its limit a value must be on."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a measure found."""

    value: float
    """NaN where it could not be judged: that never holds."""
    text: str
    """What was found, or why nothing was judged."""
    applies: bool = True
    """False where the run had no such part by design: a common story may ask for it all the same, and the entry is left
    out with `text` as the reason."""


def not_judged(why: str) -> Finding:
    """The run has nothing to judge by, although it was asked for."""
    return Finding(value=nan, text=f"not judged: {why}")


def not_applicable(why: str) -> Finding:
    """The question does not arise in this run."""
    return Finding(value=nan, text=why, applies=False)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that a run can be judged by: a pure function of what was recorded."""

    name: str
    unit: str
    """Of the value: `1` for a share or a ratio, `count`, `s`, `pu`, `W`, `kWh`."""
    bound: Bound
    what: str
    """One line for the report's legend and for whoever writes a scenario."""
    find: Callable[[Findings], Finding]


def at_most(name: str, unit: str, *, what: str, find: Callable[[Findings], Finding]) -> Measure:
    """A measure of something bad."""
    return Measure(name=name, unit=unit, bound=Bound.AT_MOST, what=what, find=find)


def at_least(name: str, unit: str, *, what: str, find: Callable[[Findings], Finding]) -> Measure:
    """A measure of something good."""
    return Measure(name=name, unit=unit, bound=Bound.AT_LEAST, what=what, find=find)


def change_frac(found: float, *, before: float, of: str) -> Finding:
    """By which share a figure differs from that of the idle run: 0 is the same, -1 is none left. `of` is its name with
    a unit. Where doing nothing makes 0, there is no share of it: only 0 is the same."""
    text = f"{of}: {found:.6g}; doing nothing: {before:.6g}"
    if before == 0.0:
        return Finding(value=0.0 if found == 0.0 else nan, text=text + ("" if found == 0.0 else ", no share of that"))
    return Finding(value=found / before - 1.0, text=text)
