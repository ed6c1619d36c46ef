"""The referee itself (`tests.estimation_study.referee`): its slopes against differences, its optimum and covariance
against a dense least squares in which the voltages are eliminated, its readings written out point by point."""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import least_squares

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import LoadPrior, SharedDeviations
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.load_law import at_voltage
from adms.grid.model import NodeRef
from adms.grid.state import GridState, normal_state
from tests.estimation_study.draws import Truths, flows_of, noise
from tests.estimation_study.floating import largest_difference
from tests.estimation_study.networks import arrays_of as feeder
from tests.estimation_study.networks import grid_of
from tests.estimation_study.plans import with_sigmas
from tests.estimation_study.referee import Inputs, Referee, State, inputs_of
from tests.estimation_study.studies import study
from tests.unit.powerflow.networks import arrays_of, four_buses, peak_va

HEAVY = 4.0
"""Loads in units of the network's, so that voltages are low and the laws matter."""
SIGMA_EMF, SIGMA_ANGLE = 0.01, 2e-3


def point(kind: PointKind, element: str, *, side: int = 0, phase: int = 0) -> PointKey:
    return PointKey(kind=kind, element=element, side=side, phase=phase)


def powers(kind: str, element: str, *, side: int = 0, phase: int = 0) -> tuple[PointKey, PointKey]:
    active, reactive = PointKind(f"p_{kind}_w"), PointKind(f"q_{kind}_var")
    return point(active, element, side=side, phase=phase), point(reactive, element, side=side, phase=phase)


KEYS = (
    *(point(PointKind.V_MAGNITUDE, "1", phase=phase) for phase in (1, 2, 3)),
    point(PointKind.V_MAGNITUDE, "4", phase=1),
    point(PointKind.V_LINE, "3", phase=12),
    point(PointKind.V_LINE, "3", phase=31),
    point(PointKind.V_ANGLE, "3", phase=2),
    *powers("flow", "line.l12", phase=1),
    *powers("flow", "line.l12", phase=2),
    *powers("flow", "line.l12", side=1),
    *(point(PointKind.I_MAGNITUDE, "line.s23", side=1, phase=phase) for phase in (1, 2, 3)),
    point(PointKind.I_ANGLE, "line.l24", phase=1),
    *powers("injection", "der.pv3"),
    *powers("injection", "load.l3a"),
    *powers("injection", "load.l1", phase=2),
    *powers("injection", "source.main"),
    *powers("injection", "source.main", phase=3),
    *powers("injection", "3"),
    *powers("injection", "3", phase=3),
)


@cache
def network() -> tuple[NetworkArrays, GridState]:
    arrays = arrays_of(four_buses())
    return arrays, normal_state(arrays.model)


@cache
def prior() -> LoadPrior:
    """Every injector 40 %; two things shared, one of them reactive too."""
    arrays, _ = network()
    mean = HEAVY * peak_va(arrays)
    sigma = np.maximum(0.4 * np.abs(mean), 1e3)
    loads = np.flatnonzero(~arrays.injector_is_der)
    shared = SharedDeviations(
        injector=np.concatenate([loads, [0, 1, 2]]),
        mode=np.concatenate([np.zeros(len(loads), dtype=np.int64), [1, 1, 1]]),
        s_va=np.concatenate([0.15 * mean[loads], np.full(3, 30e3 - 20e3j)]),
        modes=2,
    )
    return LoadPrior(s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=0.5 * sigma, shared=shared)


@cache
def inputs() -> Inputs:
    arrays, _ = network()
    return inputs_of(
        arrays,
        injectors=np.arange(len(arrays.injectors)),
        prior=prior(),
        source_v_sigma_pu=SIGMA_EMF,
        source_angle_sigma_rad=SIGMA_ANGLE,
    )


@cache
def truth() -> tuple[FloatArray, Truths]:
    """Standard normal inputs, and their state."""
    arrays, grid = network()
    x = np.random.default_rng(5).standard_normal(len(inputs().weight))
    return x, flows_of(arrays, grid, inputs=inputs(), x=x[:, None])


