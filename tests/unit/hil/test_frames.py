"""Lost and doubled frames in hand-made journals (the body of a CUT entry is described in `adms/runtime/carried.py`)."""

from typing import Any

from hil.frames import FrameUse, account


def cut(first: int, last: int, *, count: int, used: int | None = None, instance: int = 1) -> dict[str, Any]:
    span = {"instance_epoch": instance, "from": first, "to": last, "count": count}
    return {"frames": {"pv": [span]}, "used": {"pv": [instance, last if used is None else used]}}


def test_a_journal_without_gaps_loses_nothing_across_restarts_of_the_service_and_of_the_source() -> None:
    bodies = [cut(1, 1, count=1), cut(2, 4, count=3), {"frames": {}, "used": {}}, cut(1, 2, count=2, instance=2)]
    assert account(bodies) == {"pv": FrameUse(acknowledged=6, lost=0, twice=0)}


def test_a_frame_that_is_never_folded_is_lost() -> None:
    between, within, at_the_end = (
        [cut(1, 1, count=1), cut(3, 3, count=1)],
        [cut(1, 3, count=2)],
        [cut(1, 2, count=2, used=3)],
    )
    for bodies in (between, within, at_the_end):
        assert account(bodies) == {"pv": FrameUse(acknowledged=3, lost=1, twice=0)}


def test_a_frame_that_is_folded_again_counts_as_used_twice() -> None:
    in_the_next_cut, within = [cut(1, 2, count=2), cut(2, 3, count=2)], [cut(1, 3, count=4)]
    for bodies in (in_the_next_cut, within):
        assert account(bodies) == {"pv": FrameUse(acknowledged=3, lost=0, twice=1)}


def test_a_lost_frame_and_a_doubled_one_do_not_cancel() -> None:
    # Frames 1, 2, 2, 4: as many folded as acknowledged.
    bodies = [cut(1, 1, count=1), cut(2, 2, count=1), cut(2, 2, count=1), cut(4, 4, count=1)]
    assert account(bodies) == {"pv": FrameUse(acknowledged=4, lost=1, twice=1)}
