"""A quantity over feeder time, kept small without losing what matters: its extremes, its ends and its gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from hil.engine import FloatArray

ALL_KEPT_UP_TO = 2400
"""A series with no more samples is kept whole."""
BUCKETS = 600
DIGITS = 7
"""Significant digits of a value in the file; times are kept to 1 ms."""
RULE = (
    f"A series of up to {ALL_KEPT_UP_TO} samples is kept whole. A longer one is cut into {BUCKETS} stretches of equal "
    "count; of each the first, the last, the lowest and the highest sample are kept with their own times, and the "
    "first sample that is missing. What is counted or summed was counted and summed before that."
)
"""Four samples a stretch draw the same line as all of them on a picture with a column for each stretch (M4: Jugel et
al., Proc. VLDB 7(10), 2014)."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Samples of one quantity, in the order of time."""

    time_s: tuple[float, ...] = ()
    """Feeder time."""
    value: tuple[float, ...] = ()
    """NaN where there was none (null in the file)."""
    samples: int = 0
    """How many there were before the rule above was applied."""

    @property
    def known(self) -> tuple[float, ...]:
        """The values that are there."""
        return tuple(value for value in self.value if isfinite(value))

    @property
    def last(self) -> float:
        """The newest value; NaN without any."""
        return self.value[-1] if self.value else float("nan")

    @property
    def lowest(self) -> float:
        """NaN without any."""
        return min(self.known, default=float("nan"))

    @property
    def highest(self) -> float:
        """NaN without any."""
        return max(self.known, default=float("nan"))


def series(time_s: Sequence[float] | FloatArray, value: Sequence[float] | FloatArray) -> Series:
    """Samples by the rule above. Raises ValueError where the lengths differ."""
    times, values = np.asarray(time_s, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if times.shape != values.shape:
        raise ValueError(f"{times.size} times for {values.size} values")
    rows = np.arange(times.size) if times.size <= ALL_KEPT_UP_TO else _chosen(values)
    return Series(
        time_s=tuple(round(float(t), 3) for t in times[rows]),
        value=tuple(rounded(float(v)) for v in values[rows]),
        samples=int(times.size),
    )


def rounded(value: float, *, digits: int = DIGITS) -> float:
    """A value to so many significant digits; NaN for anything that is not finite."""
    return float(f"{value:.{digits}g}") if isfinite(value) else float("nan")


def _chosen(values: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    kept: set[int] = set()
    for part in np.array_split(np.arange(values.size), BUCKETS):
        kept |= {int(part[0]), int(part[-1])}
        there = part[np.isfinite(values[part])]
        if there.size:
            kept |= {int(there[np.argmin(values[there])]), int(there[np.argmax(values[there])])}
        if there.size < part.size:
            kept.add(int(part[~np.isfinite(values[part])][0]))
    return np.array(sorted(kept), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Spell:
    """A stretch of feeder time in which something was so."""

    start_s: float
    end_s: float
    what: str


def spells(time_s: Sequence[float], what: Sequence[str], *, end_s: float) -> tuple[Spell, ...]:
    """Stretches of the same word. Each begins with its first sample and ends with the next one's; the last at `end_s`.
    An empty word is no stretch."""
    found: list[Spell] = []
    starts = [i for i in range(len(what)) if i == 0 or what[i] != what[i - 1]]
    for k, i in enumerate(starts):
        until_s = time_s[starts[k + 1]] if k + 1 < len(starts) else max(end_s, time_s[i])
        if what[i]:
            found.append(Spell(start_s=round(time_s[i], 3), end_s=round(until_s, 3), what=what[i]))
    return tuple(found)
