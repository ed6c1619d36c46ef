"""Short circuits at any node, from the factor that the power flow uses.

With Z the inverse of the network's matrix (never formed), a fault with paths C and resistance R (see
`short_circuit_faults`) draws C j out of its nodes, where

    (C^T Z C + R) j = C^T V_0,     V = V_0 - Z C j

by superposition on the state V_0 before it: the Thevenin equivalent at the fault (P. M. Anderson, "Analysis of Faulted
Power Systems", IEEE Press, 1995, chapter 2, there in sequence components; here in phases, so that nothing need be
symmetrical). It takes one solve of the factor a path. Inverters add a limited current of their own, which depends on
the voltage that they see; it is iterated.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.grid.faults import BALANCED_PHASE, Fault, FaultKind
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.short_circuit_faults import (
    FaultPaths,
    fault_paths,
    faults_at,
)
from adms.powerflow.short_circuit_network import (
    EquivalentVoltage,
    FaultNetwork,
    OpenCircuit,
    Prefault,
    fault_network,
    iec_c_factor,
)

__all__ = [
    "EquivalentVoltage",
    "Fault",
    "FaultKind",
    "OpenCircuit",
    "ShortCircuit",
    "faults_at",
    "iec_c_factor",
    "short_circuit",
    "short_circuits",
]

_TOGETHER = 32
"""Faults solved at once: their columns are dense."""
_CONVERTER_STEPS = 150
_SHARE_OF_STEP = ((20, 1.0), (60, 0.5), (_CONVERTER_STEPS, 0.2))
"""Up to which step how much of a change is taken."""
_CONVERTER_TOLERANCE_PU = 1e-11


@dataclass(frozen=True, kw_only=True, eq=False)
class ShortCircuit:
    """The network during a fault. Phasors are RMS, of the first instant (no DC part, no decay)."""

    fault: Fault
    phases: tuple[int, ...]
    """[k] phases that the fault joins."""
    current_a: ComplexArray
    """[k] out of each of them into the fault, A."""
    v_phasor_pu: ComplexArray
    """[node] during the fault, per unit of the node's base; exactly 0 where dead."""
    v_prefault_pu: ComplexArray
    """[node] before it."""
    source_current_a: tuple[ComplexArray, ...]
    """One array a source, [its nodes]: into the network, A."""
    der_current_a: ComplexArray
    """[injector] from DER into the network at `fr`, A; 0 for loads and where dead."""
    der_unknown: tuple[ElementId, ...]
    """DER that were taken as disconnected because neither their `fault_current_pu` nor their `x_subtransient_pu` is
    known."""
    iterations: int
    """Of the inverters' currents; 0 where there are none."""
    factor: Factor
    v_drop_only: bool
    """True where branch currents follow from the drop alone (IEC 60909)."""

    @property
    def ground_current_a(self) -> complex:
        """Into the earth at the fault, A; 0 at a balanced bus, whose three phases meet without it."""
        return 0j if self.phases == (BALANCED_PHASE,) else complex(self.current_a.sum())

    @property
    def largest_a(self) -> float:
        """Largest of the phase currents, A."""
        return float(np.abs(self.current_a).max())

    def branch_current_a(self, element: ElementId) -> ComplexArray:
        """Currents into a branch at each of its concatenated terminal nodes, A."""
        arrays = self.factor.arrays
        v = self.v_phasor_pu - self.v_prefault_pu if self.v_drop_only else self.v_phasor_pu
        return arrays.branch_current_a(arrays.branch_idx[element], self.factor.grid, v)


def short_circuit(
    factor: Factor, fault: Fault, *, prefault: Prefault | None = None, der_off: Collection[ElementId] = ()
) -> ShortCircuit | NotSolved:
    """One fault.

    Args:
        factor: of the grid state.
        fault: what and where.
        prefault: state before the fault: a power flow (loads are then constant admittances), an open circuit
            (default), or the equivalent voltage of IEC 60909.
        der_off: DER that are not connected.

    Returns:
        The network during the fault, or why there is none (the place is dead, the currents do not settle).

    Raises InputError with every problem of the fault.
    """
    return short_circuits(factor, [fault], prefault=prefault, der_off=der_off)[0]


def short_circuits(
    factor: Factor, faults: Sequence[Fault], *, prefault: Prefault | None = None, der_off: Collection[ElementId] = ()
) -> Sequence[ShortCircuit | NotSolved]:
    """Many faults, one at a time in the network but together in the arithmetic; arguments as `short_circuit`.

    Returns:
        One outcome a fault, in order.
    """
    shapes = fault_paths(factor.arrays, faults)
    network = fault_network(factor, prefault=OpenCircuit() if prefault is None else prefault, der_off=der_off)
    outcomes: list[ShortCircuit | NotSolved] = [
        NotSolved(reason=f"{fault.bus} is not energised", iterations=0) for fault in faults
    ]
    alive = [i for i, shape in enumerate(shapes) if factor.energised[shape.nodes].all()]
    for start in range(0, len(alive), _TOGETHER):
        part = alive[start : start + _TOGETHER]
        solved = _solve(network, [faults[i] for i in part], [shapes[i] for i in part])
        for i, outcome in zip(part, solved, strict=True):
            outcomes[i] = outcome
    return outcomes


