"""Power flow against the network law, a hand calculation, and what must not be called solved."""

import math

import numpy as np
import pytest

from adms.core.errors import InvariantError
from adms.core.ids import ElementId
from adms.grid.arrays import S_BASE_VA
from adms.grid.load_law import at_voltage
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, PowerFlow, factorise, solve_cases, solve_power_flow
from tests.unit.powerflow.networks import arrays_of, bus, four_buses, line, load, nodes, peak_va, source


def test_a_single_load_at_the_end_of_a_line_has_the_voltage_of_the_quadratic() -> None:
    """Balanced, one node a bus: with z = r + jx in series, v^4 + v^2 (2 (rP + xQ) - e^2) + |z|^2 |S|^2 = 0."""
    z = 0.5 + 1.0j
    model = NetworkModel(
        name="two buses",
        frequency_hz=60.0,
        buses=(bus("1", phases=(1,)), bus("2", phases=(1,))),
        sources=(source("source.s", "1", phases=(1,), z_ohm=0.2 + 0.5j),),
        branches=(line("line.l", ("1", "2"), phases=(1,), z_ohm=0.3 + 0.5j),),
        capacitors=(),
        loads=(load("load.a", ((nodes("2", (1,))[0], None),), s_va=200e3 + 100e3j),),
        ders=(),
    )
    arrays = arrays_of(model)
    flow = solve_power_flow(arrays, normal_state(model), s_nominal_va=arrays.injector_s_nominal_va, tolerance_pu=1e-13)
    assert isinstance(flow, PowerFlow)
    e, s = 1.02 * 2400.0, 200e3 + 100e3j
    b = 2.0 * (z.real * s.real + z.imag * s.imag) - e**2
    v = math.sqrt((-b + math.sqrt(b**2 - 4.0 * abs(z) ** 2 * abs(s) ** 2)) / 2.0)
    assert abs(abs(flow.v_phasor_pu[1]) * 2400.0 - v) < 1e-8
    assert abs(flow.losses_w - 0.3 * (abs(s) / v) ** 2) < 1e-5


def test_the_solution_obeys_the_network_law_and_the_load_law() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays), tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    v = flow.v_phasor_pu
    y_source, norton = arrays.source_norton_pu()
    across = arrays.incidence.T @ v
    drawn = arrays.incidence @ np.conj(flow.s_injection_va / S_BASE_VA / across)
    law = (arrays.admittance_pu(grid) + y_source) @ v - norton - drawn
    assert np.abs(law).max() < 1e-9
    ratio = np.abs(across) * arrays.v_base_v[arrays.injector_fr] / arrays.injector_v_nominal_v
    expected = at_voltage(peak_va(arrays), ratio, arrays.injector_law)
    np.testing.assert_allclose(flow.s_injection_va, expected, rtol=1e-9)


