"""What of a graph hangs together."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph  # noqa: F401  (makes sp.csgraph available)

from adms.core.telemetry import IntArray


def components(fr: Sequence[int] | IntArray, to: Sequence[int] | IntArray, *, size: int) -> IntArray:
    """[vertex] number of its component, of `size` vertices joined by the edges `fr` - `to`."""
    adjacency = sp.csr_matrix((np.ones(len(fr)), (fr, to)), shape=(size, size))
    return np.asarray(sp.csgraph.connected_components(adjacency, directed=False)[1], dtype=np.int64)
