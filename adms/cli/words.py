"""Records as JSON and setpoints as words, for people and for pipes."""

import dataclasses
import json
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any


def json_line(record: object) -> str:
    """A record as one line of JSON: enums by name, times in ISO 8601."""
    return json.dumps(_plain(record))


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
