"""The record of one run. Everything that people see of a run is made from it alone, so that an old run can be shown and
compared again. `hil.results_file` writes and reads it as JSON, key by key as the fields here are named.

Times are feeder seconds from the start of the run. Powers are injections into the network but for those named import.
Missing is NaN or None, null in the file. Everything but `measured` repeats bit for bit in lockstep with the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hil.results_rows import (
    CostLine,
    Event,
    FleetRow,
    Frames,
    ImportLimit,
    InjectedFault,
    JournalCheck,
    Mark,
    Move,
    Refusal,
    Step,
)
from hil.series import Series, Spell

SCHEMA = 1
"""Rises with every change of a field's name, meaning or unit."""


class Standing(StrEnum):
    """How a limit came out."""

    HELD = "held"
    BROKEN = "broken"
    OPEN = "open"
    """Broken, and the scenario says why it cannot be held yet: an open shortfall."""
    NOT_JUDGED = "not_judged"
    """The limit does not apply to what happened."""


class Better(StrEnum):
    """Which way a measure is better."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One limit of the scenario."""

    name: str
    value: float
    """NaN where it was not measured; that never holds."""
    limit: float
    unit: str
    at_least: bool | None
    """Whether the value has to reach the limit (True) or must not pass it (False); None where it is not said."""
    standing: Standing
    text: str
    """What was found."""
    reason: str
    """Why the limit is there."""
    shortfall: str
    """Why the loops of today cannot hold it, as the scenario says; empty where they have to."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure of the whole run, and the same of the feeder left alone."""

    key: str
    name: str
    unit: str
    value: float
    idle: float
    """NaN where there was no such run."""
    better: Better
    digits: int
    """Decimals worth showing."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Truth over time, from the plant. Voltages are over live nodes, missing while protection works on a fault."""

    v_min_pu: Series
    v_p05_pu: Series
    """Five of a hundred live nodes are lower."""
    v_median_pu: Series
    v_p95_pu: Series
    v_max_pu: Series
    import_w: Series
    """From the transmission grid; missing while protection works on a fault."""
    losses_w: Series
    customers_off: Series
    battery_w: Series
    """Of batteries and EV chargers, injected."""
    pv_w: Series
    """Of the other DER, injected; empty where the run did not keep it."""


@dataclass(frozen=True, kw_only=True)
class NodeError:
    """A node where the estimate is worst against what it predicts."""

    node: str
    rms_error_pu: float
    predicted_pu: float


