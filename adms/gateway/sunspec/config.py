"""The gateway's configuration: TOML, every problem at once, no default for anything that protects."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adms.client import Capability, Device, DeviceClass, InputError, PowerSetpoint, Problem
from adms.gateway.sunspec.writing import PowerControl

ADDRESS = r"^(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):\d{1,5}$"
PORT_MAX = 65_535
BUILT_IN = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class GatewayTable(BaseModel):
    """[gateway]."""

    model_config = BUILT_IN

    endpoint: str = Field(pattern=ADDRESS)
    """HOST:PORT of the service."""
    source_id: str = Field(min_length=1)
    controller_id: str = Field(min_length=1)
    poll_period_s: float = Field(gt=0.0, le=60.0)
    """Each device is read so often."""
    frame_period_s: float = Field(gt=0.0, le=60.0)
    """Readings of so long leave in one telemetry frame."""
    answer_timeout_s: float = Field(gt=0.0, le=30.0)
    """A device that does not answer in this time is taken to be silent."""
    back_off_first_s: float = Field(gt=0.0)
    """A silent device is asked again after this, then after twice as long, up to"""
    back_off_max_s: float = Field(gt=0.0)
    connections: Literal["per_device", "per_address"]
    """per_address: devices behind one logger share a connection, and wait for each other."""
    metrics_listen: str | None = Field(default=None, pattern=ADDRESS)
    """HOST:PORT for Prometheus; without it there is none."""
    status_period_s: float | None = Field(default=None, gt=0.0)
    """A line of counts on stdout so often; without it there is none."""
    clock_offset_s: float = 0.0
    """The service's time less this machine's UTC: other than 0 only where a bench grants the service its time."""


class DeviceTable(BaseModel):
    """[[device]]: one inverter or battery. Powers are injections, positive into the network."""

    model_config = BUILT_IN

    device_id: str = Field(min_length=1)
    """Element id of the network model."""
    address: str = Field(pattern=ADDRESS)
    unit_id: int = Field(ge=0, le=255)
    bus: str = Field(min_length=1)
    phases: list[Literal[1, 2, 3]] = Field(min_length=1)
    """Of the network, in the order of the device's L1, L2, L3."""
    p_control: Literal["limit", "setpoint"]
    s_max_va: float = Field(gt=0.0)
    p_max_w: float = Field(ge=0.0)
    p_min_w: float = Field(le=0.0)
    q_max_var: float = Field(ge=0.0)
    default_p_injection_w: float | None = None
    """What it falls back to; left out: it runs as it would by itself."""
    default_q_injection_var: float | None = None
    energy_wh: float | None = Field(default=None, gt=0.0)
    """Of storage."""
    ramp_w_per_s: float | None = Field(default=None, gt=0.0)
    sigma_p_w: float = Field(gt=0.0)
    sigma_q_var: float = Field(gt=0.0)
    sigma_v_v: float = Field(gt=0.0)
    without_reversion: Literal["refuse", "accept"]
    """refuse: a device that does not count down to its default by itself is not led. accept: it is, and stays where it
    was when the gateway dies."""

    @property
    def control(self) -> PowerControl:
        """With which function it is led."""
        return PowerControl(self.p_control)

    @property
    def default(self) -> PowerSetpoint:
        """What it falls back to."""
        return PowerSetpoint(p_injection_w=self.default_p_injection_w, q_injection_var=self.default_q_injection_var)

    @property
    def registered(self) -> Device:
        """As the service is told of it."""
        return Device(
            device_id=self.device_id,
            device_class=DeviceClass.DER,
            capability=Capability(
                s_max_va=self.s_max_va,
                p_max_w=self.p_max_w,
                p_min_w=self.p_min_w,
                q_max_var=self.q_max_var,
                energy_wh=self.energy_wh,
                ramp_w_per_s=self.ramp_w_per_s,
            ),
            stored_default=self.default,
        )


class GatewayConfig(BaseModel):
    """The whole file."""

    model_config = BUILT_IN

    gateway: GatewayTable
    device: list[DeviceTable] = Field(min_length=1)


