"""From sensor to actuator, and whether the bench and the service keep up."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_most, not_judged

_P99 = 0.99
NO_COMMANDS = not_judged("no device heard a command")


def _p99(values: Sequence[float]) -> float:
    """The least of the values that 99 % of them do not exceed."""
    return float(np.quantile(np.array(values), _P99, method="inverted_cdf"))


def _in_words(values: Sequence[float], *, unit: str, of: str) -> str:
    return f"{_p99(values):.6g} {unit} of {len(values)} {of}; median {np.median(values):.6g}, most {max(values):.6g}"


def _delays_s(found: Findings) -> list[float]:
    return [one.heard_s - one.sensed_s for one in found.actuations]


def _seconds(found: Findings) -> Finding:
    delays = _delays_s(found)
    if not delays:
        return NO_COMMANDS
    return Finding(value=_p99(delays), text=_in_words(delays, unit="s", of="commands"))


def _rounds(found: Findings) -> Finding:
    delays = _delays_s(found)
    if not delays:
        return NO_COMMANDS
    if not isfinite(found.scan_s):
        return not_judged("the time from scan to scan is not known")
    rounds = [delay_s / found.scan_s for delay_s in delays]
    return Finding(value=_p99(rounds), text=_in_words(rounds, unit="rounds", of="commands"))


def _wall(found: Findings) -> Finding:
    times = [one.wall_s for one in found.actuations if isfinite(one.wall_s)]
    if not times:
        return not_judged("no command was timed: that needs real time")
    return Finding(value=_p99(times), text=_in_words(times, unit="s", of="commands"))


def _deadlines(found: Findings) -> Finding:
    missed = found.missed_deadlines
    if missed is None:
        return not_judged("in lockstep nothing can be late: that needs real time")
    if not missed:
        return Finding(value=0.0, text="every scan in time")
    worst = max(missed, key=lambda one: one.late_s)
    text = f"{len(missed)} scans late, the worst at {worst.time_s:.6g} s by {worst.late_s:.3g} s"
    return Finding(value=float(len(missed)), text=text)


def _estimate_ms(found: Findings) -> Finding:
    times = [one.estimate_ms for one in found.rounds if isfinite(one.estimate_ms)]
    if not times:
        return not_judged("no round was seen")
    return Finding(value=_p99(times), text=_in_words(times, unit="ms", of="estimates"))


def _round_ms(found: Findings) -> Finding:
    times = [one.round_ms for one in found.rounds if isfinite(one.round_ms)]
    if not times:
        return not_judged("no round was seen")
    return Finding(value=_p99(times), text=_in_words(times, unit="ms", of="rounds"))


MEASURES = (
    at_most(
        "latency_p99_s",
        "s",
        what="from the snapshot that a command rests on until its device has it, in feeder time, 99 % of them",
        find=_seconds,
    ),
    at_most("latency_p99_rounds", "1", what="the same in rounds: 0 is within the round that sensed it", find=_rounds),
    at_most(
        "latency_wall_p99_s",
        "s",
        what="from the sensor's frame until the device has the command, on the machine's clock; real time only",
        find=_wall,
    ),
    at_most(
        "missed_deadlines", "count", what="scans that ended after the next was due; real time only", find=_deadlines
    ),
    at_most(
        "estimate_p99_ms",
        "ms",
        what="time that 99 % of the estimates took at most, on the service's clock: differs from run to run",
        find=_estimate_ms,
    ),
    at_most(
        "round_p99_ms",
        "ms",
        what="time that 99 % of the rounds took at most, on the service's clock: differs from run to run",
        find=_round_ms,
    ),
)
