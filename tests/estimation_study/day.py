"""A day of scans, one a second: the estimator and the forecast of the service against a feeder that lives.

Each second: the image of the telemetry is cut, the state is estimated from the prior of the forecast, the forecast
learns. Beside it, every minute: a power flow on class profiles (taps as reported, open-circuit voltages of the model);
the same told what the meters of head voltage and DER say; and the estimator on class profiles that learns nothing.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from adms.core.estimate import Estimate, NotEstimated, Use
from adms.core.ids import SnapshotId
from adms.core.telemetry import FloatArray, TelemetrySnapshot
from adms.estimation import EstimatorState, LoadPrior, estimate
from adms.forecast import cold_state, learned, predicted_prior, ready
from tests.estimation_study.day_beside import Flows, information_bound
from tests.estimation_study.day_feeders import DAY_S, DayFeeder
from tests.estimation_study.day_hours import Hour
from tests.estimation_study.day_living import CHUNK_S, REPORT_S, Chunk, Living
from tests.estimation_study.day_meters import DayMeters, Frames
from tests.estimation_study.day_truth import DayTruth

HOUR_S = 3600
AFTER_MOVE_S = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class DayResult:
    """What a day came to."""

    hours: list[Hour] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    """(second, reason) of scans without a picture."""
    alarms: list[tuple[int, str]] = field(default_factory=list)
    """(second, points with their normalised residuals) of scans with a rejected point."""
    after_move: list[tuple[int, float]] = field(default_factory=list)
    """(seconds since the last move, rms error) after moves."""

    @property
    def rms(self) -> FloatArray:
        """[10] of the whole day, as `Hour.squares`."""
        squares = np.sum([hour.squares for hour in self.hours], axis=0)
        return np.asarray(np.sqrt(squares / np.maximum(np.sum([hour.counts for hour in self.hours], axis=0), 1)))

    @property
    def coverage(self) -> float:
        """Share of voltages within 1.96 sigma."""
        return sum(hour.covered for hour in self.hours) / max(sum(hour.judged for hour in self.hours), 1)

    def rejected(self) -> Counter[str]:
        """How often each point was."""
        return Counter(part.rsplit(" ", 1)[0] for _, text in self.alarms for part in text.split("; "))

    def lines(self) -> list[str]:
        """What the table of hours does not show."""
        estimate, sigma, cold, flow, told, p, p_cold, forecast, profile, paired = self.rms
        scans = sum(hour.scans for hour in self.hours)
        moved = {since: [e for s, e in self.after_move if s == since] for since in range(AFTER_MOVE_S + 1)}
        late = ", ".join(
            f"{since} s {1e6 * float(np.sqrt(np.mean(np.square(e)))):.0f}" for since, e in moved.items() if e
        )
        often = ", ".join(f"{n} x {point}" for point, n in self.rejected().most_common(6))
        return [
            f"day: {scans} scans, {len(self.refused)} without a picture; rms error, 1e-6 pu: estimate "
            f"{1e6 * estimate:.0f} (sigma {1e6 * sigma:.0f}), on class profiles {cold / paired:.3f} of it, power flow "
            f"on class profiles {1e6 * flow:.0f}, and told head voltage and DER {1e6 * told:.0f}",
            f"within 1.96 sigma {100 * self.coverage:.2f} %; P of single loads, kW: estimate {1e-3 * p:.2f}, estimate "
            f"on class profiles {1e-3 * p_cold:.2f}, forecast {1e-3 * forecast:.2f}, profiles {1e-3 * profile:.2f}",
            f"scans with an alarm {100 * len(self.alarms) / max(scans, 1):.2f} %; rejected most: {often or 'none'}",
            f"rms error after a move, 1e-6 pu (every other one is reported {REPORT_S} s late): {late or 'no move'}",
            *(f"no picture at {second} s: {why}" for second, why in self.refused[:5]),
        ]


def run_day(
    feeder: DayFeeder,
    *,
    seed: int,
    first_s: int = 0,
    seconds: int = DAY_S,
    bounded: bool = True,
    show: Callable[[str], None] | None = None,
) -> DayResult:
    """One scan a second.

    Args:
        feeder: what.
        seed: of everything that is drawn here.
        first_s: where in the day it begins; the service starts cold there.
        seconds: how long.
        bounded: the referee inverts the information matrix in the middle of every hour.
        show: told each hour's line.
    """
    ready()
    day = _Day(feeder, seed=seed, first_s=first_s, seconds=seconds, bounded=bounded)
    for chunk in day.living.chunks():
        for i in range(chunk.v_pu.shape[1]):
            second = chunk.first_s + i
            day.scan(chunk, i)
            if (second + 1) % HOUR_S == 0 or second + 1 == seconds:
                day.close_hour(show)
    return day.result


class _Day:
    """What is carried from scan to scan."""

    def __init__(self, feeder: DayFeeder, *, seed: int, first_s: int, seconds: int, bounded: bool) -> None:
        self._feeder, self._first_s, self._bounded = feeder, first_s, bounded
        arrays, policy = feeder.arrays, feeder.policy
        self.living = Living(feeder, seed=seed, first_s=first_s, seconds=seconds)
        self.result = DayResult()
        self._hour = Hour(number=first_s // HOUR_S)
        self._nodes = np.flatnonzero(DayTruth(arrays, feeder.grid).hangs_on(0))
        self._loads = np.flatnonzero(~arrays.injector_is_der)
        self._forecast = self._cold = cold_state(arrays, policy=feeder.forecast, estimation=policy)
        self._prior: LoadPrior | None = None
        self._state: EstimatorState | None = None
        self._cold_state: EstimatorState | None = None
        self._flows = Flows(feeder)
        self._v_flow = self._v_told = np.full(len(self._nodes), np.nan)
        self._reported = feeder.grid
        self._reports = [(m.reported, m.grid) for m in self.living.moves]
        self._moved = {m.second for m in self.living.moves}
        self._last_move = -DAY_S

    def scan(self, chunk: Chunk, i: int) -> None:
        """One second."""
        second, hour, feeder = chunk.first_s + i, self._hour, self._feeder
        if second in self._moved:
            self._last_move = second
        while self._reports and self._reports[0][0] <= second:
            self._reported = self._reports.pop(0)[1]
        now = feeder.midnight + timedelta(seconds=self._first_s + second)
        snap = snapshot_of(feeder, self.living.meters, chunk.frames, i=i, now=now)
        v_true = chunk.v_pu[self._nodes, i]
        hour.scans += 1
        hour.moves += second in self._moved
        hour.silent += int(chunk.frames.silent[i] > 0)
        got = self._estimated(snap, now=now)
        if second % CHUNK_S == 0 or second in self._moved:
            self._beside(snap, got, chunk, i, now=now)
        hour.of_flows(self._v_flow - v_true, self._v_told - v_true)
        if isinstance(got, NotEstimated):
            self.result.refused.append((second, got.reason))
            hour.refused += 1
        else:
            self._judged(got, snap, v_true, second=second)

    def _estimated(self, snap: TelemetrySnapshot, *, now: datetime) -> Estimate | NotEstimated:
        feeder, grid = self._feeder, self._reported
        begin = time.perf_counter()
        self._prior = predicted_prior(
            self._forecast, arrays=feeder.arrays, now=now, policy=feeder.policy, snapshot=snap
        )
        predicted = time.perf_counter()
        system = None if self._state is None else self._state.system
        self._state, got = self._scanned(snap, self._prior, self._state)
        done = time.perf_counter()
        self._forecast = learned(self._forecast, estimate=got, snapshot=snap, arrays=feeder.arrays, grid=grid, now=now)
        self._hour.times += (predicted - begin, done - predicted, time.perf_counter() - done)
        self._hour.refactored += self._state is not None and system is not self._state.system
        return got

    def _scanned(
        self, snap: TelemetrySnapshot, prior: LoadPrior, state: EstimatorState | None
    ) -> tuple[EstimatorState | None, Estimate | NotEstimated]:
        return estimate(
            snap,
            arrays=self._feeder.arrays,
            grid=self._reported,
            unknown=frozenset(),
            prior=prior,
            policy=self._feeder.policy,
            state=state,
        )

    def _beside(
        self, snap: TelemetrySnapshot, got: Estimate | NotEstimated, chunk: Chunk, i: int, *, now: datetime
    ) -> None:
        """What knows less: by class profiles, and with PV as its neighbours say."""
        arrays, policy, grid = self._feeder.arrays, self._feeder.policy, self._reported
        nothing = predicted_prior(self._cold, arrays=arrays, now=now, policy=policy, snapshot=None)
        profiles = predicted_prior(self._cold, arrays=arrays, now=now, policy=policy, snapshot=snap)
        self._v_flow = self._flows.alone(nothing, grid=grid)[self._nodes]
        self._v_told = self._flows.told(profiles, snap, grid=grid)[self._nodes]
        self._cold_state, plain = self._scanned(snap, profiles, self._cold_state)
        if isinstance(got, Estimate) and isinstance(plain, Estimate) and self._prior is not None:
            off = (np.abs(e.v_phasor_pu[self._nodes]) - chunk.v_pu[self._nodes, i] for e in (plain, got))
            self._hour.of_cold(next(off), estimate=next(off))
            believed = (got.s_injection_va, plain.s_injection_va, self._prior.s_nominal_va, profiles.s_nominal_va)
            self._hour.of_loads(*(s[self._loads].real - chunk.p_load_w[:, i] for s in believed))

    def _judged(self, got: Estimate, snap: TelemetrySnapshot, v_true: FloatArray, *, second: int) -> None:
        hour, nodes = self._hour, self._nodes
        error, sigma = np.abs(got.v_phasor_pu[nodes]) - v_true, got.sigma_v_pu[nodes]
        hour.of_estimate(got, error=error, sigma=sigma, node=nodes)
        since = second - self._last_move
        if since <= AFTER_MOVE_S:
            self.result.after_move.append((since, float(np.sqrt(np.mean(error**2)))))
        if Use.REJECTED in got.innovations.use:
            hour.alarms += 1
            hour.alarms_at_moves += since < REPORT_S
            self.result.alarms.append((second, _rejections(got)))
        if self._bounded and second % HOUR_S == HOUR_S // 2 and self._prior is not None:
            bound = information_bound(self._feeder, snap, got, prior=self._prior, grid=self._reported, nodes=nodes)
            hour.bound.append(bound)
            hour.sigma_there.append(float(np.sqrt(np.mean(sigma**2))))

    def close_hour(self, show: Callable[[str], None] | None) -> None:
        """The hour is over."""
        self.result.hours.append(self._hour)
        if show:
            show(self._hour.line())
        self._hour = Hour(number=self._hour.number + 1)


def snapshot_of(feeder: DayFeeder, meters: DayMeters, frames: Frames, *, i: int, now: datetime) -> TelemetrySnapshot:
    """The image at one second of some frames."""
    return TelemetrySnapshot(
        snapshot_id=SnapshotId(now.isoformat()),
        cut_time=now,
        model_version=feeder.arrays.version,
        table=meters.table,
        value=frames.value[:, i],
        sigma=feeder.sigma,
        age_s=frames.age_s[:, i],
        quality=frames.quality[:, i],
    )


def _rejections(got: Estimate) -> str:
    seen = got.innovations
    return "; ".join(
        f"{k.kind.value} {k.element}.{k.phase} {z:+.1f}"
        for k, use, z in zip(seen.keys, seen.use, seen.normalized, strict=True)
        if use is Use.REJECTED
    )
