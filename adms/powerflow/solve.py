"""Three-phase power flow: a fixed point on one factor, and Newton's method where that does not contract.

With Y the network's admittance, Y_s and J the sources' Norton equivalents, A the injectors' incidence and d = A^T V the
voltage across each injector, the network law (Y + Y_s) V = J + A conj(S(|d|) / d) is iterated as

    V <- (Y + Y_s)^-1 (J + A conj(S(|d|) / d))

(implicit Z-bus Gauss: T.-H. Chen et al., IEEE Trans. Power Delivery 6(2), 1991, 946-952; also what OpenDSS does in its
"normal" algorithm). One factor serves all iterations and all cases, so cases are columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adms.core.errors import InvariantError
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import S_BASE_VA, BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow.case_inputs import case_inputs, start_voltages
from adms.powerflow.collapse import carry, weakest_node
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.fixed_point import CONVERGED, SLOW, injected_power, iterate
from adms.powerflow.newton import NewtonOutcome, Tangent, newton, on_lower_side

_CHUNK_ENTRIES = 1 << 15
"""Voltages of the cases that are iterated together: they should stay in the processor's cache."""
_OPERATING_RANGE = (0.75, 1.3)
"""Of the no-load voltage: outside it a solution must be the one that no load leads to."""
_PATIENCE = 10
"""Steps of the fixed point that take about as long as a Jacobian."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerFlow:
    """A solved state. Node columns follow `NetworkArrays.nodes`, injector columns `NetworkArrays.injectors`."""

    v_phasor_pu: ComplexArray
    """[node] per unit of the node's base; exactly 0 where dead, and what is left on a conductor that floats."""
    energised: BoolArray
    """[node]"""
    s_injection_va: ComplexArray
    """[injector] power injected at the solved voltage, VA; 0 where dead."""
    s_source_va: ComplexArray
    """[source] three-phase power delivered into the network, VA."""
    losses_w: float
    """What the sources and injectors deliver and no injector takes."""
    iterations: int
    step_pu: float
    """Largest voltage change of the last step: what is left of the mismatch, brought to voltages."""
    contraction: float | None
    """By how much each step of the fixed point shrinks (towards 1 near voltage collapse, at most 1); None where too few
    such steps were made to say."""
    factor: Factor = field(repr=False)
    tangent: Tangent | None = field(default=None, repr=False)
    """The Jacobian that solved it, where one was needed."""

    def check_state_of(self, factor: Factor) -> None:
        """Raises InvariantError where `factor` is of another network or grid state than this one."""
        mine = self.factor
        if mine is not factor and (mine.arrays is not factor.arrays or mine.grid != factor.grid):
            raise InvariantError("the power flow belongs to another grid state than the factor")

    @property
    def v_magnitude_pu(self) -> FloatArray:
        """[node] magnitudes."""
        return np.abs(self.v_phasor_pu)


def solve_power_flow(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    s_nominal_va: ComplexArray,
    factor: Factor | None = None,
    v_start_pu: ComplexArray | None = None,
    start: PowerFlow | None = None,
    tolerance_pu: float = 1e-8,
    max_iterations: int = 100,
) -> PowerFlow | NotSolved:
    """Solve one case.

    The fixed point is left for Newton's method as soon as its contraction says that it would take long.

    Args:
        arrays: the network in solver order.
        grid: positions of switches, taps and capacitors.
        s_nominal_va: [injector] injection at nominal voltage, VA (a load that draws is negative).
        factor: of the same `grid`, if there is one already.
        v_start_pu: [node] start; default is the no-load voltage.
        start: a solved state of the same network to start from instead, best with its own `factor`.
        tolerance_pu: largest voltage change of the last step. Where rounding lets no step be that small, steps below
            1e-7 that no longer shrink will do: `PowerFlow.step_pu` says what was reached.
        max_iterations: limit of fixed-point steps; Newton's method, where it takes over, has limits of its own.

    Returns:
        The state, or `NotSolved` with the reason. Never a state that did not converge.

    Raises InvariantError where the arguments do not belong together.
    """
    made = case_inputs(
        arrays,
        grid,
        factor=factor,
        s_nominal_va=s_nominal_va[:, None],
        tolerance_pu=tolerance_pu,
        max_iterations=max_iterations,
    )
    if isinstance(made, NotSolved):
        return made
    if made.refused:
        return made.refused[0]
    factor, s = made.factor, made.s_nominal_pu
    if start is not None and start.factor.arrays is not arrays:
        raise InvariantError("the start belongs to another network")
    if start is not None and start.factor is factor:
        v = start.v_phasor_pu[factor.layout.structure.order][:, None]
    else:
        given = v_start_pu if start is None else start.v_phasor_pu
        v = start_voltages(factor, None if given is None else given[:, None], cases=1)
    if start is not None and start.tangent is not None and start.factor is factor:
        near = v[:, 0].copy()
        outcome = newton(
            factor, s_nominal_pu=s[:, 0], v=near, tolerance_pu=tolerance_pu, tangent=start.tangent, max_iterations=20
        )
        if not outcome.reason:
            return _by_newton(factor, outcome, v=near, s=s[:, 0], contraction=start.contraction, iterations=0)
    return _solve_chunk(
        factor,
        s=s,
        v=v,
        tolerance_pu=tolerance_pu,
        max_iterations=max_iterations,
        patience=_PATIENCE,
        trusted=v_start_pu is None,
    )[0]


