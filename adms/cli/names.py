"""Element names as people type them."""

from collections.abc import Iterable
from difflib import get_close_matches

from adms.core.errors import InputError, Problem


def full_name(typed: str, *, known: Iterable[str], field: str) -> str:
    """The element id that a person means: `l67` is `line.l67` where only one element is called so.

    Raises InputError with near names for an unknown one and with the candidates for an ambiguous one.
    """
    ids = sorted(set(known))
    wanted = typed.strip().lower()
    if wanted in ids:
        return wanted
    matches = [element for element in ids if element.partition(".")[2] == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        message = f"names {len(matches)} elements: {', '.join(matches)}"
    else:
        short = {element.partition(".")[2]: element for element in ids}
        near = get_close_matches(wanted, [*ids, *short], n=3)
        hint = f"; near: {', '.join(dict.fromkeys(short.get(name, name) for name in near))}" if near else ""
        message = f"no such element{hint}"
    raise InputError([Problem(element="command line", field=field, value=typed, message=message)])
