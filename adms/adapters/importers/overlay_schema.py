"""The overlay file: what a network of another tool lacks to be an operated feeder. TOML, the unit in every key, one
form for every importer. `adms/schemas/README.md` documents it, `adms/schemas/overlay-1.schema.json` is its schema."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from adms.adapters.importers.overlay_rules import (
    OverlayCustomers,
    OverlayLoadClass,
    OverlayRating,
    OverlayReliability,
    OverlayZone,
)
from adms.adapters.tables import Name, NotNegative, Phases, Positive, Table, read_file
from adms.core.errors import InputError, Problem
from adms.grid.model import DerKind, SwitchKind


class VoltageLimits(Table):
    """Normal and emergency limits of every bus, per unit."""

    v_min_pu: float
    v_max_pu: float
    v_emergency_min_pu: float
    v_emergency_max_pu: float

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.v_emergency_min_pu <= self.v_min_pu < self.v_max_pu <= self.v_emergency_max_pu:
            raise ValueError("must rise: v_emergency_min_pu, v_min_pu, v_max_pu, v_emergency_max_pu")
        return self


class VoltageClass(VoltageLimits):
    """Limits of the buses of one class, before those of every bus."""

    phase_to_phase_min_v: NotNegative
    """Buses of this nominal phase-to-phase voltage and above."""
    phase_to_phase_max_v: Positive
    """And up to this."""


class Interface(Table):
    """Which source is metered towards the transmission system."""

    source: Name


class Removal(Table):
    """An element that is taken out."""

    element: Name


class OverlaySource(Table):
    """A neighbouring feeder: an ideal source behind its sequence impedances."""

    id: Name
    bus: Name
    phases: Phases | None = None
    """Those of the bus where none are given."""
    v_pu: Positive
    angle_deg: float
    """Of phase 1."""
    r1_ohm: NotNegative
    x1_ohm: Positive
    r0_ohm: NotNegative
    """Of no effect at a balanced bus, as `x0_ohm`."""
    x0_ohm: Positive
    p_max_w: Positive | None = None
    """What it may deliver, all phases; unlimited where not given."""


class OverlaySwitch(Table):
    """A switch: new between two buses (a tie), new in a line, or a branch of the network that is one."""

    id: Name
    """Of the new switch, or of the line or switch where `existing` is true."""
    between: tuple[Name, Name] | None = None
    """Two buses; one of them may be new."""
    phases: Phases | None = None
    """Of a switch between two buses; where none are given, those that both buses have."""
    in_line: str | None = None
    """The line that it stands in."""
    at: Literal["fr", "to"] | None = None
    """At which end of the line: its first or its second terminal."""
    existing: bool = False
    """The branch `id` is this switch. What the network says of it is replaced by what stands here."""
    kind: SwitchKind
    normally_closed: bool
    remote: bool
    """Can be operated by command."""
    single_pole: bool = False
    """Each pole is operated by itself: one branch a pole, `<id>_<phase>`, all of group `<id>`."""
    fault_indicator: bool = False
    travel_s: Positive
    """From a command to the new position."""
    pickup_a: Positive | None = None
    """Phase pickup of its relay; it does not trip by itself where neither pickup is given."""
    ground_pickup_a: Positive | None = None
    reclose_shots: int = Field(default=0, ge=0)
    """Automatic reclosings before lockout."""
    trip_delay_s: NotNegative | None = None
    breaking_a: Positive | None = None
    """Largest current that it can interrupt."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum((self.between is not None, self.in_line is not None, self.existing)) != 1:
            raise ValueError("needs exactly one of between, in_line and existing = true")
        if (self.in_line is None) != (self.at is None):
            raise ValueError('in_line goes with at = "fr" or "to"')
        if self.between is None and self.phases is not None:
            raise ValueError("phases go with between")
        if self.trip_delay_s is None and (self.pickup_a is not None or self.ground_pickup_a is not None):
            raise ValueError("trips by itself, so it needs trip_delay_s")
        return self


class OverlayCapacitor(Table):
    """A capacitor of the network made switchable, with its local control where it has one."""

    id: Name
    steps: int = Field(ge=1)
    """Equal parts that its rating is divided into."""
    normal_steps: int = Field(ge=0)
    remote: bool
    v_on_pu: Positive | None = None
    """Its local control switches a step on below this voltage at its bus, and off above `v_off_pu`."""
    v_off_pu: Positive | None = None
    delay_s: NotNegative | None = None

    @model_validator(mode="after")
    def _control(self) -> Self:
        if self.normal_steps > self.steps:
            raise ValueError("normal_steps must not be above steps")
        if (self.v_on_pu is None) != (self.v_off_pu is None):
            raise ValueError("a local control has both v_on_pu and v_off_pu")
        if self.v_on_pu is not None and self.v_off_pu is not None and self.v_on_pu >= self.v_off_pu:
            raise ValueError("v_off_pu must be above v_on_pu")
        return self


