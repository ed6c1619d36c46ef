"""How node voltages answer to injected power, around a solved power flow, from the factor that solved it.

Differentiating V = (Y + Y_s)^-1 (J + A conj(S f(|d|) / d)) with d = A^T V gives

    dV = (Y + Y_s)^-1 A [ conj(dS f / d) + conj(S f' d|d| / d) - conj(S f / d^2 . dd) ]

which is linear in dV and is solved by the same contraction as the power flow itself, every perturbation a column. The
answer of all loads to their voltage is therefore included.
"""

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import S_BASE_VA
from adms.grid.load_law import at_nominal, voltage_factor_slopes, voltage_factors
from adms.powerflow.factor import Factor
from adms.powerflow.solve import PowerFlow


def voltage_sensitivity(
    factor: Factor, flow: PowerFlow, *, rows: IntArray, tolerance: float = 1e-6, max_iterations: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Change of voltage magnitudes per unit of nominal power injected.

    Args:
        factor: of the grid state of `flow`.
        flow: the state around which.
        rows: [k] injector indices. A dead injector has column 0.
        tolerance: relative, of the last refinement.
        max_iterations: of refinements.

    Returns:
        (d|v|/dP [node, k] pu per W, d|v|/dQ [node, k] pu per var); 0 at dead nodes.
    """
    arrays = factor.arrays
    count = len(rows)
    place = np.full(len(arrays.injectors), -1, dtype=np.int64)
    place[factor.injectors] = np.arange(len(factor.injectors))
    v = flow.v_phasor_pu[factor.live]
    a = factor.incidence
    at = a.T.tocsr()
    across = at @ v
    size = np.abs(across)
    law = arrays.injector_law[factor.injectors]
    scale = arrays.injector_v_scale[factor.injectors]
    of_p, of_q = voltage_factors(size * scale, law)
    slope_p, slope_q = voltage_factor_slopes(size * scale, law)
    s = flow.s_injection_va[factor.injectors] / S_BASE_VA
    nominal = at_nominal(s, size * scale, law)
    slope = (nominal.real * slope_p + 1j * (nominal.imag * slope_q)) * scale

    drive = np.zeros((len(factor.injectors), 2 * count), dtype=np.complex128)
    for column, row in enumerate(rows):
        k = place[row]
        if k >= 0:
            drive[k, column] = np.conj(of_p[k] / across[k]) / S_BASE_VA
            drive[k, count + column] = np.conj(1j * of_q[k] / across[k]) / S_BASE_VA
    first = factor.solve(np.asarray(a @ drive, dtype=np.complex128))
    dv = first
    for _ in range(max_iterations):
        dd = at @ dv
        dsize = (np.conj(across / size)[:, None] * dd).real
        answer = np.conj((slope / across)[:, None] * dsize - (s / across**2)[:, None] * dd)
        after = first + factor.solve(np.asarray(a @ answer, dtype=np.complex128))
        change = np.abs(after - dv).max(initial=0.0)
        dv = after
        if change <= tolerance * np.abs(dv).max(initial=0.0):
            break
    out = np.zeros((arrays.node_count, 2 * count))
    out[factor.live] = (np.conj(v / np.abs(v))[:, None] * dv).real
    return out[:, :count], out[:, count:]
