"""`results.json`: the record of a run as a file, and back. A file that cannot be read says everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from math import isfinite, nan
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from adms.client import InputError, Problem
from hil.results import SCHEMA, Results

NAME = "results.json"


def plain(value: Any) -> Any:
    """A value as JSON knows it; what is not a finite number becomes null."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def repeatable(results: Results) -> dict[str, Any]:
    """What two lockstep runs of one seed have in common: everything but `measured`."""
    content: dict[str, Any] = plain(results)
    del content["measured"]
    return content


def write_results(results: Results, *, path: Path) -> None:
    """Write the file: a line for each field, so that two files can be compared by eye."""
    content = plain(results)
    lines = [f" {json.dumps(key)}: {json.dumps(item, allow_nan=False)}" for key, item in content.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_results(path: Path) -> Results:
    """Read a file. Raises InputError with every problem: no file, no JSON, another schema, keys that are missing, not
    known or of another type."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError([_problem(path.name, "", str(path), f"cannot be read: {error}")]) from None
    if not isinstance(content, dict):
        raise InputError([_problem(path.name, "", str(path), "is no record of a run: not a JSON object")])
    if content.get("schema") != SCHEMA:
        written = content.get("schema", "")
        said = f"{path} is not a record that this version reads; it reads {SCHEMA}"
        raise InputError([_problem(path.name, "schema", str(written), said)])
    problems: list[Problem] = []
    results = _read(Results, content, where="", problems=problems, file=path.name)
    if problems:
        raise InputError(problems)
    assert isinstance(results, Results)
    return results


def _problem(file: str, field: str, value: str, message: str) -> Problem:
    return Problem(element=file, field=field, value=value, message=message)


def _read(kind: Any, value: Any, *, where: str, problems: list[Problem], file: str) -> Any:
    """A JSON value as a type of the record."""

    def wrong(expected: str) -> None:
        shown = json.dumps(value)
        problems.append(_problem(file, where, shown if len(shown) < 60 else shown[:57] + "...", f"must be {expected}"))

    def inner(sort: Any, item: Any, name: str) -> Any:
        return _read(sort, item, where=name, problems=problems, file=file)

    origin = get_origin(kind)
    if origin is UnionType:
        others = [sort for sort in get_args(kind) if sort is not NoneType]
        return None if value is None else inner(others[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            wrong("a list")
            return ()
        return tuple(inner(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            wrong("an object")
            return {}
        return {key: inner(get_args(kind)[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, value, where=where, problems=problems, file=file)
    return _single(kind, value, wrong=wrong)


def _single(kind: Any, value: Any, *, wrong: Any) -> Any:
    if issubclass(kind, Enum):
        if value in [one.value for one in kind]:
            return kind(value)
        wrong(f"one of {', '.join(str(one.value) for one in kind)}")
        return next(iter(kind))
    if kind is float:
        if value is None:
            return nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        wrong("a number or null")
        return nan
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    wrong({str: "text", int: "a whole number", bool: "true or false"}.get(kind, kind.__name__))
    return kind()


def _record(kind: Any, value: Any, *, where: str, problems: list[Problem], file: str) -> Any:
    if not isinstance(value, dict):
        problems.append(_problem(file, where, str(value)[:60], "must be an object"))
        value = {}
    hints = get_type_hints(kind)
    prefix = f"{where}." if where else ""
    known = {entry.name for entry in fields(kind)}
    problems += [
        _problem(file, f"{prefix}{key}", "", f"is not known to schema {SCHEMA}") for key in value if key not in known
    ]
    given: dict[str, Any] = {}
    for entry in fields(kind):
        if entry.name in value:
            given[entry.name] = _read(
                hints[entry.name], value[entry.name], where=prefix + entry.name, problems=problems, file=file
            )
            continue
        # The file always has every key: one that is missing was lost, whatever a program may leave out.
        problems.append(_problem(file, f"{prefix}{entry.name}", "", "is missing"))
        if entry.default is MISSING and entry.default_factory is MISSING:
            given[entry.name] = None
    return kind(**given)