def load_config(path: Path) -> GatewayConfig:
    """Reads and checks a configuration. Raises InputError with every problem found."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError([_problem(str(path), "", "", "no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([_problem(str(path), "", "", f"cannot be read: {error}")]) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError([_problem(str(path), "", "", f"is not TOML: {error}")]) from error
    return check_config(content)


def check_config(content: Mapping[str, Any]) -> GatewayConfig:
    """Checks what was read. Raises InputError with every problem found."""
    problems: list[Problem] = []
    config = None
    try:
        config = GatewayConfig.model_validate(dict(content))
    except ValidationError as error:
        problems += [_in_words(found, content) for found in error.errors(include_url=False)]
    entries = content.get("device")
    tables = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    problems += _twice(tables)
    for number, entry in enumerate(tables, start=1):
        problems += _inconsistent(entry, where=_where(number, entry))
    gateway = content.get("gateway")
    if isinstance(gateway, dict):
        problems += _gateway_order(gateway)
    if config is None or problems:
        raise InputError(problems)
    return config


def _problem(element: str, field: str, value: str, message: str) -> Problem:
    return Problem(element=element, field=field, value=value, message=message)


def _where(number: int, entry: object) -> str:
    name = entry.get("device_id") if isinstance(entry, dict) else None
    return f"[[device]] {number} ({name})" if isinstance(name, str) and name else f"[[device]] {number}"


def _in_words(found: Any, content: Mapping[str, Any]) -> Problem:
    location = found["loc"]
    entries = content.get("device")
    if location[0] == "device" and len(location) > 1 and isinstance(entries, list):
        number = int(location[1])
        element, rest = _where(number + 1, entries[number]), location[2:]
        known = tuple(DeviceTable.model_fields)
    else:
        element, rest = f"[{location[0]}]", location[1:]
        known = tuple(GatewayTable.model_fields) if location[0] == "gateway" else tuple(GatewayConfig.model_fields)
    field = ".".join(str(part) for part in rest)
    match found["type"]:
        case "missing":
            return _problem(element, field, "", "is missing")
        case "extra_forbidden":
            close = difflib.get_close_matches(field or str(location[0]), known, n=1)
            said = "no such key" if field else "no such table"
            return _problem(
                element, field, str(found["input"]), said + (f"; did you mean {close[0]}?" if close else "")
            )
        case "string_pattern_mismatch":
            return _problem(element, field, str(found["input"]), "must be HOST:PORT")
        case _:
            return _problem(element, field, str(found["input"]), found["msg"])


def _number(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _inconsistent(entry: Mapping[str, Any], *, where: str) -> Iterator[Problem]:
    """What single keys do not show."""
    s_max_va, p_max_w, p_min_w = (_number(entry, name) for name in ("s_max_va", "p_max_w", "p_min_w"))
    q_max_var, p_w, q_var = (
        _number(entry, name) for name in ("q_max_var", "default_p_injection_w", "default_q_injection_var")
    )
    if s_max_va is not None:
        for name in ("p_max_w", "p_min_w", "q_max_var"):
            value = _number(entry, name)
            if value is not None and abs(value) > s_max_va:
                yield _problem(where, name, str(value), f"is more than s_max_va, {s_max_va:g}")
    if p_w is not None and ((p_max_w is not None and p_w > p_max_w) or (p_min_w is not None and p_w < p_min_w)):
        yield _problem(where, "default_p_injection_w", str(p_w), "is outside p_min_w to p_max_w")
    if q_var is not None and q_max_var is not None and abs(q_var) > q_max_var:
        yield _problem(where, "default_q_injection_var", str(q_var), f"is more than q_max_var, {q_max_var:g}")
    if entry.get("p_control") == "limit" and p_min_w is not None and p_min_w < 0.0:
        yield _problem(where, "p_control", "limit", "a device that can absorb (p_min_w < 0) is led by a setpoint")
    phases = entry.get("phases")
    if isinstance(phases, list) and len(set(map(str, phases))) != len(phases):
        yield _problem(where, "phases", str(phases), "names a phase twice")
    address = entry.get("address")
    if isinstance(address, str) and re.match(ADDRESS, address) and not 1 <= int(address.rpartition(":")[2]) <= PORT_MAX:
        yield _problem(where, "address", address, f"the port must be 1 to {PORT_MAX}")


def _twice(entries: list[dict[str, Any]]) -> Iterator[Problem]:
    ids = Counter(str(entry.get("device_id")) for entry in entries if "device_id" in entry)
    for name, count in ids.items():
        if count > 1:
            yield _problem("[[device]]", "device_id", name, f"stands {count} times")
    units = Counter((str(entry.get("address")), str(entry.get("unit_id"))) for entry in entries if "address" in entry)
    for (address, unit_id), count in units.items():
        if count > 1:
            yield _problem("[[device]]", "address", address, f"unit_id {unit_id} stands {count} times there")


def _gateway_order(gateway: Mapping[str, Any]) -> Iterator[Problem]:
    first_s, longest_s = _number(gateway, "back_off_first_s"), _number(gateway, "back_off_max_s")
    if first_s is not None and longest_s is not None and longest_s < first_s:
        yield _problem("[gateway]", "back_off_max_s", str(longest_s), f"is less than back_off_first_s, {first_s:g}")
