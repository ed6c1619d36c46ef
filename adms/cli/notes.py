"""Many notes about elements, told by kind."""

import re
from collections.abc import Iterable, Sequence

SHOWN_KINDS = 25
_SHOWN_ELEMENTS = 4


def grouped(notes: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(what is said, of which elements), most frequent first. Notes that differ in a number only are of one kind, and
    what is said is then said of the first."""
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for note in notes:
        element, _, text = note.partition(": ")
        if not text:
            element, text = "", note
        kind = (element.partition(".")[0], re.sub(r"\d[\d.,e+-]*", "#", text))
        kinds.setdefault(kind, []).append((element, text))
    groups = [
        (rows[0][1] if len({text for _, text in rows}) == 1 else f"such as {rows[0][1]}", [each for each, _ in rows])
        for rows in kinds.values()
    ]
    return sorted(groups, key=lambda group: -len(group[1]))


def note_lines(notes: Sequence[str], *, word: str, every: bool) -> Iterable[str]:
    """Lines to print: each note, or each kind of note with its first elements.

    Args:
        notes: "element: what is said of it".
        word: begins each line.
        every: each note by itself.
    """
    if every:
        yield from (f"{word}: {note}" for note in notes)
        return
    groups = grouped(notes)
    for text, elements in groups[:SHOWN_KINDS]:
        if len(elements) == 1:
            yield f"{word}: {elements[0]}: {text}" if elements[0] else f"{word}: {text}"
        else:
            more = ", ..." if len(elements) > _SHOWN_ELEMENTS else ""
            yield f"{word}: {len(elements)} times: {text} ({', '.join(elements[:_SHOWN_ELEMENTS])}{more})"
    rest = sum(len(elements) for _, elements in groups[SHOWN_KINDS:])
    if rest:
        yield f"{word}: and {rest} more"
    if any(len(elements) > 1 for _, elements in groups) or rest:
        yield "(all of them: --notes all)"
