"""The model file: `adms.grid.model` written as JSON, in SI, with names. The service loads it without any importer.

`adms/schemas/README.md` documents it. Its version is a hash of its content: SHA-256 of the model written in the
canonical way (fields in the order of the schema, no spaces, shortest numbers that read back the same), so that layout
and order of keys play no part.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adms.adapters.files import not_utf8, read_whole, write_whole
from adms.core.errors import InputError, Problem
from adms.core.ids import ModelVersion
from adms.grid.model import SCHEMA_VERSION, NetworkModel
from adms.grid.validation import check

MODEL = TypeAdapter(NetworkModel)
_SHOWN = 80
"""Characters of a wrong value that are repeated."""


def load_model(path: Path) -> tuple[NetworkModel, ModelVersion]:
    """The model in a file, checked, and the version that its content gives it.

    Raises InputError: no such file, not JSON, another schema version, unknown, missing or repeated fields, values of
    another type, or whatever `adms.grid.validation.check` finds, all problems at once.
    """
    text = read_whole(path)
    try:
        model = MODEL.validate_json(text, extra="forbid", strict=True)
    except ValidationError as error:
        raise InputError(_form_problems(path, text, error)) from error
    if model.schema_version != SCHEMA_VERSION:
        raise InputError([_other_version(path, model.schema_version)])
    canonical = _canonical(model)
    # What this program wrote has every key once, and need not be read a second time to know it.
    problems = [] if text.strip() == canonical else _key_problems(path, text)
    problems += check(model)
    if problems:
        raise InputError(problems)
    return model, _version(canonical)


def save_model(model: NetworkModel, path: Path) -> ModelVersion:
    """Writes a model, and returns its version. Raises InputError, and writes nothing, where it could not be loaded
    again or the place cannot be written to."""
    problems = check(model)
    if problems:
        raise InputError(problems)
    canonical = _canonical(model)
    write_whole(path, canonical + b"\n")
    return _version(canonical)


def model_version(model: NetworkModel) -> ModelVersion:
    """SHA-256 of the canonical JSON: equal exactly where the models are."""
    return _version(_canonical(model))


def _version(canonical: bytes) -> ModelVersion:
    return ModelVersion(hashlib.sha256(canonical).hexdigest())


def _canonical(model: NetworkModel) -> bytes:
    return MODEL.dump_json(model)


def _problem(element: str, message: str, *, field: str = "", value: str = "") -> Problem:
    return Problem(element=element, field=field, value=value, message=message)


def _other_version(path: Path, version: object) -> Problem:
    message = f"this program reads version {SCHEMA_VERSION}: import the network again with it"
    return _problem(str(path), message, field="schema_version", value=str(version)[:_SHOWN])


def _key_problems(path: Path, text: bytes) -> list[Problem]:
    """Keys that are given twice, of which a reader takes one in silence; a missing schema version."""
    repeated: list[tuple[str, str]] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    repeated.append((str(found.get("id", path)), key))
                seen.add(key)
        return found

    content = json.loads(text, object_pairs_hook=once)
    problems = [_problem(element, "is given twice", field=field) for element, field in repeated]
    if "schema_version" not in content:
        message = f"is missing: this program reads version {SCHEMA_VERSION}"
        problems.append(_problem(str(path), message, field="schema_version"))
    return problems


def _form_problems(path: Path, text: bytes, error: ValidationError) -> list[Problem]:
    try:
        text.decode("utf-8")
        content = json.loads(text)
    except UnicodeDecodeError as not_text:
        return [not_utf8(path, not_text)]
    except RecursionError:
        return [_problem(str(path), "is not a network model: nested too deeply")]
    except ValueError as not_json:
        return [_problem(str(path), f"is not a JSON file: {not_json}")]
    if not isinstance(content, dict):
        return [_problem(str(path), "is not a network model: an object is expected")]
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        return [_other_version(path, version)]
    found = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        element, field = str(path), ".".join(str(part) for part in location)
        if len(location) > 1 and isinstance(location[1], int):
            rows = content.get(str(location[0]))
            row = rows[location[1]] if isinstance(rows, list) and location[1] < len(rows) else None
            name = row.get("id") if isinstance(row, dict) else None
            element = str(name or f"{location[0]}[{location[1]}]")[:_SHOWN]
            field = ".".join(str(part) for part in location[2:])
        value = item["input"]
        given = str(value)[:_SHOWN] if isinstance(value, str | int | float) else ""
        found.append(_problem(element, item["msg"], field=field[:_SHOWN], value=given))
    return found
