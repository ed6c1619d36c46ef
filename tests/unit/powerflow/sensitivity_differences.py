"""Sensitivities the long way: two exact power flows of two slightly different networks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId, ModelVersion
from adms.core.telemetry import FloatArray
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, Capacitor, ComplexMatrix, Der, DerKind, NetworkModel, NodeRef, Source
from adms.grid.state import GridState, normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow
from adms.powerflow.sensitivity_inputs import Inputs
from adms.powerflow.sensitivity_outputs import BranchEnd, Outputs

TOLERANCE_PU = 1e-11


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A network with a solved state. Its last injectors are idle DER, one at every node."""

    arrays: NetworkArrays
    grid: GridState
    factor: Factor
    flow: PowerFlow
    s_nominal_va: ComplexArray
    tolerance_pu: float

    def probe(self, node: int) -> int:
        """Injector index of the idle DER at a node."""
        return len(self.arrays.injectors) - self.arrays.node_count + node


def case_of(model: NetworkModel, *, load_scale: float = 1.0, tolerance_pu: float = TOLERANCE_PU) -> Case:
    """With idle DER added at every node."""
    probes = tuple(
        Der(
            id=ElementId(f"der.probe_{b.id}_{phase}"),
            kind=DerKind.GENERATOR,
            pairs=((NodeRef(b.id, phase), None),),
            s_max_va=1e6,
            p_max_w=1e6,
            p_min_w=0.0,
            q_max_var=1e6,
            v_nominal_v=b.v_base_v,
        )
        for b in model.buses
        for phase in b.phases
    )
    return solved(replace(model, ders=(*model.ders, *probes)), load_scale=load_scale, tolerance_pu=tolerance_pu)


def solved(model: NetworkModel, *, load_scale: float = 1.0, tolerance_pu: float = TOLERANCE_PU) -> Case:
    """The model in its normal state."""
    arrays = NetworkArrays(model, version=ModelVersion("differences"))
    return at(arrays, normal_state(model), s=load_scale * arrays.injector_s_nominal_va, tolerance_pu=tolerance_pu)


def at(arrays: NetworkArrays, grid: GridState, *, s: ComplexArray, tolerance_pu: float = TOLERANCE_PU) -> Case:
    """A solved state."""
    factor = factorise(arrays, grid)
    assert isinstance(factor, Factor)
    flow = solve_power_flow(arrays, grid, s_nominal_va=s, factor=factor, tolerance_pu=tolerance_pu, max_iterations=2000)
    assert isinstance(flow, PowerFlow), flow
    return Case(arrays=arrays, grid=grid, factor=factor, flow=flow, s_nominal_va=s, tolerance_pu=tolerance_pu)


