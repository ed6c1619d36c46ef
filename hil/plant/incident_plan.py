"""What a story says of faults and protection, read from its TOML tables at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from adms.client import InputError, Problem
from hil.plant.device_plan import read_devices
from hil.plant.fault_plan import Fault, read_faults
from hil.plant.indicator_plan import read_indicators, read_last_gasps
from hil.plant.indicators import IndicatorSettings, LastGaspSettings
from hil.plant.protection import DevicePlan

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class IncidentPlan:
    """Faults, and what sees and clears them, beside the overlay."""

    faults: tuple[Fault, ...] = ()
    """For `build_circuit`, which prepares their places."""
    devices: DevicePlan = field(default_factory=DevicePlan)
    indicators: IndicatorSettings | None = None
    """None: as the scenario's `[protection]` has them, without error or delay."""
    last_gasps: LastGaspSettings | None = None
    """None: meters say nothing when they lose their supply."""


def read_incidents(content: Mapping[str, Any]) -> IncidentPlan:
    """The tables `[[fault]]`, `[[protective_device]]`, `[indicators]` and `[last_gasps]` of a story, each of which may
    be missing; a single `[fault]` is not for this reader. Raises InputError with every problem of all of them."""
    problems: list[Problem] = []

    def read(key: str, reader: Callable[[Any], T], *, many: bool, otherwise: T) -> T:
        table = content.get(key)
        if table is None or (key == "fault" and isinstance(table, Mapping)):
            return otherwise
        rows = isinstance(table, Sequence) and all(isinstance(row, Mapping) for row in table)
        if rows != many or not (many or isinstance(table, Mapping)):
            message = f"needs tables: [[{key}]]" if many else f"needs a table: [{key}]"
            problems.append(Problem(element=key, field="", value=str(table), message=message))
            return otherwise
        try:
            return reader(table)
        except InputError as refused:
            problems.extend(refused.problems)
            return otherwise

    plan = IncidentPlan(
        faults=read("fault", read_faults, many=True, otherwise=()),
        devices=read("protective_device", read_devices, many=True, otherwise=DevicePlan()),
        indicators=read("indicators", read_indicators, many=False, otherwise=None),
        last_gasps=read("last_gasps", read_last_gasps, many=False, otherwise=None),
    )
    if problems:
        raise InputError(problems)
    return plan
