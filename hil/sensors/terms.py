"""Terms that the records of a plan share: numbers with their limits, patterns, stretches of time, delays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from math import inf, log1p
from typing import Annotated

import numpy as np
from pydantic import Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""0 to 1."""
Pattern = Annotated[str, Field(min_length=1)]
"""A name, or a pattern with `*` and `?` (`*` matches `/` too)."""


def matches(pattern: str, name: str) -> bool:
    """Whether a name is meant by a pattern; case counts."""
    return pattern == name or fnmatchcase(name, pattern)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of feeder time; its end is not part of it."""

    start_s: NotNegative = 0.0
    duration_s: Positive | None = None
    """None: to the end of the run."""

    @property
    def end_s(self) -> float:
        """First instant after it."""
        return inf if self.duration_s is None else self.start_s + self.duration_s

    def covers(self, time_s: float) -> bool:
        """Whether an instant lies in it."""
        return self.start_s <= time_s < self.end_s


class Distribution(StrEnum):
    """How the varying part of a delay is distributed."""

    UNIFORM = "uniform"
    """Evenly from 0 to the spread."""
    EXPONENTIAL = "exponential"
    """With the spread as its mean, and no upper end."""


def drawn_s(rng: np.random.Generator, *, spread_s: float, distribution: Distribution) -> float:
    """The varying part of one delay, s. Every call takes one number from the stream, whatever the distribution (by
    the inverse of its distribution function), so that another one changes no later draw."""
    u = float(rng.random())
    return spread_s * (u if distribution is Distribution.UNIFORM else -log1p(-u))
