"""Short-circuit levels: the fault currents at every bus, for every kind of fault and every choice of phases."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray
from adms.grid.faults import BALANCED_PHASE, Fault, FaultKind
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.short_circuit_columns import solve_columns
from adms.powerflow.short_circuit_faults import every_fault, fault_paths
from adms.powerflow.short_circuit_network import OpenCircuit, Prefault, fault_network


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
    faults = every_fault(arrays, wanted, kinds=kinds, r_fault_ohm=r_fault_ohm, r_ground_ohm=r_ground_ohm)
    shapes = fault_paths(arrays, faults)
    alive = [i for i, shape in enumerate(shapes) if factor.energised[shape.nodes].all()]
    of_bus: dict[BusId, list[FaultLevel]] = {bus: [] for bus in wanted}
    solved = solve_columns(network, [shapes[i] for i in alive], watched=[shapes[i].nodes for i in alive])
    if isinstance(solved, NotSolved):
        return solved
    for i, (along, _) in zip(alive, solved, strict=True):
        current = shapes[i].paths @ along * arrays.current_base_a[shapes[i].nodes]
        ground_a = 0.0 if faults[i].phases == (BALANCED_PHASE,) else float(abs(current.sum()))
        level = FaultLevel(fault=faults[i], current_a=np.abs(current), ground_a=ground_a)
        of_bus[faults[i].bus].append(level)
    return [BusLevels(bus=bus, levels=tuple(levels)) for bus, levels in of_bus.items()]
