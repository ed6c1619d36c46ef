"""The overlay file as values: what the deck lacks. A reader of its own, so that it checks the service's importer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Voltage limits, per unit of the node's base."""

    v_min_pu: float
    v_max_pu: float
    v_emergency_min_pu: float
    v_emergency_max_pu: float


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """A neighbouring feeder: voltage behind an impedance."""

    id: str
    bus: str
    phases: tuple[int, ...]
    v_pu: float
    angle_deg: float
    r1_ohm: float
    x1_ohm: float
    r0_ohm: float
    x0_ohm: float
    p_max_w: float | None


@dataclass(frozen=True, kw_only=True)
class SwitchEntry:
    """A switch: new between two buses, inserted in a deck line, or a deck line itself."""

    id: str
    between: tuple[str, str] | None
    in_line: str | None
    at: str | None
    existing: bool
    phases: tuple[int, ...]
    kind: str
    normally_closed: bool
    remote: bool
    fault_indicator: bool
    travel_s: float
    pickup_a: float | None
    ground_pickup_a: float | None
    reclose_shots: int
    trip_delay_s: float | None


@dataclass(frozen=True, kw_only=True)
class CapacitorEntry:
    """Gear and local voltage control of a deck capacitor."""

    id: str
    steps: int
    normal_steps: int
    remote: bool
    v_on_pu: float | None
    v_off_pu: float | None
    delay_s: float


@dataclass(frozen=True, kw_only=True)
class TapChangerEntry:
    """Gear of a deck regulator; its local set point comes from the deck."""

    id: str
    remote: bool
    group: str
    delay_s: float


@dataclass(frozen=True, kw_only=True)
class RatingEntry:
    """Ampere ratings per phase of named elements, of all lines with so many phases, or of all others."""

    elements: tuple[str, ...]
    phases: int | None
    default: bool
    normal_a: float
    emergency_a: float


@dataclass(frozen=True, kw_only=True)
class DerEntry:
    """Nameplate of a DER. Powers are injections."""

    id: str
    kind: str
    bus: str
    phases: tuple[int, ...]
    connection: str
    s_max_va: float
    p_max_w: float
    p_min_w: float
    q_max_var: float
    energy_wh: float | None
    efficiency_frac: float
    default_p_injection_w: float | None
    default_q_injection_var: float
    ramp_w_per_s: float | None


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The whole file."""

    name: str
    deck: str
    limits: Limits
    interface: str
    removed: tuple[str, ...]
    sources: tuple[SourceEntry, ...]
    switches: tuple[SwitchEntry, ...]
    capacitors: tuple[CapacitorEntry, ...]
    tap_changers: tuple[TapChangerEntry, ...]
    ratings: tuple[RatingEntry, ...]
    default_w_per_customer: float
    customers: Mapping[str, int]
    ders: tuple[DerEntry, ...]

    def customers_of(self, load: str, *, p_w: float) -> int:
        """Customers behind a load: as listed, else by the default power per customer, at least one."""
        listed = self.customers.get(load)
        return listed if listed is not None else max(1, round(p_w / self.default_w_per_customer))


def _switch(entry: Mapping[str, Any]) -> SwitchEntry:
    between = entry.get("between")
    return SwitchEntry(
        id=entry["id"].lower(),
        between=(between[0].lower(), between[1].lower()) if between else None,
        in_line=entry["in_line"].lower() if "in_line" in entry else None,
        at=entry.get("at"),
        existing=bool(entry.get("existing", False)),
        phases=tuple(entry.get("phases", (1, 2, 3))),
        kind=entry["kind"],
        normally_closed=bool(entry["normally_closed"]),
        remote=bool(entry["remote"]),
        fault_indicator=bool(entry.get("fault_indicator", False)),
        travel_s=float(entry.get("travel_s", 1.0)),
        pickup_a=entry.get("pickup_a"),
        ground_pickup_a=entry.get("ground_pickup_a"),
        reclose_shots=int(entry.get("reclose_shots", 0)),
        trip_delay_s=entry.get("trip_delay_s"),
    )


def _der(entry: Mapping[str, Any]) -> DerEntry:
    return DerEntry(
        id=entry["id"].lower(),
        kind=entry["kind"],
        bus=entry["bus"].lower(),
        phases=tuple(entry["phases"]),
        connection=entry.get("connection", "wye"),
        s_max_va=float(entry["s_max_va"]),
        p_max_w=float(entry["p_max_w"]),
        p_min_w=float(entry["p_min_w"]),
        q_max_var=float(entry["q_max_var"]),
        energy_wh=entry.get("energy_wh"),
        efficiency_frac=float(entry.get("efficiency_frac", 1.0)),
        default_p_injection_w=entry.get("default_p_injection_w"),
        default_q_injection_var=float(entry.get("default_q_injection_var", 0.0)),
        ramp_w_per_s=entry.get("ramp_w_per_s"),
    )


def read_overlay(path: Path) -> Overlay:
    """Read an overlay file. Raises KeyError or ValueError on a malformed one (the service's importer is the one that
    explains)."""
    with path.open("rb") as file:
        content = tomllib.load(file)
    limits = content["voltage_limits"]
    customers = content.get("customers", [])
    return Overlay(
        name=content["name"],
        deck=content["deck"],
        limits=Limits(**{name: float(limits[name]) for name in Limits.__dataclass_fields__}),
        interface=content["interface"]["source"].lower(),
        removed=tuple(entry["element"].lower() for entry in content.get("remove", [])),
        sources=tuple(
            SourceEntry(
                id=entry["id"].lower(),
                bus=entry["bus"].lower(),
                phases=tuple(entry["phases"]),
                v_pu=float(entry["v_pu"]),
                angle_deg=float(entry["angle_deg"]),
                r1_ohm=float(entry["r1_ohm"]),
                x1_ohm=float(entry["x1_ohm"]),
                r0_ohm=float(entry["r0_ohm"]),
                x0_ohm=float(entry["x0_ohm"]),
                p_max_w=entry.get("p_max_w"),
            )
            for entry in content.get("source", [])
        ),
        switches=tuple(_switch(entry) for entry in content.get("switch", [])),
        capacitors=tuple(
            CapacitorEntry(
                id=entry["id"].lower(),
                steps=int(entry["steps"]),
                normal_steps=int(entry["normal_steps"]),
                remote=bool(entry["remote"]),
                v_on_pu=entry.get("v_on_pu"),
                v_off_pu=entry.get("v_off_pu"),
                delay_s=float(entry.get("delay_s", 60.0)),
            )
            for entry in content.get("capacitor", [])
        ),
        tap_changers=tuple(
            TapChangerEntry(
                id=entry["id"].lower(),
                remote=bool(entry["remote"]),
                group=entry.get("group", ""),
                delay_s=float(entry["delay_s"]),
            )
            for entry in content.get("tap_changer", [])
        ),
        ratings=tuple(
            RatingEntry(
                elements=tuple(name.lower() for name in entry.get("elements", ())),
                phases=entry.get("phases"),
                default=bool(entry.get("default", False)),
                normal_a=float(entry["normal_a"]),
                emergency_a=float(entry["emergency_a"]),
            )
            for entry in content.get("rating", [])
        ),
        default_w_per_customer=float(
            next((e["default_w_per_customer"] for e in customers if "default_w_per_customer" in e), 5000.0)
        ),
        customers={e["load"].lower(): int(e["customers"]) for e in customers if "load" in e},
        ders=tuple(_der(entry) for entry in content.get("der", [])),
    )
