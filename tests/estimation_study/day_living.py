"""A feeder that lives: taps that move, sources that wander, and the telemetry of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adms.core.telemetry import FloatArray
from adms.grid.arrays import S_BASE_VA
from adms.grid.state import GridState
from tests.estimation_study.day_courses import Wander
from tests.estimation_study.day_feeders import DayFeeder
from tests.estimation_study.day_meters import DayMeters, Frames
from tests.estimation_study.day_truth import DayTruth
from tests.estimation_study.meter_functions import MeterFunctions

CHUNK_S = 60
MOVES_PER_H = 2
REPORT_S = 2
"""Every other move is reported so much later."""
SOURCE_TAU_S = 2 * 3600.0
WANDER_STEPS = 3
"""How far a tap goes from where it was."""
_APART_S = 20


@dataclass(frozen=True, kw_only=True)
class Move:
    """A tap that moves."""

    second: int
    reported: int
    grid: GridState


def moves_of(feeder: DayFeeder, *, seconds: int, rng: np.random.Generator) -> list[Move]:
    """Two in every hour (all taps of a feeder whose taps move together in one), at times apart."""
    moves: list[Move] = []
    grid = feeder.grid
    for first in range(0, seconds, 3600):
        for k in range(MOVES_PER_H):
            half = 3600 // MOVES_PER_H
            second = first + k * half + int(rng.integers(_APART_S, half - _APART_S))
            chosen = feeder.taps if feeder.together else (feeder.taps[int(rng.integers(len(feeder.taps)))],)
            off = grid.tap_position[chosen[0]] - feeder.grid.tap_position[chosen[0]]
            step = int(rng.choice((-1, 1))) if abs(off) < WANDER_STEPS else -int(np.sign(off))
            for tap in chosen:
                grid = grid.with_tap(tap, position=grid.tap_position[tap] + step)
            if second < seconds:
                moves.append(Move(second=second, reported=second + REPORT_S * (len(moves) % 2), grid=grid))
    return moves


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Some seconds in one grid state."""

    first_s: int
    v_pu: FloatArray
    """[node, second] magnitudes."""
    p_load_w: FloatArray
    """[load row, second] injected."""
    frames: Frames


class Living:
    """The feeder as it truly is, and its telemetry."""

    def __init__(self, feeder: DayFeeder, *, seed: int, first_s: int, seconds: int) -> None:
        """Args as of `run_day`."""
        rng = np.random.default_rng([seed, 1])
        self._feeder, self._first_s, self._seconds = feeder, first_s, seconds
        self.moves = moves_of(feeder, seconds=seconds, rng=rng)
        self.meters = DayMeters(feeder.keys, sigma=feeder.sigma, rng=rng)
        self._emf = np.concatenate([s.emf_pu for s in feeder.arrays.sources])[:, None]
        self._source = [Wander(len(self._emf), tau_s=SOURCE_TAU_S, rng=rng) for _ in range(2)]

    def chunks(self) -> Iterator[Chunk]:
        """The day in pieces without a move inside."""
        arrays, grid = self._feeder.arrays, self._feeder.grid
        cuts = sorted({*range(0, self._seconds, CHUNK_S), *(m.second for m in self.moves), self._seconds})
        at = {m.second: m.grid for m in self.moves}
        truth: DayTruth | None = None
        for first, end in pairwise(cuts):
            if truth is None or first in at:
                grid = at.get(first, grid)
                truth, perfect = DayTruth(arrays, grid), MeterFunctions(arrays, grid, keys=self._feeder.keys)
            yield self._solved(first, end, truth=truth, perfect=perfect)

    def _solved(self, first: int, end: int, *, truth: DayTruth, perfect: MeterFunctions) -> Chunk:
        n, policy = end - first, self._feeder.policy
        radial = policy.source_v_sigma_pu / np.abs(self._emf) * self._source[0].next(n)
        emf = self._emf * (1.0 + radial + 1j * policy.source_angle_sigma_rad * self._source[1].next(n))
        s = self._feeder.course(self._first_s + np.arange(first, end, dtype=np.float64))
        v, power = truth.solve(s, emf_pu=emf)
        value = perfect.value(np.concatenate([v, emf]), s_pu=power)
        return Chunk(
            first_s=first,
            v_pu=np.abs(v),
            p_load_w=S_BASE_VA * power.real[~self._feeder.arrays.injector_is_der],
            frames=self.meters.next(value, first_s=first),
        )
