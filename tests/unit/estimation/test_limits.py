"""Loads whose best voltage is at a limit of their voltage law. The 4-bus feeder behind a delta-wye bank at full load
has three of them near 0.75 of nominal, OpenDSS's Vminpu there; only what source and loads draw is metered, so that the
voltages are left to the loads' laws."""

from dataclasses import replace

import numpy as np

from adms.core.estimate import Estimate
from adms.core.telemetry import FloatArray, PointKey, PointKind, TelemetrySnapshot
from adms.estimation import EstimatorState, estimate, prior_from_model
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.networks import arrays_of, grid_of
from tests.estimation_study.referee import Optimum, Referee
from tests.unit.estimation.scans import POLICY, snapshot

ARRAYS = arrays_of("4bus_dy")
GRID = grid_of("4bus_dy")
EXACT = replace(POLICY, alarm_probability=0.0, tolerance_pu=1e-10)
PRIOR = prior_from_model(ARRAYS, EXACT)
METERED = [*(load.id for load in ARRAYS.model.loads), *(source.id for source in ARRAYS.model.sources)]
KEYS = tuple(
    PointKey(kind=kind, element=element)
    for element in METERED
    for kind in (PointKind.P_INJECTION, PointKind.Q_INJECTION)
)
USUAL = solve_power_flow(ARRAYS, GRID, s_nominal_va=ARRAYS.injector_s_nominal_va)
WIDTH_PU = 1e-8
"""That corners are still round when steps end."""


def readings(seed: int) -> tuple[FloatArray, FloatArray]:
    """(values, sigmas) of perfect meters; each phase draws between a fifth and 1.3 times the deck's."""
    share = np.random.default_rng(seed).uniform(0.2, 1.3, len(ARRAYS.injectors))
    flow = solve_power_flow(ARRAYS, GRID, s_nominal_va=share * ARRAYS.injector_s_nominal_va, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    wide = np.concatenate([flow.v_phasor_pu, *(source.emf_pu for source in ARRAYS.sources)])
    value = MeterFunctions(ARRAYS, GRID, keys=KEYS).value(wide, s_pu=flow.s_injection_va / 1e6)
    return value, np.maximum(0.01 * np.abs(value), 1000.0)


def estimated(taken: TelemetrySnapshot, state: EstimatorState | None = None) -> tuple[EstimatorState, Estimate]:
    state, got = estimate(taken, arrays=ARRAYS, grid=GRID, unknown=frozenset(), prior=PRIOR, policy=EXACT, state=state)
    assert isinstance(got, Estimate)
    assert state is not None
    return state, got


def refereed(value: FloatArray, sigma: FloatArray) -> Optimum:
    """Full Gauss-Newton that adds what it crosses as an equality: it ends where at most one load is at a limit."""
    assert isinstance(USUAL, PowerFlow)
    referee = Referee(
        ARRAYS,
        GRID,
        keys=KEYS,
        sigma=sigma,
        prior=PRIOR,
        source_v_sigma_pu=EXACT.source_v_sigma_pu,
        source_angle_sigma_rad=EXACT.source_angle_sigma_rad,
    )
    return referee.solve(value, v_start_pu=USUAL.v_phasor_pu)


def test_at_corners_the_optimum_is_found_and_is_never_worse_than_the_referees() -> None:
    at_one = alone = 0
    for seed in range(30):
        value, sigma = readings(seed)
        _, got = estimated(snapshot(ARRAYS, KEYS, value=value, sigma=sigma))
        assert "limits of their voltage laws" not in got.reason, seed
        expected = refereed(value, sigma)
        if expected.step_pu > 1e-8:
            alone += 1
        assert got.chi2 < expected.chi2 + 1e-6
        if expected.held:
            at_one += 1
            away = float(np.nanmax(np.abs(got.v_phasor_pu - expected.v_phasor_pu)))
            assert away < 10.0 * WIDTH_PU, seed
    assert at_one >= 5
    assert alone >= 5


def test_a_warm_scan_at_a_corner_ends_where_the_last_one_did() -> None:
    """Seeds 4, 5, 15 and 17, whose optimum has one load at its limit; a millionth of noise is added."""
    for seed in (4, 5, 15, 17):
        value, sigma = readings(seed)
        state, cold = estimated(snapshot(ARRAYS, KEYS, value=value, sigma=sigma))
        _, warm = estimated(snapshot(ARRAYS, KEYS, value=value + 1e-6 * sigma, sigma=sigma), state)
        assert float(np.nanmax(np.abs(warm.v_phasor_pu - cold.v_phasor_pu))) < 1e-6
