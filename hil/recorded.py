"""From what a run leaves in memory to its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hil.acceptance import Check, FrameCount
from hil.against_idle import measures
from hil.estimate_result import estimate_result
from hil.overlay import Limits
from hil.record import DEAD_PU, EstimateRow, EstimateScore, Trace
from hil.results import Arm, CheckResult, Measured, Profile, Results, Snapshot, Standing
from hil.results_rows import CostLine, Event, FleetRow, Frames, ImportLimit, InjectedFault, Mark, Move, Refusal, Step
from hil.series import Series, rounded, series, spells
from hil.story import Story

EVENTS_KEPT = 5000
"""Events of the plant in a record, and moves of the service; the first of them."""
REFUSALS_KEPT = 200
"""The most frequent ones."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Moments of the story, s from the start."""

    moments: tuple[tuple[float, str], ...]


@dataclass(frozen=True, kw_only=True)
class RoundRow:
    """What a round of the service said of itself."""

    time_s: float
    mode: str
    grade: str
    round_ms: float
    estimate_ms: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that a record is made of."""

    title: str
    seed: int
    fault: str
    run: Trace
    idle: Trace | None
    """The same feeder and seed without the service; None where it was not played."""
    estimates: Sequence[EstimateRow]
    score: EstimateScore
    checks: Sequence[Check]
    limits: Limits
    distance_km: Mapping[str, float]
    import_max_w: float | None
    import_from_s: float
    marks: Marks
    story: Story
    wall_s: float
    commands: int
    facts: Mapping[str, Any]
    """Further figures for the file. `frames` is taken from here where the field below is empty."""
    scenario: str = ""
    """Its name in the library; the title where empty."""
    about: str = ""
    feeder: str = ""
    """The title's part before the colon where empty."""
    service: bool = True
    lockstep: bool = True
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    scan_s: float = float("nan")
    """The trace's first step where it is not a number."""
    rounds: Sequence[RoundRow] = ()
    import_limits: Sequence[ImportLimit] = ()
    """`import_max_w` from `import_from_s` on where empty."""
    faults: Sequence[InjectedFault] = ()
    frames: Sequence[FrameCount] = ()
    fleet: Sequence[FleetRow] = ()
    cost: Sequence[CostLine] = ()
    latency_s: Sequence[tuple[float, float]] = ()
    """(feeder time of the command, wall seconds from the sensor's sample to the actuator's command)."""
    deadlines_missed: int | None = None
    began: str = ""
    machine: str = ""
    bound_by: Mapping[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every limit held but for open shortfalls."""
        checks = [check_result(check) for check in self.checks]
        return bool(checks) and all(check.standing is not Standing.BROKEN for check in checks)


def check_result(check: Check) -> CheckResult:
    """A judged limit. It applies, has no unit and no stated shortfall where its record has no word of that; its
    direction is in its name (`_min`: at least) where it has no word of its own."""
    shortfall = str(getattr(check, "shortfall", None) or "")
    if not getattr(check, "applies", True):
        standing = Standing.NOT_JUDGED
    elif check.held:
        standing = Standing.HELD
    else:
        standing = Standing.OPEN if shortfall else Standing.BROKEN
    return CheckResult(
        name=check.name,
        value=float(check.value),
        limit=float(check.limit),
        unit=str(getattr(check, "unit", "")),
        at_least=bool(getattr(check, "at_least", check.name.endswith("_min"))),
        standing=standing,
        text=check.text,
        reason=check.reason,
        shortfall=shortfall,
    )


def results_of(run: Run) -> Results:
    """The record of a run."""
    trace, story = run.run, run.story
    duration_s = trace.time_s[-1] if trace.time_s else 0.0
    limits = tuple(run.import_limits)
    if not limits and run.import_max_w is not None:
        limits = (ImportLimit(from_s=run.import_from_s, to_s=None, max_w=run.import_max_w),)
    times, said = [row.time_s for row in run.rounds], [row.grade for row in run.rounds]
    if not run.rounds:
        times, said = [row.time_s for row in run.estimates], [row.grade for row in run.estimates]
    facts = dict(run.facts)
    frames = [Frames(**entry) for entry in facts.pop("frames", ())]
    if run.frames:
        frames = [Frames(**vars(count)) for count in run.frames]
    refusals = sorted(story.refusals.items(), key=lambda row: (-row[1], row[0]))
    return Results(
        title=run.title,
        scenario=run.scenario or run.title,
        about=run.about,
        feeder=run.feeder or run.title.partition(":")[0],
        seed=run.seed,
        service=run.service,
        lockstep=run.lockstep,
        command=run.command,
        versions=dict(run.versions),
        duration_s=duration_s,
        scan_s=run.scan_s if run.scan_s == run.scan_s else _scan_s(trace),
        v_min_pu=run.limits.v_min_pu,
        v_max_pu=run.limits.v_max_pu,
        checks=tuple(check_result(check) for check in run.checks),
        measures=measures(trace, idle=run.idle, limits=run.limits, import_limits=limits),
        run=arm(trace),
        idle=arm(run.idle) if run.idle is not None else None,
        estimate=estimate_result(run.estimates, score=run.score, nodes=trace.nodes) if run.estimates else None,
        profile=_profile(trace, distance_km=run.distance_km),
        modes=spells(times, [row.mode for row in run.rounds], end_s=duration_s) if run.rounds else (),
        grades=spells(times, said, end_s=duration_s),
        grade_rounds=dict(sorted(Counter(said).items())),
        import_limits=limits,
        marks=tuple(Mark(time_s=time_s, text=text) for time_s, text in run.marks.moments),
        faults=tuple(run.faults),
        events=tuple(
            Event(time_s=round(e.time_s, 3), element=e.element, what=e.what, text=e.text, by=e.by)
            for e in trace.events[:EVENTS_KEPT]
        ),
        events_left_out=max(0, len(trace.events) - EVENTS_KEPT),
        story=tuple(
            Step(time_s=round(time_s, 3), what=what, why=why)
            for time_s, what, why in sorted(story.rows, key=lambda row: row[0])[:EVENTS_KEPT]
        ),
        moves=tuple(
            Move(time_s=round(time_s, 3), device=device, setpoint=setpoint, app=app, reason=reason)
            for time_s, device, setpoint, app, reason in story.moves[:EVENTS_KEPT]
        ),
        moves_left_out=max(0, len(story.moves) - EVENTS_KEPT),
        refusals=tuple(
            Refusal(times=times_, device=device, guard=guard, reason=reason)
            for (device, guard, reason), times_ in refusals[:REFUSALS_KEPT]
        ),
        lease_count=story.lease_count,
        commands=run.commands,
        frames=tuple(frames),
        fleet=tuple(run.fleet),
        cost=tuple(run.cost),
        facts=facts,
        measured=_measured(run),
    )


def _scan_s(trace: Trace) -> float:
    return trace.time_s[0] if trace.time_s else float("nan")


def _measured(run: Run) -> Measured:
    times, delays = [at for at, _ in run.latency_s], [delay for _, delay in run.latency_s]
    return Measured(
        began=run.began,
        wall_s=run.wall_s,
        round_ms=series([row.time_s for row in run.rounds], [row.round_ms for row in run.rounds]),
        estimate_ms=series([row.time_s for row in run.rounds], [row.estimate_ms for row in run.rounds]),
        latency_s=series(times, delays),
        latency_p50_s=float(np.percentile(delays, 50.0)) if delays else float("nan"),
        latency_p99_s=float(np.percentile(delays, 99.0)) if delays else float("nan"),
        deadlines_missed=run.deadlines_missed,
        machine=run.machine,
        bound_by=dict(run.bound_by),
    )


def arm(trace: Trace) -> Arm:
    """Truth over time."""
    quantiles = np.full((len(trace.v_pu), 5), np.nan)
    for row, (v_pu, in_fault) in enumerate(zip(trace.v_pu, trace.in_fault, strict=True)):
        live = v_pu[v_pu > DEAD_PU]
        if live.size and not in_fault:
            quantiles[row] = np.percentile(live, (0.0, 5.0, 50.0, 95.0, 100.0))
    times = trace.time_s
    low, p05, middle, p95, high = (series(times, quantiles[:, column]) for column in range(5))
    # A scan that falls into a fault shows its current, not the import.
    imported = np.where(np.array(trace.in_fault, dtype=bool), np.nan, np.array(trace.import_w, dtype=np.float64))
    return Arm(
        v_min_pu=low,
        v_p05_pu=p05,
        v_median_pu=middle,
        v_p95_pu=p95,
        v_max_pu=high,
        import_w=series(times, imported),
        losses_w=series(times, trace.losses_w),
        customers_off=series(times, np.array(trace.customers_off, dtype=np.float64)),
        battery_w=series(times, trace.battery_w),
        pv_w=series(times, trace.pv_w) if len(trace.pv_w) == len(times) else Series(),
    )


def _profile(trace: Trace, *, distance_km: Mapping[str, float]) -> Profile:
    there = [i for i, (bus, _) in enumerate(trace.nodes) if bus in distance_km]
    return Profile(
        bus=tuple(trace.nodes[i][0] for i in there),
        phase=tuple(trace.nodes[i][1] for i in there),
        distance_km=tuple(rounded(distance_km[trace.nodes[i][0]]) for i in there),
        snapshots=tuple(
            Snapshot(
                title=title,
                time_s=round(trace.time_s[row], 3),
                v_pu=tuple(rounded(float(v)) for v in trace.v_pu[row][there]),
            )
            for title, row in _moments(trace)
        ),
    )


def _moments(trace: Trace) -> list[tuple[str, int]]:
    """The start, just before the first fault, where a voltage was lowest, the end; each scan once."""
    if not trace.time_s:
        return []
    calm = [row for row, bad in enumerate(trace.in_fault) if not bad]
    chosen = {0: "At the start"}
    first_bad = next((row for row, bad in enumerate(trace.in_fault) if bad), None)
    if first_bad:
        chosen.setdefault(first_bad - 1, "Before the fault")
    lows = [(trace.live_range(row)[0], row) for row in calm]
    lowest = min((low for low in lows if low[0] == low[0]), default=None)
    if lowest is not None:
        chosen.setdefault(lowest[1], "At the lowest voltage")
    chosen.setdefault(len(trace.time_s) - 1, "At the end")
    return [(chosen[row], row) for row in sorted(chosen)]
