"""The network as a value: what is installed, in SI, with names. Powers of devices are injections (load draws negative
only in the numerics; here `p_w` of a load is what it draws).

Every field is a plain value, so that the model file is this module written as JSON (`adms.adapters.model_file`).
A *node* is one (bus, phase). Elements name nodes as `NodeRef`. Phase 0 is the single node of a balanced bus and stands
for its three phases: voltages there are those of phase 1 to ground, admittances and currents those of each phase
(positive sequence), powers those of all three together.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from adms.core.ids import BusId, ElementId

SCHEMA_VERSION = 2


class NodeRef(NamedTuple):
    """One phase of one bus; phase 0 is all three of a balanced bus at once."""

    bus: BusId
    phase: int


@dataclass(frozen=True, kw_only=True)
class ComplexMatrix:
    """Square complex matrix as rows of real and imaginary parts."""

    re: tuple[tuple[float, ...], ...]
    im: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Bus:
    """A place with one or more phases."""

    id: BusId
    phases: tuple[int, ...]
    """(0,) where the bus is balanced, else any of 1, 2, 3 and, for neutral conductors, more."""
    v_base_v: float
    """Nominal phase-to-ground voltage (phase-to-phase base / sqrt 3), V."""
    v_min_pu: float
    """Normal lower limit of this bus's class."""
    v_max_pu: float
    v_emergency_min_pu: float
    v_emergency_max_pu: float
    x_m: float | None = None
    """Drawing coordinates; None where unknown."""
    y_m: float | None = None
    zone: str = ""
    """Administrative area; empty where none is given."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A voltage source behind an impedance: substation bus or neighbouring feeder."""

    id: ElementId
    nodes: tuple[NodeRef, ...]
    v_magnitude_pu: tuple[float, ...]
    """Open-circuit phasor behind the impedance, per node, on the bus's base."""
    v_angle_rad: tuple[float, ...]
    y_primitive_siemens: ComplexMatrix
    """Norton admittance over `nodes`."""
    p_max_w: float | None = None
    """What the source may deliver (three phases); None where unlimited."""
    interface: bool = False
    """True where this is the metered interface to the transmission system."""


class BranchKind(StrEnum):
    """What a branch is."""

    LINE = "line"
    SWITCH = "switch"
    TRANSFORMER = "transformer"
    REGULATOR = "regulator"
    REACTOR = "reactor"


class SwitchKind(StrEnum):
    """What a switch can do, after IEC 60050-441."""

    BREAKER = "breaker"
    RECLOSER = "recloser"
    SECTIONALISER = "sectionaliser"
    LOAD_BREAK = "load_break"
    FUSE = "fuse"
    ISOLATOR = "isolator"
    """Operated only when dead (SW9)."""


@dataclass(frozen=True, kw_only=True)
class SwitchGear:
    """What a switch is besides a branch."""

    kind: SwitchKind
    normally_closed: bool
    remote: bool
    """Can be operated by command."""
    fault_indicator: bool = False
    pickup_a: float | None = None
    """Phase pickup of the relay or recloser; None where it does not trip by itself."""
    ground_pickup_a: float | None = None
    reclose_shots: int = 0
    """Automatic reclosings before lockout."""
    trip_delay_s: float | None = None
    travel_s: float = 1.0
    """Time from a command to the new position."""
    breaking_a: float | None = None
    """Largest current that it can interrupt; None where unknown."""
    group: str = ""
    """A device whose poles are operated one by one is one branch a pole, all of the same group; empty where all poles
    of this branch move together and it stands alone."""


@dataclass(frozen=True, kw_only=True)
class TapPrimitive:
    """What a branch is at one tap position."""

    position: int
    y_primitive_siemens: ComplexMatrix


@dataclass(frozen=True, kw_only=True)
class TapChanger:
    """Taps of one winding. Voltage ratio of the winding is 1 + position * step_pu, unless `primitives` says more."""

    terminal: int
    """Which terminal's winding has the taps, counted from 0."""
    step_pu: float
    min_position: int
    max_position: int
    normal_position: int
    group: str = ""
    """Tap changers of one ganged group move together; empty where on its own."""
    v_set_v: float | None = None
    """Local control: regulated voltage at the controlled terminal, phase-to-ground V; None without a local control."""
    v_band_v: float | None = None
    delay_s: float = 30.0
    remote: bool = False
    """Can be moved by command."""
    primitives: tuple[TapPrimitive, ...] = ()
    """Where a tap changes more than the ratio (tap tables, phase shifters): the branch's primitive at each position
    from `min_position` to `max_position`, used as it stands; `step_pu` is then only nominal."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Anything that joins nodes: its primitive admittance and what is known about it."""

    id: ElementId
    kind: BranchKind
    terminals: tuple[tuple[NodeRef, ...], ...]
    """Nodes of each terminal, in the order of the primitive's rows. Grounded conductors are not listed (their rows
    are left out of the primitive), and neither is a terminal that is grounded altogether."""
    y_primitive_siemens: ComplexMatrix
    """Over the concatenated terminals; closed switch, taps at neutral."""
    length_m: float | None = None
    rating_a: float | None = None
    """Normal rating per phase at every terminal's own voltage; None where unknown (not checked, and said so)."""
    rating_emergency_a: float | None = None
    rating_va: float | None = None
    """Of a transformer, all phases."""
    switch: SwitchGear | None = None
    taps: TapChanger | None = None
    failure_rate_per_year: float | None = None
    repair_h: float | None = None


