"""A story as a value: statistics, weather, fleet, meters, events, faults, the service's configuration, and acceptance
limits with a reason each. `hil.scenario_file` reads it from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hil.plant.customers import LoadStatistics
from hil.plant.der import RideThrough
from hil.plant.incident_plan import IncidentPlan
from hil.plant.plan import PlantPlan
from hil.plant.protection import ProtectionTimes
from hil.plant.switch_defect import SwitchDefect
from hil.plant.weather import Cloud
from hil.sensors.faults import SensorPlan


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
    shortfall: str = ""
    """Why the service does not hold it yet: then it is open, neither held nor broken, and counted."""


@dataclass(frozen=True, kw_only=True)
class Outage:
    """When the service is killed, and for how long."""

    start_s: float
    duration_s: float | None = None
    """None: for good."""


Setting = str | float | bool | list[str] | list[float]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The whole story."""

    name: str
    title: str = ""
    tells: str = ""
    """What happens and what it shows, in a sentence or two."""
    feeder: str
    fast: bool = False
    """Belongs to the set that every test run plays."""
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
    plant: PlantPlan = field(default_factory=PlantPlan)
    """What lives on the feeder beyond `loads` and `clouds`, and where it differs from the service's model."""
    incidents: IncidentPlan = field(default_factory=IncidentPlan)
    """Faults beside `fault`, and what sees and clears them."""
    switch_defects: tuple[SwitchDefect, ...] = ()
    sensors: SensorPlan = field(default_factory=SensorPlan)
    """What stands between the truth and a telemetry frame beyond the noise of `meters`."""
    outage: Outage | None = None
    service: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    """Keys of the service's configuration that differ from the reference that comes with it, by table."""
