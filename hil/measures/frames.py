"""Telemetry frames: none lost, none used twice."""

from __future__ import annotations

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_most, not_applicable


def _lost(found: Findings) -> Finding:
    if found.service_gone:
        return not_applicable("the service was gone at the end, and its sources keep what it has not used")
    lost = sum(max(0, count.sent - count.used) for count in found.frames)
    sent = sum(count.sent for count in found.frames)
    return Finding(value=float(lost), text=f"{lost} of {sent} frames from {len(found.frames)} sources were not used")


def _twice(found: Findings) -> Finding:
    twice = sum(count.used_twice for count in found.frames)
    sent = sum(count.sent for count in found.frames)
    return Finding(value=float(twice), text=f"{twice} of {sent} frames were used twice")


MEASURES = (
    at_most(
        "frames_lost",
        "count",
        what="frames that their sources sent and the service did not use; what a channel lost on purpose was not sent",
        find=_lost,
    ),
    at_most("frames_twice", "count", what="frames that the service used more than once, by its journal", find=_twice),
)