@dataclass(frozen=True, kw_only=True)
class Capacitor:
    """Shunt capacitor in equal steps."""

    id: ElementId
    nodes: tuple[NodeRef, ...]
    y_step_siemens: ComplexMatrix
    """Of one step, over `nodes`."""
    steps: int
    normal_steps: int
    rating_var: float
    """All steps at nominal voltage, all phases."""
    remote: bool = False
    """Can be switched by command."""
    v_on_pu: float | None = None
    """Local control: switches a step on below this voltage at its bus; None without a local control."""
    v_off_pu: float | None = None
    delay_s: float | None = None
    """Local control: how long the voltage must stay there."""


@dataclass(frozen=True, kw_only=True)
class VoltageLaw:
    """How a power follows its voltage: z v^2 + i v + p + e v^exponent of its nominal value, v per unit of nominal."""

    z_frac: float = 0.0
    i_frac: float = 0.0
    p_frac: float = 0.0
    e_frac: float = 0.0
    """The four shares add up to 1."""
    exponent: float = 0.0


CONSTANT_POWER = VoltageLaw(p_frac=1.0)


class OutsideRule(StrEnum):
    """What a load is below its lower and above its upper voltage limit: a constant admittance, and which."""

    LAW = "law"
    """The one that its law has at the limit."""
    POWER = "power"
    """The one that constant power has at the limit, whatever the law inside."""
    FIXED_Q = "fixed_q"
    """P as in `POWER`, at once below the limit without a straight line to the floor; Q its nominal admittance."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load between node pairs. `pairs` has one entry for each single-phase part; `to` None is ground."""

    id: ElementId
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...]
    p_w: float
    """Total drawn at nominal voltage (peak or deck value), shared equally by the pairs."""
    q_var: float
    v_nominal_v: float
    """Across one pair."""
    law: VoltageLaw
    """Of the active power, and of the reactive power where `q_law` is None."""
    q_law: VoltageLaw | None = None
    v_low_pu: float = 0.95
    """Below this (and above `v_high_pu`) of nominal the whole load is constant impedance, as in OpenDSS."""
    v_high_pu: float = 1.05
    v_floor_pu: float = 0.5
    """At and below this it is its nominal admittance; between here and `v_low_pu` the current is a straight line."""
    outside: OutsideRule = OutsideRule.LAW
    v_cut_pu: float = 0.0
    """Below this it switches itself off; 0 is never."""
    load_class: str = ""
    """Class whose profile it follows; empty where none is given."""
    customers: int = 0
    critical_customers: int = 0
    """Of `customers`."""


class DerKind(StrEnum):
    """What a DER is."""

    PV = "pv"
    BATTERY = "battery"
    EV = "ev"
    GENERATOR = "generator"


@dataclass(frozen=True, kw_only=True)
class Der:
    """A distributed energy resource at node pairs. Powers are injections into the network."""

    id: ElementId
    kind: DerKind
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...]
    s_max_va: float
    p_max_w: float
    """Largest injection."""
    p_min_w: float
    """Smallest injection (negative where it can draw)."""
    q_max_var: float
    """Largest reactive injection and absorption (IEEE 1547-2018 category B: 44 % of s_max)."""
    v_nominal_v: float
    energy_wh: float | None = None
    """Of a battery or EV site."""
    efficiency_frac: float = 1.0
    """One way."""
    default_p_injection_w: float | None = None
    """What it falls back to when a lease lapses; None is "whatever is available" (PV)."""
    default_q_injection_var: float = 0.0
    ramp_w_per_s: float | None = None
    owner: str = ""
    normal_p_injection_w: float = 0.0
    """What it injects in the state that the model was taken in: the starting point of a study."""
    normal_q_injection_var: float = 0.0
    v_low_pu: float = 0.0
    """Below this of nominal its power follows the square of the voltage, as a load's does."""
    v_high_pu: float | None = None
    """Above this likewise; None is never."""
    fault_current_pu: float | None = None
    """Of an inverter: largest current into a fault, of s_max / nominal voltage; 0 where it feeds none. None where it is
    unknown, or no inverter: with `x_subtransient_pu` None too the DER is taken as disconnected in a fault."""
    x_subtransient_pu: float | None = None
    """Of a rotating machine, on s_max; None where it is unknown, or no machine."""


@dataclass(frozen=True, kw_only=True)
class NetworkModel:
    """What is installed. `adms.grid.arrays.NetworkArrays` is the same thing in solver order."""

    name: str
    frequency_hz: float
    buses: tuple[Bus, ...]
    sources: tuple[Source, ...]
    branches: tuple[Branch, ...]
    capacitors: tuple[Capacitor, ...]
    loads: tuple[Load, ...]
    ders: tuple[Der, ...]
    notes: tuple[str, ...] = ()
    """What the importer did not carry over, element by element."""
    schema_version: int = SCHEMA_VERSION
