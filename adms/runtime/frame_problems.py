"""What can be wrong with a frame. Lengths are looked at first: what they refuse costs no look at the values."""

from adms.core.errors import Problem
from adms.ports.records import TelemetryFrame


def frame_problems(frame: TelemetryFrame, *, source: str, expected: int, declared: int, full: bool) -> list[Problem]:
    """Every problem of a frame.

    Args:
        frame: as it came.
        source: who sent it.
        expected: the sequence that comes next.
        declared: how many points the source's declaration has.
        full: as many frames of the source wait for a cut as may.
    """
    problems: list[Problem] = []

    def add(column: str, value: object, message: str) -> None:
        problems.append(Problem(element=source, field=f"frame.{column}", value=str(value), message=message))

    if frame.sequence != expected:
        add("sequence", frame.sequence, f"expected {expected}")
    if full:
        add("sequence", frame.sequence, "too many frames wait for a cut; send fewer, resend this one later")
    count = len(frame.point_index)
    if len(frame.value) != count:
        add("value", len(frame.value), f"must have as many entries as point_index, {count}")
    if len(frame.quality) not in (0, count):
        add("quality", len(frame.quality), f"must be empty or have as many entries as point_index, {count}")
    if count > declared:
        add("point_index", count, f"more entries than the declaration, which has {declared} points")
        return problems
    distinct = set(frame.point_index)
    outside = min((index for index in distinct if index >= declared), default=None)
    if outside is not None:
        add("point_index", outside, f"the declaration has {declared} points")
    if len(distinct) < count:
        add("point_index", _repeated(frame.point_index), "stands in the frame twice; a frame is of one instant")
    return problems


def _repeated(indices: tuple[int, ...]) -> int:
    seen: set[int] = set()
    for index in indices:
        if index in seen:
            return index
        seen.add(index)
    raise AssertionError("no index is repeated")
