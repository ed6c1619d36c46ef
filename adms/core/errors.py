"""Exceptions: for bad input at the door, for the edge, and for our own bugs. Expected conditions are values."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with an input, in words that a user can act on."""

    element: str
    """What it is about: an element id, a file and line, a configuration table."""
    field: str
    value: str
    message: str

    def __str__(self) -> str:
        where = f"{self.element}.{self.field}" if self.field else self.element
        given = f" (given: {self.value})" if self.value else ""
        return f"{where}: {self.message}{given}"


class InputError(Exception):
    """Input refused, with every problem found in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AdapterError(Exception):
    """The edge failed: a server, a file, an engine."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(message)


class InvariantError(Exception):
    """A bug of ours. The round is dropped and the mode falls to OBSERVE."""
