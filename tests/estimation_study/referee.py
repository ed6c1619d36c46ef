"""Full Gauss-Newton on the estimator's cost: the referee. It shares nothing with `adms.estimation`.

The cost, over standard normal inputs x = (e, e', b, r, t) with V following from the network law,

    sum over points ((z - h(V, E, S)) / sigma)^2 + |x|^2
    S = f(|d|) s_nominal + M b + sigma_p e + j sigma_q e',   d = A^T V
    E = E_model (1 + sigma_r r + j sigma_t t),               sigma_r = source_v_sigma / |E_model|
    (Y + Y_s) V = Y_s E + A conj(S / d)                      exactly

is linearised anew at every step, the slope of the load law f included, and every step factors its own augmented matrix
(Hachtel's; Abur & Exposito, Power System State Estimation, 2004, chapter 3) with pivoting and one refinement.

The slope of f jumps at the limits of a law, and the least cost can be exactly there: steps then go from one side to the
other for ever. Where they do, the voltage across those injectors is held at its limit as one more equality, and what
comes out is the optimum (`Optimum.held` says so).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, PointKey
from adms.estimation.prior import LoadPrior
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.load_law import voltage_factor_slopes, voltage_factors
from adms.grid.state import GridState
from tests.estimation_study.floating import floating_sections, tied
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.saddle import Saddle

_STEPS = 100
_STILL_PU = 1e-12
_ROUNDING_PU = 2e-9
"""Steps below this that no longer shrink are rounding."""
_LIMITS = [10, 11, 12]
"""Columns of a law where its slope jumps: lower and upper limit, floor."""
_MOST_HELD = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Powers and open-circuit voltages as linear functions of the standard normal inputs."""

    emf_pu: ComplexArray
    """[m] of the model."""
    mean_pu: ComplexArray
    """[k] of the live injectors, at nominal voltage."""
    of_s: sp.csr_matrix
    """[k, inputs] complex."""
    of_e: sp.csr_matrix
    """[m, inputs] complex."""
    weight: FloatArray
    """[inputs] 1, or 0 where nothing is known."""