def read(case: Case, outputs: Outputs) -> FloatArray:
    """The outputs themselves, in the order of their rows."""
    arrays, grid, flow = case.arrays, case.grid, case.flow
    source = [s.id for s in arrays.model.sources]

    def power(end: BranchEnd) -> complex:
        return complex(arrays.branch_power_va(arrays.branch_idx[end.branch], grid, flow.v_phasor_pu)[row(end)])

    def current(end: BranchEnd) -> float:
        return float(np.abs(arrays.branch_current_a(arrays.branch_idx[end.branch], grid, flow.v_phasor_pu)[row(end)]))

    def row(end: BranchEnd) -> int:
        terminals = arrays.branches[arrays.branch_idx[end.branch]].terminals
        flat = [(k, node) for k, terminal in enumerate(terminals) for node in terminal]
        return flat.index((end.terminal, end.node))

    return np.array(
        [
            *flow.v_magnitude_pu[outputs.v_nodes],
            *(power(end).real for end in outputs.p_branch),
            *(power(end).imag for end in outputs.q_branch),
            *(current(end) for end in outputs.i_branch),
            *(flow.s_source_va[source.index(e)].real for e in outputs.p_sources),
            *(flow.s_source_va[source.index(e)].imag for e in outputs.q_sources),
            *(flow.losses_w for _ in outputs.losses),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How far inputs are moved either way."""

    power: float = 500.0
    """W or var."""
    source_pu: float = 1e-4
    fine: int = 100
    """Taps and capacitor steps are cut into so many parts: one of them is a small step of the same network."""


def differences(case: Case, inputs: Inputs, outputs: Outputs, *, steps: Steps | None = None) -> FloatArray:
    """[row, column] differences of exact power flows by the formula of five points: its error is of fourth order."""
    steps = steps or Steps()
    s = case.s_nominal_va
    columns: list[FloatArray] = []

    def around(moved: Callable[[int], Case], *, width: float) -> None:
        near, far = (read(moved(k), outputs) - read(moved(-k), outputs) for k in (1, 2))
        columns.append((8.0 * near - far) / (12.0 * width))

    for rows, unit in (
        (inputs.p_injectors, 1.0),
        (inputs.q_injectors, 1j),
        ([case.probe(int(n)) for n in inputs.p_nodes], 1.0),
        ([case.probe(int(n)) for n in inputs.q_nodes], 1j),
    ):
        for k in rows:
            step = np.zeros(len(s), dtype=np.complex128)
            step[k] = steps.power * unit
            around(partial(_with_power, case, step), width=steps.power)
    for element in inputs.taps:
        around(partial(_with_branch, case, element, steps.fine), width=1.0 / steps.fine)
    for element in inputs.capacitors:
        around(partial(_with_capacitor, case, element, steps.fine), width=1.0 / steps.fine)
    for element in inputs.sources:
        around(partial(_with_source, case, element, steps.source_pu), width=steps.source_pu)
    return np.stack(columns, axis=1)


def _again(case: Case, model: NetworkModel, *, grid: GridState | None = None) -> Case:
    arrays = NetworkArrays(model, version=ModelVersion("differences"))
    return at(arrays, grid or case.grid, s=case.s_nominal_va, tolerance_pu=case.tolerance_pu)


def _with_power(case: Case, change: ComplexArray, step: int) -> Case:
    return at(case.arrays, case.grid, s=case.s_nominal_va + step * change, tolerance_pu=case.tolerance_pu)


def _with_source(case: Case, element: ElementId, width: float, step: int) -> Case:
    def moved(one: Source) -> Source:
        if one.id != element:
            return one
        return replace(one, v_magnitude_pu=tuple(m + step * width for m in one.v_magnitude_pu))

    model = case.arrays.model
    return _again(case, replace(model, sources=tuple(moved(one) for one in model.sources)))


def _with_branch(case: Case, element: ElementId, fine: int, step: int) -> Case:
    """One fine tap step of one branch: of its ratio, or along its table."""
    branch = case.arrays.branches[case.arrays.branch_idx[element]]
    taps = branch.taps
    assert taps is not None
    position = case.grid.tap_position[element]
    changed: Branch
    if taps.primitives:
        by_position = {p.position: p for p in taps.primitives}
        low, here, high = (by_position[position + k].y_primitive_siemens for k in (-1, 0, 1))
        moved = ComplexMatrix(
            re=_between(low.re, here.re, high.re, part=step / fine),
            im=_between(low.im, here.im, high.im, part=step / fine),
        )
        table = tuple(replace(p, y_primitive_siemens=moved) if p.position == position else p for p in taps.primitives)
        changed, grid = replace(branch, taps=replace(taps, primitives=table)), case.grid
    else:
        finer = replace(
            taps,
            step_pu=taps.step_pu / fine,
            min_position=taps.min_position * fine,
            max_position=taps.max_position * fine,
            normal_position=taps.normal_position * fine,
        )
        changed, grid = replace(branch, taps=finer), case.grid.with_tap(element, position=position * fine + step)
    branches = tuple(changed if b.id == element else b for b in case.arrays.branches)
    return _again(case, replace(case.arrays.model, branches=branches), grid=grid)


def _between(
    low: tuple[tuple[float, ...], ...],
    here: tuple[tuple[float, ...], ...],
    high: tuple[tuple[float, ...], ...],
    *,
    part: float,
) -> tuple[tuple[float, ...], ...]:
    moved = np.array(here) + part * (np.array(high) - np.array(low)) / 2.0
    return tuple(map(tuple, moved.tolist()))


def _with_capacitor(case: Case, element: ElementId, fine: int, step: int) -> Case:
    def finer(one: Capacitor) -> Capacitor:
        y = one.y_step_siemens
        cut = ComplexMatrix(
            re=tuple(map(tuple, (np.array(y.re) / fine).tolist())),
            im=tuple(map(tuple, (np.array(y.im) / fine).tolist())),
        )
        return replace(one, y_step_siemens=cut, steps=one.steps * fine, normal_steps=one.normal_steps * fine)

    model = case.arrays.model
    capacitors = tuple(finer(c) if c.id == element else c for c in model.capacitors)
    steps = case.grid.capacitor_steps[element] * fine + step
    return _again(case, replace(model, capacitors=capacitors), grid=case.grid.with_capacitor(element, steps=steps))
