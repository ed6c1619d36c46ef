"""Small records of runs that never were, made by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adms.client import (
    EstimateReport,
    Grade,
    Mode,
    PositionReport,
    RoundCommand,
    RoundRefusal,
    RoundReport,
    SwitchSetpoint,
)
from adms.core.positions import Standing
from hil.feeder_time import moment
from hil.measures import Findings
from hil.oracle import Restoration
from hil.overlay import DerEntry, Limits
from hil.plant.events import PlantEvent
from hil.record import DerScan, EstimateScore, Trace
from hil.rounds import RoundLog

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One record and what a measure must find in it."""

    name: str
    """Of the measure."""
    says: str
    """What is special, and where the number comes from."""
    found: Findings
    value: float
    """NaN where it must not be judged."""
    words: str = ""
    """Among what it says."""
    applies: bool = True


def trace(
    times: Sequence[float],
    *,
    v: Sequence[Sequence[float]] = (),
    in_fault: Sequence[bool] = (),
    import_w: Sequence[float] = (),
    losses_w: Sequence[float] = (),
    off: Sequence[int] = (),
    pv_w: Sequence[float] = (),
    available_w: Sequence[float] = (),
    events: Sequence[PlantEvent] = (),
    ders: Sequence[DerEntry] = (),
    der: Sequence[DerScan] = (),
) -> Trace:
    """Nothing happens where nothing is said."""
    n = len(times)
    nodes = tuple((f"n{k}", 1) for k in range(len(v[0]) if v else 1))
    made = Trace(nodes=nodes)
    made.time_s = list(times)
    made.v_pu = [np.array(row, dtype=np.float64) for row in v] if v else [np.ones(1)] * n
    made.in_fault = list(in_fault) or [False] * n
    made.import_w = list(import_w) or [0.0] * n
    made.losses_w = list(losses_w) or [0.0] * n
    made.customers_off = list(off) or [0] * n
    made.pv_w = list(pv_w) or [0.0] * n
    made.pv_available_w = list(available_w) or [0.0] * n
    made.events = list(events)
    made.ders = tuple(ders)
    made.der = list(der)
    return made


NO_SCORE = EstimateScore(rounds=0, rms_error_pu=NAN, predicted_pu=NAN, pseudo_rms_pu=NAN)
NORMAL = Limits(v_min_pu=0.95, v_max_pu=1.05, v_emergency_min_pu=0.9, v_emergency_max_pu=1.1)
EMPTY = Findings(
    trace=Trace(nodes=()),
    limits=NORMAL,
    frames=(),
    unsafe=(),
    fault="",
    never_trips="",
    restoration=None,
    restored_w=0.0,
    import_max_w=None,
    import_judged_from_s=0.0,
    estimate=NO_SCORE,
    defaults_missed=(),
    service_gone=False,
)


def found(**parts: Any) -> Findings:
    """Findings of a run in which nothing was but these parts."""
    return replace(EMPTY, **parts)


def event(time_s: float, element: str, what: str, text: str = "", *, by: str = "command") -> PlantEvent:
    return PlantEvent(time_s=time_s, element=element, what=what, text=text, by=by)


def tap(time_s: float, element: str, *, way: int, by: str = "command") -> PlantEvent:
    return event(time_s, element, "tap", f"{0:+d} -> {way:+d}", by=by)


BEST = Restoration(restorable_w=1e6, lost_w=1.2e6, switches={}, solves=3, unproven="")


def position(device: str, *, standing: Standing = Standing.WRONG) -> PositionReport:
    return PositionReport(device_id=device, standing=standing, instead=(), log_odds=9.0, why="", witnesses=())


def report(
    time_s: float,
    *,
    grade: Grade = Grade.SOLVED,
    mode: Mode = Mode.CONTROL,
    rejected: Sequence[str] = (),
    positions: Sequence[PositionReport] = (),
    apps: Sequence[str] = (),
    notes: Sequence[tuple[str, str]] = (),
    refused: Mapping[str, str] | None = None,
    estimate_ms: float = 10.0,
    round_ms: float = 20.0,
) -> RoundReport:
    """A round as the service tells it; `apps` of its commands, `refused` guard by device."""
    commands = [
        RoundCommand(
            command_id=f"c{k}", device_id="d", setpoint=SwitchSetpoint(closed=True), app=app, reason="", plan_id=""
        )
        for k, app in enumerate(apps)
    ]
    refusals = [
        RoundRefusal(device_id=device, app="dispatch", guard=guard, reason="")
        for device, guard in (refused or {}).items()
    ]
    return RoundReport(
        round=1,
        time=moment(time_s),
        mode=mode,
        grade=grade,
        grade_reason="",
        v_min_pu=None,
        v_min_node="",
        v_max_pu=None,
        v_max_node="",
        losses_w=None,
        interface_import_w=None,
        interface_import_max_w=None,
        sigma_mean_pu=None,
        estimate_ms=estimate_ms,
        round_ms=round_ms,
        notes=tuple(notes),
        commands=tuple(commands),
        refusals=tuple(refusals),
        estimate=EstimateReport(
            snapshot_id="",
            time=moment(time_s),
            grade=grade,
            reason="",
            topology_version="",
            nodes=(),
            chi2=0.0,
            degrees_of_freedom=0,
            iterations=0,
            losses_w=0.0,
            oldest_input_s=0.0,
            rejected_points=tuple(rejected),
            sources=(),
            positions=tuple(positions),
        ),
    )


def log(*rounds: RoundReport | float, down: Sequence[float] = (), devices: Sequence[str] = ()) -> RoundLog:
    """A number is a time at which a round was due and did not come; `down` are times without the service."""
    made = RoundLog(devices=devices)
    timed = [(one, None) if isinstance(one, int | float) else (_time_of(one), one) for one in rounds]
    for time_s, news in sorted([*timed, *((t, None) for t in down)], key=lambda item: item[0]):
        made.take(news, time_s=time_s, service_up=time_s not in down)
    return made


def _time_of(news: RoundReport) -> float:
    return (news.time - moment(0.0)).total_seconds()


def der(name: str = "der.pv", *, kind: str = "pv", default_w: float | None = None, s_max_va: float = 100e3) -> DerEntry:
    return DerEntry(
        id=name,
        kind=kind,
        bus="n0",
        phases=(1, 2, 3),
        connection="wye",
        s_max_va=s_max_va,
        p_max_w=s_max_va,
        p_min_w=0.0 if kind == "pv" else -s_max_va,
        q_max_var=0.44 * s_max_va,
        energy_wh=None,
        efficiency_frac=1.0,
        default_p_injection_w=default_w,
        default_q_injection_var=0.0,
        ramp_w_per_s=None,
    )


def scan(
    p_w: float,
    *,
    lease_w: float | None = None,
    q_var: float = 0.0,
    lease_var: float = NAN,
    low_w: float = -100e3,
    high_w: float = 100e3,
    away: bool = False,
) -> DerScan:
    """Of one DER; no lease where `lease_w` is None."""
    return DerScan(
        p_w=np.array([p_w]),
        q_var=np.array([q_var]),
        leased=np.array([lease_w is not None]),
        p_lease_w=np.array([NAN if lease_w is None else lease_w]),
        q_lease_var=np.array([lease_var]),
        p_low_w=np.array([low_w]),
        p_high_w=np.array([high_w]),
        away=np.array([away]),
    )
