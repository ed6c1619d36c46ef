"""Sensitivities against differences of exact power flows, and against hand calculation."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId
from adms.grid.arrays import S_BASE_VA
from adms.grid.model import (
    NetworkModel,
    NodeRef,
    VoltageLaw,
)
from adms.grid.state import normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow, voltage_sensitivity
from adms.powerflow.sensitivity import sensitivities, voltage_response
from adms.powerflow.sensitivity_inputs import Inputs
from adms.powerflow.sensitivity_outputs import BranchEnd, Outputs
from tests.unit.estimation.test_feeder import feeder
from tests.unit.powerflow.networks import V_BASE_V, arrays_of, bus, four_buses, load, nodes, peak_va, source
from tests.unit.powerflow.sensitivity_differences import Case, Steps, at, case_of, differences
from tests.unit.powerflow.sensitivity_networks import BANK, REG, SHIFTER, everything

RELATIVE = 5e-6
"""Of the largest entry of a block: power flows converged to 1e-11 pu have no better differences."""


def ends_of(case: Case, names: tuple[str, ...]) -> tuple[BranchEnd, ...]:
    """First conductor of both ends of branches."""
    branches = [case.arrays.branches[case.arrays.branch_idx[ElementId(name)]] for name in names]
    return tuple(
        BranchEnd(branch=b.id, terminal=k, node=terminal[0]) for b in branches for k, terminal in enumerate(b.terminals)
    )


@cache
def small() -> tuple[Case, Inputs, Outputs]:
    """The hand network with every kind of input and output."""
    case = case_of(everything())
    count = len(case.arrays.injectors) - case.arrays.node_count
    some = np.array([0, 5, case.arrays.node_count - 1])
    inputs = Inputs(
        p_injectors=np.arange(count),
        q_injectors=np.arange(0, count, 2),
        p_nodes=some,
        q_nodes=some,
        taps=(REG, SHIFTER),
        capacitors=(BANK,),
        sources=(case.arrays.model.sources[0].id,),
    )
    ends = ends_of(case, ("line.l12", "transformer.reg", "transformer.shifter"))
    outputs = Outputs(
        v_nodes=np.arange(case.arrays.node_count),
        p_branch=ends,
        q_branch=ends,
        i_branch=ends,
        p_sources=(case.arrays.model.sources[0].id,),
        q_sources=(case.arrays.model.sources[0].id,),
        losses=("total",),
    )
    return case, inputs, outputs


@cache
def feeder_123() -> tuple[Case, Inputs, Outputs]:
    """The 123-bus feeder with some of every kind. Switches of 1e7 pu leave 1e-9 pu of rounding in its power flows."""
    case = case_of(feeder().model, tolerance_pu=1e-8)
    arrays = case.arrays
    branches = [b for b in arrays.branches if b.taps is not None]
    delta = int(np.flatnonzero(arrays.injector_to >= 0)[0])
    rows = np.array([3, delta, 60])
    inputs = Inputs(
        p_injectors=rows,
        q_injectors=rows,
        p_nodes=np.array([200]),
        q_nodes=np.array([201]),
        taps=(branches[0].id, branches[-1].id),
        capacitors=(arrays.model.capacitors[0].id,),
        sources=(arrays.model.sources[0].id,),
    )
    ends = ends_of(case, ("line.l115", "line.l10", str(branches[-1].id)))
    outputs = Outputs(
        v_nodes=np.arange(arrays.node_count),
        p_branch=ends,
        q_branch=ends,
        i_branch=ends,
        p_sources=(arrays.model.sources[0].id,),
        q_sources=(arrays.model.sources[0].id,),
        losses=("total",),
    )
    return case, inputs, outputs


def all_at_once(case: Case, inputs: Inputs, outputs: Outputs) -> np.ndarray:
    """Forwards: there are more outputs than inputs."""
    assert outputs.count > inputs.count
    found = sensitivities(case.factor, case.flow, inputs=inputs, outputs=outputs, tolerance=1e-10)
    assert found.converged.all()
    return found.value


@pytest.mark.parametrize(
    ("made", "steps", "relative"),
    [(small, Steps(), RELATIVE), (feeder_123, Steps(power=5e3, source_pu=1e-3, fine=20), 2e-4)],
    ids=["hand network", "123 feeder"],
)
def test_every_sensitivity_is_the_difference_of_two_power_flows(
    made: Callable[[], tuple[Case, Inputs, Outputs]], steps: Steps, relative: float
) -> None:
    case, inputs, outputs = made()
    got = all_at_once(case, inputs, outputs)
    expected = differences(case, inputs, outputs, steps=steps)
    groups = [
        inputs.span(g) for g in ("p_injectors", "q_injectors", "p_nodes", "q_nodes", "taps", "capacitors", "sources")
    ]
    parts = [
        outputs.span(g) for g in ("v_nodes", "p_branch", "q_branch", "i_branch", "p_sources", "q_sources", "losses")
    ]
    for columns in groups:
        for rows in parts:
            block = expected[rows, columns]
            assert np.abs(block).max() > 0.0
            np.testing.assert_allclose(got[rows, columns], block, rtol=0.0, atol=relative * np.abs(block).max())


@pytest.mark.parametrize("made", [small, feeder_123], ids=["hand network", "123 feeder"])
def test_backwards_from_one_output_gives_the_same_numbers_as_forwards(
    made: Callable[[], tuple[Case, Inputs, Outputs]],
) -> None:
    case, inputs, outputs = made()
    forward = all_at_once(case, inputs, outputs)
    singles = (
        (replace(Outputs(), v_nodes=outputs.v_nodes[-1:]), outputs.span("v_nodes").stop - 1),
        (replace(Outputs(), q_branch=outputs.q_branch[-1:]), outputs.span("q_branch").stop - 1),
        (replace(Outputs(), i_branch=outputs.i_branch[-1:]), outputs.span("i_branch").stop - 1),
        (replace(Outputs(), q_sources=outputs.q_sources), outputs.span("q_sources").start),
        (replace(Outputs(), losses=outputs.losses), outputs.span("losses").start),
    )
    for single, row in singles:
        found = sensitivities(case.factor, case.flow, inputs=inputs, outputs=single, tolerance=1e-10)
        assert found.converged.all()
        size = np.abs(forward[row])
        for group in ("p_injectors", "q_nodes", "taps", "capacitors", "sources"):
            columns = inputs.span(group)
            scale = float(size[columns].max())
            np.testing.assert_allclose(found.value[0, columns], forward[row, columns], rtol=0.0, atol=1e-7 * scale)


def test_phasors_move_as_two_power_flows_say() -> None:
    case, _, _ = small()
    row = 6
    response = voltage_response(case.factor, case.flow, inputs=Inputs(q_injectors=np.array([row])), tolerance=1e-10)
    v = []
    for sign in (1.0, -1.0):
        s = case.s_nominal_va.copy()
        s[row] += 50j * sign
        v.append(at(case.arrays, case.grid, s=s).flow.v_phasor_pu)
    difference = (v[0] - v[1]) / 100.0
    assert response.converged.all()
    np.testing.assert_allclose(response.v_phasor[:, 0], difference, atol=RELATIVE * np.abs(difference).max())


def test_one_whole_tap_or_capacitor_step_is_foretold_but_for_its_curvature() -> None:
    case, inputs, outputs = feeder_123()
    nodes_ = Outputs(v_nodes=outputs.v_nodes)
    moves = Inputs(taps=inputs.taps, capacitors=inputs.capacitors)
    found = sensitivities(case.factor, case.flow, inputs=moves, outputs=nodes_)
    grids = [case.grid.with_tap(e, position=case.grid.tap_position[e] + 1) for e in moves.taps]
    off = [case.grid.with_capacitor(e, steps=case.grid.capacitor_steps[e] - 1) for e in moves.capacitors]
    signs = [1.0] * len(grids) + [-1.0] * len(off)
    for column, (grid, sign) in enumerate(zip([*grids, *off], signs, strict=True)):
        moved = (
            at(case.arrays, grid, s=case.s_nominal_va, tolerance_pu=1e-8).flow.v_magnitude_pu - case.flow.v_magnitude_pu
        )
        error = np.abs(sign * found.value[:, column] - moved).max()
        # Curvature, and loads that pass a limit of their law on the way. Measured here: 1.3 % of 7.0e-3 pu and 0.03 %
        # of 6.6e-3 pu (taps), 2.3 % of 2.6e-2 pu (capacitor).
        assert error < 0.03 * np.abs(moved).max()


def two_nodes(p_w: float) -> NetworkModel:
    """A source of 1 pu behind 0.5 + 0 ohm and a constant power at the same node: V^2 - V + P r = 0 per unit."""
    model = four_buses()
    head = source("source.main", "4", phases=(1,), z_ohm=0.5 + 0.0j)
    return replace(
        model,
        buses=(bus("4", phases=(1,)),),
        sources=(replace(head, v_magnitude_pu=(1.0,)),),
        branches=(),
        loads=(
            replace(load("load.p", ((NodeRef(BusId("4"), 1), None),), s_va=complex(p_w)), v_low_pu=0.0, v_floor_pu=0.0),
        ),
        ders=(),
    )


@pytest.mark.parametrize(("share", "root"), [(0.5, 1.0), (0.998, 1.0), (0.9, -1.0)], ids=["easy", "nose", "lower root"])
def test_voltage_by_power_at_one_node_is_the_quadratic_formulas(share: float, root: float) -> None:
    """V = (1 + root sqrt(1 - 4 P r)) / 2 per unit, so dV/dP = r / (root sqrt(1 - 4 P r)) for an injected P. On the
    lower root the contraction diverges: the answer is GMRES's."""
    r = 0.5 * S_BASE_VA / V_BASE_V**2
    p = share / (4.0 * r)
    arrays = arrays_of(two_nodes(p * S_BASE_VA))
    factor = factorise(arrays, normal_state(arrays.model))
    assert isinstance(factor, Factor)
    v = (1.0 + root * np.sqrt(1.0 - 4.0 * p * r)) / 2.0
    s = np.array([-p * S_BASE_VA], dtype=np.complex128)
    idle = solve_power_flow(arrays, factor.grid, s_nominal_va=0.0 * s, factor=factor)
    assert isinstance(idle, PowerFlow)
    flow = replace(idle, v_phasor_pu=np.array([v + 0j]), s_injection_va=s)
    expected = r / (root * np.sqrt(1.0 - 4.0 * p * r)) / S_BASE_VA
    dp, _ = voltage_sensitivity(factor, flow, rows=np.array([0]), tolerance=1e-9)
    assert dp[0, 0] == pytest.approx(expected, rel=1e-8)
    back = sensitivities(
        factor,
        flow,
        inputs=Inputs(p_injectors=np.array([0]), q_nodes=np.array([0])),
        outputs=Outputs(v_nodes=np.array([0])),
    )
    assert back.part(of="v_nodes", to="p_injectors")[0, 0] == pytest.approx(expected, rel=1e-7)


