"""Did the story hold: see `hil.measures`."""

from hil.measures import Check, Findings, FrameCount, judge

__all__ = ["Check", "Findings", "FrameCount", "judge"]
