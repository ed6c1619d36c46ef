import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from hil.acceptance import Findings, FrameCount, judge
from hil.arms import distance_km, run_idle
from hil.measures import examine
from hil.oracle import Restoration
from hil.plots import Marks
from hil.record import EstimateRow, Trace, minute_means, score_estimates, voltage_ok_frac
from hil.referee import Unsafe
from hil.report import Run, write_report, write_results
from hil.story import Story
from tests.unit.hil.bench_case import bench, scenario


def rows(trace: Trace, *, sigma: float) -> list[EstimateRow]:
    """Estimates with errors of a known sigma of 0.002 pu, a yardstick that is off by 0.01 pu."""
    rng = np.random.default_rng(1)
    made = []
    for time_s, truth in zip(trace.time_s, trace.v_pu, strict=True):
        made.append(
            EstimateRow(
                time_s=time_s,
                grade="solved",
                v_pu=truth + 0.002 * rng.standard_normal(truth.size),
                sigma_pu=np.full(truth.size, sigma),
                truth_pu=truth,
                pseudo_pu=truth + 0.01,
            )
        )
    return made


def test_the_score_compares_error_with_prediction_and_yardstick() -> None:
    trace = Trace(nodes=(("a", 1),))
    for k in range(2000):
        trace.time_s.append(2.0 * k)
        trace.v_pu.append(np.array([1.0]))
    score = score_estimates(rows(trace, sigma=0.002))
    # 2000 draws: within 4/sqrt(4000) of one.
    assert score.ratio == pytest.approx(1.0, abs=0.07)
    assert score.pseudo_ratio == pytest.approx(0.2, abs=0.015)


def test_dead_nodes_and_the_time_of_the_fault_are_left_out_of_the_voltage_share() -> None:
    trace = Trace(nodes=(("a", 1), ("b", 1)))
    for v_pu, in_fault in (([1.0, 1.0], False), ([1.0, 0.0], False), ([0.2, 0.3], True), ([0.94, 1.0], False)):
        trace.v_pu.append(np.array(v_pu))
        trace.in_fault.append(in_fault)
    # By hand: 2 + 1 + 2 live node-scans outside the fault, one of them below 0.95.
    assert voltage_ok_frac(trace, v_min_pu=0.95, v_max_pu=1.05) == pytest.approx(4 / 5)


def test_minute_means_are_over_whole_minutes() -> None:
    trace = Trace(nodes=())
    for k in range(1, 91):
        trace.time_s.append(2.0 * k)
        trace.import_w.append(1000.0 if k <= 45 else 2000.0)
    assert minute_means(trace, from_s=30.0) == [(90.0, 1000.0), (150.0, 2000.0)]


BEST = Restoration(restorable_w=1e6, lost_w=1.2e6, switches={}, solves=3, unproven="")


def findings(
    trace: Trace,
    *,
    unsafe: tuple[Unsafe, ...] = (),
    restored_w: float = 1e6,
    best: Restoration | None = BEST,
    never_trips: str = "",
) -> Findings:
    return Findings(
        trace=trace,
        limits=bench().overlay.limits,
        frames=(FrameCount(source_id="gateway", sent=300, used=300, used_twice=0),),
        unsafe=unsafe,
        fault="line.l67",
        never_trips=never_trips,
        restoration=best,
        restored_w=restored_w,
        import_max_w=2.0e6,
        import_judged_from_s=450.0,
        estimate=score_estimates(rows(trace, sigma=0.002)),
        defaults_missed=(),
        service_gone=False,
    )


