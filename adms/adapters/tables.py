"""TOML files of tables, read with every problem of their form at once."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adms.adapters.files import read_text
from adms.core.errors import InputError, Problem

Phase = Annotated[int, Field(ge=0, le=3)]
Phases = Annotated[tuple[Phase, ...], Field(min_length=1, max_length=3)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Name = Annotated[str, Field(min_length=1)]
_SHOWN = 80


class Table(BaseModel):
    """What all tables have in common: no unknown keys, finite numbers, values of the type that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


File = TypeVar("File", bound=Table)


def read_file(path: Path, form: type[File], *, whole: str) -> File:
    """A TOML file in a form. Raises InputError with every problem: not readable, unknown or missing keys, values that
    are none.

    Args:
        path: the file.
        form: what it holds.
        whole: what to call the file in problems that stand in no table.
    """
    tables = read_tables(path)
    try:
        # As JSON, so that a text is no number and true is not 1.
        return form.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        raise InputError(_table_problems(error, tables, whole=whole)) from error


def read_tables(path: Path) -> dict[str, object]:
    """A TOML file as it stands. Raises InputError."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and integers of thousands of digits
        message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(
            [Problem(element=str(path), field="", value="", message=f"not readable: {message}")]
        ) from error


def _table_problems(error: ValidationError, tables: dict[str, object], *, whole: str) -> list[Problem]:
    """What is wrong with a file's form, each with the table it stands in."""
    found = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        where = ".".join(str(part) for part in location[:-1]) or whole
        rows = tables.get(str(location[0])) if location else None
        if len(location) > 1 and isinstance(rows, list) and isinstance(location[1], int):
            row = rows[location[1]]
            name = (row.get("id") or row.get("element") or row.get("name")) if isinstance(row, dict) else None
            where = str(name or f"{location[0]}[{location[1]}]")
        given = "" if isinstance(item["input"], dict) else str(item["input"])[:_SHOWN]
        field = str(location[-1]) if location and not isinstance(location[-1], int) else ""
        found.append(Problem(element=where[:_SHOWN], field=field, value=given, message=item["msg"]))
    return found
