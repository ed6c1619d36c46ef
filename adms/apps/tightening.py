"""Voltage limits with the estimate's uncertainty taken off, for every app that plans up to them."""

import numpy as np

from adms.core.telemetry import FloatArray
from adms.grid.arrays import NetworkArrays

TIGHTENING_MAX_FRAC = 0.4
"""Of the width between a node's limits: two limits never cross, however uncertain the node is."""


def tightened_limits(
    arrays: NetworkArrays, *, sigma_v_pu: FloatArray, sigma_margin: float
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) normal limits of each node, pu, `sigma_margin` standard deviations inside those of the model.

    Args:
        arrays: the network.
        sigma_v_pu: [node] of the estimated magnitude; 0 where the limit counts as it is.
        sigma_margin: standard deviations.
    """
    width = arrays.v_max_pu - arrays.v_min_pu
    margin = np.minimum(sigma_margin * sigma_v_pu, TIGHTENING_MAX_FRAC * width)
    return arrays.v_min_pu + margin, arrays.v_max_pu - margin
