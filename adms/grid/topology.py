"""Which source feeds a node, conductor by conductor. Loops and islands without a source are values, not errors."""

import numpy as np

from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

UNSUPPLIED = -1
SEVERAL = -2


def source_of_node(arrays: NetworkArrays, grid: GridState) -> IntArray:
    """[node] index in `model.sources` of the one source that feeds it; UNSUPPLIED without one, SEVERAL where sources
    are in parallel."""
    island = arrays.islands(grid)
    feeding = np.full(arrays.node_count, UNSUPPLIED, dtype=np.int64)
    for index, nodes in enumerate(arrays.source_nodes):
        for number in np.unique(island[nodes]):
            feeding[number] = index if feeding[number] == UNSUPPLIED else SEVERAL
    return feeding[island]
