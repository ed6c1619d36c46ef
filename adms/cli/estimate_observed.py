"""Which nodes the telemetry determines without any pseudo-measurement."""

import numpy as np

from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimationPolicy, Observed, telemetry_alone
from adms.estimation.islands import observable_islands
from adms.estimation.system import System
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved


def determined_by_telemetry(
    arrays: NetworkArrays, grid: GridState, *, snapshot: TelemetrySnapshot, policy: EstimationPolicy
) -> tuple[BoolArray, bool]:
    """([node] True where the voltage follows from the measurements, the network law and the angle of the sources; True
    where every power and angle follows too).

    Args:
        arrays: the network.
        grid: positions.
        snapshot: the measurements.
        policy: says which of them are too old.
    """
    found = telemetry_alone(snapshot, arrays=arrays, grid=grid, policy=policy)
    if isinstance(found, NotSolved):
        return np.zeros(arrays.node_count, dtype=np.bool_), False
    return found.determined, found.system is not None and _everything(found, found.system, policy=policy)


def _everything(found: Observed, system: System, *, policy: EstimationPolicy) -> bool:
    """As many measurements as unknown powers, and one observable island in each part that is connected."""
    problem = system.problem
    live = problem.factor.energised
    fr, to = problem.injectors.fr, problem.injectors.to
    injected = len(np.unique(np.concatenate([fr, to[to >= 0]])))
    unknowns = 2 * injected + int(live[problem.layout.emf_node].sum())
    parts = len(np.unique(problem.phase_and_island[1][live]))
    islands = observable_islands(found, policy=policy)[live]
    return bool(
        system.inside.sum() >= unknowns and islands.min(initial=0) >= 0 and islands.max(initial=-1) + 1 <= parts
    )
