"""What customers draw: a common ramp, a common slow swing and a variation of each load of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
import numpy.typing as npt

from hil.engine import ComplexArray, FloatArray, LoadRecord

GRID_S = 1.0


@dataclass(frozen=True, kw_only=True)
class LoadStatistics:
    """Statistics that customers are drawn from, relative to the deck's loads. The same mean and sigma are told to the
    service, so that its priors are true."""

    mean_frac: float
    sigma_frac: float
    """Of each load on its own around the common level: P and Q apart, each of |S| (`mean_frac` of the deck's), as the
    service's priors have it. A load may lead for a while: Q has no floor."""
    common_sigma_frac: float
    correlation_s: float
    common_correlation_s: float
    floor_frac: float
    """No load's P falls below this share of the deck's."""
    ramp: tuple[tuple[float, float], ...]
    """(time in s, factor on the mean), linear between."""
    cold_load_frac: float
    """Extra share drawn after a long outage."""
    cold_load_build_s: float
    """Outage after which 63 % of the extra is there."""
    cold_load_decay_s: float


class _Ar1:
    """Stationary Gaussian of unit variance with exponential correlation."""

    def __init__(self, *, count: int, correlation_s: float, rng: np.random.Generator) -> None:
        self._rng = rng
        self._correlation_s = correlation_s
        self.value: FloatArray = rng.standard_normal(count)

    def step(self, dt_s: float) -> None:
        keep = exp(-dt_s / self._correlation_s)
        self.value = keep * self.value + sqrt(1.0 - keep * keep) * self._rng.standard_normal(self.value.size)


class Customers:
    """Drawn power of every load over time. Same seed and steps, same loads."""

    def __init__(self, loads: Sequence[LoadRecord], *, statistics: LoadStatistics, seed: int) -> None:
        self._s_deck_va: ComplexArray = np.array([load.p_w + 1j * load.q_var for load in loads], dtype=np.complex128)
        self._sigma_va: FloatArray = statistics.mean_frac * statistics.sigma_frac * np.abs(self._s_deck_va)
        self._statistics = statistics
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 1]).spawn(3)]
        count = len(loads)
        self._p = _Ar1(count=count, correlation_s=statistics.correlation_s, rng=streams[0])
        self._q = _Ar1(count=count, correlation_s=statistics.correlation_s, rng=streams[1])
        self._common = _Ar1(count=1, correlation_s=statistics.common_correlation_s, rng=streams[2])
        self._outage_s: FloatArray = np.zeros(count)
        self._extra: FloatArray = np.zeros(count)
        self._pending_s = 0.0

    def step(self, dt_s: float, *, live: npt.NDArray[np.bool_]) -> None:
        """Advance by `dt_s`; `live` says which loads have a supply. Chance is drawn on a fixed grid, so that finer
        steps around a fault do not change what customers do."""
        self._pending_s += dt_s
        while self._pending_s >= GRID_S - 1e-9:
            self._pending_s -= GRID_S
            for process in (self._p, self._q, self._common):
                process.step(GRID_S)
        build, decay = self._statistics.cold_load_build_s, self._statistics.cold_load_decay_s
        self._outage_s = np.where(live, 0.0, self._outage_s + dt_s)
        growing = self._statistics.cold_load_frac * (1.0 - np.exp(-self._outage_s / build))
        self._extra = np.where(live, self._extra * exp(-dt_s / decay), np.maximum(self._extra, growing))

    def demand_va(self, time_s: float) -> ComplexArray:
        """Power that each load would draw at nominal voltage, VA."""
        statistics = self._statistics
        times, factors = zip(*statistics.ramp, strict=True)
        level = float(np.interp(time_s, times, factors)) * statistics.mean_frac
        level *= 1.0 + statistics.common_sigma_frac * float(np.clip(self._common.value[0], -2.0, 2.0))
        p = level * self._s_deck_va.real + self._sigma_va * self._p.value
        q = level * self._s_deck_va.imag + self._sigma_va * self._q.value
        p = np.maximum(p, statistics.floor_frac * self._s_deck_va.real)
        return np.asarray((p + 1j * q) * (1.0 + self._extra), dtype=np.complex128)