def _solve(
    network: FaultNetwork, faults: Sequence[Fault], shapes: Sequence[FaultPaths]
) -> Sequence[ShortCircuit | NotSolved]:
    factor = network.factor
    rows = [factor.row_of_node[shape.nodes] for shape in shapes]
    start = np.concatenate([[0], np.cumsum([shape.paths.shape[1] for shape in shapes])])
    drawn = np.zeros((len(factor.live), start[-1]), dtype=np.complex128)
    for i, shape in enumerate(shapes):
        drawn[rows[i], start[i] : start[i + 1]] = shape.paths
    response = network.solve(drawn)
    if isinstance(response, NotSolved):
        return [response] * len(faults)
    answers = [response[:, start[i] : start[i + 1]] for i in range(len(faults))]
    inner = [np.linalg.inv(shape.paths.T @ answers[i][rows[i]] + shape.resistance_pu) for i, shape in enumerate(shapes)]

    def with_faults(v: ComplexArray) -> tuple[ComplexArray, list[ComplexArray]]:
        along = [inner[i] @ (shape.paths.T @ v[rows[i], i]) for i, shape in enumerate(shapes)]
        return v - np.stack([answers[i] @ j for i, j in enumerate(along)], axis=1), along

    before = np.repeat(network.v_prefault_pu[:, None], len(faults), axis=1)
    v, along = with_faults(before)
    iterations = np.zeros(len(faults), dtype=np.int64)
    converter = np.zeros((len(network.converters), len(faults)), dtype=np.complex128)
    if network.converters.size:
        a = factor.incidence[:, network.converters]
        at_first = network.converter_s_pu / (a.T @ network.v_prefault_pu)
        normal = np.conj(at_first)[:, None]
        converter = np.repeat(normal, len(faults), axis=1)
        for step in range(1, _CONVERTER_STEPS + 1):
            wanted = network.converter_current_pu(v)
            change = np.abs(wanted - converter).max(axis=0)
            iterations[(change > _CONVERTER_TOLERANCE_PU)] = step
            if (change <= _CONVERTER_TOLERANCE_PU).all():
                break
            share = next(share for until, share in _SHARE_OF_STEP if step <= until)
            converter = share * wanted + (1.0 - share) * converter
            moved = network.solve(np.asarray(a @ (converter - normal), dtype=np.complex128))
            if isinstance(moved, NotSolved):
                return [moved] * len(faults)
            v, along = with_faults(before + moved)
    outcomes: list[ShortCircuit | NotSolved] = []
    for i, (fault, shape) in enumerate(zip(faults, shapes, strict=True)):
        if iterations[i] >= _CONVERTER_STEPS or not np.isfinite(v[:, i]).all():
            reason = "the inverters' currents do not settle" if iterations[i] else "the matrix is singular at the fault"
            outcomes.append(NotSolved(reason=reason, iterations=int(iterations[i])))
        else:
            outcomes.append(
                _outcome(
                    network,
                    fault=fault,
                    shape=shape,
                    v=v[:, i],
                    along=along[i],
                    converter=converter[:, i],
                    iterations=int(iterations[i]),
                )
            )
    return outcomes


def _outcome(
    network: FaultNetwork,
    *,
    fault: Fault,
    shape: FaultPaths,
    v: ComplexArray,
    along: ComplexArray,
    converter: ComplexArray,
    iterations: int,
) -> ShortCircuit:
    factor = network.factor
    arrays = factor.arrays
    during = np.zeros(arrays.node_count, dtype=np.complex128)
    before = np.zeros(arrays.node_count, dtype=np.complex128)
    during[factor.live], before[factor.live] = v, network.v_prefault_pu
    drop = during - before
    sources = tuple(
        source.y_pu
        @ (-drop[source.nodes] if network.v_drop_only else source.emf_pu - during[source.nodes])
        * arrays.current_base_a[source.nodes]
        for source in arrays.sources
    )
    der_pu = np.zeros(len(factor.injectors), dtype=np.complex128)
    der_pu[network.converters] = converter
    if network.machines.size:
        # Behind its reactance a machine holds what it held before the fault, so its current changes by the drop alone.
        transposed = factor.incidence[:, network.machines].T
        der_pu[network.machines] = network.machine_before_pu - network.machine_y_pu * (transposed @ drop[factor.live])
    der_a = np.zeros(len(arrays.injectors), dtype=np.complex128)
    der_a[factor.injectors] = der_pu * arrays.current_base_a[arrays.injector_fr[factor.injectors]]
    return ShortCircuit(
        fault=fault,
        phases=shape.phases,
        current_a=np.asarray(shape.paths @ along) * arrays.current_base_a[shape.nodes],
        v_phasor_pu=during,
        v_prefault_pu=before,
        source_current_a=sources,
        der_current_a=der_a,
        der_unknown=network.der_unknown,
        iterations=iterations,
        factor=factor,
        v_drop_only=network.v_drop_only,
    )
