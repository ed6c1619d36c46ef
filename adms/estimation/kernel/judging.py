"""Residuals over what they may be, compiled: one pass over the rows."""

import math

from adms.core.compiled import compiled
from adms.core.telemetry import FloatArray
from adms.grid.arrays import BoolArray


@compiled
def normalise(
    residual: FloatArray,
    use: BoolArray,
    variance: FloatArray,
    residual_variance: FloatArray,
    critical_frac: float,
    shown: FloatArray,
    deviation: FloatArray,
    normalized: FloatArray,
    critical: BoolArray,
) -> tuple[int, float, int, int, float]:
    """Normalised residuals of the rows in use; NaN elsewhere.

    Args:
        residual: [M]
        use: [M]
        variance: [M] of the meters.
        residual_variance: [M]
        critical_frac: a row is critical where its residual's variance is no more than this share of its meter's.
        shown: [M] out: residuals in use.
        deviation: [M] out: of the residuals.
        normalized: [M] out: NaN where critical.
        critical: [M] out

    Returns:
        (row of the largest, its size, how many are finite, rows in use, their part of chi-squared)
    """
    worst, largest, candidates, used, cost = 0, 0.0, 0, 0, 0.0
    for r in range(len(residual)):
        shown[r] = deviation[r] = normalized[r] = math.nan
        critical[r] = False
        if not use[r]:
            continue
        used += 1
        cost += residual[r] * residual[r] / variance[r]
        shown[r] = residual[r]
        deviation[r] = math.sqrt(residual_variance[r])
        if residual_variance[r] > critical_frac * variance[r]:
            normalized[r] = residual[r] / deviation[r]
            candidates += math.isfinite(normalized[r])
            if abs(normalized[r]) > largest:
                worst, largest = r, abs(normalized[r])
        else:
            critical[r] = True
    return worst, largest, candidates, used, cost
