"""The model file: `adms.grid.model` written as JSON, in SI, with names. The service loads it without any importer."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adms.core.errors import InputError, Problem
from adms.core.ids import ModelVersion
from adms.grid.model import SCHEMA_VERSION, NetworkModel
from adms.grid.validation import check

_MODEL = TypeAdapter(NetworkModel)


def load_model(path: Path) -> tuple[NetworkModel, ModelVersion]:
    """The model in a file, checked, and the version that its content gives it.

    Raises InputError: no such file, not JSON, another schema version, unknown or missing fields, or whatever
    `adms.grid.validation.check` finds, all problems at once.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError([_problem(str(path), f"cannot be read: {error.strerror}")]) from error
    try:
        model = _MODEL.validate_json(text, extra="forbid")
    except ValidationError as error:
        raise InputError(_form_problems(path, text, error)) from error
    problems = check(model)
    if problems:
        raise InputError(problems)
    return model, model_version(model)


def save_model(model: NetworkModel, path: Path) -> ModelVersion:
    """Writes a model, and returns its version. Raises InputError, and writes nothing, where it could not be loaded
    again."""
    problems = check(model)
    if problems:
        raise InputError(problems)
    path.write_bytes(_canonical(model) + b"\n")
    return model_version(model)


def model_version(model: NetworkModel) -> ModelVersion:
    """SHA-256 of the canonical JSON: equal exactly where the models are."""
    return ModelVersion(hashlib.sha256(_canonical(model)).hexdigest())


def model_schema() -> dict[str, Any]:
    """JSON Schema of the model file."""
    schema = _MODEL.json_schema()
    schema["additionalProperties"] = False
    for part in schema["$defs"].values():
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _canonical(model: NetworkModel) -> bytes:
    return _MODEL.dump_json(model)


def _problem(element: str, message: str, *, field: str = "", value: str = "") -> Problem:
    return Problem(element=element, field=field, value=value, message=message)


def _form_problems(path: Path, text: bytes, error: ValidationError) -> list[Problem]:
    try:
        content = json.loads(text)
    except ValueError as not_json:
        return [_problem(str(path), f"is not a JSON file: {not_json}")]
    if not isinstance(content, dict):
        return [_problem(str(path), "is not a network model: an object is expected")]
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        message = f"this program reads version {SCHEMA_VERSION}: import the network again with it"
        return [_problem(str(path), message, field="schema_version", value=str(version))]
    found = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        element, field = str(path), ".".join(str(part) for part in location)
        if len(location) > 1 and isinstance(location[1], int):
            row = content[location[0]][location[1]]
            name = row.get("id") if isinstance(row, dict) else None
            element = str(name or f"{location[0]}[{location[1]}]")
            field = ".".join(str(part) for part in location[2:])
        value = item["input"]
        given = str(value) if isinstance(value, str | int | float) else ""
        found.append(_problem(element, item["msg"], field=field, value=given))
    return found
