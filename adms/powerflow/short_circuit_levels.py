"""Short-circuit levels: the fault currents at every bus, for every kind of fault and every choice of phases."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray
from adms.grid.arrays import S_BASE_VA
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.short_circuit_faults import Fault, FaultKind, FaultPaths, fault_paths, faults_at
from adms.powerflow.short_circuit_network import FaultNetwork, OpenCircuit, Prefault, fault_network

_TOGETHER = 64
"""Columns solved at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultLevel:
    """What one fault draws."""

    fault: Fault
    current_a: FloatArray
    """[k] magnitudes, one a phase of `fault.phases`."""
    ground_a: float
    """Magnitude of their sum."""

    @property
    def largest_a(self) -> float:
        """Largest of the phases."""
        return float(self.current_a.max())


@dataclass(frozen=True, kw_only=True, eq=False)
class BusLevels:
    """All faults at one bus."""

    bus: BusId
    levels: tuple[FaultLevel, ...]
    """Empty where the bus is dead."""

    @property
    def largest_a(self) -> float | None:
        """Largest current of any fault and phase; None where the bus is dead."""
        return max((level.largest_a for level in self.levels), default=None)

    @property
    def smallest_a(self) -> float | None:
        """Smallest current that any of the faults draws (its largest phase); None where the bus is dead."""
        return min((level.largest_a for level in self.levels), default=None)


def short_circuit_levels(
    factor: Factor,
    *,
    kinds: Collection[FaultKind] = tuple(FaultKind),
    buses: Collection[BusId] | None = None,
    r_fault_ohm: float = 0.0,
    r_ground_ohm: float = 0.0,
    prefault: Prefault | None = None,
    der_off: Collection[ElementId] = (),
) -> Sequence[BusLevels] | NotSolved:
    """The table of fault currents, bus by bus in model order.

    Inverters are left out: their part is a current of its own in each fault (`short_circuit` has it); machines and
    loads are as there.

    Args:
        factor: of the grid state.
        kinds: of faults, each in every choice of phases.
        buses: which; None is all.
        r_fault_ohm: as in `Fault`, of every fault.
        r_ground_ohm: as in `Fault`, of those that go to ground.
        prefault: as in `short_circuit`.
        der_off: as in `short_circuit`.

    Returns:
        One entry a bus, or why there is none.
    """
    arrays = factor.arrays
    network = fault_network(factor, prefault=OpenCircuit() if prefault is None else prefault, der_off=der_off)
    wanted = [bus.id for bus in arrays.model.buses if buses is None or bus.id in buses]
    faults: list[Fault] = []
    for bus in wanted:
        for kind in FaultKind:
            if kind in kinds:
                to_ground = kind not in (FaultKind.THREE_PHASE, FaultKind.LINE_LINE)
                r_ground = r_ground_ohm if to_ground else 0.0
                faults += faults_at(arrays, bus, kind=kind, r_fault_ohm=r_fault_ohm, r_ground_ohm=r_ground)
    shapes = fault_paths(arrays, faults)
    alive = [i for i, shape in enumerate(shapes) if factor.energised[shape.nodes].all()]
    of_bus: dict[BusId, list[FaultLevel]] = {bus: [] for bus in wanted}
    solved = _currents(network, [shapes[i] for i in alive])
    if isinstance(solved, NotSolved):
        return solved
    for i, current in zip(alive, solved, strict=True):
        level = FaultLevel(fault=faults[i], current_a=np.abs(current), ground_a=float(abs(current.sum())))
        of_bus[faults[i].bus].append(level)
    return [BusLevels(bus=bus, levels=tuple(levels)) for bus, levels in of_bus.items()]


def _currents(network: FaultNetwork, shapes: Sequence[FaultPaths]) -> list[np.ndarray] | NotSolved:
    """Phasors of each fault, A. The same path at the same nodes is solved once, whichever faults share it."""
    factor = network.factor
    place = np.full(factor.arrays.node_count, -1, dtype=np.int64)
    place[factor.live] = np.arange(len(factor.live))
    keys: dict[tuple[tuple[int, ...], tuple[float, ...]], int] = {}
    columns: list[list[int]] = []
    for shape in shapes:
        of_fault = []
        for path in shape.paths.T:
            used = path != 0.0
            key = (tuple(place[shape.nodes[used]].tolist()), tuple(path[used].tolist()))
            of_fault.append(keys.setdefault(key, len(keys)))
        columns.append(of_fault)
    own = list(keys)
    touched: list[set[int]] = [set() for _ in own]
    for shape, of_fault in zip(shapes, columns, strict=True):
        for column in of_fault:
            touched[column].update(place[shape.nodes].tolist())
    answer: list[dict[int, complex]] = []
    for start in range(0, len(own), _TOGETHER):
        part = own[start : start + _TOGETHER]
        drawn = np.zeros((len(factor.live), len(part)), dtype=np.complex128)
        for column, (rows, values) in enumerate(part):
            drawn[list(rows), column] = values
        response = network.solve(drawn)
        if isinstance(response, NotSolved):
            return response
        for column in range(len(part)):
            rows_kept = sorted(touched[start + column])
            answer.append(dict(zip(rows_kept, response[rows_kept, column].tolist(), strict=True)))
    out = []
    for shape, of_fault in zip(shapes, columns, strict=True):
        rows_of = place[shape.nodes]
        z = np.array([[answer[column][row] for column in of_fault] for row in rows_of.tolist()])
        inner = shape.paths.T @ z + shape.resistance_pu
        along = np.linalg.solve(inner, shape.paths.T @ network.v_prefault_pu[rows_of])
        out.append(shape.paths @ along * S_BASE_VA / factor.arrays.v_base_v[shape.nodes])
    return out
