"""TOML tables to frozen records: every problem of a file at once, in words that a user can act on."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from adms.core.errors import InputError, Problem
from adms.service.bounds import outside_bounds

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file. Raises InputError where it is missing or not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise InputError([_problem(str(path), "", "", "no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([_problem(str(path), "", "", f"cannot be read: {error}")]) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError([_problem(str(path), "", "", f"is not TOML: {error}")]) from error


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables of one file, and the problems found so far."""

    content: Mapping[str, Any]
    problems: list[Problem]

    def unknown(self, expected: tuple[str, ...]) -> None:
        """Notes every table that nobody reads."""
        for name in self.content:
            if name not in expected:
                self.problems.append(_problem(f"[{name}]", "", "", "no such table" + near(name, expected)))

    def record(
        self, kind: type[T], name: str, *, given: Mapping[str, Any] | None = None, named: bool = False
    ) -> T | None:
        """One table as a record; None where there is a problem. Fields of `given` come from other tables and may not
        stand in this one; None among them says that the other table has a problem. `named`: every number has to stand
        in the file, also where the record has a default; only what may be None may be left out."""
        fixed = dict(given or {})
        table = self.content.get(name)
        fields = [field for field in dataclasses.fields(kind) if field.name not in fixed]  # type: ignore[arg-type]
        names = tuple(field.name for field in fields)
        if table is None:
            needed = ", ".join(names)
            self.problems.append(_problem(f"[{name}]", "", "", f"table is missing; it holds {needed}"))
            return None
        if not isinstance(table, dict):
            self.problems.append(_problem(f"[{name}]", "", str(table), "must be a table"))
            return None
        before = len(self.problems)
        hints = get_type_hints(kind)
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key in fixed:
                self.problems.append(_problem(f"[{name}]", key, str(value), "is set elsewhere; leave it out here"))
            elif key not in names:
                self.problems.append(_problem(f"[{name}]", key, str(value), "no such key" + near(key, names)))
            else:
                values[key] = self._value(hints[key], value, table=name, key=key)
        for field in fields:
            needed_here = field.default is dataclasses.MISSING or (named and field.default is not None)
            if field.name not in table and needed_here:
                self.problems.append(_problem(f"[{name}]", field.name, "", "is missing"))
        if len(self.problems) > before or any(value is None for value in fixed.values()):
            return None
        return kind(**values, **fixed)

    def entries(self, name: str) -> list[dict[str, Any]]:
        """An array of tables, which may be left out."""
        content = self.content.get(name, [])
        if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
            self.problems.append(_problem(f"[[{name}]]", "", str(content), "must be an array of tables"))
            return []
        return content

    def _value(self, hint: Any, value: Any, *, table: str, key: str) -> Any:
        try:
            # Strict: "2" is no number and 1 is no switch; a whole number may stand for a float.
            found = TypeAdapter(hint).validate_python(value, strict=True)
        except ValidationError as error:
            message = error.errors(include_url=False)[0]["msg"]
            self.problems.append(_problem(f"[{table}]", key, str(value), message))
            return value
        outside = outside_bounds(found, table=table, key=key)
        if outside:
            self.problems.append(_problem(f"[{table}]", key, str(value), outside))
        return found


def near(name: str, known: tuple[str, ...]) -> str:
    """What a misspelt name may have meant, as the end of a message."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _problem(element: str, field: str, value: str, message: str) -> Problem:
    return Problem(element=element, field=field, value=value, message=message)
