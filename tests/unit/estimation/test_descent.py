"""Readings that leave directions open: magnitudes of currents, and powers of half the loads. Gauss-Newton's whole steps
end nowhere in a third of the draws, and from some at powers of megawatts.

The referee is Gauss-Newton of its own (`tests/estimation_study/referee.py`).
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import chdtri

from adms.core.estimate import Estimate, Use
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import estimate, prior_from_model
from adms.estimation.beliefs import Beliefs, beliefs_of
from adms.estimation.descent import cost_at_expected, cost_of, costs_more, optimise_by_descent
from adms.estimation.iterate import Converged, Diverged, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.layout import layout_of
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import readings_of
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.networks import arrays_of, grid_of
from tests.estimation_study.referee import Referee
from tests.unit.estimation.scans import POLICY, snapshot, usual_sigma, voltage_keys

ARRAYS = arrays_of("13")
GRID = grid_of("13")
MANY = replace(POLICY, max_rejections=20)
PRIOR = prior_from_model(ARRAYS, MANY)
LINES = [branch for branch in ARRAYS.branches if branch.id.startswith("line.")]
DRAWS = 6


def drawn(seed: int) -> tuple[tuple[PointKey, ...], FloatArray, FloatArray, PowerFlow]:
    """(points, values with noise, sigmas, the truth): loads between a fifth and 1.3 of the deck's."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.2, 1.3, len(ARRAYS.injectors))
    flow = solve_power_flow(ARRAYS, GRID, s_nominal_va=share * ARRAYS.injector_s_nominal_va, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    keys = voltage_keys(ARRAYS, [ARRAYS.nodes[int(ARRAYS.source_nodes[0][0])].bus])
    for line in LINES:
        if rng.random() < 0.6:
            kind = PointKind.I_MAGNITUDE
            keys += [PointKey(kind=kind, element=line.id, side=0, phase=node.phase) for node in line.terminals[0]]
    for load in ARRAYS.model.loads:
        if rng.random() < 0.5:
            keys.append(PointKey(kind=PointKind.P_INJECTION, element=load.id))
    wide = np.concatenate([flow.v_phasor_pu, *(source.emf_pu for source in ARRAYS.sources)])
    value = MeterFunctions(ARRAYS, GRID, keys=tuple(keys)).value(wide, s_pu=flow.s_injection_va / 1e6)
    sigma = usual_sigma(ARRAYS, keys, value)
    return tuple(keys), value + sigma * rng.standard_normal(len(value)), sigma, flow


def problem_for(seed: int) -> tuple[Problem, Beliefs, ReadingColumns]:
    keys, value, sigma, _ = drawn(seed)
    taken = snapshot(ARRAYS, keys, value=value, sigma=sigma)
    problem = problem_of(layout_of(ARRAYS, taken.table), GRID, policy=MANY)
    assert isinstance(problem, Problem)
    beliefs = beliefs_of(problem, PRIOR)
    return problem, beliefs, readings_of(taken, problem=problem, policy=MANY, beliefs=beliefs).columns


def test_every_draw_ends_and_nobody_is_blamed() -> None:
    for seed in range(DRAWS):
        keys, value, sigma, _ = drawn(seed)
        taken = snapshot(ARRAYS, keys, value=value, sigma=sigma)
        _, got = estimate(taken, arrays=ARRAYS, grid=GRID, unknown=frozenset(), prior=PRIOR, policy=MANY, state=None)
        assert isinstance(got, Estimate), (seed, got.reason)
        assert Use.REJECTED not in got.innovations.use, seed


def test_the_lowest_point_below_the_expected_loads_is_an_optimum() -> None:
    """Where the referee's whole steps end at all, they stay where descent ended."""
    same = 0
    for seed in range(DRAWS):
        keys, value, sigma, _ = drawn(seed)
        problem, beliefs, readings = problem_for(seed)
        found = optimise_by_descent(problem, beliefs=beliefs, readings=readings, policy=MANY)
        assert isinstance(found, Converged), (seed, found.reason)
        referee = Referee(
            ARRAYS,
            GRID,
            keys=keys,
            sigma=sigma,
            prior=PRIOR,
            source_v_sigma_pu=MANY.source_v_sigma_pu,
            source_angle_sigma_rad=MANY.source_angle_sigma_rad,
        )
        v = problem.layout.phasors(found.x, problem.layout.node)
        again = referee.solve(value, v_start_pu=v)
        if again.step_pu < 1e-8:
            assert float(np.abs(again.v_phasor_pu - v).max()) < 1e-6 + 10.0 * found.loose_pu, seed
            same += 1
        # Loads are drawn about as widely as is believed of them, so the cost is about chi-squared with the readings'
        # number as its degrees of freedom, whose quantile of 0.9999 this is.
        assert cost_of(found, readings) < chdtri(len(value), 1e-4)
    assert same > 0, "the referee's steps ended nowhere: nothing was compared"


def test_an_optimum_never_costs_more_than_the_expected_loads() -> None:
    """Descent begins there. Whole steps end elsewhere, at what costs more than descent finds, and are found out."""
    found_out = 0
    for seed in range(20):
        problem, beliefs, readings = problem_for(seed)
        expected = cost_at_expected(problem, beliefs=beliefs, readings=readings, policy=MANY)
        lowest = optimise_by_descent(problem, beliefs=beliefs, readings=readings, policy=MANY)
        assert isinstance(lowest, Converged)
        lowest_cost = cost_of(lowest, readings)
        assert lowest_cost <= expected
        start = expected_start(problem, beliefs)
        whole = optimise(
            problem, start, beliefs=beliefs, readings=readings, system=None, policy=MANY, budget=MANY.max_iterations
        )
        found_out += isinstance(whole, Diverged) or costs_more(whole, readings, than=lowest_cost)
    assert found_out > 0, "whole steps ended at the lowest point in every draw: choose others"


@pytest.mark.parametrize("budget", [1, 3])
def test_descent_that_is_still_under_way_is_no_optimum(budget: int) -> None:
    problem, beliefs, readings = problem_for(0)
    short = replace(MANY, max_iterations=budget)
    found = optimise_by_descent(problem, beliefs=beliefs, readings=readings, policy=short)
    assert isinstance(found, Diverged)
    assert "under way" in found.reason
