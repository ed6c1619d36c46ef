"""The factor that follows switches and taps by values only, against SuperLU on a matrix assembled for each state."""

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from adms.grid.state import GridState, normal_state
from adms.powerflow import Factor, NotSolved, factorise
from tests.unit.powerflow.networks import arrays_of, four_buses


def _states(seed: int, grid: GridState) -> GridState:
    rng = np.random.default_rng(seed)
    return GridState(
        closed={switch: bool(rng.integers(0, 2)) for switch in grid.closed},
        tap_position=grid.tap_position,
        capacitor_steps=grid.capacitor_steps,
    )


@pytest.mark.parametrize("seed", range(8))
def test_any_switch_positions_give_the_voltages_of_a_matrix_built_for_them(seed: int) -> None:
    arrays = arrays_of(four_buses())
    grid = _states(seed, normal_state(arrays.model))
    factor = factorise(arrays, grid)
    assert isinstance(factor, Factor)
    live = np.flatnonzero(arrays.energised(grid))
    y_source, norton = arrays.source_norton_pu()
    matrix = (arrays.admittance_pu(grid) + y_source).tocsc()[live][:, live]
    expected = splu(matrix.tocsc()).solve(norton[live])
    assert np.array_equal(factor.live, live)
    assert np.abs(factor.v_no_load_pu - expected).max() < 1e-12
    columns = np.random.default_rng(seed).normal(size=(len(live), 3)).astype(np.complex128)
    assert np.abs(matrix @ factor.solve(columns) - columns).max() < 1e-9


def test_without_a_live_node_there_is_no_factor_and_a_reason() -> None:
    model = four_buses()
    arrays = arrays_of(type(model)(**{**model.__dict__, "sources": ()}))
    made = factorise(arrays, normal_state(model))
    assert isinstance(made, NotSolved)
    assert made.reason == "no node is connected to a source"
