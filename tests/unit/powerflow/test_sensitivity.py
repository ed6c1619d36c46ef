"""Sensitivities against differences of power flows."""

import numpy as np

from adms.core.ids import ElementId
from adms.grid.state import normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow, voltage_sensitivity
from tests.unit.powerflow.networks import arrays_of, four_buses, peak_va


def test_sensitivities_are_the_differences_of_two_power_flows() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    factor = factorise(arrays, grid)
    assert isinstance(factor, Factor)
    s = peak_va(arrays)
    flow = solve_power_flow(arrays, grid, s_nominal_va=s, factor=factor, tolerance_pu=1e-13)
    assert isinstance(flow, PowerFlow)
    rows = np.arange(len(arrays.injectors))
    dp, dq = voltage_sensitivity(factor, flow, rows=rows, tolerance=1e-12)
    step = 100.0
    for row in rows:
        for unit, got in ((1.0, dp[:, row]), (1j, dq[:, row])):
            v = []
            for sign in (1.0, -1.0):
                moved = s.copy()
                moved[row] += sign * step * unit
                other = solve_power_flow(arrays, grid, s_nominal_va=moved, factor=factor, tolerance_pu=1e-13)
                assert isinstance(other, PowerFlow)
                v.append(other.v_magnitude_pu)
            difference = (v[0] - v[1]) / (2.0 * step)
            np.testing.assert_allclose(got, difference, atol=1e-5 * np.abs(difference).max())


def test_a_dead_injector_moves_nothing() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model).with_switch(ElementId("line.s23"), closed=False)
    factor = factorise(arrays, grid)
    assert isinstance(factor, Factor)
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays), factor=factor)
    assert isinstance(flow, PowerFlow)
    dp, dq = voltage_sensitivity(factor, flow, rows=arrays.injector_rows[ElementId("der.pv3")])
    assert not dp.any()
    assert not dq.any()
