"""A few virtual minutes of the study of a day (`tests/benchmarks/test_estimation_day.py` lives the whole one), and what
that study stands on: its truth against the product's power flow, its meters against their own statistics."""

from functools import cache

import numpy as np
import pytest

from adms.core.telemetry import FloatArray, PointKind, Quality
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.day import DayResult, run_day
from tests.estimation_study.day_courses import (
    COMMON_FRAC,
    OWN_FRAC,
    CommonDeviations,
    LoadRows,
    OwnDeviations,
    Wander,
)
from tests.estimation_study.day_feeders import DayFeeder, ieee_123
from tests.estimation_study.day_living import Living, moves_of
from tests.estimation_study.day_meters import INTERVAL_S, LATE_S, LOST_FRAC, DayMeters
from tests.estimation_study.day_truth import DayTruth

SEED = 5
EVENING_S = 19 * 3600
MINUTES = 3


@cache
def feeder_123() -> DayFeeder:
    return ieee_123(np.random.default_rng(SEED))


@cache
def evening() -> DayResult:
    return run_day(feeder_123(), seed=SEED, first_s=EVENING_S, seconds=60 * MINUTES)


def test_every_scan_of_some_minutes_has_a_picture_nearer_than_power_flows_on_class_profiles() -> None:
    found = evening()
    assert found.refused == []
    assert sum(hour.scans for hour in found.hours) == 60 * MINUTES
    estimate, _, _, flow, told = found.rms[:5]
    assert estimate < told
    assert estimate < flow


def test_what_some_minutes_say_of_sigma_is_what_the_beliefs_say() -> None:
    # One draw of every load, so wide bounds: the errors of a few minutes share most of their causes.
    found = evening()
    assert 0.85 < found.coverage < 0.995
    assert found.rms[0] < 1.5 * found.rms[1]


def test_the_days_truth_is_the_power_flow() -> None:
    feeder = ieee_123(np.random.default_rng(SEED))
    arrays = feeder.arrays
    emf = np.concatenate([s.emf_pu for s in arrays.sources])[:, None]
    s = feeder.course(np.array([45000.0]))
    v, power = DayTruth(arrays, feeder.grid).solve(s, emf_pu=emf)
    flow = solve_power_flow(arrays, feeder.grid, s_nominal_va=s[:, 0], tolerance_pu=1e-9)
    assert isinstance(flow, PowerFlow)
    # Referee: the product's power flow, itself compared with OpenDSS and pandapower.
    assert np.abs(v[:, 0] - flow.v_phasor_pu).max() < 1e-8
    assert np.abs(1e6 * power[:, 0] - flow.s_injection_va).max() < 1.0


def test_deviations_have_the_stated_spread() -> None:
    rng = np.random.default_rng(1)
    rows = LoadRows(
        s_nominal_va=np.ones(4000, dtype=np.complex128),
        row_load=np.arange(4000),
        many=np.zeros(4000, dtype=np.bool_),
        loads=4000,
    )
    own = OwnDeviations(rows, rng=rng).next(2)
    common = CommonDeviations(4000, rng=rng).next(np.array([30000.0, 30001.0]))
    # Standard error of a standard deviation from 4,000: 1.1 %; five of them.
    assert np.std(own.real) == pytest.approx(OWN_FRAC, rel=0.055)
    assert np.std(own.imag) == pytest.approx(OWN_FRAC, rel=0.055)
    assert np.std(common) == pytest.approx(COMMON_FRAC, rel=0.055)


def test_processes_forget_at_their_time() -> None:
    wander = Wander(20000, tau_s=50.0, rng=np.random.default_rng(2))
    first = wander.next(1)[:, 0]
    later = wander.next(50)[:, -1]
    # Correlation exp(-1) after tau; its standard error is (1 - rho^2) / sqrt(20000) = 0.6 %; five of them.
    assert np.mean(first * later) == pytest.approx(np.exp(-1.0), abs=0.035)
    assert np.var(later) == pytest.approx(1.0, abs=0.05)


def test_two_moves_an_hour_one_step_each() -> None:
    feeder = feeder_123()
    moves = moves_of(feeder, seconds=86400, rng=np.random.default_rng(3))
    assert np.bincount([move.second // 3600 for move in moves]).tolist() == [2] * 24
    before = feeder.grid
    for move in moves:
        off = [move.grid.tap_position[tap] - before.tap_position[tap] for tap in feeder.taps]
        assert sorted(np.abs(off).tolist()) == [0] * (len(off) - 1) + [1]
        before = move.grid


def test_points_drop_out_and_keep_their_last_value_and_its_age() -> None:
    keys = [k for k in feeder_123().keys if k.kind is PointKind.V_MAGNITUDE]
    meters = DayMeters(keys, sigma=np.zeros(len(keys)), rng=np.random.default_rng(4))
    seconds = np.arange(600.0)
    frames = meters.next(np.tile(seconds, (len(keys), 1)), first_s=0)
    there = np.isfinite(frames.value)
    # The reading of every second is the second itself, so a held one says when it was measured.
    assert np.array_equal((seconds - frames.age_s)[there], frames.value[there])
    assert (frames.quality[~there] == Quality.MISSING).all()
    aged = (frames.age_s > 0.0)[:, frames.silent == 0].mean()
    assert aged == pytest.approx(LOST_FRAC, rel=0.3)


def test_interval_means_are_means_and_come_late() -> None:
    feeder = feeder_123()
    keys = [k for k in feeder.keys if k.kind is PointKind.P_AVERAGE]
    meters = DayMeters(keys, sigma=np.zeros(len(keys)), rng=np.random.default_rng(5))
    seconds = np.arange(float(INTERVAL_S + LATE_S[1] + 1.0))
    frames = meters.next(np.tile(seconds, (len(keys), 1)), first_s=0)
    came = np.isfinite(frames.value)
    first = came.argmax(axis=1)
    assert came.any(axis=1).mean() > 0.9
    for row in np.flatnonzero(came.any(axis=1)):
        end = seconds[first[row]] - frames.age_s[row, first[row]]
        assert LATE_S[0] - 1.0 <= frames.age_s[row, first[row]] <= LATE_S[1] + 1.0
        assert frames.value[row, first[row]] == pytest.approx(end - 0.5 * (INTERVAL_S + 1.0))


def test_the_same_seed_is_the_same_day() -> None:
    def beginning() -> tuple[FloatArray, FloatArray]:
        chunk = next(iter(Living(ieee_123(np.random.default_rng(SEED)), seed=SEED, first_s=0, seconds=5).chunks()))
        return chunk.frames.value, chunk.v_pu

    one, other = beginning(), beginning()
    assert np.array_equal(one[0], other[0], equal_nan=True)
    assert np.array_equal(one[1], other[1])
