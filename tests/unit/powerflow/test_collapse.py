"""Where the fixed point does not contract: the two-bus network, whose voltages and limit are a quadratic by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import ComplexArray
from adms.grid.admittance import as_matrix, dense
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.load_law import admittance_at, admittance_slope_at
from adms.grid.model import Load, NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, PowerFlow, factorise, load_margin, solve_cases, solve_power_flow
from adms.powerflow.newton import newton
from tests.unit.powerflow.networks import arrays_of, bus, four_buses, line, load, nodes, peak_va, source

Z_OHM = 0.5 + 1.0j
E_V = 1.02 * 2400.0
DIRECTION = (2.0 + 1.0j) / abs(2.0 + 1.0j)


def _stiff(element: Load) -> Load:
    """Constant power at every voltage."""
    return replace(element, v_low_pu=0.0, v_high_pu=9.0, v_floor_pu=0.0)


def two_buses() -> NetworkArrays:
    model = NetworkModel(
        name="two buses",
        frequency_hz=60.0,
        buses=(bus("1", phases=(1,)), bus("2", phases=(1,))),
        sources=(source("source.s", "1", phases=(1,), z_ohm=0.2 + 0.5j),),
        branches=(line("line.l", ("1", "2"), phases=(1,), z_ohm=0.3 + 0.5j),),
        capacitors=(),
        loads=(_stiff(load("load.a", ((nodes("2", (1,))[0], None),), s_va=1.0 + 0.0j)),),
        ders=(),
    )
    return arrays_of(model)


def limit_va() -> float:
    """Largest |S| in DIRECTION: discriminant of v^4 + v^2 (2 Re(conj(z) S) - e^2) + |z|^2 |S|^2 = 0 is zero there."""
    drop = (Z_OHM.conjugate() * DIRECTION).real
    return E_V**2 / (2.0 * (abs(Z_OHM) + drop))


def _roots_v(s_va: complex) -> tuple[float, float]:
    b = 2.0 * (Z_OHM.real * s_va.real + Z_OHM.imag * s_va.imag) - E_V**2
    root = math.sqrt(b**2 - 4.0 * abs(Z_OHM) ** 2 * abs(s_va) ** 2)
    return math.sqrt((-b + root) / 2.0), math.sqrt((-b - root) / 2.0)


def _factor(arrays: NetworkArrays) -> Factor:
    made = factorise(arrays, normal_state(arrays.model))
    assert isinstance(made, Factor)
    return made


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99, 0.9999])
def test_up_to_the_limit_the_voltage_is_the_upper_root(share: float) -> None:
    arrays = two_buses()
    s = share * limit_va() * DIRECTION
    grid = normal_state(arrays.model)
    flow = solve_power_flow(arrays, grid, s_nominal_va=np.array([-s]), tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    # At the nose the voltage moves as the root of what is left, so rounding of 1e-15 in S is 1e-8 / sqrt(left) there.
    assert abs(abs(flow.v_phasor_pu[1]) - _roots_v(s)[0] / 2400.0) < 1e-9


@pytest.mark.parametrize("share", [1.001, 1.1, 3.0])
def test_beyond_the_limit_there_is_no_solution_and_the_reason_says_how_far_it_goes(share: float) -> None:
    arrays = two_buses()
    s = share * limit_va() * DIRECTION
    flow = solve_power_flow(arrays, normal_state(arrays.model), s_nominal_va=np.array([-s]))
    assert isinstance(flow, NotSolved)
    assert "voltage collapse" in flow.reason
    told = float(flow.reason.partition("up to ")[2].partition(" %")[0])
    assert 100.0 / share - 2.0 < told <= 100.0 / share + 0.5


def test_the_margin_is_the_limit_of_the_quadratic() -> None:
    arrays = two_buses()
    s = 0.8 * limit_va() * DIRECTION
    assert 1.25 - 0.01 <= load_margin(_factor(arrays), s_nominal_va=np.array([-s])) <= 1.25
    assert load_margin(_factor(arrays), s_nominal_va=np.array([-0.1 * s]), aim=2.0) == 2.0


def test_the_contraction_of_the_fixed_point_is_that_of_the_two_bus_network() -> None:
    """|z| |S| / v^2, from differentiating v = e - z conj(s / v)."""
    arrays = two_buses()
    s = 0.7 * limit_va() * DIRECTION
    flow = solve_cases(arrays, normal_state(arrays.model), s_nominal_va=np.array([[-s]]), tolerance_pu=1e-12)[0]
    assert isinstance(flow, PowerFlow)
    assert flow.contraction is not None
    assert abs(flow.contraction / (abs(Z_OHM * s) / _roots_v(s)[0] ** 2) - 1.0) < 0.02


def test_the_lower_root_is_not_an_operating_point() -> None:
    arrays = two_buses()
    s = 0.8 * limit_va() * DIRECTION
    factor = _factor(arrays)
    upper = solve_power_flow(arrays, factor.grid, s_nominal_va=np.array([-s]), factor=factor)
    assert isinstance(upper, PowerFlow)
    low_v = _roots_v(s)[1]
    # conj(v) (v - e) = -z conj(s) at the load, so its angle follows from its magnitude.
    phasor = np.conj((low_v**2 + Z_OHM * s.conjugate()) / E_V)
    start = np.array([upper.v_phasor_pu[0], phasor / 2400.0])
    inner = 0.2 + 0.5j
    start[0] = (E_V - inner * (E_V - phasor) / Z_OHM) / 2400.0
    order = factor.layout.structure.order
    v = np.ascontiguousarray(start[order])
    outcome = newton(factor, s_nominal_pu=np.array([-s / S_BASE_VA]), v=v, tolerance_pu=1e-9)
    assert "lower side" in outcome.reason
    assert outcome.iterations <= 3
    again = solve_power_flow(arrays, factor.grid, s_nominal_va=np.array([-s]), factor=factor, v_start_pu=start)
    assert isinstance(again, PowerFlow)
    assert np.abs(again.v_phasor_pu - upper.v_phasor_pu).max() < 1e-7


def _random_loads(arrays: NetworkArrays, seed: int) -> ComplexArray:
    rng = np.random.default_rng(seed)
    return peak_va(arrays) * rng.uniform(0.2, 1.5, len(arrays.injectors))


@pytest.mark.parametrize("seed", range(5))
def test_newton_ends_where_the_fixed_point_ends(seed: int) -> None:
    arrays = arrays_of(four_buses(tie_closed=seed % 2 == 0))
    factor = _factor(arrays)
    s = _random_loads(arrays, seed)
    flow = solve_power_flow(arrays, factor.grid, s_nominal_va=s, factor=factor, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    assert flow.tangent is None
    v = np.zeros(arrays.node_count, dtype=np.complex128)
    v[factor.live] = factor.v_no_load_pu
    order = factor.layout.structure.order
    v = np.ascontiguousarray(v[order])
    nominal = np.zeros(len(s), dtype=np.complex128)
    nominal[factor.injectors] = s[factor.injectors] / S_BASE_VA
    outcome = newton(factor, s_nominal_pu=nominal, v=v, tolerance_pu=1e-11)
    assert outcome.reason == ""
    assert np.abs(v - flow.v_phasor_pu[order]).max() < 1e-10


def test_the_slope_of_the_load_law_is_its_derivative_where_the_jacobian_uses_it() -> None:
    arrays = arrays_of(four_buses())
    for law in arrays.injector_law:
        for v in (0.3, 0.7, 0.93, 1.0, 1.04, 1.2):
            for first in (0, 5):
                difference = (admittance_at(v + 1e-6, law, first) - admittance_at(v - 1e-6, law, first)) / 2e-6
                assert abs(admittance_slope_at(v, law, first) - difference) < 1e-6


def test_a_warm_start_ends_where_a_cold_one_ends() -> None:
    arrays = two_buses()
    s = np.array([-0.9 * limit_va() * DIRECTION], dtype=np.complex128)
    more = np.array(1.01 * s, dtype=np.complex128)
    factor = _factor(arrays)
    first = solve_power_flow(arrays, factor.grid, s_nominal_va=s, factor=factor)
    assert isinstance(first, PowerFlow)
    assert first.tangent is not None
    cold = solve_power_flow(arrays, factor.grid, s_nominal_va=more, factor=factor, tolerance_pu=1e-12)
    warm = solve_power_flow(arrays, factor.grid, s_nominal_va=more, factor=factor, start=first, tolerance_pu=1e-12)
    assert isinstance(cold, PowerFlow)
    assert isinstance(warm, PowerFlow)
    assert warm.iterations < cold.iterations
    assert np.abs(warm.v_phasor_pu - cold.v_phasor_pu).max() < 1e-9


def test_a_column_does_not_depend_on_its_neighbours() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    s = np.stack([_random_loads(arrays, seed) for seed in range(7)], axis=1)
    together = solve_cases(arrays, grid, s_nominal_va=s)
    for case, flow in enumerate(together):
        alone = solve_cases(arrays, grid, s_nominal_va=s[:, [case, case]])[0]
        assert isinstance(flow, PowerFlow)
        assert isinstance(alone, PowerFlow)
        assert np.array_equal(flow.v_phasor_pu, alone.v_phasor_pu)
        assert flow.iterations == alone.iterations


def test_one_case_beyond_the_limit_leaves_the_others_solved() -> None:
    arrays = two_buses()
    share = np.array([0.2, 1.5, 0.95, 0.5])
    s = np.array([[-part * limit_va() * DIRECTION for part in share]])
    flows = solve_cases(arrays, normal_state(arrays.model), s_nominal_va=s)
    assert [isinstance(flow, PowerFlow) for flow in flows] == [True, False, True, True]
    for flow, part in zip(flows, share, strict=True):
        if isinstance(flow, PowerFlow):
            expected = _roots_v(part * limit_va() * DIRECTION)[0] / 2400.0
            assert abs(abs(flow.v_phasor_pu[1]) - expected) < 1e-7


def test_a_load_behind_next_to_no_admittance_is_not_called_solved() -> None:
    """At no load its bus has 1e-13 of the voltage, where every step is small; 200 kW cannot be drawn there."""
    far = line("line.l", ("1", "2"), phases=(1,), z_ohm=1e15 + 0.0j)
    plain = line("line.m", ("2", "3"), phases=(1,))
    charging = dense(plain.y_primitive_siemens) + 1e-5j * np.eye(2)
    shunt = replace(plain, y_primitive_siemens=as_matrix(charging))
    model = replace(two_buses().model, buses=tuple(bus(b, phases=(1,)) for b in "123"), branches=(far, shunt))
    drain = load("load.z", ((nodes("3", (1,))[0], None),), s_va=50e3 + 0.0j, law=(1.0, 0.0, 0.0))
    arrays = arrays_of(replace(model, loads=(*model.loads, drain)))
    s = np.array([-200e3 + 0.0j, -50e3 + 0.0j])
    flow = solve_power_flow(arrays, normal_state(arrays.model), s_nominal_va=s)
    assert isinstance(flow, NotSolved)
    assert "voltage collapse" in flow.reason
