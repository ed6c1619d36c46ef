"""What is kept for an owner."""

import gc
import weakref

from adms.core.kept import kept


class Owner:
    """Something that never changes."""


def test_it_is_made_once_for_each_owner_and_freed_with_it() -> None:
    made: list[Owner] = []

    class Result:
        pass

    @kept
    def of(owner: Owner) -> Result:
        made.append(owner)
        return Result()

    first, second = Owner(), Owner()
    assert of(first) is of(first)
    assert of(first) is not of(second)
    assert made == [first, second]
    gone = weakref.ref(of(first))
    made.clear()
    del first
    gc.collect()
    assert gone() is None
