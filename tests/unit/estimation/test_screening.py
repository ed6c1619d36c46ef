"""Gross errors: however large, the picture stays, the liar is named and nobody else is blamed for long."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import Estimate, Grade, NotEstimated, Use
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind, Quality
from adms.estimation import estimate
from adms.estimation.bad_data import Verdict, judge
from adms.estimation.beliefs import beliefs_of
from adms.estimation.iterate import Converged, expected_start, optimise
from adms.estimation.layout import layout_of
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import readings_of
from adms.estimation.screening import judge_from_afar
from adms.grid.state import normal_state
from tests.unit.estimation.scans import POLICY, scan, snapshot
from tests.unit.estimation.test_estimator import perfect, prior_of, solved
from tests.unit.powerflow.networks import arrays_of, four_buses

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
FLOW = solved(ARRAYS, GRID)
PRIOR = prior_of(ARRAYS)
OF_LOAD = PointKey(kind=PointKind.P_INJECTION, element="load.l4")
OF_BUS = PointKey(kind=PointKind.P_INJECTION, element="4")
"""The same power: the load is all that bus 4 has."""
HEAD = PointKey(kind=PointKind.P_FLOW, element="line.l12", phase=1)


def two_meters(*, sigma_w: float, error_w: float) -> tuple[list[PointKey], FloatArray, FloatArray]:
    """Perfect telemetry with two meters of one load, the second one wrong."""
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    true_w = float(FLOW.s_injection_va[ARRAYS.injector_rows[ElementId("load.l4")]].sum().real)
    return (
        [*keys, OF_LOAD, OF_BUS],
        np.append(value, [true_w, true_w + error_w]),
        np.append(sigma, [sigma_w, sigma_w]),
    )


def rejected(got: Estimate) -> set[PointKey]:
    pairs = zip(got.innovations.keys, got.innovations.use, strict=True)
    return {key for key, use in pairs if use is Use.REJECTED}


@pytest.mark.parametrize("sigma_w", [1.0, 1000.0])
@pytest.mark.parametrize("error_w", [1e4, -1e4, 1e6, -1e6, 1e7, -1e7, 1e9, -1e9])
def test_of_two_meters_of_one_load_the_liar_is_rejected_and_the_picture_stays(sigma_w: float, error_w: float) -> None:
    """The network draws 0.3 MW: with errors of 10 MW there is no optimum of all readings that steps would end at, and
    with 1 MW and 1 kW of sigma it is one of collapsed voltages, beside which three voltage meters look worse."""
    keys, value, sigma = two_meters(sigma_w=sigma_w, error_w=error_w)
    _, got = scan(snapshot(ARRAYS, keys, value=value, sigma=sigma), ARRAYS, grid=GRID, prior=PRIOR)
    assert rejected(got) == {OF_BUS}
    assert got.grade is Grade.SOLVED
    assert np.abs(got.v_phasor_pu - FLOW.v_phasor_pu).max() < 1e-3


@pytest.mark.parametrize("error_w", [1e5, 1e7, 1e8, 1e10])
def test_a_flow_that_the_network_could_never_carry_is_rejected(error_w: float) -> None:
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    wrong = np.where([key == HEAD for key in keys], value + error_w, value)
    _, got = scan(snapshot(ARRAYS, keys, value=wrong, sigma=sigma), ARRAYS, grid=GRID, prior=PRIOR)
    assert got.innovations.use[keys.index(HEAD)] is not Use.USED
    assert rejected(got) <= {HEAD}
    assert got.grade is Grade.SOLVED
    assert np.abs(got.v_phasor_pu - FLOW.v_phasor_pu).max() < 1e-6


def test_the_same_from_where_a_good_scan_ended() -> None:
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    state, _ = scan(snapshot(ARRAYS, keys, value=value, sigma=sigma), ARRAYS, grid=GRID, prior=PRIOR)
    wrong = np.where([key == HEAD for key in keys], value - 1e9, value)
    _, got = scan(snapshot(ARRAYS, keys, value=wrong, sigma=sigma), ARRAYS, grid=GRID, prior=PRIOR, state=state)
    assert rejected(got) == {HEAD}
    assert np.abs(got.v_phasor_pu - FLOW.v_phasor_pu).max() < 1e-6


def test_more_gross_errors_than_may_be_rejected_are_no_picture() -> None:
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    flows = [key.kind is PointKind.P_FLOW for key in keys]
    assert sum(flows) > 3
    wrong = np.where(flows, 1e8 * (1.0 + np.arange(len(keys))), value)
    _, got = estimate(
        snapshot(ARRAYS, keys, value=wrong, sigma=sigma),
        arrays=ARRAYS,
        grid=GRID,
        unknown=frozenset(),
        prior=PRIOR,
        policy=replace(POLICY, max_rejections=2),
        state=None,
    )
    assert isinstance(got, NotEstimated)


def test_from_afar_an_ordinary_error_gets_the_verdict_that_it_gets_from_near() -> None:
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    wrong = np.where([key == HEAD for key in keys], value + 1e5, value)
    taken = snapshot(ARRAYS, keys, value=wrong, sigma=sigma)
    problem = problem_of(layout_of(ARRAYS, taken.table), GRID, policy=POLICY)
    assert isinstance(problem, Problem)
    beliefs = beliefs_of(problem, PRIOR)
    readings = readings_of(taken, problem=problem, policy=POLICY, beliefs=beliefs)
    whole = optimise(
        problem,
        expected_start(problem, beliefs),
        beliefs=beliefs,
        readings=readings.columns,
        system=None,
        policy=POLICY,
        budget=60,
    )
    assert isinstance(whole, Converged)
    near = judge(problem, whole, beliefs=beliefs, readings=readings, policy=POLICY, cache=None)
    far = judge_from_afar(problem, beliefs=beliefs, readings=readings, policy=POLICY, cache=None)
    assert isinstance(near, Verdict)
    assert far is not None
    assert far.rejected.tolist() == near.rejected.tolist() != []
    assert far.chi2 == pytest.approx(near.chi2, abs=1e-6)
    # Of another point: the error moves the loads, and what they draw at which voltage.
    assert far.normalized[far.rejected] == pytest.approx(near.normalized[near.rejected], rel=0.05)


def test_of_a_rejected_point_residual_and_sigma_are_against_an_estimate_without_it() -> None:
    """The estimate without the point says what the others say; with it and no rejections, r / sqrt(Omega) is its
    normalised residual (Abur & Exposito, chapter 5)."""
    keys, value, sigma = perfect(ARRAYS, GRID, FLOW)
    at = keys.index(HEAD)
    wrong = value.copy()
    wrong[at] += 40e3
    taken = snapshot(ARRAYS, keys, value=wrong, sigma=sigma)
    policy = replace(POLICY, alarm_probability=0.05)
    _, got = scan(taken, ARRAYS, grid=GRID, prior=PRIOR, policy=policy)
    said = got.innovations
    assert said.use[at] is Use.REJECTED
    assert said.residual[at] / said.residual_sigma[at] == pytest.approx(said.normalized[at], rel=1e-12)
    quality = np.where(np.arange(len(keys)) == at, int(Quality.MISSING), int(Quality.GOOD))
    _, without = scan(replace(taken, quality=quality), ARRAYS, grid=GRID, prior=PRIOR)
    s = ARRAYS.branch_power_va(ARRAYS.branch_idx[ElementId("line.l12")], GRID, without.v_phasor_pu)
    assert said.residual[at] == pytest.approx(wrong[at] - s[0].real, rel=0.02)
    _, with_it = scan(taken, ARRAYS, grid=GRID, prior=PRIOR, policy=replace(POLICY, alarm_probability=0.0))
    assert said.normalized[at] == pytest.approx(with_it.innovations.normalized[at], rel=1e-6)
    assert f"{said.normalized[at]:.1f} sigma" in said.why[at]
