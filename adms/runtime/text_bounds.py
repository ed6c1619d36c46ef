"""How long the words of clients may be: what they say is journalled, kept and sent on."""

ACTOR_MAX = 100
REASON_MAX = 1000
ID_MAX = 200
"""Characters of any id that a client chooses."""
SHOWN = 50
"""Characters of a text that is too long which the refusal repeats."""


def too_long(text: str, *, most: int) -> tuple[str, str] | None:
    """(beginning of the text, what is wrong) of one that is too long; None of one that is not."""
    if len(text) <= most:
        return None
    return f"{text[:SHOWN]}...", f"has {len(text)} characters; at most {most} are taken"