def test_close_to_the_collapse_the_columns_converge_and_agree_with_differences() -> None:
    model = everything()
    stiff = tuple(replace(one, law=VoltageLaw(p_frac=1.0), v_low_pu=0.0, v_floor_pu=0.0) for one in model.loads)
    model = replace(model, loads=stiff)
    scale, step = 1.0, 1.0
    while step > 1e-4:
        arrays = arrays_of(model)
        tried = solve_power_flow(
            arrays,
            normal_state(model),
            s_nominal_va=(scale + step) * arrays.injector_s_nominal_va,
            max_iterations=400,
        )
        scale, step = (scale + step, step) if isinstance(tried, PowerFlow) else (scale, step / 2.0)
        assert scale < 1e3
    case = case_of(model, load_scale=0.999 * scale)
    rows = np.array([0, 5, 9])
    inputs, outputs = Inputs(p_injectors=rows), Outputs(v_nodes=np.arange(case.arrays.node_count))
    found = sensitivities(case.factor, case.flow, inputs=inputs, outputs=outputs)
    assert found.converged.all()
    expected = differences(case, inputs, outputs)
    np.testing.assert_allclose(found.value, expected, rtol=0.0, atol=1e-3 * np.abs(expected).max())


def test_a_column_that_did_not_converge_is_not_a_number_and_says_so() -> None:
    case, inputs, outputs = small()
    forward = sensitivities(case.factor, case.flow, inputs=inputs, outputs=outputs, tolerance=1e-14, max_iterations=1)
    backward = sensitivities(
        case.factor,
        case.flow,
        inputs=inputs,
        outputs=Outputs(losses=("total",)),
        tolerance=1e-14,
        max_iterations=1,
    )
    for found in (forward, backward):
        assert not found.converged.any()
        assert np.isnan(found.value).all()
    dp, dq = voltage_sensitivity(case.factor, case.flow, rows=np.array([0]), tolerance=1e-14, max_iterations=1)
    assert np.isnan(dp[case.factor.live]).all()
    assert np.isnan(dq[case.factor.live]).all()


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


