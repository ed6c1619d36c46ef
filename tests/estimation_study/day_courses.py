"""What loads and DER of a day do, second by second: processes of known spread around expected courses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray, NetworkArrays

OWN_FRAC = 0.40
COMMON_FRAC = 0.15
UNBALANCE_FRAC = 0.15
"""Of each phase of a load with several, part of the 40 %."""
OWN_TAU_S = 3600.0
LEVEL_TAU_S, FAST_TAU_S = 8 * 3600.0, 2700.0
LEVEL_SHARE, FAST_SHARE, OFFSET_SHARE, HARMONICS = 0.3, 0.1, 0.3, 3
"""Of the common variance: what moves within hours, within the hour, the day's mean, and how many harmonics of the day
share what is left. As the service's reference configuration has it."""
REACTIVE_FRAC = 0.10

Course = Callable[[FloatArray], ComplexArray]
"""Seconds since the day's beginning [n] to injections [injector, n], VA at nominal voltage."""


class Wander:
    """Stationary Ornstein-Uhlenbeck processes of mean 0 and standard deviation 1 at whole seconds."""

    def __init__(self, count: int, *, tau_s: float, rng: np.random.Generator) -> None:
        self._keep = float(np.exp(-1.0 / tau_s))
        self._rng = rng
        self._last = rng.standard_normal((count, 1))

    def next(self, seconds: int) -> FloatArray:
        """[process, second] the seconds that follow."""
        fresh = np.sqrt(1.0 - self._keep**2) * self._rng.standard_normal((len(self._last), seconds))
        out, _ = lfilter([1.0], [1.0, -self._keep], fresh, axis=1, zi=self._keep * self._last)
        self._last = out[:, -1:]
        return np.asarray(out)


class CommonDeviations:
    """15 % of each class's expected power: a level that moves within hours, a part that comes and goes within the hour,
    the day's mean, and the day's shape."""

    def __init__(self, classes: int, *, rng: np.random.Generator) -> None:
        self._level = Wander(classes, tau_s=LEVEL_TAU_S, rng=rng)
        self._fast = Wander(classes, tau_s=FAST_TAU_S, rng=rng)
        self._mean = rng.standard_normal((classes, 1))
        self._shape = rng.standard_normal((2, HARMONICS, classes, 1))

    def next(self, time_s: FloatArray) -> FloatArray:
        """[class, second] over expected power, for the seconds that follow."""
        n = len(time_s)
        turn = 2.0 * np.pi * np.arange(1, HARMONICS + 1)[:, None, None] * time_s / 86400.0
        shape = (self._shape[0] * np.cos(turn) + self._shape[1] * np.sin(turn)).sum(axis=0)
        left = 1.0 - LEVEL_SHARE - FAST_SHARE - OFFSET_SHARE
        moving = np.sqrt(LEVEL_SHARE) * self._level.next(n) + np.sqrt(FAST_SHARE) * self._fast.next(n)
        staying = np.sqrt(OFFSET_SHARE) * self._mean + np.sqrt(left / HARMONICS) * shape
        return np.asarray(COMMON_FRAC * (moving + staying))


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadRows:
    """Rows of a network's loads: its first injectors."""

    s_nominal_va: ComplexArray
    """[row]"""
    row_load: IntArray
    """[row]"""
    many: BoolArray
    """[row] True where its load has several."""
    loads: int


def load_rows(arrays: NetworkArrays) -> LoadRows:
    """Rows of the loads."""
    parts = np.array([len(load.pairs) for load in arrays.model.loads])
    row_load = np.repeat(np.arange(len(parts)), parts)
    return LoadRows(
        s_nominal_va=arrays.injector_s_nominal_va[: len(row_load)],
        row_load=row_load,
        many=parts[row_load] > 1,
        loads=len(parts),
    )


class OwnDeviations:
    """40 % of each load's expected apparent power, in P and in Q each: half of the variance stays for the day, half
    comes and goes within the hour. Of a load with several phases, 15 % is each phase's own."""

    def __init__(self, rows: LoadRows, *, rng: np.random.Generator) -> None:
        self._rows = rows
        shared = np.sqrt(OWN_FRAC**2 - rows.many * UNBALANCE_FRAC**2)
        self._shared = np.sqrt(0.5) * np.concatenate([shared, shared])[:, None]
        self._apart = UNBALANCE_FRAC * np.concatenate([rows.many, rows.many]).astype(np.float64)[:, None]
        self._stays = rng.standard_normal((2 * rows.loads, 1))
        self._goes = Wander(2 * rows.loads, tau_s=OWN_TAU_S, rng=rng)
        self._phases = Wander(2 * len(rows.row_load), tau_s=OWN_TAU_S, rng=rng)

    def next(self, seconds: int) -> ComplexArray:
        """[row, second] over the expected apparent power."""
        rows = self._rows
        of_load = self._stays + self._goes.next(seconds)
        each = np.concatenate([rows.row_load, rows.row_load + rows.loads])
        both = self._shared * of_load[each] + self._apart * self._phases.next(seconds)
        half = len(rows.row_load)
        return np.asarray(both[:half] + 1j * both[half:])
