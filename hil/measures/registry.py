"""Every measure by its name. A new one is a function and a line in the tuple of its topic."""

from __future__ import annotations

from collections.abc import Mapping

from hil.measures import (
    bad_data,
    customers,
    ders,
    energy,
    frames,
    interface,
    latency,
    moves,
    picture,
    recovery,
    safety,
    voltage,
)
from hil.measures.measure import Measure

_TOPICS = (
    safety,
    frames,
    picture,
    bad_data,
    voltage,
    interface,
    moves,
    customers,
    ders,
    energy,
    latency,
    recovery,
)
MEASURES: Mapping[str, Measure] = {measure.name: measure for topic in _TOPICS for measure in topic.MEASURES}
"""By name, by topic."""
