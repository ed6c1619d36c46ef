"""Time-current characteristics of relays, reclosers and fuses, and the timer that integrates over them.

A characteristic says how long a steady current takes. What a device does with a current that varies is the integral
of dt / t(I) reaching 1 (IEEE C37.112-2018, clause 4; IEC 60255-151, annex A): that is `Timer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log
from typing import Protocol

DONE = 1.0 - 1e-9
"""A progress from here on counts as 1: what rounding leaves of a sum of steps."""


class Curve(Protocol):
    """A characteristic over the multiple of pickup."""

    def trip_s(self, multiple: float) -> float:
        """Time to trip at a steady multiple of pickup; infinite at and below 1."""
        ...

    def reset_per_s(self, multiple: float) -> float:
        """Progress (a whole is 1) that a second below pickup takes back; infinite where it resets at once."""
        ...


@dataclass(frozen=True, kw_only=True)
class DefiniteTime:
    """The same time at every current above pickup. Instantaneous where it is 0. Resets at once."""

    delay_s: float

    def trip_s(self, multiple: float) -> float:
        """`delay_s` above pickup."""
        return self.delay_s if multiple > 1.0 else inf

    def reset_per_s(self, multiple: float) -> float:
        """At once."""
        return inf


@dataclass(frozen=True, kw_only=True)
class InverseTime:
    """t = dial (a / (M^p - 1) + b), M the multiple of pickup; reset t = dial tr / (1 - M^2) from a whole.

    IEC 60255-151:2009, equation 1 and table 1 (there T is the dial, k is `a_s`, alpha is `p`, b is 0); IEEE
    C37.112-2018, equations 1 and 2 and table 1."""

    a_s: float
    b_s: float
    p: float
    reset_s: float | None
    """tr; None resets at once."""
    dial: float
    """Time multiplier (IEC) or time dial (IEEE)."""
    minimum_s: float = 0.0
    """Never faster: a recloser's minimum response time."""

    def trip_s(self, multiple: float) -> float:
        """By the equation, not under `minimum_s`."""
        if not multiple > 1.0:
            return inf
        return max(self.minimum_s, self.dial * (self.a_s / float(multiple**self.p - 1.0) + self.b_s))

    def reset_per_s(self, multiple: float) -> float:
        """By the equation: fastest without any current, none at pickup."""
        if self.reset_s is None:
            return inf
        return (1.0 - min(multiple, 1.0) ** 2) / (self.dial * self.reset_s)


@dataclass(frozen=True, kw_only=True)
class HighSet:
    """A curve with a high-set element beside it: above a multiple of pickup never slower than its delay."""

    curve: Curve
    from_multiple: float
    delay_s: float
    """0: instantaneous."""

    def trip_s(self, multiple: float) -> float:
        """The faster of both."""
        trip_s = self.curve.trip_s(multiple)
        return min(trip_s, self.delay_s) if multiple >= self.from_multiple else trip_s

    def reset_per_s(self, multiple: float) -> float:
        """The curve's."""
        return self.curve.reset_per_s(multiple)


CONSTANTS: dict[str, tuple[float, float, float, float | None]] = {
    "iec_standard_inverse": (0.14, 0.0, 0.02, None),
    "iec_very_inverse": (13.5, 0.0, 1.0, None),
    "iec_extremely_inverse": (80.0, 0.0, 2.0, None),
    "ieee_moderately_inverse": (0.0515, 0.1140, 0.02, 4.85),
    "ieee_very_inverse": (19.61, 0.491, 2.0, 21.6),
    "ieee_extremely_inverse": (28.2, 0.1217, 2.0, 29.1),
}
"""a, b, p and tr by name. IEC leaves tr to the maker (13.5 s and 9.7 s are both sold for the standard inverse), so
none is assumed: these reset at once unless tr is stated."""


