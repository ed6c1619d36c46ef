"""How a fault constrains the nodes that it joins.

A fault leads currents out of its nodes along m independent paths: I = C j, one column of C a path, and along each path
the voltage that is left over stands across the fault's own resistance, C^T V = R j. So a bolted fault (R = 0) is as
plain as any other, and one between phases never meets the earth's impedance.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from adms.core.errors import InputError
from adms.core.ids import BusId
from adms.core.kept import kept
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.faults import BALANCED_PHASE, Fault, FaultKind, fault_problems
from adms.grid.model import NodeRef


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultPaths:
    """A fault as the numerics see it."""

    nodes: IntArray
    """[k] indices in `NetworkArrays.nodes`."""
    phases: tuple[int, ...]
    """[k]"""
    paths: FloatArray
    """[k, path] C: what a current along each path takes out of each node."""
    resistance_ohm: FloatArray
    """[path, path] R."""
    z_base_ohm: float

    @property
    def resistance_pu(self) -> FloatArray:
        """[path, path] on the base of the bus."""
        return self.resistance_ohm / self.z_base_ohm


def faults_at(
    arrays: NetworkArrays, bus: BusId, *, kind: FaultKind, r_fault_ohm: float = 0.0, r_ground_ohm: float = 0.0
) -> tuple[Fault, ...]:
    """Every choice of phases of a kind of fault at a bus; empty where the bus has too few.

    Args:
        arrays: the network in solver order.
        bus: where; an unknown one has no phases.
        kind: of fault.
        r_fault_ohm: as in `Fault`.
        r_ground_ohm: as in `Fault`.
    """
    phases = _phases_at(arrays).get(bus, ())
    if phases == (BALANCED_PHASE,):
        chosen: list[tuple[int, ...]] = [phases] if kind.phase_count == 3 else []
    else:
        chosen = [*combinations(phases, kind.phase_count)]
    return tuple(
        Fault(kind=kind, bus=bus, phases=phase, r_fault_ohm=r_fault_ohm, r_ground_ohm=r_ground_ohm) for phase in chosen
    )


@kept
def _phases_at(arrays: NetworkArrays) -> dict[BusId, tuple[int, ...]]:
    return {bus.id: bus.phases for bus in arrays.model.buses}


def every_fault(
    arrays: NetworkArrays,
    buses: Iterable[BusId],
    *,
    kinds: Collection[FaultKind],
    r_fault_ohm: float = 0.0,
    r_ground_ohm: float = 0.0,
) -> list[Fault]:
    """Every fault of some kinds at some buses, bus by bus; the ground resistance only where a fault goes to ground."""
    return [
        fault
        for bus in buses
        for kind in FaultKind
        if kind in kinds
        for fault in faults_at(
            arrays,
            bus,
            kind=kind,
            r_fault_ohm=r_fault_ohm,
            r_ground_ohm=r_ground_ohm if kind.to_ground else 0.0,
        )
    ]


def fault_paths(arrays: NetworkArrays, faults: Sequence[Fault]) -> tuple[FaultPaths, ...]:
    """The constraints of each fault, in order.

    Raises InputError with every problem of every fault: unknown bus, phases that it lacks or that do not make the
    kind, a negative or infinite resistance, an unbalanced fault in a balanced network.
    """
    phases_at = _phases_at(arrays)
    problems = [problem for fault in faults for problem in fault_problems(fault, present=phases_at.get(fault.bus))]
    if problems:
        raise InputError(problems)
    return tuple(_paths(arrays, fault, present=phases_at[fault.bus]) for fault in faults)


def _paths(arrays: NetworkArrays, fault: Fault, *, present: tuple[int, ...]) -> FaultPaths:
    phases = fault.phases or present
    nodes = np.array([arrays.node_idx[NodeRef(fault.bus, phase)] for phase in phases], dtype=np.int64)
    count = len(nodes)
    r = fault.r_fault_ohm
    if count == 1:
        paths, resistance = np.ones((1, 1)), np.full((1, 1), r + fault.r_ground_ohm)
    elif fault.kind.to_ground:
        paths, resistance = np.eye(count), r * np.eye(count) + fault.r_ground_ohm
    else:
        # Each path returns through the last phase; what it meets there is shared by all of them.
        paths = np.vstack([np.eye(count - 1), -np.ones((1, count - 1))])
        resistance = np.full((1, 1), r) if count == 2 else r * (paths.T @ paths)
    return FaultPaths(
        nodes=nodes,
        phases=phases,
        paths=paths,
        resistance_ohm=resistance,
        z_base_ohm=float(arrays.v_base_v[nodes[0]] / arrays.current_base_a[nodes[0]]),
    )
