"""Which nodes the telemetry determines without any pseudo-measurement."""

import numpy as np

from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimationPolicy, telemetry_alone
from adms.estimation.islands import everything_follows
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
    return found.determined, everything_follows(found, policy=policy)
