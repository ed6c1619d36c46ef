"""Admittance of a state, against each element's own matrix put in by hand; what depends on the model alone."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.estimate import ComplexArray
from adms.core.ids import ModelVersion
from adms.grid.admittance import dense
from adms.grid.arrays import GROUND, S_BASE_VA, NetworkArrays
from adms.grid.state import GridState, normal_state
from tests.unit.grid.small_networks import bus, line, network
from tests.unit.grid.small_networks import source as stiff_source

FOLDER = Path(__file__).resolve().parents[3] / "hil" / "feeders" / "ieee123"


@cache
def feeder() -> NetworkArrays:
    """123-operated: switches, taps and capacitors."""
    model = import_opendss(FOLDER / "IEEE123Master.dss", overlay=FOLDER / "123-operated.toml")
    return NetworkArrays(model, version=ModelVersion("123"))


def moved(seed: int) -> GridState:
    """Every switch, tap and capacitor somewhere."""
    rng = np.random.default_rng(seed)
    model = feeder().model
    grid = normal_state(model)
    return GridState(
        closed={e: bool(rng.random() < 0.7) for e in grid.closed},
        tap_position={e: int(rng.integers(-16, 17)) for e in grid.tap_position},
        capacitor_steps={c.id: int(rng.integers(0, c.steps + 1)) for c in model.capacitors},
    )


def stamped(arrays: NetworkArrays, grid: GridState) -> ComplexArray:
    """Element by element in siemens, then per unit: y v_i v_j / base power. A winding at ratio a has y / a, y / a^2."""
    size = arrays.node_count
    y = np.zeros((size, size), dtype=np.complex128)
    for branch in arrays.model.branches:
        at = [arrays.node_idx[node] for terminal in branch.terminals for node in terminal]
        if branch.switch is not None and not grid.closed[branch.id]:
            continue
        scale = np.ones(len(at))
        if branch.taps is not None:
            owner = [side for side, terminal in enumerate(branch.terminals) for _ in terminal]
            ratio = 1.0 + grid.tap_position[branch.id] * branch.taps.step_pu
            scale[np.array(owner) == branch.taps.terminal] = 1.0 / ratio
        y[np.ix_(at, at)] += dense(branch.y_primitive_siemens) * np.outer(scale, scale)
    for capacitor in arrays.model.capacitors:
        at = [arrays.node_idx[node] for node in capacitor.nodes]
        y[np.ix_(at, at)] += grid.capacitor_steps[capacitor.id] * dense(capacitor.y_step_siemens)
    return np.asarray(y * np.outer(arrays.v_base_v, arrays.v_base_v) / S_BASE_VA)


@pytest.mark.parametrize("seed", range(4))
def test_the_admittance_is_the_sum_of_the_elements_as_they_stand(seed: int) -> None:
    arrays, grid = feeder(), moved(seed)
    expected = stamped(arrays, grid)
    got = arrays.admittance_pu(grid).toarray()
    # rounding of the largest entries: closed switches of 1e6 S beside lines
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_an_open_switch_has_no_entry_in_the_admittance() -> None:
    arrays = feeder()
    grid = normal_state(arrays.model)
    switch = next(b for b in arrays.model.branches if b.switch is not None and grid.closed[b.id])
    fr, to = (arrays.node_idx[terminal[0]] for terminal in switch.terminals)
    assert arrays.admittance_pu(grid)[fr, to] != 0.0
    opened = arrays.admittance_pu(grid.with_switch(switch.id, closed=False)).tocoo()
    assert not ((opened.row == fr) & (opened.col == to)).any()


def test_sources_are_worked_out_once_and_cannot_be_written_to() -> None:
    arrays = feeder()
    y, current = arrays.source_norton_pu()
    assert arrays.source_norton_pu()[0] is y
    assert arrays.sources is arrays.sources
    with pytest.raises(ValueError, match="read-only"):
        current[0] = 0.0
    for source in arrays.sources:
        np.testing.assert_allclose(current[source.nodes], source.y_pu @ source.emf_pu)


def test_a_source_at_its_open_circuit_voltage_delivers_nothing() -> None:
    arrays = feeder()
    v = np.zeros(arrays.node_count, dtype=np.complex128)
    for source in arrays.sources:
        v[source.nodes] = source.emf_pu
        assert source.power_pu(v) == 0.0
        # 1 % more inside: |v|^2 conj(y) / 100, summed over the phases
        expected = np.sum(source.emf_pu * np.conj(source.y_pu @ source.emf_pu)) / 100.0
        assert abs(source.power_pu(v, emf_pu=1.01 * source.emf_pu) / expected - 1.0) < 1e-9


def test_an_injector_is_live_only_where_all_its_nodes_are() -> None:
    arrays = feeder()
    between = int(np.flatnonzero(arrays.injector_to != GROUND)[0])
    energised = np.ones(arrays.node_count, dtype=np.bool_)
    assert arrays.injector_live(energised).all()
    for node in (arrays.injector_fr[between], arrays.injector_to[between]):
        without = energised.copy()
        without[node] = False
        assert not arrays.injector_live(without)[between]


def test_a_balanced_node_stands_for_its_three_phases() -> None:
    """By hand: 1 ohm a phase between two buses of 2,400 V to ground, 0.1 V pu across it. Each phase carries 240 A, the
    three together take 3 * 2,400 V * 240 A."""
    one = (0,)
    model = network(
        buses=(bus("a", phases=one), bus("b", phases=one)),
        sources=(stiff_source("source.s", "a", one),),
        branches=(line("line.l", "a", "b", one),),
    )
    arrays = NetworkArrays(model, version=ModelVersion("balanced"))
    grid, v = normal_state(model), np.array([1.0 + 0.0j, 0.9 + 0.0j])
    np.testing.assert_allclose(arrays.branch_current_a(0, grid, v), [240.0, -240.0], rtol=1e-12)
    np.testing.assert_allclose(
        arrays.branch_power_va(0, grid, v), [3.0 * 2400.0 * 240.0, -3.0 * 0.9 * 2400.0 * 240.0], rtol=1e-12
    )
    np.testing.assert_allclose(arrays.admittance_pu(grid)[0, 0] * S_BASE_VA, 3.0 * 2400.0**2, rtol=1e-12)