def inputs_of(
    arrays: NetworkArrays,
    *,
    injectors: IntArray,
    prior: LoadPrior,
    source_v_sigma_pu: float,
    source_angle_sigma_rad: float,
) -> Inputs:
    """Inputs in the order (e, e', b, r, t)."""
    none = np.zeros(0, dtype=np.complex128)
    emf = np.concatenate([none, *(s.emf_pu for s in arrays.sources)])
    k, m = len(injectors), len(emf)
    shared = prior.shared
    modes = sp.csr_matrix(
        (shared.s_va / S_BASE_VA, (shared.injector, shared.mode)), shape=(len(arrays.injectors), shared.modes)
    )[injectors]
    own, known = [], []
    for sigma, turn in ((prior.sigma_p_va, 1.0), (prior.sigma_q_va, 1j)):
        given = np.isfinite(sigma[injectors])
        own.append(sp.diags(turn * np.where(given, sigma[injectors] / S_BASE_VA, 1.0)))
        known.append(given)
    nothing = sp.csr_matrix((k, 2 * m))
    radial, along = sp.diags(emf * source_v_sigma_pu / np.abs(emf)), sp.diags(1j * emf * source_angle_sigma_rad)
    return Inputs(
        emf_pu=emf,
        mean_pu=np.nan_to_num(prior.s_nominal_va[injectors]) / S_BASE_VA,
        of_s=sp.csr_matrix(sp.hstack([*own, modes, nothing])),
        of_e=sp.csr_matrix(sp.hstack([sp.csr_matrix((m, 2 * k + shared.modes)), radial, along])),
        weight=np.concatenate([*known, np.ones(shared.modes + 2 * m)]).astype(np.float64),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Voltages of the live nodes and standard normal inputs."""

    v: ComplexArray
    x: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimum:
    """Where Gauss-Newton ended."""

    v_phasor_pu: ComplexArray
    """[node] 0 where dead."""
    s_injection_va: ComplexArray
    """[injector] 0 where dead."""
    state: State
    chi2: float
    steps: int
    step_pu: float
    """Largest voltage change of the last step."""
    held: Mapping[int, float] = field(default_factory=dict)
    """Limits at which injectors (rows of the live ones) are held, per unit of nominal."""


class Referee:
    """The cost of one scan in one grid state."""

    def __init__(
        self,
        arrays: NetworkArrays,
        grid: GridState,
        *,
        keys: Sequence[PointKey],
        sigma: FloatArray,
        prior: LoadPrior,
        source_v_sigma_pu: float,
        source_angle_sigma_rad: float,
    ) -> None:
        """Everything but the readings. `sigma` is in SI, [point]."""
        energised = arrays.energised(grid)
        self.arrays = arrays
        self.live: IntArray = np.flatnonzero(energised)
        self.injectors: IntArray = np.flatnonzero(arrays.injector_live(energised))
        self.sigma = sigma
        self.inputs = inputs_of(
            arrays,
            injectors=self.injectors,
            prior=prior,
            source_v_sigma_pu=source_v_sigma_pu,
            source_angle_sigma_rad=source_angle_sigma_rad,
        )
        self.meters = MeterFunctions(arrays, grid, keys=keys)
        y_source, _ = arrays.source_norton_pu()
        y = (arrays.admittance_pu(grid) + y_source).tocsr()[self.live][:, self.live]
        self.sections = floating_sections(arrays, grid)
        self._y = tied(y, [np.searchsorted(self.live, rows) for rows in self.sections]).tocsr()
        # Through a closed switch rounding alone is 1e-8 of current; long double keeps what enters equal to what leaves.
        self._exact_y = self._y.astype(np.clongdouble)
        self._y_source = sp.csr_matrix(
            sp.hstack(
                [
                    sp.csr_matrix((s.y_pu.ravel(), _grid_of(s.nodes)), shape=(arrays.node_count, len(s.nodes)))
                    for s in arrays.sources
                ]
            )
        )[self.live]
        self.incidence: sp.csr_matrix = arrays.incidence[self.live][:, self.injectors]
        self._across: sp.csr_matrix = self.incidence.T.tocsr()
        self._scale: FloatArray = arrays.injector_v_scale[self.injectors]
        self._law: FloatArray = arrays.injector_law[self.injectors]
        n = len(self.live)
        self._of_v = sp.csr_matrix(sp.hstack([sp.eye(n), 1j * sp.eye(n), sp.csr_matrix((n, len(self.inputs.weight)))]))
        self.weight: FloatArray = np.concatenate([np.zeros(2 * n), self.inputs.weight])

    def emf(self, state: State) -> ComplexArray:
        """[m] open-circuit voltages."""
        return np.asarray(self.inputs.emf_pu + self.inputs.of_e @ state.x)

    def powers(self, state: State) -> ComplexArray:
        """[k] of the live injectors at the state's voltages, S_BASE_VA."""
        d = np.abs(self._across @ state.v)
        of_p, of_q = voltage_factors(d * self._scale, self._law)
        mean = self.inputs.mean_pu
        return np.asarray(mean.real * of_p + 1j * mean.imag * of_q + self.inputs.of_s @ state.x)

    def _wide(self, state: State) -> ComplexArray:
        v = np.zeros(self.arrays.node_count, dtype=np.complex128)
        v[self.live] = state.v
        return np.concatenate([v, self.emf(state)])

    def readings(self, state: State) -> FloatArray:
        """[point] what perfect meters read, SI."""
        s = np.zeros(len(self.arrays.injectors), dtype=np.complex128)
        s[self.injectors] = self.powers(state)
        return self.meters.value(self._wide(state), s_pu=s)

    def mismatch(self, state: State) -> FloatArray:
        """[2n] what is missing from the network law, per unit current (Re, Im)."""
        current = np.conj(self.powers(state) / (self._across @ state.v))
        through = self._exact_y @ state.v.astype(np.clongdouble)
        c = (through - self._y_source @ self.emf(state) - self.incidence @ current).astype(np.complex128)
        return np.concatenate([c.real, c.imag])

    def jacobians(self, state: State) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """Derivatives of (`readings` over sigma, `mismatch`) by (Re V, Im V, inputs)."""
        d = self._across @ state.v
        size = np.abs(d)
        of_d = self._across @ self._of_v
        of_size = (sp.diags(np.conj(d) / size) @ of_d).real
        of_p, of_q = voltage_factor_slopes(size * self._scale, self._law)
        mean = self.inputs.mean_pu * self._scale
        nothing = sp.csr_matrix((len(d), 2 * len(state.v)))
        of_s = sp.diags(mean.real * of_p + 1j * mean.imag * of_q) @ of_size
        of_s = sp.csr_matrix(of_s + sp.hstack([nothing, self.inputs.of_s]))
        of_e = sp.hstack([sp.csr_matrix((len(self.inputs.emf_pu), 2 * len(state.v))), self.inputs.of_e])
        s = self.powers(state)
        of_current = sp.diags(np.conj(1.0 / d)) @ of_s.conj() - sp.diags(np.conj(s / d**2)) @ of_d.conj()
        c = self._y @ self._of_v - self._y_source @ of_e - self.incidence @ of_current
        g, g_s = self.meters.slopes(self._wide(state))
        columns = np.concatenate([self.live, self.arrays.node_count + np.arange(len(self.inputs.emf_pu))])
        h = (g[:, columns] @ sp.vstack([self._of_v, of_e]) + g_s[:, self.injectors] @ of_s).real
        return sp.csr_matrix(sp.diags(1.0 / self.sigma) @ h), sp.csr_matrix(sp.vstack([c.real, c.imag]))

    def residual(self, state: State, value: FloatArray) -> FloatArray:
        """[point] reading less what a perfect meter reads, in sigmas; the short way round for angles."""
        off = value - self.readings(state)
        off = np.where(self.meters.is_angle, np.angle(np.exp(1j * off)), off)
        return np.asarray(off / self.sigma)

    def cost(self, state: State, value: FloatArray) -> float:
        """chi-squared."""
        r = self.residual(state, value)
        return float(r @ r + self.inputs.weight @ state.x**2)

    def solve(
        self, value: FloatArray, *, v_start_pu: ComplexArray, tolerance_pu: float = _STILL_PU, most_steps: int = _STEPS
    ) -> Optimum:
        """Gauss-Newton from a power flow.

        Args:
            value: [point] readings, SI.
            v_start_pu: [node] where from.
            tolerance_pu: a step that small ends it.
            most_steps: limit; `Optimum.step_pu` says what was reached.
        """
        limits = (tolerance_pu, most_steps)
        state = State(v=v_start_pu[self.live], x=np.zeros(len(self.inputs.weight)))
        state, size, steps, crossed = self._descend(state, value, {}, limits)
        held: dict[int, float] = {}
        while crossed and len(held) < _MOST_HELD:
            held |= crossed
            state, size, more, crossed = self._descend(state, value, held, limits)
            steps += more
        wide, s = self._wide(state), np.zeros(len(self.arrays.injectors), dtype=np.complex128)
        s[self.injectors] = S_BASE_VA * self.powers(state)
        return Optimum(
            v_phasor_pu=wide[: self.arrays.node_count],
            s_injection_va=s,
            state=state,
            chi2=self.cost(state, value),
            steps=steps,
            step_pu=size,
            held=held,
        )

    def saddle(self, state: State) -> Saddle:
        """The system linearised at a state."""
        h, c = self.jacobians(state)
        return Saddle(weight=self.weight, h=h, c=c)

    def sigma_v_pu(self, state: State, *, nodes: IntArray) -> FloatArray:
        """[case] standard deviations of the voltage magnitudes of some live nodes: the information matrix's bound.

        Args:
            state: where.
            nodes: [case] node indices of the whole network.
        """
        n = len(self.live)
        rows = np.searchsorted(self.live, nodes)
        along = state.v[rows] / np.abs(state.v[rows])
        case = np.arange(len(rows))
        directions = sp.csc_matrix(
            (
                np.concatenate([along.real, along.imag]),
                (np.concatenate([rows, rows + n]), np.concatenate([case, case])),
            ),
            shape=(len(self.weight), len(rows)),
        )
        return np.sqrt(self.saddle(state).variance(directions))

    def _descend(
        self, state: State, value: FloatArray, held: Mapping[int, float], limits: tuple[float, int]
    ) -> tuple[State, float, int, dict[int, float]]:
        """(where it ended, last step, steps, limits that it went on crossing)."""
        size, steps, before = np.inf, 0, state
        while size > limits[0] and steps < limits[1]:
            before, (state, after) = state, self.step(state, value, held=held)
            steps += 1
            stalled = _ROUNDING_PU > after > 0.8 * size
            size = after
            if stalled:
                break
        return state, size, steps, self._crossed(before, state) if size > max(_ROUNDING_PU, limits[0]) else {}

    def _crossed(self, one: State, other: State) -> dict[int, float]:
        ends = [np.abs(self._across @ state.v) * self._scale for state in (one, other)]
        low, high = np.minimum(*ends), np.maximum(*ends)
        limits = self._law[:, _LIMITS]
        return {int(k): float(limits[k, c]) for k, c in np.argwhere((limits > low[:, None]) & (limits < high[:, None]))}

    def _at_limits(self, state: State, held: Mapping[int, float]) -> tuple[FloatArray, sp.csr_matrix]:
        """How far held injectors are from their limits, and the slopes of that."""
        rows = np.fromiter(held, dtype=np.int64, count=len(held))
        d = (self._across @ state.v)[rows]
        of_size = (sp.diags(np.conj(d) / np.abs(d) * self._scale[rows]) @ self._across[rows] @ self._of_v).real
        return np.abs(d) * self._scale[rows] - np.array(list(held.values())), sp.csr_matrix(of_size)

    def step(self, state: State, value: FloatArray, *, held: Mapping[int, float]) -> tuple[State, float]:
        """One Gauss-Newton step, and its largest voltage change.

        Args:
            state: where from.
            value: [point] readings, SI.
            held: limits at which injectors are held.
        """
        n = len(state.v)
        h, c = self.jacobians(state)
        off = self.mismatch(state)
        if held:
            from_limit, slopes = self._at_limits(state, held)
            c, off = sp.csr_matrix(sp.vstack([c, slopes])), np.concatenate([off, from_limit])
        prior = -self.weight * np.concatenate([np.zeros(2 * n), state.x])
        move = Saddle(weight=self.weight, h=h, c=c).solve(np.concatenate([prior, self.residual(state, value), -off]))
        dv = move[:n] + 1j * move[n : 2 * n]
        after = State(v=state.v + dv, x=state.x + move[2 * n : 2 * n + len(state.x)])
        return after, float(np.abs(dv).max())


def _grid_of(nodes: IntArray) -> tuple[IntArray, IntArray]:
    return np.repeat(nodes, len(nodes)), np.tile(np.arange(len(nodes)), len(nodes))