def inverse(
    name: str, *, dial: float, minimum_s: float = 0.0, reset_s: float | None = None, resets_at_once: bool = False
) -> InverseTime:
    """A standard characteristic by its name in `CONSTANTS`. `reset_s` replaces the standard's tr; `resets_at_once`
    is a relay that emulates no disk. Raises KeyError for a name that is not there."""
    a_s, b_s, p, tr_s = CONSTANTS[name]
    chosen_s = None if resets_at_once else (reset_s if reset_s is not None else tr_s)
    return InverseTime(a_s=a_s, b_s=b_s, p=p, reset_s=chosen_s, dial=dial, minimum_s=minimum_s)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Points (x, seconds), straight between them in log-log. Nothing happens below the first x; above the last, time
    falls with the square (adiabatic: I^2 t stays what it was at the last point)."""

    points: tuple[tuple[float, float], ...]
    """x rising, time falling, all positive."""

    def __post_init__(self) -> None:
        wrong = table_problem(self.points)
        if wrong:
            raise ValueError(wrong)

    def time_s(self, x: float) -> float:
        """Seconds at an x."""
        points = self.points
        if x < points[0][0]:
            return inf
        if x >= points[-1][0]:
            return points[-1][1] * (points[-1][0] / x) ** 2
        k = max(i for i, (at, _) in enumerate(points) if at <= x)
        (x0, t0), (x1, t1) = points[k], points[k + 1]
        share = log(x / x0) / log(x1 / x0)
        return exp(log(t0) + share * (log(t1) - log(t0)))


def table_problem(points: Sequence[tuple[float, float]]) -> str:
    """What is wrong with the points of a table; empty where nothing is."""
    if len(points) < 2:
        return "needs two points or more"
    if any(not (x > 0.0 and t > 0.0 and x < inf and t < inf) for x, t in points):
        return "needs positive, finite currents and times"
    if any(after[0] <= before[0] or after[1] > before[1] for before, after in pairwise(points)):
        return "needs rising currents and times that do not rise"
    return ""


@dataclass(frozen=True, kw_only=True)
class TabulatedCurve:
    """A recloser's curve as points (multiple of pickup, seconds). Resets at once."""

    table: Table

    def trip_s(self, multiple: float) -> float:
        """From the table; nothing at or below pickup, whatever the table says there."""
        return self.table.time_s(multiple) if multiple > 1.0 else inf

    def reset_per_s(self, multiple: float) -> float:
        """At once."""
        return inf


@dataclass(frozen=True, kw_only=True)
class FuseLink:
    """Minimum-melting and total-clearing times over the current in A; the latter contains arcing."""

    melt: Table
    clear: Table

    def melt_s(self, i_a: float) -> float:
        """Until the link has melted at a steady current."""
        return self.melt.time_s(i_a)

    def arcing_s(self, i_a: float) -> float:
        """From melted to cleared. A current that melts the link but lies under the clearing curve arcs as at that
        curve's first point."""
        clear_s = self.clear.time_s(i_a)
        if clear_s == inf:
            first_a = self.clear.points[0][0]
            return max(0.0, self.clear.points[0][1] - self.melt.time_s(first_a))
        return max(0.0, clear_s - self.melt.time_s(i_a))


def link_from_ratios(
    *,
    melt_300s_a: float,
    ratio_10s: float,
    ratio_100ms: float,
    clear_over_melt: float,
    arcing_s: float,
) -> FuseLink:
    """A link from how the standards describe one: its minimum-melting current at 300 s, the same at 10 s and at
    0.1 s as a multiple of it (the latter is the speed ratio: 6 to 8 for a K link, 10 to 13 for a T link; ANSI
    C37.42), the largest current over the smallest at each of these times, and the arcing time. No ratio has a
    default: they differ by size and by maker."""
    times = ((300.0, 1.0), (10.0, ratio_10s), (0.1, ratio_100ms))
    return FuseLink(
        melt=Table(points=tuple((melt_300s_a * ratio, time_s) for time_s, ratio in times)),
        clear=Table(
            points=tuple((melt_300s_a * ratio * clear_over_melt, time_s + arcing_s) for time_s, ratio in times)
        ),
    )


class Timer:
    """Progress towards a trip: the integral of dt / t(M), given back below pickup at the curve's reset rate.

    A multiple holds until the next is given, so a step is exact for a current that is constant over it."""

    def __init__(self) -> None:
        self.progress = 0.0
        self._curve: Curve = DefiniteTime(delay_s=inf)
        self._multiple = 0.0

    @property
    def picked_up(self) -> bool:
        """The held current is above pickup."""
        return self._multiple > 1.0

    @property
    def done(self) -> bool:
        """It has timed out."""
        return self.progress >= DONE or (self.picked_up and self.remaining_s <= 0.0)

    @property
    def remaining_s(self) -> float:
        """Until it times out if the current stays; infinite where it does not."""
        if not self.picked_up:
            return inf
        trip_s = self._curve.trip_s(self._multiple)
        return inf if trip_s == inf else max(0.0, DONE - self.progress) * trip_s

    def elapse(self, dt_s: float) -> None:
        """Time passes at the held current. What has timed out stays so until `restart`."""
        if dt_s <= 0.0 or self.progress >= DONE:
            return
        if self.picked_up:
            trip_s = self._curve.trip_s(self._multiple)
            self.progress += dt_s / trip_s if trip_s > 0.0 else 1.0
            return
        rate = self._curve.reset_per_s(self._multiple)
        self.progress = 0.0 if rate == inf else max(0.0, self.progress - rate * dt_s)

    def hold(self, multiple: float, *, curve: Curve) -> None:
        """From now on this multiple of pickup, on this curve."""
        self._multiple, self._curve = multiple, curve
        if not multiple > 1.0 and self.progress < DONE and curve.reset_per_s(multiple) == inf:
            self.progress = 0.0

    def restart(self) -> None:
        """From nothing, without current: after the device's own trip."""
        self.progress = 0.0
        self._multiple = 0.0
