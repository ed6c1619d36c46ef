"""Three-phase power flow: a fixed point on one factor.

With Y the network's admittance, Y_s and J the sources' Norton equivalents, A the injectors' incidence and d = A^T V the
voltage across each injector, the network law (Y + Y_s) V = J + A conj(S(|d|) / d) is iterated as

    V <- (Y + Y_s)^-1 (J + A conj(S(|d|) / d))

(implicit Z-bus Gauss: T.-H. Chen et al., IEEE Trans. Power Delivery 6(2), 1991, 946-952; also what OpenDSS does in its
"normal" algorithm). One factor serves all iterations and all cases, so cases are columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.grid.arrays import S_BASE_VA, BoolArray, NetworkArrays
from adms.grid.load_law import at_voltage
from adms.grid.state import GridState
from adms.powerflow.factor import Factor, NotSolved, factorise

_V_COLLAPSED_PU = 0.2
_GROWING_STEPS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerFlow:
    """A solved state. Node columns follow `NetworkArrays.nodes`, injector columns `NetworkArrays.injectors`."""

    v_phasor_pu: ComplexArray
    """[node] per unit of the node's base; exactly 0 where dead."""
    energised: BoolArray
    """[node]"""
    s_injection_va: ComplexArray
    """[injector] power injected at the solved voltage, VA; 0 where dead."""
    s_source_va: ComplexArray
    """[source] three-phase power delivered into the network, VA."""
    losses_w: float
    """What the sources and injectors deliver and no injector takes."""
    iterations: int

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
    tolerance_pu: float = 1e-8,
    max_iterations: int = 100,
) -> PowerFlow | NotSolved:
    """Solve one case.

    Args:
        arrays: the network in solver order.
        grid: positions of switches, taps and capacitors.
        s_nominal_va: [injector] injection at nominal voltage, VA (a load that draws is negative).
        factor: of the same `grid`, if there is one already.
        v_start_pu: [node] start; default is the no-load voltage.
        tolerance_pu: largest voltage change of the last step.
        max_iterations: limit of steps.

    Returns:
        The state, or `NotSolved` with the reason. Never a state that did not converge.
    """
    start = None if v_start_pu is None else v_start_pu[:, None]
    return solve_cases(
        arrays,
        grid,
        s_nominal_va=s_nominal_va[:, None],
        factor=factor,
        v_start_pu=start,
        tolerance_pu=tolerance_pu,
        max_iterations=max_iterations,
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
    if factor is None:
        made = factorise(arrays, grid)
        if isinstance(made, NotSolved):
            return [made] * cases
        factor = made
    s_nominal = s_nominal_va[factor.injectors] / S_BASE_VA
    if not np.isfinite(s_nominal).all():
        bad = {arrays.injectors[int(k)].element for k in factor.injectors[~np.isfinite(s_nominal).all(axis=1)]}
        reason = f"no power is given for {', '.join(sorted(bad)[:5])}"
        return [NotSolved(reason=reason, iterations=0)] * cases
    v = np.repeat(factor.v_no_load_pu[:, None], cases, axis=1)
    if v_start_pu is not None:
        given = v_start_pu[factor.live]
        v = np.where(np.isfinite(given) & (np.abs(given) > _V_COLLAPSED_PU), given, v)
    law = arrays.injector_law[factor.injectors]
    scale = arrays.injector_v_scale[factor.injectors][:, None]
    transposed = factor.incidence.T.tocsr()

    done = np.zeros(cases, dtype=np.int64)
    failed: list[NotSolved | None] = [None] * cases
    last = np.full(cases, np.inf)
    growing = np.zeros(cases, dtype=np.int64)
    for iteration in range(1, max_iterations + 1):
        open_ = np.flatnonzero((done == 0) & np.array([f is None for f in failed]))
        if open_.size == 0:
            break
        with np.errstate(all="ignore"):
            across = transposed @ v[:, open_]
            s = at_voltage(s_nominal[:, open_], np.abs(across) * scale, law)
            current = np.where(s == 0.0, 0.0, np.conj(s / across))
            after = factor.solve(factor.source_current_pu[:, None] + factor.incidence @ current)
            step = np.abs(after - v[:, open_]).max(axis=0)
        for column, case in enumerate(open_):
            growing[case] = growing[case] + 1 if step[column] >= last[case] else 0
            if not np.isfinite(step[column]):
                reason = "a voltage is not a number: voltage collapse suspected"
                failed[case] = NotSolved(reason=reason, iterations=iteration)
            elif growing[case] >= _GROWING_STEPS:
                reason = "the steps grow instead of shrinking: voltage collapse suspected"
                failed[case] = NotSolved(reason=reason, iterations=iteration)
            elif step[column] < tolerance_pu:
                done[case] = iteration
        v[:, open_] = after
        last[open_] = step
    for case in np.flatnonzero(done == 0):
        reason = f"the last step still moved a voltage by {last[case]:.1e} pu: voltage collapse suspected"
        failed[case] = failed[case] or NotSolved(reason=reason, iterations=max_iterations)
    return [
        failed[case] or _outcome(factor, v=v[:, case], s_nominal=s_nominal[:, case], iterations=int(done[case]))
        for case in range(cases)
    ]


def _outcome(factor: Factor, *, v: ComplexArray, s_nominal: ComplexArray, iterations: int) -> PowerFlow:
    arrays = factor.arrays
    v_all = np.zeros(arrays.node_count, dtype=np.complex128)
    v_all[factor.live] = v
    law = arrays.injector_law[factor.injectors]
    scale = arrays.injector_v_scale[factor.injectors]
    across = np.abs(factor.incidence.T @ v) * scale
    s = np.zeros(len(arrays.injectors), dtype=np.complex128)
    s[factor.injectors] = at_voltage(s_nominal, across, law) * S_BASE_VA
    delivered = S_BASE_VA * np.array([source.power_pu(v_all) for source in arrays.sources], dtype=np.complex128)
    return PowerFlow(
        v_phasor_pu=v_all,
        energised=factor.energised,
        s_injection_va=s,
        s_source_va=delivered,
        losses_w=float(delivered.real.sum() + s.real.sum()),
        iterations=iterations,
    )