@dataclass(frozen=True, kw_only=True)
class EstimateResult:
    """The estimate against the truth of the same instant."""

    rounds: int
    rms_error_pu: float
    predicted_pu: float
    """Root of the mean variance that the estimator states."""
    pseudo_rms_pu: float
    """Error of a power flow at the prior loads with true switches and taps."""
    error_pu: Series
    """Rms over live nodes, by round."""
    sigma_pu: Series
    """Predicted, by round."""
    pseudo_pu: Series
    truth_pu: tuple[float, ...]
    """Of a sample of nodes and rounds, for the scatter; `estimate_pu` and `spread_pu` (sigma) run beside it."""
    estimate_pu: tuple[float, ...]
    spread_pu: tuple[float, ...]
    worst: tuple[NodeError, ...]

    @property
    def ratio(self) -> float:
        """Error over prediction; NaN without rounds."""
        return self.rms_error_pu / self.predicted_pu if self.predicted_pu else float("nan")

    @property
    def pseudo_ratio(self) -> float:
        """Error over that of the power flow at the prior loads."""
        return self.rms_error_pu / self.pseudo_rms_pu if self.pseudo_rms_pu else float("nan")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Voltage of every node at one moment."""

    title: str
    time_s: float
    v_pu: tuple[float, ...]
    """Over the profile's nodes; 0 where dead."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Voltage along the feeder. The columns run beside each other."""

    bus: tuple[str, ...]
    phase: tuple[int, ...]
    distance_km: tuple[float, ...]
    """From the head along lines in their normal state."""
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """From sensor to actuator, by the feeder time at which the device had the command."""

    delay_s: Series = field(default_factory=Series)
    p50_s: float = float("nan")
    p99_s: float = float("nan")
    """Of all of them, not only those kept in the series."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the wall clock said: it differs from run to run."""

    began: str = ""
    """ISO 8601, UTC."""
    wall_s: float = float("nan")
    round_ms: Series = field(default_factory=Series)
    """Of the service, by feeder time."""
    estimate_ms: Series = field(default_factory=Series)
    latency: Latency = field(default_factory=Latency)
    """From a sensor's frame until the device has the command, on the machine's clock."""
    checks: tuple[CheckResult, ...] = ()
    """Limits of what is measured on the machine's clock."""
    deadlines_missed: int | None = None
    """Of a real-time run."""
    machine: str = ""
    bound_by: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by part: what bounds the speed."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """One run."""

    schema: int = SCHEMA
    title: str
    scenario: str
    """Its name in the library, also of its folder."""
    about: str
    """What the scenario is there to show; may be empty."""
    feeder: str
    seed: int
    service: bool
    """Whether the service took part."""
    lockstep: bool
    command: str
    """Line that repeats the run; no path of this machine."""
    versions: Mapping[str, str]
    duration_s: float
    scan_s: float
    v_min_pu: float
    """Normal voltage limits of the feeder."""
    v_max_pu: float
    checks: tuple[CheckResult, ...]
    """But for those in `measured`."""
    measures: tuple[Measure, ...]
    run: Arm
    idle: Arm | None
    """The same feeder and seed without the service."""
    estimate: EstimateResult | None
    profile: Profile
    modes: tuple[Spell, ...]
    grades: tuple[Spell, ...]
    grade_rounds: Mapping[str, int]
    """Rounds by grade."""
    import_limits: tuple[ImportLimit, ...]
    marks: tuple[Mark, ...]
    faults: tuple[InjectedFault, ...]
    events: tuple[Event, ...]
    events_left_out: int
    """Beyond the first `hil.recorded.EVENTS_KEPT`."""
    story: tuple[Step, ...]
    moves: tuple[Move, ...]
    moves_left_out: int
    refusals: tuple[Refusal, ...]
    lease_count: int
    commands: int
    """That devices received."""
    latency: Latency
    """In feeder time: from the snapshot that a command rests on."""
    frames: tuple[Frames, ...]
    journal: JournalCheck | None
    """None where nobody asked."""
    fleet: tuple[FleetRow, ...]
    cost: tuple[CostLine, ...]
    facts: Mapping[str, Any]
    """Further figures of the run, as they are."""
    measured: Measured = field(default_factory=Measured)

    @property
    def all_checks(self) -> tuple[CheckResult, ...]:
        """Those of `measured` too."""
        return self.checks + self.measured.checks

    def count(self, standing: Standing) -> int:
        """Limits that came out so."""
        return sum(check.standing is standing for check in self.all_checks)

    @property
    def journal_broken(self) -> bool:
        """Whether the service's record was checked and is not whole."""
        return self.journal is not None and not self.journal.intact

    @property
    def held(self) -> bool:
        """Whether something was judged, no limit is broken but for open shortfalls, and the record is whole."""
        judged = len(self.all_checks) > self.count(Standing.NOT_JUDGED)
        return judged and not self.count(Standing.BROKEN) and not self.journal_broken

    @property
    def shortfalls(self) -> tuple[CheckResult, ...]:
        """Limits that the loops of today do not hold."""
        return tuple(check for check in self.all_checks if check.standing is Standing.OPEN)

    @property
    def verdict(self) -> str:
        """One sentence."""
        broken, shortfalls = self.count(Standing.BROKEN), len(self.shortfalls)
        faults = [f"{broken} limit{'s' if broken > 1 else ''} broken"] if broken else []
        faults += ["the service's journal is not whole"] if self.journal_broken else []
        left_open = [f"{shortfalls} open shortfall{'s' if shortfalls > 1 else ''}"] if shortfalls else []
        if not self.held and not faults:
            return "Nothing was judged"
        if faults:
            said = ", ".join(faults + left_open)
            return said[0].upper() + said[1:]
        return f"All other limits held, {left_open[0]}" if left_open else "All limits held"
