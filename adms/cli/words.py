"""Records as JSON and setpoints as words, for people and for pipes."""

import dataclasses
import json
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any

from adms.core.commands import CapacitorSetpoint, PowerSetpoint, Setpoint, SwitchSetpoint, TapSetpoint


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


def in_words(setpoint: Setpoint) -> str:
    """What a setpoint asks for."""
    match setpoint:
        case SwitchSetpoint(closed=closed):
            return "close" if closed else "open"
        case TapSetpoint(position=position):
            return f"tap {position:+d}"
        case CapacitorSetpoint(steps=steps):
            return f"{steps} step{'' if steps == 1 else 's'} in"
        case PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var):
            parts = [
                f"{name} {value / 1e3:.1f} {unit}"
                for name, value, unit in (("P", p_w, "kW"), ("Q", q_var, "kvar"))
                if value is not None
            ]
            return ", ".join(parts) or "its default"
