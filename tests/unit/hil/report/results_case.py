"""A run of ten scans made by hand: two nodes, one DER, no engine."""

from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np

from adms.client import Grade, Mode
from hil.measures.findings import Actuation
from hil.measures.judgement import Check, LeftOut, Verdict
from hil.measures.measure import Bound
from hil.overlay import Limits
from hil.plant.events import PlantEvent
from hil.record import EstimateRow, Trace, score_estimates
from hil.recorded import Marks, Run, results_of
from hil.results import Results
from hil.results_rows import InjectedFault
from hil.rounds import Round
from hil.story import Story

LIMITS = Limits(v_min_pu=0.95, v_max_pu=1.05, v_emergency_min_pu=0.9, v_emergency_max_pu=1.08)
NASTY = r"<script>alert('x')</script> & $\bad$ --> ]]>"
"""A name that ends every wrapping that does not escape it, with what looks like a broken formula."""


def trace(*, import_w: float = 1000.0, off: int = 0) -> Trace:
    made = Trace(nodes=(("a", 1), ("b", 1)))
    for k in range(1, 11):
        made.time_s.append(4.0 * k)
        made.v_pu.append(np.array([1.0, 0.96 + 0.001 * k]))
        made.import_w.append(import_w + k)
        made.losses_w.append(10.0)
        made.customers_off.append(off)
        made.in_fault.append(k == 5)
        made.battery_w.append(-1.0)
        made.pv_w.append(2.0)
    made.events.append(PlantEvent(time_s=20.0, element=NASTY, what="fault", text="three-phase", by="nature"))
    made.events.append(PlantEvent(time_s=20.5, element=NASTY, what="opened", text="", by="protection"))
    made.events.append(PlantEvent(time_s=30.0, element="reg", what="tap", text="+1", by="local"))
    return made


def check(name: str = "frames_lost", *, verdict: Verdict = Verdict.HELD, shortfall: str = "", **other: Any) -> Check:
    made = Check(
        name=name,
        value=0.0,
        limit=0.0,
        held=verdict in {Verdict.HELD, Verdict.SHORTFALL_CLOSED},
        text=f"found {name}",
        reason="a reason",
        unit="count",
        bound=Bound.AT_MOST,
        verdict=verdict,
        shortfall=shortfall,
    )
    return replace(made, **other)


def run(*, ms: float = 5.0, **other: Any) -> Run:
    """`ms` is how long a round took: the only thing of it that is measured, besides 10 times that of wall seconds."""
    truth = trace()
    estimates = [
        EstimateRow(
            time_s=time_s,
            grade="solved",
            v_pu=v_pu + np.array([0.001, -0.001]),
            sigma_pu=np.array([0.001, 0.002]),
            truth_pu=v_pu,
            pseudo_pu=v_pu + 0.01,
        )
        for time_s, v_pu in zip(truth.time_s, truth.v_pu, strict=True)
    ]
    story = Story(out=StringIO())
    story.step(NASTY, time_s=1.0, why=NASTY)
    story.move(time_s=8.0, device=NASTY, setpoint="open", app="flisr", reason=NASTY)
    story.refusal(device=NASTY, guard="SW6", reason=NASTY)
    nothing: frozenset[str] = frozenset()
    rounds = [
        Round(
            time_s=time_s,
            service_up=k < 8,
            grade=Grade.SOLVED if k < 7 else None,
            mode=Mode.CONTROL if k < 7 else None,
            rejected=nothing,
            wrong_positions=nothing,
            noticed=nothing,
            commands={},
            estimate_ms=ms / 2.0,
            round_ms=ms,
        )
        for k, time_s in enumerate(truth.time_s)
    ]
    made = Run(
        title=f"small: {NASTY}",
        scenario="small",
        about=NASTY,
        feeder="small",
        seed=3,
        fault="line.x",
        run=truth,
        idle=trace(import_w=1200.0, off=5),
        estimates=estimates,
        score=score_estimates(estimates),
        checks=(
            check(),
            check("voltage", verdict=Verdict.OPEN_SHORTFALL, shortfall="issue 6", value=0.9, limit=0.99),
            check("round_p99_ms", value=ms, unit="ms", text=f"{ms} ms"),
        ),
        left_out=(LeftOut(name="defaults_missed", reason="the service was there"),),
        limits=LIMITS,
        distance_km={"a": 0.0, "b": 1.5},
        import_max_w=1005.0,
        import_from_s=20.0,
        marks=Marks(moments=((20.0, NASTY),)),
        story=story,
        wall_s=10.0 * ms,
        commands=7,
        facts={"nothing": float("nan"), "frames": [{"source_id": NASTY, "sent": 10, "used": 9, "used_twice": 0}]},
        command="hil run small --seed 3",
        versions={"adms-lite": "0.1.0"},
        rounds=rounds,
        faults=(InjectedFault(start_s=8.0, end_s=12.0, where=NASTY, text="stuck"),),
        actuations=[Actuation(device_id="d", sensed_s=4.0, heard_s=8.0, wall_s=ms / 100.0)],
        journal={"intact": True, "entries": 12},
    )
    return replace(made, **other)


def results(**other: Any) -> Results:
    return results_of(run(**other))
