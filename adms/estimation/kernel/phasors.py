"""Complex values out of real unknowns, compiled."""

import numpy as np

from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray


@compiled
def phasors_at(x: FloatArray, place: IntArray) -> ComplexArray:
    """[place] x + j of the one after it; of place -1, something.

    Args:
        x: [size]
        place: of the real parts.
    """
    out = np.empty(len(place), dtype=np.complex128)
    for i in range(len(place)):
        out[i] = complex(x[place[i]], x[place[i] + 1])
    return out
