"""The network as a fault sees it: the power flow's factor, with machines and loads put in by low rank and iteration.

(Y + Y_s) is factored already. Rotating machines add an admittance at a few nodes, B D B^T, which the matrix inversion
lemma takes in (M. A. Woodbury, "Inverting modified matrices", Statistical Research Group report 42, Princeton, 1950).
Loads as admittances sit at nearly every node; for them x = F (b - Y_load x) is iterated, which contracts as the power
flow does, and columns that do not settle so go to GMRES with the same factor as preconditioner (Y. Saad and M. H.
Schultz, SIAM J. Sci. Stat. Comput. 7(3), 1986, 856-869).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, gmres

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import S_BASE_VA
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.solve import PowerFlow

_SETTLED = 1e-13
_ROUNDING = 1e-9
"""Of a column's largest voltage."""
_PLAIN_STEPS = 80
_FROZEN_PU, _TRACKING_PU = 0.1, 0.5
"""Of the voltage before the fault: an inverter's angle reference stands still below the first, follows its voltage
above the second, and changes over in between. Without a memory a converter whose voltage is made by its own current has
no angle to hold on to."""


@dataclass(frozen=True, kw_only=True)
class OpenCircuit:
    """Before the fault nothing is drawn and no inverter injects; sources and machines stand at their no-load
    voltages. The assumption of the IEEE test feeders' fault tables."""


@dataclass(frozen=True, kw_only=True)
class EquivalentVoltage:
    """IEC 60909-0:2016, 5.3: the only voltage is c times the nominal one at the fault; nothing flows before it.

    Shunts stay in the network, and impedance correction factors (clause 6) are not applied.
    """

    c_factor: float


Prefault = OpenCircuit | EquivalentVoltage | PowerFlow


