"""Results that belong to an object that never changes, kept for exactly as long as the object is."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

Owner = TypeVar("Owner")
Result = TypeVar("Result")


def kept(function: Callable[[Owner], Result]) -> Callable[[Owner], Result]:
    """`function`, called once for each owner. The result must not refer to the owner, or neither is ever freed."""
    known: WeakKeyDictionary[Owner, Result] = WeakKeyDictionary()

    @wraps(function)
    def found(owner: Owner) -> Result:
        if owner not in known:
            known[owner] = function(owner)
        return known[owner]

    return found
