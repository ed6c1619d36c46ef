"""The network of a day: what voltages are at given powers, open-circuit voltages and taps, many seconds at once.

Written without the product's solvers: the admittance matrix reduced to the injectors, and the fixed point
d <- d_0 + Z conj(S(|d|) / d) on what is left.
"""

import numpy as np

from adms.core.errors import InvariantError
from adms.core.estimate import ComplexArray
from adms.grid.arrays import S_BASE_VA, BoolArray, NetworkArrays
from adms.grid.load_law import voltage_factors
from adms.grid.state import GridState
from tests.estimation_study.floating import floating_sections, tied

_PASSES = 200
_STILL_PU = 1e-11
_FOLLOWS = 0.1


class DayTruth:
    """One network in one grid state."""

    def __init__(self, arrays: NetworkArrays, grid: GridState) -> None:
        energised = arrays.energised(grid)
        self.arrays = arrays
        self.live = np.flatnonzero(energised)
        self.on = np.flatnonzero(arrays.injector_live(energised))
        y_source, _ = arrays.source_norton_pu()
        sections = [np.searchsorted(self.live, rows) for rows in floating_sections(arrays, grid)]
        y = tied((arrays.admittance_pu(grid) + y_source).tocsr()[self.live][:, self.live], sections).toarray()
        z = np.linalg.inv(y)
        # One step of Newton's, in long double: behind closed switches rounding is otherwise 1e-8.
        z += z @ (np.eye(len(y)) - (y.astype(np.clongdouble) @ z.astype(np.clongdouble)).astype(np.complex128))
        incidence = arrays.incidence[self.live][:, self.on]
        drive = np.zeros((arrays.node_count, sum(len(s.nodes) for s in arrays.sources)), dtype=np.complex128)
        at = 0
        for source in arrays.sources:
            drive[np.ix_(source.nodes, np.arange(at, at + len(source.nodes)))] += source.y_pu
            at += len(source.nodes)
        self._of_emf = z @ drive[self.live]
        self._of_current = np.asarray((incidence.T @ z.T).T)
        self._across = incidence.T.tocsr()
        self._within = np.asarray(self._across @ self._of_current)
        self._scale = arrays.injector_v_scale[self.on, None]
        self._law = arrays.injector_law[self.on]

    def solve(self, s_nominal_va: ComplexArray, *, emf_pu: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """States.

        Args:
            s_nominal_va: [injector, second] at nominal voltage.
            emf_pu: [source node, second].

        Returns:
            ([node, second] phasors, 0 where dead; [injector, second] powers at the voltage, S_BASE_VA).

        Raises:
            InvariantError: a second has no power flow.
        """
        idle = self._of_emf @ emf_pu
        d_idle = self._across @ idle
        d, step = d_idle, np.inf
        s = s_nominal_va[self.on] / S_BASE_VA
        for _ in range(_PASSES):
            of_p, of_q = voltage_factors(np.abs(d) * self._scale, self._law)
            power = s.real * of_p + 1j * s.imag * of_q
            current = np.conj(power / d)
            new = d_idle + self._within @ current
            step, d = float(np.abs(new - d).max()), new
            if step < _STILL_PU:
                v = np.zeros((self.arrays.node_count, s.shape[1]), dtype=np.complex128)
                v[self.live] = idle + self._of_current @ current
                wide = np.zeros(s_nominal_va.shape, dtype=np.complex128)
                wide[self.on] = power
                return v, wide
        raise InvariantError(f"no power flow: voltages still move by {step:.1e} pu")

    def hangs_on(self, source: int) -> BoolArray:
        """[node] True where the voltage follows that of one source."""
        first = sum(len(s.nodes) for s in self.arrays.sources[:source])
        width = len(self.arrays.sources[source].nodes)
        out = np.zeros(self.arrays.node_count, dtype=np.bool_)
        out[self.live[np.abs(self._of_emf[:, first : first + width]).max(axis=1) > _FOLLOWS]] = True
        return out