def iec_c_factor(v_base_v: float, *, largest: bool) -> float:
    """Voltage factor c of IEC 60909-0:2016, table 1; in low voltage (to 1 kV between phases) for a tolerance of 10 %.

    Args:
        v_base_v: nominal phase-to-ground voltage, V.
        largest: for the largest short-circuit current; otherwise for the smallest.
    """
    if v_base_v * 3**0.5 > 1000.0:
        return 1.10 if largest else 1.00
    return 1.10 if largest else 0.90


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultNetwork:
    """Everything but the fault. Injector positions are those of `Factor.injectors`."""

    factor: Factor
    v_prefault_pu: ComplexArray
    """[live]"""
    v_drop_only: bool
    """True where no current flows before the fault, whatever the voltages say (IEC 60909)."""
    machines: IntArray
    """[machine] injector positions."""
    machine_y_pu: ComplexArray
    """[machine]"""
    machine_before_pu: ComplexArray
    """[machine] current before the fault."""
    machine_response: ComplexArray
    """[live, machine] F B."""
    machine_core: ComplexArray
    """[machine, machine] (D^-1 + B^T F B)^-1."""
    load_y_pu: sp.csr_matrix | None
    """[live, live] loads as admittances; None without."""
    converters: IntArray
    """[converter] injector positions of what injects a current of its own before the fault."""
    converter_s_pu: ComplexArray
    """[converter] power before the fault."""
    converter_limit_pu: FloatArray
    """[converter] largest current; 0 where it goes off."""
    der_unknown: tuple[ElementId, ...]
    """DER taken as disconnected because nothing is known of their fault current, as `ders_unknown`."""

    def solve(self, current_pu: ComplexArray) -> ComplexArray | NotSolved:
        """Voltages caused by node currents, sources at zero.

        Args:
            current_pu: [live, case] complex.

        Returns:
            [live, case] complex.
        """
        first = self._without_loads(current_pu)
        if self.load_y_pu is None:
            return first
        x = first
        last = np.full(current_pu.shape[1], np.inf)
        settled = np.zeros(current_pu.shape[1], dtype=np.bool_)
        with np.errstate(all="ignore"):
            for _ in range(_PLAIN_STEPS):
                after = first - self._without_loads(_times(self.load_y_pu, x))
                step = np.abs(after - x).max(axis=0, initial=0.0)
                size = np.abs(after).max(axis=0, initial=0.0)
                x = after
                if not np.isfinite(size).all():
                    break
                # Where a network floats, rounding sets in far above the last digit: steps that no longer shrink.
                settled = (step <= _SETTLED * size) | ((step <= _ROUNDING * size) & (step >= 0.5 * last))
                last = step
                if settled.all():
                    return x
        for column in np.flatnonzero(~settled):
            solved = self._krylov(first[:, column], load_y_pu=self.load_y_pu)
            if solved is None:
                reason = "the loads as admittances do not settle: the state before the fault is close to collapse"
                return NotSolved(reason=reason, iterations=_PLAIN_STEPS)
            x[:, column] = solved
        return x

    def _krylov(self, first: ComplexArray, *, load_y_pu: sp.csr_matrix) -> ComplexArray | None:
        def apply(x: ComplexArray) -> ComplexArray:
            column = x.reshape(-1, 1)
            return np.asarray(column + self._without_loads(_times(load_y_pu, column)))[:, 0]

        size = len(first)
        operator = LinearOperator((size, size), matvec=apply, dtype=np.complex128)
        x, status = gmres(operator, first, rtol=1e-12, atol=0.0, restart=60, maxiter=5)
        return np.asarray(x) if status == 0 else None

    def _without_loads(self, current_pu: ComplexArray) -> ComplexArray:
        v = self.factor.solve(np.ascontiguousarray(current_pu))
        if self.machines.size:
            across = self.factor.incidence[:, self.machines].T @ v
            v = v - self.machine_response @ (self.machine_core @ across)
        return v

    def before_at(self, nodes: IntArray) -> ComplexArray:
        """Voltages before the fault at node indices, all of them energised."""
        return self.v_prefault_pu[self.factor.row_of_node[nodes]]

    def converter_current_pu(self, v_pu: ComplexArray) -> ComplexArray:
        """Currents of the converters at voltages: the power from before the fault at the same power factor, up to the
        largest current.

        Args:
            v_pu: [live, case].

        Returns:
            [converter, case] complex.
        """
        transposed = self.factor.incidence[:, self.converters].T
        before = (transposed @ self.v_prefault_pu)[:, None]
        across = transposed @ v_pu
        size = np.abs(across)
        tracking = np.clip((size / np.abs(before) - _FROZEN_PU) / (_TRACKING_PU - _FROZEN_PU), 0.0, 1.0)
        reference = tracking * across / np.maximum(size, 1e-300) + (1.0 - tracking) * before / np.abs(before)
        angle = reference / np.maximum(np.abs(reference), 1e-300)
        s = np.abs(self.converter_s_pu)[:, None]
        wanted = s / np.maximum(size, 1e-300)
        held = np.minimum(wanted, self.converter_limit_pu[:, None])
        return np.asarray(held * angle * (np.conj(self.converter_s_pu)[:, None] / s))


def ders_unknown(factor: Factor, *, der_off: Collection[ElementId] = ()) -> tuple[ElementId, ...]:
    """Energised DER of which neither `fault_current_pu` nor `x_subtransient_pu` is known, in model order: they are
    taken as disconnected in a fault.

    Args:
        factor: of the grid state.
        der_off: DER that are not connected anyway, left out.
    """
    arrays = factor.arrays
    live = {arrays.injectors[index].element for index in factor.injectors}
    return tuple(
        der.id
        for der in arrays.model.ders
        if der.fault_current_pu is None and der.x_subtransient_pu is None and der.id in live and der.id not in der_off
    )


