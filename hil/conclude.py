"""What a session that has been played comes to: findings, judgement, and everything that its record is made of."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite

from adms.client import JournalVerdict
from hil.arms import Bench, distance_km, restoration, restored_w, run_idle
from hil.fleet_rows import cost_lines, fleet_rows
from hil.measures import Findings, FrameCount, examine, injections
from hil.oracle import Restoration
from hil.plots import Marks
from hil.record import score_estimates
from hil.report import Run
from hil.results_rows import InjectedFault
from hil.run import Session
from hil.sensors.injected import injected
from hil.story import Story

DEFAULT_TOLERANCE_W = 1.0


def _defaults_missed(session: Session) -> tuple[str, ...]:
    """DER that still hold a lease or aim at something else than their stored default."""
    missed = []
    for name, unit in session.plant.ders.items():
        entry = unit.entry
        default = (entry.default_p_injection_w, entry.default_q_injection_var)
        target = session.targets.get(name, default)
        aims = target[0] == default[0] and target[1] == default[1]
        stands = default[0] is None or unit.tripped or abs(unit.p_w - default[0]) <= DEFAULT_TOLERANCE_W
        if name in session.leased or not aims or not stands:
            missed.append(name)
    return tuple(sorted(missed))


def conclude(session: Session, *, frames: tuple[FrameCount, ...], journal: JournalVerdict | None, wall_s: float) -> Run:
    """Judge a session that has been played, and put together what its record is made of."""
    bench, scenario = session.bench, session.bench.scenario
    state = session.before_restoration
    best: Restoration | None = restoration(bench, state=state) if state is not None else None
    gone = not session.service_up
    settle_s = scenario.import_limit.settle_s if scenario.import_limit else 0.0
    score = score_estimates(session.estimates)
    idle = run_idle(bench)
    plant = session.plant
    findings = Findings(
        trace=session.trace,
        limits=bench.overlay.limits,
        frames=frames,
        unsafe=tuple(session.referee.found),
        fault=bench.fault.line if bench.fault is not None and session.plant.fault_on else "",
        never_trips=session.plant.never_trips,
        restoration=best,
        restored_w=restored_w(session.plant, state=state) if state is not None else 0.0,
        import_max_w=session.import_max_w,
        import_judged_from_s=session.import_from_s + settle_s,
        estimate=score,
        defaults_missed=_defaults_missed(session) if gone else (),
        service_gone=gone,
        idle=idle,
        estimates=session.estimates,
        rounds=session.rounds,
        scan_s=scenario.timing.scan_s,
        injections=injections(
            scenario.sensors,
            points={owner: session.meters.points_of(owner) for owner in session.meters.owners},
            trace=session.trace,
            changes=plant.changes,
            groups={entry.id: entry.group for entry in bench.overlay.tap_changers if entry.group},
            defects=scenario.plant.defects,
        ),
        outages=tuple(session.outages),
        journal=journal,
        actuations=tuple(session.actuations),
        missed_deadlines=tuple(session.late) if session.real_time else None,
    )
    judgement = examine(findings, limits=scenario.acceptance)
    return Run(
        title=scenario.title or scenario.name,
        scenario=scenario.name,
        about=scenario.tells,
        feeder=bench.files.name,
        lockstep=not session.real_time,
        command=f"hil run {scenario.name} --seed {bench.seed}",
        scan_s=scenario.timing.scan_s,
        left_out=judgement.left_out,
        rounds=session.rounds,
        faults=_faults(session),
        frames=frames,
        fleet=fleet_rows(session.trace, terms=findings.terms),
        cost=cost_lines(session.trace, idle=idle, prices=findings.prices) if findings.prices is not None else (),
        actuations=session.actuations,
        bound_by=session.wall_s,
        deadlines_missed=len(session.late) if session.real_time else None,
        seed=bench.seed,
        fault=bench.fault.line if bench.fault else "",
        run=session.trace,
        idle=idle,
        estimates=session.estimates,
        score=score,
        checks=judgement.checks,
        limits=bench.overlay.limits,
        distance_km=distance_km(session.plant),
        import_max_w=session.import_max_w,
        import_from_s=session.import_from_s,
        marks=_marks(session),
        story=session.story,
        wall_s=wall_s,
        commands=session.commands,
        facts={
            "unsafe": [asdict(item) for item in session.referee.found],
            "operations": session.referee.operations,
            "restoration": asdict(best) if best is not None else None,
            "restored_w": findings.restored_w,
            "import_max_w": session.import_max_w,
        },
    )


def _marks(session: Session) -> Marks:
    moments = []
    if session.bench.fault is not None and session.plant.fault_on:
        moments.append((session.bench.fault.time_s, "fault"))
    if session.import_max_w is not None:
        moments.append((session.import_from_s, "import limit"))
    if session.outage is not None:
        moments.append((session.outage.start_s, "service killed"))
        if session.outage.duration_s is not None:
            moments.append((session.outage.start_s + session.outage.duration_s, "started again"))
    return Marks(moments=tuple(moments))


def _faults(session: Session) -> tuple[InjectedFault, ...]:
    """Everything that the scenario did to sensors, channels, devices, the model and the service."""
    scenario = session.bench.scenario
    found = [
        InjectedFault(start_s=one.span.start_s, end_s=_end(one.span.end_s), where=one.where, text=one.text)
        for one in injected(scenario.sensors)
    ]
    found += [
        InjectedFault(start_s=defect.from_s, end_s=_end(defect.until_s), where=defect.der, text=defect.mode.value)
        for defect in scenario.plant.defects
    ]
    found += [
        InjectedFault(start_s=defect.from_s, end_s=_end(defect.until_s), where=defect.switch, text=defect.mode)
        for defect in scenario.switch_defects
    ]
    found += [
        InjectedFault(start_s=0.0, end_s=None, where=change.element, text=str(change))
        for change in session.plant.changes
    ]
    found += [
        InjectedFault(start_s=outage.start_s, end_s=_end(outage.end_s), where="the service", text="killed")
        for outage in session.outages
    ]
    return tuple(sorted(found, key=lambda one: (one.start_s, one.where)))


def _end(end_s: float) -> float | None:
    return end_s if isfinite(end_s) else None


def left_alone(bench: Bench, *, wall_s: float) -> Run:
    """A run of the same feeder and seed without a service: nothing is judged."""
    plant = bench.plant()
    trace = run_idle(bench)
    scenario = bench.scenario
    return Run(
        title=scenario.title or scenario.name,
        scenario=scenario.name,
        about=scenario.tells,
        feeder=bench.files.name,
        service=False,
        scan_s=scenario.timing.scan_s,
        seed=bench.seed,
        fault=bench.fault.line if bench.fault else "",
        run=trace,
        idle=None,
        estimates=(),
        score=score_estimates([]),
        checks=(),
        limits=bench.overlay.limits,
        distance_km=distance_km(plant),
        import_max_w=None,
        import_from_s=0.0,
        marks=Marks(moments=()),
        story=Story(),
        wall_s=wall_s,
        commands=0,
        facts={},
    )
