"""From what a run leaves in memory to its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from adms.client import Grade, Mode
from hil.against_idle import measures
from hil.estimate_result import estimate_result
from hil.measures.findings import Actuation, FrameCount
from hil.measures.judgement import Check, LeftOut, Verdict
from hil.measures.measure import Bound
from hil.overlay import Limits
from hil.record import DEAD_PU, EstimateRow, EstimateScore, Trace
from hil.results import Arm, CheckResult, Latency, Measured, Profile, Results, Snapshot, Standing
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
from hil.rounds import Round
from hil.series import Series, rounded, series, spells
from hil.story import Story

EVENTS_KEPT = 5000
"""Events of the plant in a record, and moves of the service; the first of them."""
REFUSALS_KEPT = 200
"""The most frequent ones."""


WALL_LIMITS = frozenset({"latency_wall_p99_s", "missed_deadlines", "estimate_p99_ms", "round_p99_ms"})
"""Measures that differ from run to run."""
NO_SERVICE, NO_ROUND = "no service", "no round"
_STANDING = {
    Verdict.HELD: Standing.HELD,
    Verdict.BROKEN: Standing.BROKEN,
    Verdict.OPEN_SHORTFALL: Standing.OPEN,
    Verdict.SHORTFALL_CLOSED: Standing.HELD,
}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Moments of the story, s from the start."""

    moments: tuple[tuple[float, str], ...]


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
    left_out: Sequence[LeftOut] = ()
    rounds: Iterable[Round] = ()
    import_limits: Sequence[ImportLimit] = ()
    """`import_max_w` from `import_from_s` on where empty."""
    faults: Sequence[InjectedFault] = ()
    frames: Sequence[FrameCount] = ()
    fleet: Sequence[FleetRow] = ()
    cost: Sequence[CostLine] = ()
    actuations: Sequence[Actuation] = ()
    journal: Mapping[str, Any] | None = None
    """What `adms journal verify` says: intact, entries, reason."""
    deadlines_missed: int | None = None
    began: str = ""
    machine: str = ""
    bound_by: Mapping[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every limit held but for open shortfalls."""
        results = [check_result(check) for check in self.checks]
        whole = self.journal is None or bool(self.journal["intact"])
        return bool(results) and whole and all(check.standing is not Standing.BROKEN for check in results)


def check_result(check: Check) -> CheckResult:
    """A judged limit."""
    return CheckResult(
        name=check.name,
        value=check.value,
        limit=check.limit,
        unit="" if check.unit in {"1", "count"} else check.unit,
        at_least=check.bound is Bound.AT_LEAST,
        standing=_STANDING[check.verdict],
        text=check.text,
        reason=check.reason,
        shortfall=check.shortfall,
    )


def _left_out(entry: LeftOut) -> CheckResult:
    nothing = float("nan")
    return CheckResult(
        name=entry.name,
        value=nothing,
        limit=nothing,
        unit="",
        at_least=None,
        standing=Standing.NOT_JUDGED,
        text=entry.reason,
        reason="",
        shortfall="",
    )


def results_of(run: Run) -> Results:
    """The record of a run."""
    trace, story = run.run, run.story
    duration_s = trace.time_s[-1] if trace.time_s else 0.0
    limits = tuple(run.import_limits)
    if not limits and run.import_max_w is not None:
        limits = (ImportLimit(from_s=run.import_from_s, to_s=None, max_w=run.import_max_w),)
    rounds = tuple(run.rounds)
    times, modes, grades = _by_round(rounds)
    if not rounds:
        times, grades = [row.time_s for row in run.estimates], [row.grade for row in run.estimates]
    checks = [check_result(check) for check in run.checks] + [_left_out(entry) for entry in run.left_out]
    delays = [(one.heard_s, one.heard_s - one.sensed_s) for one in run.actuations]
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
        checks=tuple(check for check in checks if check.name not in WALL_LIMITS),
        measures=measures(trace, idle=run.idle, limits=run.limits, import_limits=limits),
        run=arm(trace),
        idle=arm(run.idle) if run.idle is not None else None,
        estimate=estimate_result(run.estimates, score=run.score, nodes=trace.nodes) if run.estimates else None,
        profile=_profile(trace, distance_km=run.distance_km),
        modes=spells(times, modes, end_s=duration_s) if rounds else (),
        grades=spells(times, grades, end_s=duration_s),
        grade_rounds=dict(sorted(Counter(grades).items())),
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
        latency=_latency(delays),
        frames=tuple(frames),
        journal=_journal(run.journal) if run.journal is not None else None,
        fleet=tuple(run.fleet),
        cost=tuple(run.cost),
        facts=facts,
        measured=_measured(run, rounds=rounds, checks=checks),
    )


def _scan_s(trace: Trace) -> float:
    return trace.time_s[0] if trace.time_s else float("nan")


def _by_round(rounds: Sequence[Round]) -> tuple[list[float], list[str], list[str]]:
    """Times, modes and grades; a word for a round that did not come, and for a service that was not there."""

    def word(one: Round, level: Mode | Grade | None) -> str:
        if not one.service_up:
            return NO_SERVICE
        return level.name.lower() if level is not None else NO_ROUND

    return (
        [one.time_s for one in rounds],
        [word(one, one.mode) for one in rounds],
        [word(one, one.grade) for one in rounds],
    )


def _latency(delays: Sequence[tuple[float, float]]) -> Latency:
    known = [delay_s for _, delay_s in delays if isfinite(delay_s)]
    if not known:
        return Latency()
    p50_s, p99_s = (float(np.quantile(np.array(known), q, method="higher")) for q in (0.5, 0.99))
    delay_s = series([at_s for at_s, _ in delays], [delay_s for _, delay_s in delays])
    return Latency(delay_s=delay_s, p50_s=p50_s, p99_s=p99_s)


def _journal(verdict: Mapping[str, Any]) -> JournalCheck:
    return JournalCheck(
        intact=bool(verdict["intact"]),
        entries=int(verdict.get("entries", 0)),
        reason=str(verdict.get("reason") or ""),
    )


def _measured(run: Run, *, rounds: Sequence[Round], checks: Sequence[CheckResult]) -> Measured:
    times = [one.time_s for one in rounds]
    return Measured(
        began=run.began,
        wall_s=run.wall_s,
        round_ms=series(times, [one.round_ms for one in rounds]),
        estimate_ms=series(times, [one.estimate_ms for one in rounds]),
        latency=_latency([(one.heard_s, one.wall_s) for one in run.actuations]),
        checks=tuple(check for check in checks if check.name in WALL_LIMITS),
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