def test_the_report_renders_and_stands_alone(tmp_path: Path) -> None:
    setup = bench()
    trace = run_idle(setup)
    plant = setup.plant()
    story = Story(out=StringIO())
    story.step("the operator <releases>", time_s=10.0, why="story")
    story.move(time_s=20.0, device="transformer.reg1a", setpoint="tap +3", app="voltvar", reason="violation cured")
    run = Run(
        title="123-operated: demo",
        seed=1,
        fault="line.l67",
        run=trace,
        idle=trace,
        estimates=rows(trace, sigma=0.002),
        score=score_estimates(rows(trace, sigma=0.002)),
        checks=judge(findings(trace), limits=setup.scenario.acceptance),
        limits=setup.overlay.limits,
        distance_km=distance_km(plant),
        import_max_w=2.0e6,
        import_from_s=390.0,
        marks=Marks(moments=((180.5, "fault"),)),
        story=story,
        wall_s=12.0,
        commands=3,
        facts={"nothing": float("nan")},
    )
    write_report(run, path=tmp_path / "report.html")
    write_results(run, path=tmp_path / "results.json")
    html = (tmp_path / "report.html").read_text()
    # Voltage band and profiles, estimate, customers, switching, interface, losses, fleet, grades.
    assert html.count("<svg") == 9
    assert "&lt;releases&gt;" in html
    assert "http://" not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "<script" not in html
    assert "<link" not in html
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["facts"]["nothing"] is None
    assert [check["standing"] == "held" for check in results["checks"]] == [check.held for check in run.checks]


def test_every_broken_limit_is_named_and_nothing_measured_never_holds() -> None:
    setup = bench()
    trace = run_idle(setup)
    unsafe = (Unsafe(time_s=1.0, device="line.sw4", rule="SW1", text="energises the fault"),)
    checks = {
        c.name: c for c in judge(findings(trace, unsafe=unsafe, restored_w=0.9e6), limits=setup.scenario.acceptance)
    }
    assert not checks["unsafe_commands"].held
    assert not checks["restored_frac_min"].held
    assert checks["frames_lost"].held
    empty = Trace(nodes=trace.nodes)
    none = {c.name: c for c in judge(findings(empty), limits=setup.scenario.acceptance)}
    assert not none["estimate_ratio_max"].held
    assert not none["voltage_ok_frac_min"].held
    assert not none["import_excess_frac_max"].held


def test_a_fault_whose_restoration_was_never_judged_does_not_hold_unless_nothing_could_trip() -> None:
    setup = bench()
    trace = Trace(nodes=())
    limits = setup.scenario.acceptance
    unjudged = {c.name: c for c in judge(findings(trace, best=None), limits=limits)}["restored_frac_min"]
    assert not unjudged.held
    assert "line.l67 was not judged: no lockout was seen" in unjudged.text
    by_design = examine(findings(trace, best=None, never_trips="it had no supply"), limits=limits)
    assert "restored_frac_min" not in {check.name for check in by_design.checks}
    reasons = {one.name: one.reason for one in by_design.left_out}
    assert reasons["restored_frac_min"].endswith("it had no supply")


def test_nothing_found_by_a_search_that_did_not_end_judges_nothing() -> None:
    limits = scenario().acceptance
    nothing = Restoration(restorable_w=0.0, lost_w=1e6, switches={}, solves=9, unproven="the budget ended")
    for best, held in ((nothing, False), (replace(nothing, unproven=""), True)):
        checks = {c.name: c for c in judge(findings(Trace(nodes=()), best=best), limits=limits)}
        assert checks["restored_frac_min"].held == held
    bound = replace(BEST, unproven="the budget ended")
    checks = {c.name: c for c in judge(findings(Trace(nodes=()), best=bound), limits=limits)}
    assert "a lower bound: the budget ended" in checks["restored_frac_min"].text


def test_a_step_of_the_plant_without_a_solution_is_no_truth_to_judge_on() -> None:
    trace = Trace(nodes=())
    trace.unsolved = [(181.3, "no convergence in 200 iterations")]
    check = {c.name: c for c in judge(findings(trace), limits=scenario().acceptance)}["plant_unsolved"]
    assert not check.held
    assert check.text == "1 steps of the plant without a solution; first at 181.3 s: no convergence in 200 iterations"
