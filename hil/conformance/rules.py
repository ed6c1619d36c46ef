"""What a rule is, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.conformance.stage import Stage


class Standing(StrEnum):
    """Of one rule."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one rule."""

    rule: Rule
    standing: Standing
    expected: str = ""
    """Where it failed."""
    seen: str = ""
    """Where it failed; why, where it is not applicable."""
    at_s: float = 0.0
    """Seconds from the start of the run to the verdict."""
    took_s: float = 0.0


class BrokenError(Exception):
    """A rule is broken: what was expected and what was seen instead. It ends the rule's script."""

    def __init__(self, *, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected = expected
        self.seen = seen


class NotApplicableError(Exception):
    """A rule does not apply to this client, and why. It ends the rule's script."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that a client owes."""

    rule_id: str
    title: str
    """What the client owes, as a sentence."""
    source: str
    """Where that comes from: comment of a proto, invariant, clause of a standard."""
    quick: bool
    """Belongs to the quick set."""
    script: Callable[[Stage], Awaitable[None]]
    """Tries it. Raises BrokenError and NotApplicableError."""


Script = Callable[["Stage"], Awaitable[None]]


def rule(rule_id: str, title: str, *, source: str, quick: bool = True) -> Callable[[Script], Rule]:
    """Makes a rule of its script."""

    def made(script: Script) -> Rule:
        return Rule(rule_id=rule_id, title=title, source=source, quick=quick, script=script)

    return made
