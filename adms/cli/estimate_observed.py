"""Which nodes the telemetry determines without any pseudo-measurement."""

from dataclasses import replace

import numpy as np

from adms.core.estimate import NotEstimated, SigmaSource
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimationPolicy, LoadPrior, estimate
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState


def determined_by_telemetry(
    arrays: NetworkArrays, grid: GridState, *, snapshot: TelemetrySnapshot, policy: EstimationPolicy
) -> BoolArray:
    """[node] True where the voltage follows from the measurements, the network law and the angle of the sources.

    Args:
        arrays: the network.
        grid: positions.
        snapshot: the measurements.
        policy: says which of them are too old.
    """
    nothing = np.full(len(arrays.injectors), np.inf)
    prior = LoadPrior(s_nominal_va=arrays.injector_s_nominal_va, sigma_p_va=nothing, sigma_q_va=nothing)
    free = replace(policy, source_v_sigma_pu=np.inf, max_rejections=0)
    _, got = estimate(snapshot, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior, policy=free, state=None)
    if isinstance(got, NotEstimated):
        return np.zeros(arrays.node_count, dtype=np.bool_)
    held = (SigmaSource.MEASURED, SigmaSource.ESTIMATED, SigmaSource.PSEUDO)
    return np.asarray(np.isin(got.sigma_source, held) & (got.sigma_v_pu < policy.sigma_unobservable_pu))
