"""The form of a study file. TOML, one for all commands; `adms/schemas/README.md` documents it."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from adms.adapters.tables import Name, NotNegative, Phases, Positive, Table
from adms.grid.faults import FaultKind
from adms.grid.model import DerKind
from adms.grid.study import Quantity

_STEPS_MAX = 1_000_000


class Positions(Table):
    """Switches that do not stand as normal."""

    open: tuple[Name, ...] = ()
    close: tuple[Name, ...] = ()


class StudyTap(Table):
    """A tap changer's position."""

    element: Name
    position: int


class StudyCapacitor(Table):
    """How many steps of a capacitor are on."""

    element: Name
    steps: int = Field(ge=0)


class StudyLoad(Table):
    """Power of one load, of a class, of a zone, or of all: an element's own goes before its class, that before its
    zone, that before the default."""

    element: str | None = None
    load_class: str | None = None
    zone: str | None = None
    default: bool = False
    p_w: float | None = None
    """Drawn at nominal voltage by each load, all phases."""
    q_var: float | None = None
    scale_frac: float | None = Field(default=None, ge=0.0)
    """Times what the model says of P and Q."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        chosen = (self.element is not None, self.load_class is not None, self.zone is not None, self.default)
        if sum(chosen) != 1:
            raise ValueError("needs exactly one of element, load_class, zone and default = true")
        if (self.p_w is None and self.q_var is None) == (self.scale_frac is None):
            raise ValueError("needs either p_w and q_var or scale_frac")
        return self


class StudyDer(Table):
    """Output of DER of the model (one, of a kind, in a zone, all), or with `bus` a new one. Powers are injections."""

    element: str | None = None
    """Id; of a new one, its own."""
    kind: DerKind | None = None
    """Which ones; of a new one, what it is."""
    zone: str | None = None
    default: bool = False
    p_injection_w: float | None = None
    q_injection_var: float | None = None
    s_max_va: Positive | None = None
    bus: str | None = None
    """Where a new one stands."""
    phases: Phases | None = None
    """Of a new one; those of its bus where none are given."""
    connection: Literal["wye", "delta"] = "wye"
    p_max_w: float | None = None
    """Of a new one; 0 where not given: an inverter for reactive power only."""
    p_min_w: float | None = None
    q_max_var: NotNegative | None = None
    """Of a new one; its s_max_va where not given."""
    energy_wh: Positive | None = None
    efficiency_frac: float | None = Field(default=None, gt=0.0, le=1.0)
    owner: str | None = None

    @model_validator(mode="after")
    def _new_or_not(self) -> Self:
        if self.bus is not None:
            if self.element is None or self.kind is None or self.s_max_va is None:
                raise ValueError("a new DER (bus is given) needs element, kind and s_max_va")
            if self.zone is not None or self.default:
                raise ValueError("a new DER is one element")
            return self
        new = (
            self.phases,
            self.p_max_w,
            self.p_min_w,
            self.q_max_var,
            self.energy_wh,
            self.efficiency_frac,
            self.owner,
        )
        if any(value is not None for value in new) or self.connection == "delta":
            raise ValueError("phases, connection, limits, energy and owner are those of a new DER: they go with bus")
        chosen = (self.element is not None, self.kind is not None, self.zone is not None, self.default)
        if sum(chosen) != 1:
            raise ValueError("needs exactly one of element, kind, zone and default = true, or a bus")
        if all(value is None for value in (self.p_injection_w, self.q_injection_var, self.s_max_va)):
            raise ValueError("says nothing: p_injection_w, q_injection_var or s_max_va")
        return self


class StudyForecast(Table):
    """Values over time, each until the next, of loads or DER chosen as above."""

    element: str | None = None
    load_class: str | None = None
    der_kind: DerKind | None = None
    zone: str | None = None
    default: bool = False
    quantity: Quantity
    """scale_frac, p_w, q_var of loads; p_injection_w, q_injection_var, available_frac (of p_max_w) of DER."""
    start_s: float = 0.0
    """Time of the first value after the study's start, with `step_s`."""
    step_s: Positive | None = None
    times_s: tuple[float, ...] | None = None
    """Time of each value, rising, in place of start_s and step_s."""
    values: tuple[float, ...] | None = None
    csv: str | None = None
    """File with a heading line, relative to this one, in place of `values`."""
    column: str | None = None
    """Of the CSV file: the values. Its column `time_s` gives the times where neither step_s nor times_s does."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        chosen = (self.element, self.load_class, self.der_kind, self.zone, self.default or None)
        if sum(value is not None for value in chosen) != 1:
            raise ValueError("needs exactly one of element, load_class, der_kind, zone and default = true")
        if (self.values is None) == (self.csv is None) or (self.csv is None) != (self.column is None):
            raise ValueError("needs either values, or csv with column")
        if self.step_s is not None and self.times_s is not None:
            raise ValueError("has either step_s or times_s")
        if self.values is not None and self.step_s is None and self.times_s is None:
            raise ValueError("values need step_s or times_s")
        if self.load_class is not None and not self.quantity.of_loads:
            raise ValueError(f"{self.quantity} is of DER, and load_class of loads")
        if self.der_kind is not None and self.quantity.of_loads:
            raise ValueError(f"{self.quantity} is of loads, and der_kind of DER")
        return self


class StudyFault(Table):
    """A short circuit in a branch, in a section or at a bus."""

    branch: str | None = None
    at_frac: float = Field(default=0.5, ge=0.0, le=1.0)
    """Along the branch, from its first terminal."""
    section: str | None = None
    bus: str | None = None
    kind: FaultKind
    phases: Phases = ()
    """Those that are joined; the one to ground of a line_ground fault. Of a three-phase fault none are needed (in a
    balanced network: 0)."""
    r_fault_ohm: NotNegative
    """Between phases, or of each to ground."""
    start_s: NotNegative
    clear_s: Positive | None = None
    """When it is gone by itself; permanent where not given."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(value is not None for value in (self.branch, self.section, self.bus)) != 1:
            raise ValueError("needs exactly one of branch, section and bus")
        if self.clear_s is not None and self.clear_s <= self.start_s:
            raise ValueError("clear_s must be after start_s")
        return self


class Interval(Table):
    """The time that a study covers."""

    start: datetime | None = None
    """With its offset from UTC."""
    step_s: Positive
    steps: int = Field(ge=1, le=_STEPS_MAX)


class StudyFile(Table):
    """The whole file."""

    schema_version: Literal[1]
    name: Name
    positions: Positions | None = None
    tap: tuple[StudyTap, ...] = ()
    capacitor: tuple[StudyCapacitor, ...] = ()
    load: tuple[StudyLoad, ...] = ()
    der: tuple[StudyDer, ...] = ()
    forecast: tuple[StudyForecast, ...] = ()
    fault: tuple[StudyFault, ...] = ()
    interval: Interval | None = None
