"""Forecast and estimator together, as the service runs them from scan to scan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.estimate import Estimate, NotEstimated, Use
from adms.core.ids import ElementId, ModelVersion
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.estimation import AgeingPolicy
from adms.forecast import ClassMotion, ClassProfile, DailyShape, ForecastPolicy, ForecastState, predicted_prior
from adms.grid.reported import ReportedGrid
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from adms.service.scan import Scan, ScanState
from tests.unit.estimation.scans import (
    POLICY,
    flow_keys,
    injection_keys,
    snapshot,
    true_values,
    usual_sigma,
    voltage_keys,
)
from tests.unit.powerflow.networks import arrays_of, four_buses, peak_va

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
KNOWN = ReportedGrid(grid=GRID, unknown=frozenset())
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
FLAT = ForecastPolicy(
    profiles=(ClassProfile(name="unknown", level_frac=0.9, weekday=DailyShape(), weekend=DailyShape()),)
)
ESTIMATION = replace(
    POLICY,
    ageing=AgeingPolicy(
        load_tau_s=FLAT.own_fast_tau_s,
        load_stays_share=FLAT.own_level_share,
        der_tau_s=1800.0,
        v_sigma_pu=0.005,
        v_tau_s=1800.0,
        skew_s=0.5,
        average_interval_s=FLAT.meter_interval_s,
        average_max_age_s=7200.0,
    ),
)
LOADS = ~ARRAYS.injector_is_der
METERED_LOAD = ARRAYS.model.loads[-1]


def bound(forecast: ForecastPolicy = FLAT) -> Scan:
    return Scan(ARRAYS, estimation=ESTIMATION, forecast=forecast)


def truth(factor: float, now: datetime) -> TelemetrySnapshot:
    """Perfect telemetry of head, PV and two voltages; loads at `factor` times nominal."""
    s = peak_va(ARRAYS)
    s[LOADS] *= factor
    flow = solve_power_flow(ARRAYS, GRID, s_nominal_va=s, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    keys = [*voltage_keys(ARRAYS, ("1", "3")), *flow_keys(ARRAYS, ("line.l12",))]
    keys += injection_keys(("der.pv3", "source.main"))
    value = true_values(ARRAYS, GRID, flow=flow, keys=keys)
    sigma = usual_sigma(ARRAYS, keys, value)
    return replace(snapshot(ARRAYS, keys, value=value, sigma=sigma), cut_time=now)


def with_average(taken: TelemetrySnapshot, p_w: float, *, age_s: float) -> TelemetrySnapshot:
    key = PointKey(kind=PointKind.P_AVERAGE, element=METERED_LOAD.id)
    quality = Quality.STALE if age_s > POLICY.telemetry_max_age_s else Quality.GOOD
    return replace(
        taken,
        table=type(taken.table)(keys=(*taken.table.keys, key)),
        value=np.append(taken.value, p_w),
        sigma=np.append(taken.sigma, 200.0),
        age_s=np.append(taken.age_s, age_s),
        quality=np.append(taken.quality, int(quality)),
    )


def an_hour(scan: Scan, factor: float, *, positions: ReportedGrid = KNOWN) -> tuple[ScanState, datetime]:
    """A scan a minute."""
    state, now = None, NOON
    for _ in range(60):
        state, picture = scan(truth(factor, now), positions=positions, state=state)
        assert isinstance(picture, Estimate)
        now += timedelta(seconds=60)
    assert state is not None
    return state, now


def expected_w(state: ScanState, now: datetime) -> float:
    """Sum of the loads that the next scan will expect."""
    prior = predicted_prior(state.forecast, arrays=ARRAYS, now=now, policy=POLICY, snapshot=None)
    return float(prior.s_nominal_va[LOADS].real.sum())


NOMINAL_W = float(ARRAYS.injector_s_nominal_va[LOADS].real.sum())


def test_the_first_scan_expects_the_class_profile() -> None:
    """Without telemetry the picture's loads are the profile's: 0.9 times nominal, by the load law at their voltages."""
    taken = truth(1.3, NOON)
    blind = replace(taken, quality=np.full(len(taken.quality), int(Quality.MISSING), dtype=np.int64))
    _, picture = bound()(blind, positions=KNOWN, state=None)
    assert isinstance(picture, Estimate)
    assert picture.s_injection_va[LOADS].real.sum() == pytest.approx(0.9 * NOMINAL_W, rel=0.05)
    state, _ = bound()(taken, positions=KNOWN, state=None)
    assert expected_w(replace(state, forecast=cold(bound())), NOON) == pytest.approx(0.9 * NOMINAL_W, rel=1e-12)


def cold(scan: Scan) -> ForecastState:
    """What a scan that knows nothing starts from."""
    state, _ = scan(replace(truth(1.0, NOON), model_version=ModelVersion("another")), positions=KNOWN, state=None)
    return state.forecast


def test_after_an_hour_the_class_follows_the_truth_and_a_restart_begins_with_the_profile() -> None:
    scan = bound()
    state, now = an_hour(scan, 1.2)
    assert expected_w(state, now) == pytest.approx(1.2 * NOMINAL_W, rel=0.02)
    again, _ = bound()(truth(1.2, now), positions=KNOWN, state=None)
    # One scan has taught the new service a part of it.
    assert expected_w(again, now) != pytest.approx(expected_w(state, now), rel=0.001)
    assert expected_w(replace(again, forecast=cold(bound())), now) == pytest.approx(0.9 * NOMINAL_W)


def test_nothing_is_learned_while_a_position_is_unknown() -> None:
    unknown = ReportedGrid(grid=GRID, unknown=frozenset({ElementId("switch.x")}))
    state, now = an_hour(bound(), 1.2, positions=unknown)
    assert expected_w(state, now) == pytest.approx(0.9 * NOMINAL_W, rel=1e-12)


def test_a_failed_estimate_forgets_nothing() -> None:
    scan = bound()
    state, now = an_hour(scan, 1.2)
    other = replace(truth(1.2, now), model_version=ModelVersion("another"))
    after, picture = scan(other, positions=KNOWN, state=state)
    assert isinstance(picture, NotEstimated)
    assert after.estimator is state.estimator
    assert expected_w(after, now) == pytest.approx(expected_w(state, now), rel=1e-12)


def test_a_late_meter_of_a_load_is_weighed_once() -> None:
    """By the forecast, from the next scan on; never as a measurement beside it."""
    scan = bound()
    p = float(ARRAYS.injector_s_nominal_va[ARRAYS.injector_rows[METERED_LOAD.id]].real.sum())
    state, last = None, None
    for second in range(3):
        taken = with_average(truth(1.0, NOON + timedelta(seconds=second)), 1.5 * p, age_s=1800.0 + second)
        state, picture = scan(taken, positions=KNOWN, state=state)
        assert isinstance(picture, Estimate)
        seen = picture.innovations
        at = [key.kind for key in seen.keys].index(PointKind.P_AVERAGE)
        assert seen.use[at] is not Use.USED
        assert seen.why[at] == "the forecast rests on it already"
        rows = ARRAYS.injector_rows[METERED_LOAD.id]
        last, before = picture.s_injection_va[rows].real.sum(), last
        if before is not None and second == 1:
            assert last / before > 1.05
        elif before is not None:
            assert last == pytest.approx(before, rel=1e-3)


def test_the_factor_of_the_last_scan_serves_the_next_ones() -> None:
    """An hour of perfect telemetry, twice a minute: the prior moves all the time, and the factored matrix follows only
    while the forecast learns what is far from its profile (measured: 2 factors in 120 scans)."""
    scan = bound()
    state, system, made, now = None, None, 0, NOON
    for _ in range(120):
        state, _ = scan(truth(1.2, now), positions=KNOWN, state=state)
        assert state.estimator is not None
        made += state.estimator.system is not system
        system = state.estimator.system
        now += timedelta(seconds=30)
    assert made <= 4


def test_a_policy_that_cannot_be_is_refused_when_the_service_starts() -> None:
    with pytest.raises(InputError, match="harmonics"):
        bound(replace(FLAT, motion=replace(ClassMotion(), harmonics=0)))