@cache
def referee() -> Referee:
    arrays, grid = network()
    plan = with_sigmas(arrays, grid, v_phasor_pu=truth()[1].v_phasor_pu[:, 0], keys=KEYS)
    return Referee(
        arrays,
        grid,
        keys=KEYS,
        sigma=plan.sigma,
        prior=prior(),
        source_v_sigma_pu=SIGMA_EMF,
        source_angle_sigma_rad=SIGMA_ANGLE,
    )


def noisy() -> FloatArray:
    return truth()[1].readings(referee().meters)[:, 0] + referee().sigma * noise(6, 0, len(KEYS))


# ---- The same by hand: dense, and the voltages a function of the inputs ---------------------------------------------


def by_hand(x: FloatArray) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """(V, E, S) for standard normal inputs (e, e', b, r, t)."""
    arrays, grid = network()
    k, m = len(arrays.injectors), 6
    p, q, b, r, t = np.split(x, np.cumsum([k, k, 2, m]))
    deviation = prior().sigma_p_va * p + 1j * prior().sigma_q_va * q
    for i, mode, s_va in zip(prior().shared.injector, prior().shared.mode, prior().shared.s_va, strict=True):
        deviation[i] += s_va * b[mode]
    emf = np.concatenate([s.emf_pu for s in arrays.sources]) * (1.0 + SIGMA_EMF / 1.02 * r + 1j * SIGMA_ANGLE * t)
    y = arrays.admittance_pu(grid).toarray()
    driven = np.zeros(len(y), dtype=np.complex128)
    for at, s in zip((0, 3), arrays.sources, strict=True):
        y[np.ix_(s.nodes, s.nodes)] += s.y_pu
        driven[s.nodes] = s.y_pu @ emf[at : at + 3]
    inverse = np.linalg.inv(y)
    incidence = arrays.incidence.toarray()
    v, s_va = inverse @ driven, deviation
    for _ in range(60):
        across = incidence.T @ v
        s_va = deviation + at_voltage(
            prior().s_nominal_va, np.abs(across) * arrays.injector_v_scale, arrays.injector_law
        )
        v = inverse @ (driven + incidence @ np.conj(s_va / S_BASE_VA / across))
    return v, emf, s_va


def read(key: PointKey, v: ComplexArray, emf: ComplexArray, s_va: ComplexArray) -> float:
    """One point, written out."""
    arrays, grid = network()
    volts = {node: v[i] * arrays.v_base_v[i] for i, node in enumerate(arrays.nodes)}
    kind, of = key.kind, key.element
    if kind is PointKind.V_LINE:
        a, b = (volts[NodeRef(BusId(of), int(p))] for p in str(key.phase))
        return float(abs(a - b))
    if kind in (PointKind.V_MAGNITUDE, PointKind.V_ANGLE):
        one = volts[NodeRef(BusId(of), key.phase)]
        return float(abs(one) if kind is PointKind.V_MAGNITUDE else np.angle(one))
    ids = [s.id for s in arrays.model.sources]
    if of in ids:
        source, at = arrays.sources[ids.index(ElementId(of))], 3 * ids.index(ElementId(of))
        part = v[source.nodes] * np.conj(source.y_pu @ (emf[at : at + 3] - v[source.nodes])) * S_BASE_VA
        power = complex(part[key.phase - 1] if key.phase else part.sum())
    elif of == "3":  # a bus: loads a, b-c and the PV; the b-c load draws its current out of phase 2 and into phase 3
        current = np.conj(s_va / S_BASE_VA / (arrays.incidence.T @ v))
        part = (v * np.conj(arrays.incidence @ current) * S_BASE_VA)[[arrays.node_idx[n] for n in volts if n.bus == of]]
        power = complex(part[key.phase - 1] if key.phase else part.sum())
    elif ElementId(of) in arrays.injector_rows:
        rows = arrays.injector_rows[ElementId(of)]
        power = complex(s_va[rows[key.phase - 1]] if key.phase else s_va[rows].sum())
    else:
        index = arrays.branch_idx[ElementId(of)]
        width = len(arrays.branches[index].terminals[0])
        place = slice(key.side * width, (key.side + 1) * width)
        if kind in (PointKind.I_MAGNITUDE, PointKind.I_ANGLE):
            amperes = arrays.branch_current_a(index, grid, v)[place][key.phase - 1]
            return float(abs(amperes) if kind is PointKind.I_MAGNITUDE else np.angle(amperes))
        part = arrays.branch_power_va(index, grid, v)[place]
        power = complex(part[key.phase - 1] if key.phase else part.sum())
    return power.real if kind.value.startswith("p_") else power.imag


