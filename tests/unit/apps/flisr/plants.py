"""A plant for tests: switches, protection that trips and locks out, indicators, and the view that a round would see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from adms.apps.flisr import FlisrPolicy
from adms.apps.view import Operation, RoundView, Tag
from adms.core.commands import App, Command, SwitchSetpoint
from adms.core.estimate import Estimate, Grade, NotEstimated, nothing_measured
from adms.core.ids import ElementId, PlanId, SectionId, SnapshotId
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.model import SwitchKind
from adms.grid.sections import sections
from adms.grid.state import GridState, normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.apps.interlock_policy import INTERLOCK

START = datetime(2026, 1, 1, tzinfo=UTC)

POLICY = FlisrPolicy(
    interlock=INTERLOCK,
    load_lag_s=6.0,
    cold_load_factor=1.5,
    cold_load_after_s=1800.0,
    step_timeout_s=30.0,
    trial_block_s=600.0,
    replan_interval_s=60.0,
    extra_opens_max=3,
    options_max=20000,
    power_flows_max=2000,
    load_reserve_frac=0.25,
    firm_options_max=40,
    cure_moves_max=20,
    rejected_listed_max=10,
)

_PROTECTIVE = (SwitchKind.BREAKER, SwitchKind.RECLOSER)


def section(name: str) -> SectionId:
    """Section of a bus of the hand-built feeders."""
    return SectionId(f"section.{name}")


@dataclass
class Plant:
    """True positions, faults and protection of a hand-built feeder."""

    arrays: NetworkArrays
    now: datetime = START
    grid: GridState = field(init=False)
    faults: set[SectionId] = field(default_factory=set)
    locked_out: set[ElementId] = field(default_factory=set)
    passed: set[ElementId] = field(default_factory=set)
    wrong: set[ElementId] = field(default_factory=set)
    """Indicators that say the opposite."""
    at_rest: bool = False
    """All indicators read 0, whatever they saw."""
    silent: set[ElementId] = field(default_factory=set)
    """Indicators that do not report."""
    lost: set[ElementId] = field(default_factory=set)
    """Devices whose station is lost: nothing reports, nothing can be commanded."""
    stuck: set[ElementId] = field(default_factory=set)
    """Devices that accept a command and do not move."""
    history: dict[ElementId, tuple[Operation, ...]] = field(default_factory=dict)
    mode: Mode = Mode.CONTROL
    device_modes: dict[ElementId, Mode] = field(default_factory=dict)
    failed: dict[ElementId, str] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    approved: set[PlanId] = field(default_factory=set)
    aborted: set[PlanId] = field(default_factory=set)
    outstanding: dict[ElementId, Command] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grid = normal_state(self.arrays.model)
        self.graph = sections(self.arrays.model)

    # ---- physics

    def closed(self) -> set[ElementId]:
        """Switches that are closed."""
        return {s for s, closed in self.grid.closed.items() if closed}

    def fed_through(self) -> dict[SectionId, list[ElementId]]:
        """Live sections to the switches on their way to a source, nearest source first."""
        paths: dict[SectionId, list[ElementId]] = {s: [] for s, part in self.graph.sections.items() if part.sources}
        front = list(paths)
        for known in front:
            for device in self.graph.sections[known].boundary:
                fr, to = self.graph.switch_ends[device]
                other = to if known == fr else fr
                if self.grid.closed[device] and other not in paths:
                    paths[other] = [*paths[known], device]
                    front.append(other)
        return paths

    def live(self) -> set[SectionId]:
        """Sections with voltage."""
        return set(self.fed_through())

    def protect(self) -> list[ElementId]:
        """Trips and locks out whatever feeds a fault; returns what tripped."""
        tripped = []
        for _ in range(10):
            paths = self.fed_through()
            hit = next((s for s in sorted(self.faults) if s in paths), None)
            if hit is None:
                break
            path = paths[hit]
            self.passed.update(path)
            gear = {b.id: b.switch for b in self.arrays.branches if b.switch is not None}
            device = next((d for d in reversed(path) if gear[d].kind in _PROTECTIVE), None)
            assert device is not None, f"nothing protects {hit}"
            self.grid = self.grid.with_switch(device, closed=False)
            self.locked_out.add(device)
            tripped.append(device)
        return tripped

    def fault(self, *names: str) -> None:
        """Permanent faults appear; protection clears them."""
        for name in names:
            self.faults.add(section(name))
            self.protect()

    def operate(self, device: ElementId, *, closed: bool) -> list[ElementId]:
        """A switch is commanded; returns what tripped because of it."""
        previous = SwitchSetpoint(closed=self.grid.closed[device])
        operation = Operation(time=self.now, setpoint=SwitchSetpoint(closed=closed), previous=previous, app=App.FLISR)
        self.history[device] = (*self.history.get(device, ()), operation)
        if device in self.stuck:
            return []
        self.grid = self.grid.with_switch(device, closed=closed)
        if closed:
            self.locked_out.discard(device)
        return self.protect()

    # ---- what the service sees

    def flow(self) -> PowerFlow:
        """Solved state with the model's loads."""
        solved = solve_power_flow(self.arrays, self.grid, s_nominal_va=self.arrays.injector_s_nominal_va)
        assert isinstance(solved, PowerFlow), solved
        return solved

    def estimate(self) -> Estimate:
        """A perfect estimate of the present state."""
        flow = self.flow()
        count = self.arrays.node_count
        return Estimate(
            snapshot_id=self._snapshot_id(), model_version=self.arrays.version, time=self.now, grade=Grade.SOLVED,
            reason="", topology_version=self.grid.topology_version, v_phasor_pu=flow.v_phasor_pu,
            sigma_v_pu=np.full(count, 1e-3), sigma_source=np.ones(count, dtype=np.int64),
            s_injection_va=flow.s_injection_va, s_source_va=flow.s_source_va, losses_w=flow.losses_w,
            innovations=nothing_measured(), chi2=0.0,
            degrees_of_freedom=0, iterations=1, oldest_input_s=0.0,
        )  # fmt: skip

    def snapshot(self) -> TelemetrySnapshot:
        """Positions, lockouts and indicators as telemetered."""
        points: dict[PointKey, float] = {}
        for branch in self.arrays.branches:
            if branch.switch is None or not branch.switch.remote:
                continue
            device = branch.id
            points[PointKey(kind=PointKind.SWITCH_CLOSED, element=device)] = float(self.grid.closed[device])
            if branch.switch.kind in _PROTECTIVE:
                points[PointKey(kind=PointKind.LOCKOUT, element=device)] = float(device in self.locked_out)
            if branch.switch.fault_indicator:
                flag = (device in self.passed and not self.at_rest) != (device in self.wrong)
                points[PointKey(kind=PointKind.FAULT_INDICATOR, element=device)] = float(flag)
        table = PointTable(keys=tuple(sorted(points)))
        value = np.array([points[key] for key in table.keys])
        quality = np.full(len(value), int(Quality.GOOD))
        for row, key in enumerate(table.keys):
            quiet = key.kind is PointKind.FAULT_INDICATOR and key.element in self.silent
            if quiet or key.element in self.lost:
                quality[row], value[row] = int(Quality.MISSING), np.nan
        return TelemetrySnapshot(
            snapshot_id=self._snapshot_id(), cut_time=self.now,
            model_version=self.arrays.version, table=table, value=value, sigma=np.full(len(value), np.nan),
            age_s=np.where(np.isnan(value), np.inf, 0.0), quality=quality,
        )  # fmt: skip

    def _snapshot_id(self) -> SnapshotId:
        return SnapshotId(f"snapshot-{self.now.isoformat()}")

    def view(self, *, estimate: bool = True) -> RoundView:
        """What this round sees."""
        remote = {b.id for b in self.arrays.branches if b.switch is not None and b.switch.remote}
        remote |= {b.id for b in self.arrays.branches if b.taps is not None and b.taps.remote}
        remote |= {c.id for c in self.arrays.model.capacitors if c.remote}
        snapshot = self.snapshot()
        return RoundView(
            now=self.now, arrays=self.arrays, snapshot=snapshot, grid=self.grid,
            unknown_positions=frozenset(self.lost),
            estimate=self.estimate() if estimate else NotEstimated(
                snapshot_id=snapshot.snapshot_id, time=self.now, reason="test"
            ),
            system_mode=self.mode, device_modes=dict(self.device_modes), controllable=frozenset(remote - self.lost),
            outstanding=dict(self.outstanding), history=dict(self.history), tags=self.tags, interface_limits=(),
            approved_plans=frozenset(self.approved), aborted_plans=frozenset(self.aborted),
            failed_devices=dict(self.failed),
        )  # fmt: skip

    def wait(self, seconds: float = 2.0) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)


def with_points(view: RoundView, points: Mapping[PointKey, float], *, age_s: float = 0.0) -> RoundView:
    """The view with more GOOD points in its snapshot."""
    snapshot = view.snapshot
    keep = [row for row, key in enumerate(snapshot.table.keys) if key not in points]

    def extended(column: np.ndarray, extra: Iterable[float]) -> np.ndarray:
        return np.concatenate([column[keep], np.array(list(extra), dtype=column.dtype)])

    count = len(points)
    table = PointTable(keys=(*(snapshot.table.keys[row] for row in keep), *points))
    return replace(
        view,
        snapshot=replace(
            snapshot, table=table, value=extended(snapshot.value, points.values()),
            sigma=extended(snapshot.sigma, [np.nan] * count), age_s=extended(snapshot.age_s, [age_s] * count),
            quality=extended(snapshot.quality, [int(Quality.GOOD)] * count),
        ),
    )  # fmt: skip
