"""What the journal says about frames: which were folded, lost or folded twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FrameUse:
    """Frames of one source in the journal's account, all instances of the source together."""

    acknowledged: int
    """Highest sequence that the journal accounts for."""
    lost: int
    """Accounted for, but never folded."""
    twice: int
    """Folded once more than they should be."""


@dataclass(kw_only=True)
class _Instance:
    mark: int = 0
    """Highest sequence acknowledged."""
    folded: int = 0
    """Highest sequence folded."""
    lost: int = 0
    twice: int = 0

    def fold(self, *, first: int, last: int, count: int) -> None:
        """One span against what was folded before it."""
        self.lost += max(0, first - self.folded - 1)
        self.twice += max(0, min(last, self.folded) - first + 1)
        missing = last - first + 1 - count
        self.lost += max(0, missing)
        self.twice += max(0, -missing)
        self.folded = max(self.folded, last)


def account(cuts: Iterable[Mapping[str, Any]]) -> Mapping[str, FrameUse]:
    """By source, over the bodies of all CUT entries of a journal in order, restarts of the service included.

    Judged cut by cut, so that a lost frame and one folded twice do not cancel. Sequences of an instance begin at 1."""
    instances: dict[tuple[str, int], _Instance] = {}
    for body in cuts:
        for source, spans in body["frames"].items():
            for span in spans:
                instance = instances.setdefault((source, span["instance_epoch"]), _Instance())
                instance.fold(first=span["from"], last=span["to"], count=span["count"])
        for source, (instance_epoch, sequence) in body["used"].items():
            instance = instances.setdefault((source, instance_epoch), _Instance())
            instance.mark = max(instance.mark, sequence)
    found: dict[str, FrameUse] = {}
    for (source, _), instance in instances.items():
        before = found.get(source, FrameUse(acknowledged=0, lost=0, twice=0))
        found[source] = FrameUse(
            acknowledged=before.acknowledged + max(instance.mark, instance.folded),
            lost=before.lost + instance.lost + max(0, instance.mark - instance.folded),
            twice=before.twice + instance.twice,
        )
    return found
