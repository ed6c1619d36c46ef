"""Which points of a snapshot can be used, compiled: one pass over the rows."""

import math
from typing import NamedTuple

from adms.core.compiled import compiled
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray


class ReadingRules(NamedTuple):
    """What does not change from scan to scan, [M]."""

    si_per_unit: FloatArray
    average: BoolArray
    """Means over intervals."""
    voltage_size: BoolArray
    current_size: BoolArray
    angle: BoolArray
    """Of currents."""
    partner: IntArray
    """Row of the size of an angle's current; its own where there is none."""


class ReadingLimits(NamedTuple):
    """Numbers of policies and laws."""

    good: int
    """`Quality` as numbers."""
    stale: int
    missing: int
    max_age_s: float
    average_max_age_s: float
    """Of means over intervals."""
    least_sigma_pu: float
    largest_pu: float
    """Of a sigma and of a value."""
    current_sigmas: float
    """A current is measured where it is so many of its sigmas."""
    least_v_pu: float
    largest_v_pu: float
    """What a voltage meter at a live node can read."""


FINE = 0
WITHOUT_VOLTAGE, NEVER_CAME, TOO_OLD, IN_THE_FUTURE, FLAGGED, TOLD = 1, 2, 3, 4, 5, 6
NO_VALUE, NO_SIGMA, SIGMA_OUT, VALUE_OUT, TOO_SMALL, NO_LIVE_VOLTAGE, LOST = 7, 8, 9, 10, 11, 12, 13
REASONS = (
    "",
    "what it measures has no voltage",
    "never came",
    "too old",
    "dated in the future",
    "flagged by its source",
    "the forecast rests on it already",
    "no value",
    "no sigma",
    "sigma out of any range",
    "value out of any range",
    "too small to tell from none",
    "no voltage that a live node has",
    "its current is too small, or not measured",
)
"""In words."""


@compiled
def read_rows(
    rules: ReadingRules,
    live: BoolArray,
    limits: ReadingLimits,
    value: FloatArray,
    sigma: FloatArray,
    age_s: FloatArray,
    quality: IntArray,
    told: BoolArray,
    z: FloatArray,
    variance: FloatArray,
    use: BoolArray,
    failed: IntArray,
) -> int:
    """Fills `z` and `variance` (per unit; 0 and 1 where not in use), `use`, and `failed` with the first test that a row
    fails. Returns how many fail.

    Args:
        rules: of the rows.
        live: [M] True where a row measures something that has a voltage.
        limits: of what can be.
        value: [M] SI
        sigma: [M] SI
        age_s: [M]
        quality: [M]
        told: [M] True where the prior rests on it already.
        z: [M] out
        variance: [M] out
        use: [M] out
        failed: [M] out
    """
    count = 0
    for r in range(len(value)):
        unit = rules.si_per_unit[r]
        size, deviation = value[r] / unit, sigma[r] / unit
        average = rules.average[r]
        oldest = limits.average_max_age_s if average else limits.max_age_s
        how = FINE
        if not live[r]:
            how = WITHOUT_VOLTAGE
        elif quality[r] == limits.missing:
            how = NEVER_CAME
        elif not age_s[r] <= oldest:
            how = TOO_OLD
        elif age_s[r] < -oldest:
            how = IN_THE_FUTURE
        elif quality[r] != limits.good and not (average and quality[r] == limits.stale):
            how = FLAGGED  # late is what meters of intervals are; how much they still say is in their weight
        elif told[r]:
            how = TOLD
        elif not math.isfinite(value[r]):
            how = NO_VALUE
        elif not math.isfinite(sigma[r]):
            how = NO_SIGMA
        elif not limits.least_sigma_pu < deviation < limits.largest_pu:
            how = SIGMA_OUT
        elif not abs(size) < limits.largest_pu:
            how = VALUE_OUT
        elif rules.current_size[r] and not size >= limits.current_sigmas * deviation:
            how = TOO_SMALL
        elif rules.voltage_size[r] and not limits.least_v_pu < size < limits.largest_v_pu:
            how = NO_LIVE_VOLTAGE
        failed[r] = how
        use[r] = how == FINE
        z[r], variance[r] = (size, deviation * deviation) if how == FINE else (0.0, 1.0)
        count += how != FINE
    for r in range(len(value)):
        # No current has no angle, and nearly none has hardly any.
        if rules.angle[r] and use[r] and (rules.partner[r] == r or not use[rules.partner[r]]):
            failed[r], use[r], z[r], variance[r] = LOST, False, 0.0, 1.0
            count += 1
    return count


@compiled
def count_contradicting(
    size_pu: FloatArray,
    quality: IntArray,
    age_s: FloatArray,
    live: BoolArray,
    good: int,
    max_age_s: float,
    least_v_pu: float,
    largest_v_pu: float,
) -> int:
    """How many good and fresh voltage meters say the contrary of the switches.

    Args:
        size_pu: [meter]
        quality: [meter]
        age_s: [meter]
        live: [meter] what the switches say.
        good: quality of a good value.
        max_age_s: of a fresh one.
        least_v_pu: below, a meter says "dead".
        largest_v_pu: above, it says nothing.
    """
    count = 0
    for i in range(len(size_pu)):
        if quality[i] == good and age_s[i] <= max_age_s and math.isfinite(size_pu[i]):
            size = abs(size_pu[i])
            count += size <= least_v_pu if live[i] else least_v_pu < size < largest_v_pu
    return count