def test_what_perfect_meters_read_is_what_each_point_is_defined_as() -> None:
    x, state = truth()
    v, emf, s_va = by_hand(x)
    np.testing.assert_allclose(state.v_phasor_pu[:, 0], v, atol=1e-12)
    written = np.array([read(key, v, emf, s_va) for key in KEYS])
    np.testing.assert_allclose(state.readings(referee().meters)[:, 0], written, rtol=1e-9, atol=1e-6)


def test_the_slopes_are_those_of_differences() -> None:
    """Of every kind of point and of the network law, the slope of the load law among them; central differences."""
    rng = np.random.default_rng(7)
    x, state = truth()
    at = State(v=state.v_phasor_pu[:, 0] + 1e-3 * rng.standard_normal(len(state.v_phasor_pu)), x=x)
    n = len(at.v)
    h, c = (m.toarray() for m in referee().jacobians(at))
    step = 1e-6
    for column in range(2 * n + len(x)):
        ends = []
        for sign in (1.0, -1.0):
            move = np.zeros(2 * n + len(x))
            move[column] = sign * step
            near = State(v=at.v + move[:n] + 1j * move[n : 2 * n], x=at.x + move[2 * n :])
            ends.append((referee().readings(near) / referee().sigma, referee().mismatch(near)))
        for slope, plus, minus in zip((h, c), *ends, strict=True):
            size = max(1.0, float(np.abs(slope).max()))
            np.testing.assert_allclose(slope[:, column], (plus - minus) / (2.0 * step), atol=1e-7 * size)


def test_the_optimum_is_that_of_a_dense_least_squares_with_the_covariance_of_its_jacobian() -> None:
    value = noisy()
    x, state = truth()
    angles = np.array([key.kind in (PointKind.V_ANGLE, PointKind.I_ANGLE) for key in KEYS])
    assert angles.any()

    def residual(x: FloatArray) -> FloatArray:
        v, emf, s_va = by_hand(x)
        off = np.array([read(key, v, emf, s_va) for key in KEYS]) - value
        return np.concatenate([off / referee().sigma, x])

    best = least_squares(residual, 0.5 * x, xtol=1e-15, ftol=1e-15, gtol=1e-11, jac="3-point")
    got = referee().solve(value, v_start_pu=by_hand(np.zeros(len(x)))[0])
    v = by_hand(best.x)[0]
    assert got.step_pu < 1e-12
    assert np.abs(got.v_phasor_pu - v).max() < 1e-9
    assert abs(got.chi2 - 2.0 * best.cost) < 1e-7
    # Not a check that the truth itself would pass.
    assert np.abs(state.v_phasor_pu[:, 0] - v).max() > 1e-4
    spread = np.linalg.inv(np.asarray(best.jac).T @ np.asarray(best.jac))
    step = 1e-5
    near = [[np.abs(by_hand(best.x + sign * d)[0]) for d in step * np.eye(len(x))] for sign in (1.0, -1.0)]
    slope = ((np.array(near[0]) - np.array(near[1])) / (2.0 * step)).T
    sigma = referee().sigma_v_pu(got.state, nodes=np.arange(len(v)))
    np.testing.assert_allclose(sigma, np.sqrt(np.einsum("ij,jk,ik->i", slope, spread, slope)), rtol=1e-5)
    rows = np.asarray(best.jac)[: len(KEYS)]
    np.testing.assert_allclose(
        referee().saddle(got.state).residual_covariance(), np.eye(len(KEYS)) - rows @ spread @ rows.T, atol=1e-6
    )


