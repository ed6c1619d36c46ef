"""The estimator against estimators that share nothing with it: dense least squares and the textbooks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from adms.core.estimate import Use
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import LoadPrior
from adms.estimation.beliefs import beliefs_of
from adms.estimation.iterate import Converged, expected_start, optimise
from adms.estimation.layout import layout_of
from adms.estimation.plain import plain_optimum
from adms.estimation.prior import shared_deviations
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import readings_of
from adms.grid.arrays import S_BASE_VA
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import (
    POLICY,
    flow_keys,
    injection_keys,
    scan,
    snapshot,
    true_values,
    usual_sigma,
    voltage_keys,
)
from tests.unit.powerflow.networks import arrays_of, bus, four_buses, line, load, nodes, source

GROUND = None


def small() -> NetworkModel:
    """Three buses of two phases: a source, a bus without injection, a bus with constant-power loads."""
    both = (1, 2)
    return NetworkModel(
        name="referee",
        frequency_hz=60.0,
        buses=(bus("1", phases=both), bus("2", phases=both), bus("3", phases=both)),
        sources=(source("source.s", "1", phases=both),),
        branches=(line("line.a", ("1", "2"), phases=both), line("line.b", ("2", "3"), phases=both)),
        capacitors=(),
        loads=(
            load("load.x", ((nodes("3", both)[0], GROUND),), s_va=150e3 + 50e3j),
            load("load.y", ((nodes("3", both)[1], GROUND),), s_va=100e3 + 75e3j),
        ),
        ders=(),
    )


def test_the_optimum_is_that_of_a_dense_least_squares_with_the_covariance_of_its_jacobian() -> None:
    """Unknowns of the referee are the voltages of buses 1 and 3; bus 2 follows from its zero injection, the loads
    and the EMF from Kirchhoff. The common deviations are integrated out: the loads' prior is one dense covariance."""
    arrays = arrays_of(small())
    grid = normal_state(arrays.model)
    rng = np.random.default_rng(11)
    truth = solve_power_flow(arrays, grid, s_nominal_va=1.2 * arrays.injector_s_nominal_va, tolerance_pu=1e-12)
    assert isinstance(truth, PowerFlow)
    keys = [*voltage_keys(arrays, ("1", "3")), *flow_keys(arrays, ("line.a",)), *flow_keys(arrays, ("line.b",), side=1)]
    value = true_values(arrays, grid, flow=truth, keys=keys)
    sigma = usual_sigma(arrays, keys, value)
    value = value + sigma * rng.standard_normal(len(value))
    own = 0.4 * np.abs(arrays.injector_s_nominal_va)
    mean = arrays.injector_s_nominal_va
    prior = LoadPrior(
        s_nominal_va=mean,
        sigma_p_va=own,
        sigma_q_va=own,
        shared=shared_deviations(
            [(np.arange(2), 0.3 * mean), (np.array([0]), 0.1 * mean[:1]), (np.array([1]), 0.1 * mean[1:])]
        ),
    )
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior)

    y = arrays.admittance_pu(grid).toarray()
    y_source = np.eye(2) / (0.05 + 0.2j) * 2400.0**2 / S_BASE_VA
    emf = 1.02 * np.exp(-1j * np.array([0.0, 2.0 * np.pi / 3.0]))
    mean = arrays.injector_s_nominal_va / S_BASE_VA
    stacked = np.concatenate([mean.real, mean.imag])
    common = np.stack([np.tile(mask, 2) * stacked for mask in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0])], axis=1)
    covariance = np.diag(np.tile((0.4 * np.abs(mean)) ** 2, 2)) + common @ np.diag([0.09, 0.01, 0.01]) @ common.T
    whitener = np.linalg.inv(np.linalg.cholesky(covariance))

    def residual(x: FloatArray) -> FloatArray:
        v = np.zeros(6, dtype=np.complex128)
        v[[0, 1, 4, 5]] = x[:4] + 1j * x[4:]
        v[2:4] = -np.linalg.solve(y[2:4, 2:4], y[2:4][:, [0, 1, 4, 5]] @ v[[0, 1, 4, 5]])
        current = y @ v
        s = v[4:] * np.conj(current[4:])
        inside = (v[:2] + np.linalg.solve(y_source, current[:2])) / emf - 1.0
        flow = replace(truth, v_phasor_pu=v)
        meters = (true_values(arrays, grid, flow=flow, keys=keys) - value) / sigma
        believed = whitener @ (np.concatenate([s.real, s.imag]) - stacked)
        # sigma of the EMF is per unit of the base, not of the EMF, along the EMF
        return np.concatenate([meters, believed, inside.real * 1.02 / 0.01, inside.imag / 1e-3])

    start = truth.v_phasor_pu[[0, 1, 4, 5]]
    best = least_squares(
        residual, np.concatenate([start.real, start.imag]), xtol=1e-15, ftol=1e-15, gtol=1e-12, jac="3-point"
    )
    v = best.x[:4] + 1j * best.x[4:]
    np.testing.assert_allclose(got.v_phasor_pu[[0, 1, 4, 5]], v, atol=1e-8)
    assert abs(got.chi2 - 2.0 * best.cost) < 1e-5
    spread = np.linalg.inv(np.asarray(best.jac).T @ np.asarray(best.jac))
    for column, node in enumerate((0, 1, 4, 5)):
        along = np.zeros(8)
        along[column], along[column + 4] = v[column].real / abs(v[column]), v[column].imag / abs(v[column])
        assert abs(got.sigma_v_pu[node] / np.sqrt(along @ spread @ along) - 1.0) < 5e-3


