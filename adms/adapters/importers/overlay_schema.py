"""The overlay file: what a deck lacks to be an operated feeder. TOML, the unit in every key."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adms.core.errors import InputError, Problem
from adms.grid.model import DerKind, SwitchKind

Phase = Annotated[int, Field(ge=1, le=3)]
Phases = Annotated[tuple[Phase, ...], Field(min_length=1, max_length=3)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VoltageLimits(_Table):
    """Limits of every bus."""

    v_min_pu: float
    v_max_pu: float
    v_emergency_min_pu: float
    v_emergency_max_pu: float


class Interface(_Table):
    """Which source is metered towards the transmission system."""

    source: str


class Removal(_Table):
    """A deck element that is taken out."""

    element: str


class OverlaySource(_Table):
    """A neighbouring feeder: an ideal source behind its sequence impedances."""

    id: str
    bus: str
    phases: Phases
    v_pu: float = Field(gt=0.0)
    angle_deg: float
    """Of phase 1."""
    r1_ohm: float = Field(ge=0.0)
    x1_ohm: float = Field(gt=0.0)
    r0_ohm: float = Field(ge=0.0)
    x0_ohm: float = Field(gt=0.0)
    p_max_w: float | None = Field(default=None, gt=0.0)


class OverlaySwitch(_Table):
    """A switch: new between two buses, new in a deck line, or a deck line that is one."""

    id: str
    between: tuple[str, str] | None = None
    phases: Phases | None = None
    in_line: str | None = None
    at: Literal["fr", "to"] | None = None
    existing: bool = False
    kind: SwitchKind
    normally_closed: bool
    remote: bool
    fault_indicator: bool = False
    travel_s: float = Field(gt=0.0)
    pickup_a: float | None = Field(default=None, gt=0.0)
    ground_pickup_a: float | None = Field(default=None, gt=0.0)
    reclose_shots: int = Field(default=0, ge=0)
    trip_delay_s: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum((self.between is not None, self.in_line is not None, self.existing)) != 1:
            raise ValueError("needs exactly one of between, in_line and existing = true")
        if (self.in_line is None) != (self.at is None):
            raise ValueError('in_line goes with at = "fr" or "to"')
        if (self.between is None) != (self.phases is None):
            raise ValueError("between goes with phases")
        return self


class OverlayCapacitor(_Table):
    """A deck capacitor made switchable, with its local control where it has one."""

    id: str
    steps: int = Field(ge=1)
    normal_steps: int = Field(ge=0)
    remote: bool
    v_on_pu: float | None = None
    v_off_pu: float | None = None
    delay_s: float | None = Field(default=None, ge=0.0)


class OverlayTapChanger(_Table):
    """What a regulator of the deck is besides its local control."""

    id: str
    remote: bool
    group: str = ""
    delay_s: float = Field(ge=0.0)


class OverlayRating(_Table):
    """Ratings of lines and switches: all of them, those with so many phases, or named branches."""

    elements: tuple[str, ...] | None = None
    phases: int | None = Field(default=None, ge=1)
    default: bool = False
    normal_a: float = Field(gt=0.0)
    emergency_a: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum((self.elements is not None, self.phases is not None, self.default)) != 1:
            raise ValueError("needs exactly one of elements, phases and default = true")
        return self


class OverlayCustomers(_Table):
    """The rule for all loads, or one load's own number."""

    default_w_per_customer: float | None = Field(default=None, gt=0.0)
    load: str | None = None
    customers: int | None = Field(default=None, ge=0)
    critical: bool = False

    @model_validator(mode="after")
    def _rule_or_load(self) -> Self:
        if (self.default_w_per_customer is None) == (self.load is None):
            raise ValueError("needs exactly one of default_w_per_customer and load")
        if (self.load is None) != (self.customers is None):
            raise ValueError("load goes with customers")
        return self


class OverlayDer(_Table):
    """A distributed energy resource. Powers are injections into the network."""

    id: str
    kind: DerKind
    bus: str
    phases: Phases
    connection: Literal["wye", "delta"]
    s_max_va: float = Field(gt=0.0)
    p_max_w: float
    p_min_w: float
    q_max_var: float = Field(ge=0.0)
    energy_wh: float | None = Field(default=None, gt=0.0)
    efficiency_frac: float = Field(default=1.0, gt=0.0, le=1.0)
    default_p_injection_w: float | None = None
    default_q_injection_var: float = 0.0
    ramp_w_per_s: float | None = Field(default=None, gt=0.0)
    owner: str = ""


class Overlay(_Table):
    """The whole file."""

    schema_version: Literal[1]
    name: str = Field(min_length=1)
    deck: str
    """The master file it belongs to, beside it."""
    voltage_limits: VoltageLimits
    interface: Interface | None = None
    remove: tuple[Removal, ...] = ()
    source: tuple[OverlaySource, ...] = ()
    switch: tuple[OverlaySwitch, ...] = ()
    capacitor: tuple[OverlayCapacitor, ...] = ()
    tap_changer: tuple[OverlayTapChanger, ...] = ()
    rating: tuple[OverlayRating, ...] = ()
    customers: tuple[OverlayCustomers, ...] = ()
    der: tuple[OverlayDer, ...] = ()


def read_overlay(path: Path) -> Overlay:
    """The overlay in a file. Raises InputError with every problem of its form."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError([Problem(element=str(path), field="", value="", message=f"not readable: {error}")]) from error
    try:
        return Overlay.model_validate(tables)
    except ValidationError as error:
        raise InputError(_problems(error, tables)) from error


def _problems(error: ValidationError, tables: dict[str, object]) -> list[Problem]:
    found = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        where = ".".join(str(part) for part in location[:-1]) or "overlay"
        rows = tables.get(str(location[0])) if location else None
        if len(location) > 1 and isinstance(rows, list) and isinstance(location[1], int):
            row = rows[location[1]]
            name = row.get("id") if isinstance(row, dict) else None
            where = str(name or f"{location[0]}[{location[1]}]")
        given = "" if isinstance(item["input"], dict) else str(item["input"])
        field = str(location[-1]) if location and not isinstance(location[-1], int) else ""
        found.append(Problem(element=where, field=field, value=given, message=item["msg"]))
    return found
