"""What a scenario says about its co-simulation: `[cosim]`, read and checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from adms.client import InputError, Problem
from hil.plant.plant import Plant
from hil.sensors.tables import Reading, near
from hil.sensors.terms import Pattern, Positive, Share

_TINY = 1e-9


class Core(StrEnum):
    """How federates reach each other: those of HELICS' core types that give up where no broker answers (its `zmq_ss`
    waits for ever)."""

    INPROC = "inproc"
    """All in one process."""
    ZMQ = "zmq"
    TCP = "tcp"
    TCP_SS = "tcp_ss"
    """Over a single socket."""


class Given(StrEnum):
    """What another federate may tell the feeder."""

    SOURCE_VOLTAGE = "source_voltage"
    FREQUENCY_HZ = "frequency_hz"
    IMPORT_MAX_W = "import_max_w"
    """The import limit that the transmission operator orders."""
    PRICE_PER_MWH = "price_per_mwh"


class Told(StrEnum):
    """What the feeder may publish."""

    SOURCE_POWER = "source_power"
    """Complex W + j var that a source delivers, positive into the feeder, at the source's terminal."""
    BUS_VOLTAGE = "bus_voltage"
    """Phasors to ground of a bus, V, one for each of its phases in their order."""
    CUSTOMERS_OFF = "customers_off"


class Form(StrEnum):
    """One number or one a phase."""

    POSITIVE_SEQUENCE = "positive_sequence"
    PER_PHASE = "per_phase"
    TOTAL = "total"
    """The sum over the phases, of a power."""


class Unit(StrEnum):
    """Of a voltage."""

    PU = "pu"
    V = "V"
    """To ground."""


class SourceImpedance(StrEnum):
    """What becomes of the impedance that the deck or overlay gives a source."""

    KEPT = "kept"
    """The voltage given stands behind it: the transmission side must not have it too."""
    REMOVED = "removed"
    """The voltage given is that of the source's bus."""


@dataclass(frozen=True, kw_only=True)
class Subscribed:
    """A value that another federate publishes."""

    quantity: Given
    publication: Pattern
    """Its full name in the federation."""
    source: str | None = None
    """Of a source's voltage: the source's id."""
    unit: Unit | None = None
    form: Form | None = None
    """`positive_sequence`: one complex number. `per_phase`: a complex vector, one number a phase of the source. A
    three-phase source of the plant is balanced and takes the positive sequence of the three."""
    unbalance_max_frac: Share | None = None
    """Per phase: more negative or zero sequence than this share of the positive one ends the co-simulation, because the
    plant would not show it."""
    impedance: SourceImpedance | None = None

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        of_voltage = {"source": self.source, "unit": self.unit, "form": self.form, "impedance": self.impedance}
        if self.quantity is not Given.SOURCE_VOLTAGE:
            of_voltage["unbalance_max_frac"] = None if self.unbalance_max_frac is None else str(self.unbalance_max_frac)
            return [
                (key, str(value), "belongs to source_voltage only")
                for key, value in of_voltage.items()
                if value is not None
            ]
        found = [(key, "", "must be given with source_voltage") for key, value in of_voltage.items() if value is None]
        if self.form is Form.TOTAL:
            found.append(("form", self.form, "must be positive_sequence or per_phase"))
        if self.form is Form.PER_PHASE and self.unbalance_max_frac is None:
            found.append(("unbalance_max_frac", "", "must be given with per_phase"))
        if self.form is not Form.PER_PHASE and self.unbalance_max_frac is not None:
            found.append(("unbalance_max_frac", str(self.unbalance_max_frac), "says something with per_phase only"))
        return found


@dataclass(frozen=True, kw_only=True)
class Published:
    """A value that the feeder publishes, under `<federate>/<name>`."""

    quantity: Told
    name: Pattern
    source: str | None = None
    """Of a source's power."""
    form: Form | None = None
    """Of a source's power: `total` (a complex number) or `per_phase` (a complex vector)."""
    bus: str | None = None
    """Of a bus' voltage."""

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        needs = {
            Told.SOURCE_POWER: ("source", "form"),
            Told.BUS_VOLTAGE: ("bus",),
            Told.CUSTOMERS_OFF: (),
        }[self.quantity]
        given = {"source": self.source, "form": self.form, "bus": self.bus}
        found = []
        for key, value in given.items():
            if key in needs and value is None:
                found.append((key, "", f"must be given with {self.quantity}"))
            if key not in needs and value is not None:
                found.append((key, value, f"does not belong to {self.quantity}"))
        if self.form is Form.POSITIVE_SEQUENCE:
            found.append(("form", self.form, "must be total or per_phase"))
        return found


@dataclass(frozen=True, kw_only=True)
class MessagePlan:
    """Which frames and commands travel as HELICS messages. A name that no pattern matches goes straight through."""

    sources: tuple[Pattern, ...] = ()
    """Patterns of telemetry sources: frames leave `source/<owner>` for `centre/<owner>`."""
    commands: tuple[Pattern, ...] = ()
    """Patterns of devices: commands leave `command/<device>` for `device/<device>`."""
    network: Pattern | None = None
    """The federate that simulates the network: the co-simulation ends when it is not there or leaves. None: none is
    expected, and what nobody touches goes straight through."""

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        if self.sources or self.commands:
            return []
        return [("sources", "", "sources, commands or both must be given")]


