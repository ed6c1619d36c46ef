"""Element names as people type them."""

from collections.abc import Iterable

from adms.core.errors import InputError, Problem
from adms.core.near import NotFound, find_name


def full_name(typed: str, *, known: Iterable[str], field: str) -> str:
    """The element id that a person means: `l67` is `line.l67` where only one element is called so.

    Raises InputError with near names for an unknown one and with the candidates for an ambiguous one.
    """
    found = find_name(typed, known=sorted(set(known)), what="element")
    if isinstance(found, NotFound):
        raise InputError([Problem(element="command line", field=field, value=typed, message=found.message)])
    return found
