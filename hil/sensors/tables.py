"""Tables of a scenario as records: every problem at once, in words that a user can act on."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar, get_type_hints, runtime_checkable

from pydantic import TypeAdapter, ValidationError

from adms.client import Problem

T = TypeVar("T")


@runtime_checkable
class Checked(Protocol):
    """A record that knows what in it does not go together."""

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why)."""
        ...


class Reading:
    """What is read from one plan, and the problems found so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, where: str, key: str, *, value: object = "", why: str) -> None:
        """Note one."""
        self.problems.append(Problem(element=where, field=key, value=str(value), message=why))

    def unknown(self, content: Mapping[str, Any], *, known: Iterable[str]) -> None:
        """Note every table that nobody reads."""
        names = tuple(known)
        for name in content:
            if name not in names:
                self.problem(f"[{name}]", "", why="no such table" + near(name, names))

    def entries(self, content: Mapping[str, Any], name: str, *, where: str = "") -> list[tuple[str, dict[str, Any]]]:
        """An array of tables, which may be left out, each with the words for where it stands."""
        path = f"{where}.{name}" if where else name
        found = content.get(name, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            self.problem(f"[[{path}]]", "", value=found, why="must be an array of tables, each under its own [[...]]")
            return []
        return [(f"[[{path}]] {k}", entry) for k, entry in enumerate(found, start=1)]

    def record(
        self, kind: type[T], table: Mapping[str, Any], *, where: str, given: Mapping[str, Any] | None = None
    ) -> T | None:
        """A table as a record; None where there is a problem. Fields of `given` are read elsewhere: their keys may not
        stand here, and None among them says that they have a problem."""
        fixed = dict(given or {})
        fields = [field for field in dataclasses.fields(kind) if field.name not in fixed]  # type: ignore[arg-type]
        names = tuple(field.name for field in fields)
        hints = get_type_hints(kind, include_extras=True)
        before, values = len(self.problems), {}
        for key, value in table.items():
            if key in names:
                values[key] = self._value(hints[key], value, where=where, key=key)
            else:
                self.problem(where, key, value=value, why="no such key" + near(key, names))
        for field in fields:
            if field.default is dataclasses.MISSING and field.name not in table:
                self.problem(where, field.name, why="is missing")
        if len(self.problems) > before or any(value is None for value in fixed.values()):
            return None
        made = kind(**values, **fixed)
        if isinstance(made, Checked):
            for key, value, why in made.wrong():
                self.problem(where, key, value=value, why=why)
        return made

    def _value(self, hint: Any, value: Any, *, where: str, key: str) -> Any:
        try:
            # Strict: "2" is no number and true is none; a whole number may stand for a float. As JSON, since TOML too
            # has arrays and words where a record has tuples and enumerations.
            return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
        except TypeError:
            self.problem(where, key, value=value, why="must not be a date or a time of day")
            return value
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            self.problem(where, key, value=repr(value), why=_in_words(str(found["msg"])))
            return value


def _in_words(message: str) -> str:
    """A message about a value, rather than about an `input`."""
    return message.replace("Input should", "must").replace("String should", "must")


_FEW = 12


def near(name: str, known: tuple[str, ...]) -> str:
    """What a misspelt name may have meant, or what there is where that is little, as the end of a message."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are: {', '.join(known)}" if 0 < len(known) <= _FEW else ""
