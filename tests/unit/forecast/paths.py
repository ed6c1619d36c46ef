"""Simulated paths of Ornstein-Uhlenbeck processes, drawn exactly."""

import numpy as np

from adms.core.telemetry import FloatArray


def ou_paths(
    rng: np.random.Generator, *, paths: int, steps: int, step_s: float, sigma: float, tau_s: float
) -> FloatArray:
    """[path, step] stationary paths: x' = rho x + sigma sqrt(1 - rho^2) e."""
    rho = np.exp(-step_s / tau_s)
    shock = rng.standard_normal((paths, steps)) * sigma
    out = np.empty((paths, steps))
    out[:, 0] = shock[:, 0]
    for k in range(1, steps):
        out[:, k] = rho * out[:, k - 1] + np.sqrt(1.0 - rho * rho) * shock[:, k]
    return out