def test_losses_are_what_goes_into_the_branches_and_does_not_come_out() -> None:
    """Losses come from the sources and injectors, this sum from the branches alone. Of line.l12 by hand: I^H R I of its
    three currents, R 0.3 ohm, mutual 0.1 ohm."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays), tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    v = flow.v_phasor_pu
    into = [arrays.branch_power_va(index, grid, v).real.sum() for index in range(len(arrays.branches))]
    # differences of 300 kW, solved to 1e-12 pu of 1 MVA: 1e-6 W (measured 3e-9 of 917 W)
    assert abs(flow.losses_w - sum(into)) < 1e-6
    i = arrays.branch_current_a(0, grid, v)[:3]
    r = np.full((3, 3), 0.1) + 0.2 * np.eye(3)
    assert abs(into[0] - (np.conj(i) @ r @ i).real) < 1e-6
    assert into[0] > 100.0


def test_dead_nodes_are_exactly_zero_and_their_injectors_idle() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model).with_switch(ElementId("line.s23"), closed=False)
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays))
    assert isinstance(flow, PowerFlow)
    dead = [i for i, node in enumerate(arrays.nodes) if node.bus == "3"]
    assert (flow.v_phasor_pu[dead] == 0.0).all()
    assert not flow.energised[dead].any()
    behind = np.isin(arrays.injector_fr, dead)
    assert (flow.s_injection_va[behind] == 0.0).all()
    assert (flow.s_injection_va[~behind] != 0.0).all()


def test_a_section_fed_through_the_tie_is_supplied_by_the_other_source() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model).with_switch(ElementId("line.s23"), closed=False)
    grid = grid.with_switch(ElementId("line.t35"), closed=True)
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays))
    assert isinstance(flow, PowerFlow)
    at_three = np.array([arrays.nodes[i].bus == "3" for i in arrays.injector_fr])
    assert flow.s_source_va[1].real > -flow.s_injection_va[at_three].real.sum()


def test_a_generator_beyond_what_the_line_can_carry_is_not_called_solved() -> None:
    arrays = arrays_of(four_buses())
    s = peak_va(arrays)
    s[arrays.injector_is_der] = -40e6
    flow = solve_power_flow(arrays, normal_state(arrays.model), s_nominal_va=s)
    assert isinstance(flow, NotSolved)
    assert "voltage collapse" in flow.reason


def test_a_missing_power_is_a_reason_and_not_zero() -> None:
    arrays = arrays_of(four_buses())
    s = peak_va(arrays)
    s[0] = np.nan
    flow = solve_power_flow(arrays, normal_state(arrays.model), s_nominal_va=s)
    assert isinstance(flow, NotSolved)
    assert "load.l1" in flow.reason


def test_a_network_without_any_live_source_is_not_solved() -> None:
    model = NetworkModel(
        name="no source", frequency_hz=60.0, buses=(bus("1"), bus("2")), sources=(),
        branches=(line("line.l", ("1", "2")),), capacitors=(), loads=(), ders=(),
    )  # fmt: skip
    assert isinstance(factorise_or_reason(model), NotSolved)


def factorise_or_reason(model: NetworkModel) -> Factor | NotSolved:
    """The factor at the normal state."""
    arrays = arrays_of(model)
    return factorise(arrays, normal_state(model))


def test_cases_in_columns_equal_the_cases_one_by_one() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    s = peak_va(arrays)[:, None] * np.array([[0.5, 1.0, 1.5]])
    s[arrays.injector_is_der, 1] = -40e6
    together = solve_cases(arrays, grid, s_nominal_va=s, tolerance_pu=1e-12)
    assert isinstance(together[1], NotSolved)
    for column in (0, 2):
        alone = solve_power_flow(arrays, grid, s_nominal_va=s[:, column], tolerance_pu=1e-12)
        other = together[column]
        assert isinstance(alone, PowerFlow)
        assert isinstance(other, PowerFlow)
        np.testing.assert_allclose(other.v_phasor_pu, alone.v_phasor_pu, atol=1e-12)


def test_arguments_that_do_not_belong_together_are_refused() -> None:
    arrays, other = arrays_of(four_buses()), arrays_of(four_buses())
    grid = normal_state(arrays.model)
    s = peak_va(arrays)
    foreign = factorise(other, grid)
    moved = factorise(arrays, grid.with_switch(ElementId("line.s23"), closed=False))
    assert isinstance(foreign, Factor)
    assert isinstance(moved, Factor)
    elsewhere = solve_power_flow(other, grid, s_nominal_va=s, factor=foreign)
    for wrong in (
        {"s_nominal_va": s, "start": elsewhere},
        {"s_nominal_va": s[:-1]},
        {"s_nominal_va": s, "factor": foreign},
        {"s_nominal_va": s, "factor": moved},
        {"s_nominal_va": s, "v_start_pu": np.ones(3, dtype=np.complex128)},
        {"s_nominal_va": s, "tolerance_pu": 0.0},
        {"s_nominal_va": s, "tolerance_pu": math.nan},
        {"s_nominal_va": s, "tolerance_pu": 1.0},
        {"s_nominal_va": s, "max_iterations": 0},
    ):
        with pytest.raises(InvariantError):
            solve_power_flow(arrays, grid, **wrong)


def test_a_case_that_lacks_a_power_leaves_the_others_alone() -> None:
    arrays = arrays_of(four_buses())
    s = np.stack([peak_va(arrays)] * 3, axis=1)
    s[2, 1] = math.nan
    flows = solve_cases(arrays, normal_state(arrays.model), s_nominal_va=s)
    assert [isinstance(flow, PowerFlow) for flow in flows] == [True, False, True]
    assert isinstance(flows[1], NotSolved)
    assert arrays.injectors[2].element in flows[1].reason