def test_a_constant_factor_ends_where_full_gauss_newton_ends() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    s = arrays.injector_s_nominal_va
    truth = solve_power_flow(arrays, grid, s_nominal_va=1.4 * s, tolerance_pu=1e-12)
    assert isinstance(truth, PowerFlow)
    keys = [*voltage_keys(arrays, ("1", "3")), *flow_keys(arrays, ("line.l12",)), *injection_keys(("der.pv3",))]
    value = true_values(arrays, grid, flow=truth, keys=keys)
    sigma = usual_sigma(arrays, keys, value)
    value = value + sigma * np.random.default_rng(2).standard_normal(len(value))
    own = np.maximum(0.4 * np.abs(s), 1e3)
    prior = LoadPrior(s_nominal_va=s, sigma_p_va=own, sigma_q_va=own)
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    problem = problem_of(layout_of(arrays, taken.table), grid, policy=POLICY)
    assert isinstance(problem, Problem)
    beliefs = beliefs_of(problem, prior)
    start = expected_start(problem, beliefs)
    readings = readings_of(taken, problem=problem, policy=POLICY).columns
    exact = replace(POLICY, tolerance_pu=1e-11)
    end = optimise(problem, start, beliefs=beliefs, readings=readings, system=None, policy=exact, budget=40)
    assert isinstance(end, Converged)
    full = plain_optimum(problem, start, beliefs=beliefs, readings=readings)
    assert full.step_pu < 1e-11
    v, expected = (problem.layout.phasors(x, problem.layout.node) for x in (end.x, full.x))
    np.testing.assert_allclose(v, expected, atol=1e-9)


CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "cases" / "estimation_textbook" / "cases.json").read_text()
)


def textbook_model(case: dict[str, Any]) -> NetworkModel:
    """Bus 1 hangs on a stiff source; the others have one free load each. Base 1 kV and 1 MVA: per unit is ohm."""
    names = sorted({end for fr, to, _, _ in case["lines"] for end in (fr, to)})
    return NetworkModel(
        name=case["name"],
        frequency_hz=50.0,
        buses=tuple(bus(name, phases=(1,), v_base_v=1000.0) for name in names),
        sources=(source("source.s", "1", phases=(1,), z_ohm=1e-9j),),
        branches=tuple(
            line(f"line.{fr}_{to}", (fr, to), phases=(1,), z_ohm=complex(r, x)) for fr, to, r, x in case["lines"]
        ),
        capacitors=(),
        loads=tuple(load(f"load.{name}", ((nodes(name, (1,))[0], GROUND),), s_va=0j) for name in names[1:]),
        ders=(),
    )


def textbook_key(kind: str, at: int | None) -> tuple[PointKey, float]:
    """A point and the factor from the case's per-unit value to SI with our signs."""
    if kind == "v":
        return PointKey(kind=PointKind.V_MAGNITUDE, element=str(at)), 1000.0
    if "_inj_load" in kind:
        point = PointKind.P_INJECTION if kind[0] == "p" else PointKind.Q_INJECTION
        return PointKey(kind=point, element=f"load.{at}"), -1e6
    fr, to = kind.split("_")[2].split("to")
    return PointKey(kind=PointKind.P_FLOW if kind[0] == "p" else PointKind.Q_FLOW, element=f"line.{fr}_{to}"), 1e6


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
@pytest.mark.parametrize("bad", [False, True], ids=["as published", "with bad data"])
def test_textbook_estimators(case: dict[str, Any], bad: bool) -> None:
    if bad and "bad_data" not in case:
        return
    arrays = arrays_of(textbook_model(case))
    rows = [*case["measurements"], *([case["bad_data"]["add"]] if bad else [])]
    keys = [textbook_key(kind, at)[0] for kind, at, _, _ in rows]
    scale = np.array([textbook_key(kind, at)[1] for kind, at, _, _ in rows])
    value = np.array([x for _, _, x, _ in rows]) * scale
    sigma = np.array([s for _, _, _, s in rows]) * np.abs(scale)
    free = LoadPrior(
        s_nominal_va=np.zeros(len(arrays.injectors), dtype=np.complex128),
        sigma_p_va=np.full(len(arrays.injectors), np.inf),
        sigma_q_va=np.full(len(arrays.injectors), np.inf),
    )
    policy = replace(
        POLICY, source_v_sigma_pu=100.0, source_angle_sigma_rad=1e-6, sigma_unobservable_pu=0.5, alarm_probability=0.01
    )
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=normal_state(arrays.model), prior=free, policy=policy)
    v = got.v_phasor_pu
    tolerance = case["tol"]
    np.testing.assert_allclose(np.abs(v), case["expected_v_pu"], atol=tolerance)
    angle = np.angle(v / v[0])
    np.testing.assert_allclose(angle, np.radians(case["expected_angle_deg"]), atol=max(tolerance, 1e-6))
    rejected = [i for i, use in enumerate(got.innovations.use) if use is Use.REJECTED]
    assert rejected == ([len(rows) - 1] if bad else [])