def fault_network(factor: Factor, *, prefault: Prefault, der_off: Collection[ElementId]) -> FaultNetwork:
    """The network before a fault, ready for any number of them.

    A DER with `x_subtransient_pu` is a voltage behind that reactance in each of its pairs. Of the others, one that
    injects in `prefault` keeps its power up to `fault_current_pu`; one that draws is an admittance, as the loads are.
    One that has neither is taken as disconnected.

    Args:
        factor: of the grid state of `prefault`.
        prefault: what flows before the fault.
        der_off: DER that are not connected.
    """
    flow = prefault if isinstance(prefault, PowerFlow) else None
    arrays = factor.arrays
    if flow is not None:
        flow.check_state_of(factor)
        v = flow.v_phasor_pu[factor.live]
    elif isinstance(prefault, EquivalentVoltage):
        v = prefault.c_factor * factor.v_no_load_pu / np.abs(factor.v_no_load_pu)
    else:
        v = factor.v_no_load_pu
    across = np.abs(factor.incidence.T @ v)
    base = arrays.v_base_v[arrays.injector_fr[factor.injectors]]
    ders = {der.id: der for der in arrays.model.ders}
    unknown = ders_unknown(factor, der_off=der_off)
    off = {*der_off, *unknown}
    s = np.zeros(len(factor.injectors), dtype=np.complex128)
    if flow is not None:
        s = flow.s_injection_va[factor.injectors] / S_BASE_VA

    machines: list[int] = []
    machine_y: list[complex] = []
    converters: list[int] = []
    limits: list[float] = []
    as_load = np.zeros(len(factor.injectors), dtype=np.bool_)
    for position, index in enumerate(factor.injectors):
        injector = arrays.injectors[index]
        if not injector.is_der:
            as_load[position] = s[position] != 0.0
            continue
        der = ders[injector.element]
        share_va = der.s_max_va / len(der.pairs)
        if der.id not in off and der.x_subtransient_pu is not None:
            machines.append(position)
            y_siemens = share_va / (1j * der.x_subtransient_pu * der.v_nominal_v**2)
            machine_y.append(complex(y_siemens * base[position] ** 2 / S_BASE_VA))
        elif s[position].real < 0.0 and der.id not in off:
            as_load[position] = True
        elif s[position] != 0.0:
            converters.append(position)
            limit_a = 0.0
            if der.id not in off and der.fault_current_pu is not None:
                limit_a = der.fault_current_pu * share_va / der.v_nominal_v
            limits.append(float(limit_a * base[position] / S_BASE_VA))

    machine_rows = np.array(machines, dtype=np.int64)
    y = np.array(machine_y, dtype=np.complex128)
    response, core = _machine_update(factor, machines=machine_rows, y_pu=y)
    load_y = None
    if as_load.any():
        a = factor.incidence[:, as_load]
        load_y = (a @ sp.diags(-np.conj(s[as_load]) / across[as_load] ** 2) @ a.T).tocsr()
    converter_rows = np.array(converters, dtype=np.int64)
    return FaultNetwork(
        factor=factor,
        v_prefault_pu=v,
        v_drop_only=isinstance(prefault, EquivalentVoltage),
        machines=machine_rows,
        machine_y_pu=y,
        machine_before_pu=_current(s, _times(factor.incidence.T, v))[machine_rows],
        machine_response=response,
        machine_core=core,
        load_y_pu=load_y,
        converters=converter_rows,
        converter_s_pu=s[converter_rows],
        converter_limit_pu=np.array(limits),
        der_unknown=unknown,
    )


def _times(matrix: sp.csr_matrix | sp.csc_matrix, x: ComplexArray) -> ComplexArray:
    return np.asarray(matrix @ x, dtype=np.complex128)


def _current(s_pu: ComplexArray, across_pu: ComplexArray) -> ComplexArray:
    return np.where(s_pu == 0.0, 0.0, np.conj(s_pu / np.where(across_pu == 0.0, 1.0, across_pu)))


def _machine_update(factor: Factor, *, machines: IntArray, y_pu: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    b = factor.incidence[:, machines]
    if not machines.size:
        return np.zeros((len(factor.live), 0), dtype=np.complex128), np.zeros((0, 0), dtype=np.complex128)
    response = factor.solve(b.toarray().astype(np.complex128))
    core = np.linalg.inv(np.diag(1.0 / y_pu) + b.T @ response)
    return response, np.asarray(core)
