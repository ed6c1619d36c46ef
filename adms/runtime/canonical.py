"""Records as canonical JSON (sorted keys, no spaces) and back, for the journal."""

import json
import math
from typing import Any, TypeVar

from pydantic import TypeAdapter

from adms.core.errors import InvariantError

T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def plain(record: object) -> Any:
    """A record as JSON values. Not for records with numpy columns."""
    return _adapter(type(record)).dump_python(record, mode="json")


def canonical(body: Any) -> str:
    """JSON values as text that is the same for equal values. Numbers that are not finite are written as null: the
    journal says "not known", never a number that is none. Raises InvariantError for what is no JSON value."""
    try:
        return json.dumps(_finite(body), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvariantError(f"cannot be journalled: {error}") from error


def restored(kind: type[T], value: Any) -> T:
    """The record that `plain` wrote."""
    record: T = _adapter(kind).validate_python(value)
    return record


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