def test_what_nobody_knows_is_decided_by_the_meters_alone() -> None:
    """Sigma inf: with noise-free meters the truth comes back, wherever the mean stood."""
    arrays, grid = network()
    width = len(arrays.injectors)
    free = LoadPrior(
        s_nominal_va=np.zeros(width, dtype=np.complex128),
        sigma_p_va=np.full(width, np.inf),
        sigma_q_va=np.full(width, np.inf),
    )
    everywhere = tuple(
        point(kind, node.bus, phase=node.phase)
        for node in arrays.nodes
        for kind in (PointKind.V_MAGNITUDE, PointKind.V_ANGLE)
    )
    each = tuple(key for e in ("load.l3a", "load.l3bc", "load.l1") for key in powers("injection", e))
    keys = (*everywhere, *each)
    v = truth()[1].v_phasor_pu[:, 0]
    free_referee = Referee(
        arrays,
        grid,
        keys=keys,
        sigma=with_sigmas(arrays, grid, v_phasor_pu=v, keys=keys).sigma,
        prior=free,
        source_v_sigma_pu=1.0,
        source_angle_sigma_rad=1.0,
    )
    value = truth()[1].readings(free_referee.meters)[:, 0]
    got = free_referee.solve(value, v_start_pu=by_hand(np.zeros(len(inputs().weight)))[0])
    # What is left is the pull of the sources' prior: 0.02 pu times the ratio of variances, (0.004 / 1)^2.
    assert np.abs(got.v_phasor_pu - v).max() < 4e-7


@pytest.mark.parametrize("name", ["13", "34", "37", "4bus_yd"])
def test_without_meters_the_optimum_is_the_power_flow(name: str) -> None:
    """Of the expected loads, by the study's own power flow, from voltages that are 2 % off."""
    arrays, grid = feeder(name), grid_of(name)
    none = LoadPrior(
        s_nominal_va=arrays.injector_s_nominal_va,
        sigma_p_va=0.4 * np.abs(arrays.injector_s_nominal_va),
        sigma_q_va=0.4 * np.abs(arrays.injector_s_nominal_va),
    )
    alone = Referee(
        arrays,
        grid,
        keys=(),
        sigma=np.zeros(0),
        prior=none,
        source_v_sigma_pu=SIGMA_EMF,
        source_angle_sigma_rad=SIGMA_ANGLE,
    )
    flow = flows_of(arrays, grid, inputs=alone.inputs, x=np.zeros((len(alone.inputs.weight), 1)))
    v = flow.v_phasor_pu[:, 0]
    got = alone.solve(np.zeros(0), v_start_pu=0.98 * v)
    assert largest_difference(got.v_phasor_pu, v, alone.sections) < 2e-9
    assert got.chi2 < 1e-9


def test_a_least_cost_at_the_limit_of_a_load_law_is_found_there() -> None:
    """Draw 21 of the 34-bus feeder: load.s890 stands at its lower limit of 0.85, where the slope of its power jumps
    from 0 to 2 / 0.85 of it. Plain Gauss-Newton goes from 0.8494 to 0.8507 and back for ever. Held a little to either
    side the cost is more, and more in proportion: a kink, no minimum of a smooth function."""
    one = study("34")
    referee = one.referee
    _, values = one.drawn(seed=11, first=21, count=1)
    best = referee.solve(values[:, 0], v_start_pu=one.expected_v_pu)
    assert list(best.held.values()) == [0.85]
    assert best.step_pu < 1e-10
    rises = []
    for side in (-1.0, 1.0):
        for away in (1e-5, 1e-4):
            state = best.state
            for _ in range(30):
                state, size = referee.step(state, values[:, 0], held={k: v + side * away for k, v in best.held.items()})
            assert size < 1e-10
            rises.append((referee.cost(state, values[:, 0]) - best.chi2) / away)
    assert min(rises) > 0.5
    assert abs(rises[0] / rises[1] - 1.0) < 0.1
    assert abs(rises[2] / rises[3] - 1.0) < 0.1
