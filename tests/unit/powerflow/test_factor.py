"""The factor that follows switches and taps by values only, against SuperLU on a matrix assembled for each state."""

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from adms.grid.model import NetworkModel
from adms.grid.state import GridState, normal_state
from adms.powerflow import Factor, NotSolved, factorise
from tests.unit.powerflow.networks import arrays_of, four_buses
from tests.unit.powerflow.sensitivity_networks import everything


def _states(seed: int, model: NetworkModel) -> GridState:
    """Every switch, tap and capacitor somewhere."""
    rng = np.random.default_rng(seed)
    return GridState(
        closed={switch: bool(rng.integers(0, 2)) for switch in normal_state(model).closed},
        tap_position={
            b.id: int(rng.integers(b.taps.min_position, b.taps.max_position + 1)) for b in model.branches if b.taps
        },
        capacitor_steps={c.id: int(rng.integers(0, c.steps + 1)) for c in model.capacitors},
    )


@pytest.mark.parametrize("seed", range(8))
def test_any_positions_of_switches_taps_and_capacitors_give_the_voltages_of_a_matrix_built_for_them(seed: int) -> None:
    arrays = arrays_of(everything())
    grid = _states(seed, arrays.model)
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
