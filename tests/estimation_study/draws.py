"""Beliefs, truths drawn from them, and scans of those truths with noise. Every draw follows from its seed alone."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from adms.core.errors import InvariantError
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, TelemetrySnapshot
from adms.estimation import EstimationPolicy, LoadPrior, SharedDeviations
from adms.grid.arrays import NetworkArrays
from adms.grid.load_law import voltage_factors
from adms.grid.state import GridState
from tests.estimation_study.floating import floating_sections, tied
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.plans import MeteringPlan
from tests.estimation_study.referee import Inputs, inputs_of
from tests.unit.estimation.scans import POLICY, snapshot

OWN_FRAC = 0.4
COMMON_FRAC = 0.15
_UNBALANCE_FRAC = 0.05
"""Own deviation of each phase of a three-phase load that moves as one."""
_DER_FRAC = 0.4
_DER_UNBALANCE_FRAC = 0.02
_LEAST_SIGMA_VA = 1.0
_PASSES = 400
_STILL_PU = 1e-14
_ROUNDING_PU = 1e-10

STUDY_POLICY: EstimationPolicy = replace(
    POLICY, load_scale_sigma_frac=COMMON_FRAC, phase_scale_sigma_frac=1e-6, sigma_solved_max_pu=0.05
)
"""With the level of all loads as the only deviation that loads share."""


def beliefs(arrays: NetworkArrays, *, loading: float = 1.0, moving_as_one: bool = False) -> LoadPrior:
    """Loads: 40 % of the apparent power each in P and in Q, and 15 % of all loads together. DER: half of what they can,
    40 % of their rating; the phases of a three-phase site share it.

    Args:
        arrays: the network in solver order.
        loading: expected loads over the model's.
        moving_as_one: the parts of a load with several share their 40 %, P and Q on their own, and differ by 5 %.
    """
    mean = loading * arrays.injector_s_nominal_va
    sigma = np.maximum(OWN_FRAC * np.abs(mean), _LEAST_SIGMA_VA)
    loads = np.flatnonzero(~arrays.injector_is_der)
    injector, mode = [loads], [np.zeros(len(loads), dtype=np.int64)]
    amount, modes = [COMMON_FRAC * mean[loads]], 1
    as_one: list[tuple[str, float, float]] = []
    if moving_as_one:
        many = [load.id for load in arrays.model.loads if len(load.pairs) > 1]
        as_one += [(e, float(sigma[arrays.injector_rows[e][0]]), _UNBALANCE_FRAC / OWN_FRAC) for e in many]
    for der in arrays.model.ders:
        rows = arrays.injector_rows[der.id]
        mean[rows] = 0.5 * der.p_max_w / len(rows)
        sigma[rows] = _DER_FRAC * der.s_max_va / len(rows)
        if len(rows) > 1:
            as_one.append((der.id, float(sigma[rows[0]]), _DER_UNBALANCE_FRAC / _DER_FRAC))
    for element, size, left in as_one:
        rows = arrays.injector_rows[next(e for e in arrays.injector_rows if e == element)]
        sigma[rows] *= left
        for turn in (1.0, 1j):
            injector.append(rows)
            mode.append(np.full(len(rows), modes, dtype=np.int64))
            amount.append(np.full(len(rows), turn * size))
            modes += 1
    shared = SharedDeviations(
        injector=np.concatenate(injector), mode=np.concatenate(mode), s_va=np.concatenate(amount), modes=modes
    )
    return LoadPrior(s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=sigma.copy(), shared=shared)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths:
    """States of one network, in columns; 0 where dead."""

    v_phasor_pu: ComplexArray
    """[node, draw]"""
    emf_pu: ComplexArray
    """[source node, draw]"""
    s_pu: ComplexArray
    """[injector, draw] at the voltage, S_BASE_VA."""

    def readings(self, meters: MeterFunctions) -> FloatArray:
        """[point, draw] of perfect meters, SI."""
        return meters.value(np.concatenate([self.v_phasor_pu, self.emf_pu]), s_pu=self.s_pu)


def truths(
    arrays: NetworkArrays,
    grid: GridState,
    *,
    prior: LoadPrior,
    seed: int,
    first: int = 0,
    count: int,
    policy: EstimationPolicy = STUDY_POLICY,
) -> Truths:
    """Draws `first` .. `first + count - 1` of a seed: inputs from the stated priors, voltages by power flow.

    Raises:
        InvariantError: a draw has no power flow.
    """
    inputs = inputs_of(
        arrays,
        injectors=np.arange(len(arrays.injectors)),
        prior=prior,
        source_v_sigma_pu=policy.source_v_sigma_pu,
        source_angle_sigma_rad=policy.source_angle_sigma_rad,
    )
    x = np.stack([normals(seed, first + i, len(inputs.weight)) for i in range(count)], axis=1)
    return flows_of(arrays, grid, inputs=inputs, x=x)


def flows_of(arrays: NetworkArrays, grid: GridState, *, inputs: Inputs, x: FloatArray) -> Truths:
    """States for standard normal inputs [input, draw], of all injectors.

    The power flow is the fixed point V <- V + (Y + Y_s)^-1 (Y_s E + A conj(S / d) - (Y + Y_s) V), all draws at once.

    Raises:
        InvariantError: a draw has no power flow.
    """
    energised = arrays.energised(grid)
    live, on = np.flatnonzero(energised), np.flatnonzero(arrays.injector_live(energised))
    emf = inputs.emf_pu[:, None] + inputs.of_e @ x
    deviation, mean = (inputs.of_s @ x)[on], inputs.mean_pu[on, None]
    y_source, _ = arrays.source_norton_pu()
    sections = [np.searchsorted(live, rows) for rows in floating_sections(arrays, grid)]
    y = tied((arrays.admittance_pu(grid) + y_source).tocsr()[live][:, live], sections)
    lu, exact_y = splu(y), y.astype(np.clongdouble)
    wide = np.zeros((arrays.node_count, x.shape[1]), dtype=np.complex128)
    at = 0
    for source in arrays.sources:
        wide[source.nodes] += source.y_pu @ emf[at : at + len(source.nodes)]
        at += len(source.nodes)
    driven = wide[live]
    incidence: sp.csr_matrix = arrays.incidence[live][:, on]
    across: sp.csr_matrix = incidence.T.tocsr()
    v, size = np.asarray(lu.solve(driven)), np.inf
    for _ in range(_PASSES):
        d = across @ v
        of_p, of_q = voltage_factors(np.abs(d) * arrays.injector_v_scale[on, None], arrays.injector_law[on])
        s = mean.real * of_p + 1j * mean.imag * of_q + deviation
        missing = driven + incidence @ np.conj(s / d) - exact_y @ v.astype(np.clongdouble)
        move = lu.solve(missing.astype(np.complex128))
        step, v = float(np.abs(move).max()), v + move
        if step < _STILL_PU or _ROUNDING_PU > step > 0.9 * size:
            return Truths(
                v_phasor_pu=_all(v, live, arrays.node_count), emf_pu=emf, s_pu=_all(s, on, len(inputs.mean_pu))
            )
        size = step
    raise InvariantError(f"a draw has no power flow: its voltages still move by {size:.1e} pu")


def _all(part: ComplexArray, rows: IntArray, count: int) -> ComplexArray:
    whole = np.zeros((count, part.shape[1]), dtype=np.complex128)
    whole[rows] = part
    return whole


def normals(seed: int, draw: int, size: int) -> FloatArray:
    """[size] standard normal inputs of one draw."""
    return np.random.default_rng([seed, draw, 0]).standard_normal(size)


def noise(seed: int, draw: int, points: int) -> FloatArray:
    """[point] errors of the meters of one draw, in sigmas."""
    return np.random.default_rng([seed, draw, 1]).standard_normal(points)


def scan_of(arrays: NetworkArrays, plan: MeteringPlan, *, value: FloatArray) -> TelemetrySnapshot:
    """A snapshot with every point good and fresh."""
    return replace(snapshot(arrays, plan.keys, value=value, sigma=plan.sigma), table=plan.table)
