"""A story as a value, read from TOML: statistics, weather, meters, events, and acceptance limits with a reason each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.plant.customers import LoadStatistics
from hil.plant.der import RideThrough
from hil.plant.protection import ProtectionTimes
from hil.plant.weather import Cloud


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Feeder time, s."""

    duration_s: float
    scan_s: float
    step_s: float
    fine_step_s: float
    """While protection is timing."""


@dataclass(frozen=True, kw_only=True)
class FaultEvent:
    """A permanent fault at the middle of a line."""

    time_s: float
    line: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class ImportLimitEvent:
    """The transmission operator's notice: a share of what is imported when it is given, from then on."""

    time_s: float
    share_frac: float
    floor_w: float
    """The limit is never lower: a feeder that imports next to nothing has nothing to hold."""
    settle_s: float
    """Judged from this long after notice."""


@dataclass(frozen=True, kw_only=True)
class MeterPlan:
    """Which meters there are and how good they are. Sigmas are shares of a nominal or rated value, so that no sigma
    depends on what is measured."""

    v_sigma_frac: float
    head_sigma_frac: float
    head_rated_w: float
    flow_sigma_frac: float
    flow_rated_w: float
    der_sigma_frac: float
    ami_sigma_frac: float
    drop_out_frac: float
    """Chance that a value is missing from a scan."""
    flow_switches: tuple[str, ...]
    ami_loads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AcceptanceLimit:
    """A limit of the story and why it is there."""

    name: str
    limit: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The whole story."""

    name: str
    timing: Timing
    loads: LoadStatistics
    clear_frac: float
    clouds: tuple[Cloud, ...]
    ride_through: RideThrough
    soc_frac: float
    protection: ProtectionTimes
    neighbour_pickup_a: float
    supervision_lapse_s: float
    """A line device returns to its local control so long after its control stream was lost (VV11)."""
    meters: MeterPlan
    control_time_s: float
    """When the operator releases the service to CONTROL."""
    fault: FaultEvent | None
    import_limit: ImportLimitEvent | None
    tap_min_interval_s: float
    """Commanded tap moves of one regulator closer than this are counted as unsafe."""
    acceptance: Mapping[str, AcceptanceLimit]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises KeyError or TypeError naming what is missing or unknown."""
    with path.open("rb") as file:
        content: dict[str, Any] = tomllib.load(file)
    loads = dict(content["loads"])
    loads["ramp"] = tuple((float(t), float(f)) for t, f in loads["ramp"])
    protection = dict(content["protection"])
    neighbour = float(protection.pop("neighbour_pickup_a"))
    protection["reclose_dead_s"] = tuple(float(s) for s in protection["reclose_dead_s"])
    meters = dict(content["meters"])
    for key in ("flow_switches", "ami_loads"):
        meters[key] = tuple(meters[key])
    limits = (AcceptanceLimit(**entry) for entry in content["acceptance"])
    fault = content.get("fault")
    import_limit = content.get("import_limit")
    return Scenario(
        name=content["name"],
        timing=Timing(**content["timing"]),
        loads=LoadStatistics(**loads),
        clear_frac=float(content["weather"]["clear_frac"]),
        clouds=tuple(Cloud(**entry) for entry in content["weather"].get("cloud", [])),
        ride_through=RideThrough(**content["ride_through"]),
        soc_frac=float(content["storage"]["soc_frac"]),
        protection=ProtectionTimes(**protection),
        neighbour_pickup_a=neighbour,
        supervision_lapse_s=float(content["local_control"]["supervision_lapse_s"]),
        meters=MeterPlan(**meters),
        control_time_s=float(content["operator"]["control_time_s"]),
        fault=FaultEvent(**fault) if fault else None,
        import_limit=ImportLimitEvent(**import_limit) if import_limit else None,
        tap_min_interval_s=float(content["referee"]["tap_min_interval_s"]),
        acceptance={limit.name: limit for limit in limits},
    )