@dataclass(frozen=True, kw_only=True)
class CosimPlan:
    """`[cosim]`."""

    federate: Pattern
    """Our name."""
    core: Core
    period_s: Positive
    """Feeder time between two grants; a multiple of the scan's."""
    fresh_within_s: Positive
    """A value subscribed to that is older than this ends the co-simulation: its publisher finished or fell silent. A
    federate that publishes on change only needs as much as it may be still."""
    grant_timeout_s: Positive
    """Wall time that one grant may take before the co-simulation ends."""
    join_timeout_s: Positive
    """Wall time that the federation may take to come together."""
    broker: str | None = None
    """Address of a broker (core `inproc`: its name) that somebody else started."""
    start_broker: bool = False
    """Start one; of a network core it listens on a free port of the loopback."""
    federates: Annotated[int, Field(ge=1)] | None = None
    """With `start_broker`: how many federates it waits for, this one included."""
    iterations_max: Annotated[int, Field(ge=0)] = 0
    """Exchanges of power and voltage at one instant; 0: one exchange a period, a period late. More need peers that
    iterate too."""
    tolerance_pu: Positive | None = None
    """With iterations: a source's voltage that moves less than this has come to rest."""
    messages: MessagePlan | None = None
    subscribe: tuple[Subscribed, ...] = ()
    publish: tuple[Published, ...] = ()

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        found = []
        if self.start_broker == (self.broker is not None):
            found.append(("broker", str(self.broker or ""), "either broker or start_broker = true must be given"))
        if self.start_broker and self.federates is None:
            found.append(("federates", "", "must be given with start_broker"))
        if not self.start_broker and self.federates is not None:
            found.append(("federates", str(self.federates), "says something with start_broker only"))
        if self.iterations_max and self.tolerance_pu is None:
            found.append(("tolerance_pu", "", "must be given with iterations_max"))
        if self.iterations_max and self.messages is not None:
            why = "0 with [cosim.messages]: a message takes a grant of its own at the instant that is iterated"
            found.append(("iterations_max", str(self.iterations_max), why))
        if self.fresh_within_s < self.period_s:
            found.append(("fresh_within_s", str(self.fresh_within_s), "must be at least period_s"))
        return found


def read_cosim(content: Mapping[str, Any]) -> CosimPlan | None:
    """`[cosim]` of a scenario; None where it has none. Raises InputError with every problem in it."""
    if "cosim" not in content:
        return None
    reading = Reading()
    table = content["cosim"]
    if not isinstance(table, dict):
        raise InputError([Problem(element="[cosim]", field="", value=str(table), message="must be a table")])
    entries = reading.entries(table, "subscribe", where="cosim")
    heard = [reading.record(Subscribed, entry, where=where) for where, entry in entries]
    entries = reading.entries(table, "publish", where="cosim")
    told = [reading.record(Published, entry, where=where) for where, entry in entries]
    given: dict[str, Any] = {"subscribe": tuple(heard), "publish": tuple(told)}
    messages = table.get("messages")
    if isinstance(messages, dict):
        given["messages"] = reading.record(MessagePlan, messages, where="[cosim.messages]")
    elif messages is not None:
        reading.problem("[cosim.messages]", "", value=messages, why="must be a table")
    own = {key: value for key, value in table.items() if key not in ("subscribe", "publish", "messages")}
    plan = reading.record(CosimPlan, own, where="[cosim]", given=given)
    _once(reading, [one.name for one in told if one is not None], where="[[cosim.publish]]", key="name")
    sources = [one.source for one in heard if one is not None and one.source]
    _once(reading, sources, where="[[cosim.subscribe]]", key="source")
    kinds = [str(one.quantity) for one in heard if one is not None and not one.source]
    _once(reading, kinds, where="[[cosim.subscribe]]", key="quantity")
    if reading.problems or plan is None:
        raise InputError(reading.problems)
    return plan


def _once(reading: Reading, names: list[str], *, where: str, key: str) -> None:
    for name in sorted({name for name in names if names.count(name) > 1}):
        reading.problem(where, key, value=name, why="must stand there only once")


def check_against(plan: CosimPlan, plant: Plant, *, scan_s: float) -> None:
    """Raise InputError with every source and bus that the feeder does not have, and a period that the run's scans do
    not keep."""
    sources = tuple(plant.circuit.topology.source_nodes)
    buses = tuple(dict.fromkeys(bus for bus, _ in plant.circuit.nodes))
    reading = Reading()
    scans = plan.period_s / scan_s
    if round(scans) < 1 or abs(scans - round(scans)) > _TINY * scans:
        reading.problem("[cosim]", "period_s", value=plan.period_s, why=f"must be a multiple of scan_s = {scan_s:g}")
    named = [(f"[[cosim.subscribe]] {k}", one.source) for k, one in enumerate(plan.subscribe, start=1)]
    named += [(f"[[cosim.publish]] {k}", one.source) for k, one in enumerate(plan.publish, start=1)]
    for where, source in named:
        if source is not None and source not in sources:
            why = "the feeder has no such source" + near(source, sources)
            reading.problem(where, "source", value=source, why=why)
    for k, entry in enumerate(plan.publish, start=1):
        if entry.bus is not None and entry.bus not in buses:
            why = "the feeder has no such bus" + near(entry.bus, buses)
            reading.problem(f"[[cosim.publish]] {k}", "bus", value=entry.bus, why=why)
    if reading.problems:
        raise InputError(reading.problems)