def solve_cases(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    s_nominal_va: ComplexArray,
    factor: Factor | None = None,
    v_start_pu: ComplexArray | None = None,
    tolerance_pu: float = 1e-8,
    max_iterations: int = 100,
) -> Sequence[PowerFlow | NotSolved]:
    """Solve many cases on one factor; arguments as `solve_power_flow` with one more axis, [.., case].

    Returns:
        One outcome a case, in order.
    """
    cases = s_nominal_va.shape[1]
    made = case_inputs(
        arrays,
        grid,
        factor=factor,
        s_nominal_va=s_nominal_va,
        tolerance_pu=tolerance_pu,
        max_iterations=max_iterations,
    )
    if isinstance(made, NotSolved):
        return [made] * cases
    factor, s_nominal = made.factor, made.s_nominal_pu
    start = start_voltages(factor, v_start_pu, cases=cases)
    width = max(1, _CHUNK_ENTRIES // max(1, arrays.node_count))
    found: list[PowerFlow | NotSolved] = []
    for first in range(0, cases, width):
        part = slice(first, min(first + width, cases))
        found += _solve_chunk(
            factor,
            s=s_nominal[:, part],
            v=start[:, part],
            tolerance_pu=tolerance_pu,
            max_iterations=max_iterations,
            patience=max_iterations,
            trusted=v_start_pu is None,
        )
    return [made.refused.get(case, outcome) for case, outcome in enumerate(found)]


def _solve_chunk(
    factor: Factor,
    *,
    s: ComplexArray,
    v: ComplexArray,
    tolerance_pu: float,
    max_iterations: int,
    patience: int,
    trusted: bool,
) -> list[PowerFlow | NotSolved]:
    """`patience`: steps that a slow fixed point may still need before Newton's method takes over. `trusted`: `v` is no
    load or a solution, so what follows from it is the operating point."""
    layout = factor.layout
    cases = v.shape[1]
    v, s = np.ascontiguousarray(v), np.ascontiguousarray(s)
    verdict, iterations = np.zeros(cases, dtype=np.int64), np.zeros(cases, dtype=np.int64)
    step, contraction = np.full(cases, np.inf), np.full(cases, np.nan)
    iterate(
        layout.structure.pattern,
        factor.blocks.values,
        layout.norton_pu,
        factor.flow_columns,
        factor.entry_value,
        layout.injector_columns,
        s,
        v,
        tolerance_pu,
        max_iterations,
        patience,
        verdict,
        iterations,
        step,
        contraction,
    )
    rate = [min(float(c), 1.0) if np.isfinite(c) else None for c in contraction]
    far = np.zeros(cases, dtype=np.bool_) if trusted else _far_from_no_load(factor, v)
    flows = _outcomes(factor, v=v, s=s, iterations=iterations, step_pu=step, contraction=rate)
    found: list[PowerFlow | NotSolved] = []
    for case in range(cases):
        if verdict[case] == CONVERGED and not far[case]:
            found.append(flows[case])
            continue
        at, mine = np.ascontiguousarray(v[:, case]), s[:, case]
        converged = verdict[case] == CONVERGED and not on_lower_side(factor, s_nominal_pu=mine, v=at)
        rescued = _rescue(
            factor,
            s=mine,
            v=at if verdict[case] == SLOW else None,
            tolerance_pu=tolerance_pu,
            iterations=int(iterations[case]),
            contraction=rate[case],
            trusted=trusted,
        )
        found.append(flows[case] if converged and isinstance(rescued, NotSolved) else rescued)
    return found


def _far_from_no_load(factor: Factor, v: ComplexArray) -> BoolArray:
    """[case] True where a solution may not be the operating point: on the lower side of the nose curve, where a start
    on it stays, or far above, where injections of constant power find currents small enough to fit any network."""
    begin = factor.layout.begin
    idle, at = factor.v_no_load_placed_pu[begin:], v[begin:]
    square = (idle.real**2 + idle.imag**2)[:, None]
    if len(factor.live) > factor.energised.sum():  # what floats may be anywhere
        square = np.where(factor.energised[factor.layout.structure.order][begin:, None], square, np.nan)
    size = at.real**2 + at.imag**2
    low, high = _OPERATING_RANGE
    return np.asarray(((size < low**2 * square) | (size > high**2 * square)).any(axis=0))


def _rescue(
    factor: Factor,
    *,
    s: ComplexArray,
    v: ComplexArray | None,
    tolerance_pu: float,
    iterations: int,
    contraction: float | None,
    trusted: bool,
) -> PowerFlow | NotSolved:
    """Newton's method from `v`; else along a growing share of the powers, so that what cannot be carried is known."""
    distant: PowerFlow | NotSolved | None = None
    if v is not None:
        near = v.copy()
        outcome = newton(factor, s_nominal_pu=s, v=near, tolerance_pu=tolerance_pu)
        if not outcome.reason:
            distant = _by_newton(factor, outcome, v=near, s=s, contraction=contraction, iterations=iterations)
            if isinstance(distant, PowerFlow) and (trusted or not _far_from_no_load(factor, near[:, None])[0]):
                return distant
        iterations += outcome.iterations
    carried = carry(factor, s_nominal_pu=s, tolerance_pu=tolerance_pu, aim=1.0)
    iterations += carried.iterations
    if carried.outcome is not None and not carried.reason:
        before = iterations - carried.outcome.iterations
        return _by_newton(factor, carried.outcome, v=carried.v, s=s, contraction=contraction, iterations=before)
    if isinstance(distant, PowerFlow):
        return distant
    reason = (
        f"voltage collapse: there is a solution up to {100.0 * carried.share:.0f} % of these powers, lowest then at "
        f"{weakest_node(factor, carried.v)}; beyond that {carried.reason}"
    )
    return NotSolved(reason=reason, iterations=iterations)


def _by_newton(
    factor: Factor,
    outcome: NewtonOutcome,
    *,
    v: ComplexArray,
    s: ComplexArray,
    contraction: float | None,
    iterations: int,
) -> PowerFlow | NotSolved:
    return _outcomes(
        factor,
        v=v[:, None],
        s=np.ascontiguousarray(s[:, None]),
        iterations=np.array([iterations + outcome.iterations]),
        step_pu=np.array([outcome.step_pu]),
        contraction=[contraction],
        tangent=outcome.tangent,
    )[0]


def _collapsed(factor: Factor, injector: int, *, iterations: int) -> NotSolved:
    element = factor.arrays.injectors[injector].element
    return NotSolved(reason=f"voltage collapse: {element} holds its power at next to no voltage", iterations=iterations)


def _outcomes(
    factor: Factor,
    *,
    v: ComplexArray,
    s: ComplexArray,
    iterations: IntArray,
    step_pu: FloatArray,
    contraction: Sequence[float | None],
    tangent: Tangent | None = None,
) -> list[PowerFlow | NotSolved]:
    """One for each column of `v` [place, case]."""
    layout, sources = factor.layout, factor.arrays.sources
    powers, lost = injected_power(layout.injector_columns, s, v)
    injected = np.ascontiguousarray(powers.T) * S_BASE_VA
    voltage = np.empty((v.shape[1], v.shape[0]), dtype=np.complex128)
    voltage[:, layout.structure.order] = v.T
    delivered = np.zeros((v.shape[1], len(sources)), dtype=np.complex128)
    for k, source in enumerate(sources):
        at = voltage[:, source.nodes]
        current = (source.emf_pu - at) @ source.y_pu.T
        delivered[:, k] = (at * np.conj(current)).sum(axis=1) * S_BASE_VA
    losses = delivered.real.sum(axis=1) + injected.real.sum(axis=1)
    return [
        _collapsed(factor, int(lost[case]), iterations=int(iterations[case]))
        if lost[case] >= 0
        else PowerFlow(
            v_phasor_pu=voltage[case],
            energised=factor.energised,
            s_injection_va=injected[case],
            s_source_va=delivered[case],
            losses_w=float(losses[case]),
            iterations=int(iterations[case]),
            step_pu=float(step_pu[case]),
            contraction=contraction[case],
            factor=factor,
            tangent=tangent,
        )
        for case in range(v.shape[1])
    ]