class OverlayTapChanger(Table):
    """What a regulator or tap changer of the network is besides its taps."""

    id: Name
    remote: bool
    group: str = ""
    """Tap changers of one group move together."""
    delay_s: NotNegative
    """Of its local control."""
    v_set_v: Positive | None = None
    """Of its local control, phase-to-ground at the controlled terminal; as in the network where not given."""
    v_band_v: Positive | None = None


class OverlayDer(Table):
    """A distributed energy resource. Powers are injections into the network."""

    id: Name
    kind: DerKind
    bus: Name
    phases: Phases | None = None
    """Those of the bus where none are given."""
    connection: Literal["wye", "delta"] = "wye"
    """Of no effect at a balanced bus."""
    s_max_va: Positive
    p_max_w: float
    p_min_w: float
    q_max_var: NotNegative
    energy_wh: Positive | None = None
    efficiency_frac: float = Field(default=1.0, gt=0.0, le=1.0)
    default_p_injection_w: float | None = None
    default_q_injection_var: float = 0.0
    ramp_w_per_s: Positive | None = None
    owner: str = ""
    normal_p_injection_w: float = 0.0
    """What it injects where a study begins."""
    normal_q_injection_var: float = 0.0
    fault_current_pu: NotNegative | None = None
    """Of an inverter: its largest current into a fault, of s_max over nominal voltage. With neither this nor
    `x_subtransient_pu` the DER is taken as disconnected in a fault."""
    x_subtransient_pu: Positive | None = None
    """Of a rotating machine, on s_max."""


class OverlayDerChange(Table):
    """What DER of the network are besides what it says: one, those of a kind, or all. Only given keys change."""

    id: str | None = None
    kind: DerKind | None = None
    default: bool = False
    s_max_va: Positive | None = None
    q_max_var: NotNegative | None = None
    energy_wh: Positive | None = None
    efficiency_frac: float | None = Field(default=None, gt=0.0, le=1.0)
    default_p_injection_w: float | None = None
    default_q_injection_var: float | None = None
    ramp_w_per_s: Positive | None = None
    owner: str | None = None
    normal_p_injection_w: float | None = None
    normal_q_injection_var: float | None = None
    fault_current_pu: NotNegative | None = None
    x_subtransient_pu: Positive | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum((self.id is not None, self.kind is not None, self.default)) != 1:
            raise ValueError("needs exactly one of id, kind and default = true")
        return self


class Overlay(Table):
    """The whole file."""

    schema_version: Literal[1]
    name: Name
    """Of the network that it makes."""
    deck: str = ""
    """Name of the network file that it belongs to, with which alone it is then taken; empty where it fits several."""
    voltage_limits: VoltageLimits | None = None
    """As in the network where not given."""
    voltage_class: tuple[VoltageClass, ...] = ()
    interface: Interface | None = None
    remove: tuple[Removal, ...] = ()
    source: tuple[OverlaySource, ...] = ()
    switch: tuple[OverlaySwitch, ...] = ()
    capacitor: tuple[OverlayCapacitor, ...] = ()
    tap_changer: tuple[OverlayTapChanger, ...] = ()
    rating: tuple[OverlayRating, ...] = ()
    reliability: tuple[OverlayReliability, ...] = ()
    zone: tuple[OverlayZone, ...] = ()
    load_class: tuple[OverlayLoadClass, ...] = ()
    customers: tuple[OverlayCustomers, ...] = ()
    der: tuple[OverlayDer, ...] = ()
    der_change: tuple[OverlayDerChange, ...] = ()


def read_overlay(path: Path, *, source: Path | None = None) -> Overlay:
    """The overlay in a file. Raises InputError with every problem of its form, and where it belongs to another network.

    Args:
        path: the overlay.
        source: the network file that it is for; None where it is none.
    """
    overlay = read_file(path, Overlay, whole="overlay")
    if overlay.deck and source is not None and Path(overlay.deck).name.lower() != source.name.lower():
        message = f"this overlay belongs to another network file than {source.name}"
        raise InputError([Problem(element=str(path), field="deck", value=overlay.deck, message=message)])
    return overlay
