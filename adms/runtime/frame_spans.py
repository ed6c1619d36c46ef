"""Which frames of a source were used, so that the journal shows a lost one and one that was used twice."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FrameSpan:
    """Frames of one instance of a source that were used, as they were folded."""

    instance_epoch: int
    first: int
    """Lowest sequence."""
    last: int
    """Highest sequence."""
    count: int
    """Frames folded, each counted every time: `last - first + 1` where none was lost or used twice."""

    def plus(self, later: "FrameSpan") -> "FrameSpan":
        """Both spans of the same instance."""
        return FrameSpan(
            instance_epoch=self.instance_epoch,
            first=min(self.first, later.first),
            last=max(self.last, later.last),
            count=self.count + later.count,
        )


def joined(spans: Iterable[FrameSpan]) -> tuple[FrameSpan, ...]:
    """One span per instance, oldest instance first."""
    found: dict[int, FrameSpan] = {}
    for span in spans:
        known = found.get(span.instance_epoch)
        found[span.instance_epoch] = span if known is None else known.plus(span)
    return tuple(found[epoch] for epoch in sorted(found))