def test_a_current_of_zero_has_no_slope_and_an_open_branch_no_flow() -> None:
    case, inputs, _ = small()
    end = BranchEnd(branch=ElementId("line.t35"), terminal=0, node=nodes("3")[0])
    found = sensitivities(
        case.factor, case.flow, inputs=inputs, outputs=Outputs(p_branch=(end,), i_branch=(end,), losses=("total",))
    )
    assert not found.value[0].any()
    assert np.isnan(found.value[1]).all()
    assert np.isfinite(found.value[2]).all()


def test_what_the_network_does_not_have_is_refused_all_at_once() -> None:
    case, _, _ = small()
    inputs = Inputs(p_injectors=np.array([-1, 10**6]), taps=(ElementId("line.l12"),), sources=(ElementId("no"),))
    with pytest.raises(InputError) as refused:
        voltage_response(case.factor, case.flow, inputs=inputs)
    assert [p.field for p in refused.value.problems] == ["p_injectors", "p_injectors", "taps", "sources"]
    end = BranchEnd(branch=ElementId("line.l24"), terminal=0, node=NodeRef(BusId("2"), 2))
    wrong = Outputs(v_nodes=np.array([10**6]), i_branch=(end,), p_sources=(ElementId("no"),))
    with pytest.raises(InputError) as refused:
        sensitivities(case.factor, case.flow, inputs=Inputs(), outputs=wrong)
    assert [p.field for p in refused.value.problems] == ["v_nodes", "i_branch", "p_sources"]
