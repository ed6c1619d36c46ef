"""The forecast as a whole on a small network: cold, learning from the estimator, from late meters, and refusing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.estimate import ComplexArray, Estimate, Grade, NotEstimated
from adms.core.ids import ModelVersion
from adms.core.telemetry import FloatArray, PointKey, PointKind, PointTable, TelemetrySnapshot
from adms.estimation import LoadPrior
from adms.forecast import (
    ClassMotion,
    ClassProfile,
    DailyShape,
    ForecastPolicy,
    ForecastState,
    cold_state,
    learned,
    predicted_prior,
)
from adms.forecast.load_filter import deviations
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import (
    POLICY,
    flow_keys,
    injection_keys,
    scan,
    snapshot,
    true_values,
    usual_sigma,
    voltage_keys,
)
from tests.unit.powerflow.networks import arrays_of, four_buses, peak_va

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
FLAT = ForecastPolicy(profiles=(ClassProfile(name="unknown", weekday=DailyShape(), weekend=DailyShape()),))
LOADS = ~ARRAYS.injector_is_der
NAMES = [load.id for load in ARRAYS.model.loads]


def cold(policy: ForecastPolicy = FLAT) -> ForecastState:
    return cold_state(ARRAYS, policy=policy, estimation=POLICY)


def prior_of(state: ForecastState, now: datetime = NOON, taken: TelemetrySnapshot | None = None) -> LoadPrior:
    return predicted_prior(state, arrays=ARRAYS, now=now, policy=POLICY, snapshot=taken)


def covariance_of(prior: LoadPrior) -> tuple[FloatArray, FloatArray]:
    """[injector, injector] of P, and of Q, that a prior states."""
    factor = np.zeros((len(prior.s_nominal_va), prior.shared.modes), dtype=np.complex128)
    np.add.at(factor, (prior.shared.injector, prior.shared.mode), prior.shared.s_va)
    of_p = factor.real @ factor.real.T + np.diag(prior.sigma_p_va**2)
    return of_p, factor.imag @ factor.imag.T + np.diag(prior.sigma_q_va**2)


def scanned(
    s_va: ComplexArray, *, now: datetime, prior: LoadPrior, arrays: NetworkArrays = ARRAYS
) -> tuple[TelemetrySnapshot, Estimate]:
    """Perfect telemetry of head, PV and two voltages, estimated."""
    flow = solve_power_flow(arrays, GRID, s_nominal_va=s_va, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    keys = [*voltage_keys(arrays, ("1", "3")), *flow_keys(arrays, ("line.l12",))]
    keys += injection_keys(("der.pv3", "source.main"))
    value = true_values(arrays, GRID, flow=flow, keys=keys)
    taken = replace(snapshot(arrays, keys, value=value, sigma=usual_sigma(arrays, keys, value)), cut_time=now)
    return taken, scan(taken, arrays, grid=GRID, prior=prior)[1]


def taught(state: ForecastState, factor: float, *, steps: int, now: datetime = NOON) -> tuple[ForecastState, datetime]:
    """A truth of `factor` times nominal for some minutes."""
    truth = peak_va(ARRAYS)
    truth[LOADS] *= factor
    taken, estimate = scanned(truth, now=now, prior=prior_of(state, now))
    for _ in range(steps):
        taken = replace(taken, cut_time=now)
        state = learned(state, estimate=estimate, snapshot=taken, arrays=ARRAYS, grid=GRID, now=now)
        now += timedelta(seconds=60)
    return state, now


def metered(values: dict[str, float], *, now: datetime, age_s: float) -> TelemetrySnapshot:
    """Only interval means of some loads."""
    keys = tuple(PointKey(kind=PointKind.P_AVERAGE, element=name) for name in values)
    taken = snapshot(ARRAYS, keys, value=np.array(list(values.values())), sigma=np.full(len(values), 200.0))
    return replace(taken, table=PointTable(keys=keys), age_s=np.full(len(values), age_s), cut_time=now)


def nothing(now: datetime) -> NotEstimated:
    return NotEstimated(
        snapshot_id=snapshot(ARRAYS, (), value=np.zeros(0), sigma=np.zeros(0)).snapshot_id, time=now, reason=""
    )


def test_the_loads_of_a_phase_share_what_the_estimators_policy_says_beyond_their_class() -> None:
    """Hand calculation: 0.15^2 + 0.1^2 times the product of two loads' powers of one phase, 0.15^2 of two phases."""
    of_p, _ = covariance_of(prior_of(cold()))
    p = ARRAYS.injector_s_nominal_va.real
    phase = [ARRAYS.nodes[fr].phase for fr in ARRAYS.injector_fr]
    element = [injector.element for injector in ARRAYS.injectors]
    rows = np.flatnonzero(LOADS)
    apart = [(a, b) for a in rows for b in rows if element[a] != element[b]]
    assert {phase[a] == phase[b] for a, b in apart} == {True, False}
    for a, b in apart:
        common = 0.15**2 + (0.1**2 if phase[a] == phase[b] else 0.0)
        assert of_p[a, b] == pytest.approx(common * p[a] * p[b], rel=1e-9)


def test_the_modes_move_the_same_injectors_at_every_time() -> None:
    state = cold()
    first = prior_of(state).shared
    for hour in range(24):
        later = prior_of(state, NOON + timedelta(hours=hour)).shared
        assert np.array_equal(later.injector, first.injector)
        assert np.array_equal(later.mode, first.mode)


def test_a_prior_says_which_meters_it_rests_on() -> None:
    keys = (
        PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=1),
        PointKey(kind=PointKind.P_AVERAGE, element=NAMES[0]),
        PointKey(kind=PointKind.V_AVERAGE, element="b", phase=1),
    )
    taken = snapshot(ARRAYS, keys, value=np.ones(3), sigma=np.ones(3))
    assert prior_of(cold(), taken=taken).told.tolist() == [1]
    assert prior_of(cold()).told.tolist() == []


def test_a_cold_service_states_its_class_profile_with_40_percent_own_and_15_percent_common() -> None:
    apart = replace(POLICY, phase_scale_sigma_frac=0.0)
    prior = predicted_prior(cold(), arrays=ARRAYS, now=NOON, policy=apart, snapshot=None)
    nominal = ARRAYS.injector_s_nominal_va
    assert prior.s_nominal_va[LOADS] == pytest.approx(nominal[LOADS])
    of_p, _ = covariance_of(prior)
    size = np.abs(nominal)
    # A single-row load: own part 0.4 |S|, and what the class has in common 0.15 P.
    for row in (3, 4, 5):
        assert of_p[row, row] == pytest.approx((0.4 * size[row]) ** 2 + (0.15 * nominal[row].real) ** 2, rel=1e-9)
        assert of_p[row, 0] == pytest.approx(0.15**2 * nominal[row].real * nominal[0].real, rel=1e-9)
    # The rows of the three-phase load are as uncertain each, and move together but for 15 % of their own.
    assert of_p[0, 0] == pytest.approx((0.4 * size[0]) ** 2 + (0.15 * nominal[0].real) ** 2, rel=1e-9)
    apart = of_p[0, 0] + of_p[1, 1] - 2.0 * of_p[0, 1]
    along = (nominal[0].real / size[0]) ** 2
    assert apart == pytest.approx(2.0 * size[0] ** 2 * (0.15**2 + (0.16 - 0.15**2) * (1.0 - along)), rel=1e-9)


def test_the_hour_of_the_day_is_that_of_the_place() -> None:
    # UNKNOWN peaks at 15:30 local time.
    east = replace(ForecastPolicy(), utc_offset_h=3.5)
    assert prior_of(cold(east)).s_nominal_va[3] == pytest.approx(1.2 * ARRAYS.injector_s_nominal_va[3])


def test_the_class_follows_the_head_meter_and_keeps_what_it_learned_when_telemetry_goes() -> None:
    state, now = taught(cold(), 1.25, steps=10)
    off = now + timedelta(hours=1)
    before, soon, later = prior_of(cold(), now), prior_of(state, now), prior_of(state, off)
    truth = 1.25 * ARRAYS.injector_s_nominal_va[LOADS].sum().real
    wrong = [abs(p.s_nominal_va[LOADS].sum().real / truth - 1.0) for p in (before, soon, later)]
    assert wrong[0] == pytest.approx(0.2)
    assert wrong[1] < 0.01
    assert wrong[2] < 0.08
    process = state.columns.process
    sigma = [
        np.sqrt(deviations(state.filter, process=process, time_s=at.timestamp(), hour=at.hour)[1][0, 0])
        for at in (now, off, off + timedelta(days=300))
    ]
    # Cold: what four loads of unequal size own in their sum (0.4 |S| each, over P), and 0.15 in common.
    size = np.array([abs(complex(load.p_w, load.q_var)) for load in ARRAYS.model.loads])
    unbalance = np.where(size == size[0], 0.15**2, 0.0)
    total = sum(load.p_w for load in ARRAYS.model.loads)
    own = ((size / total) ** 2 * (0.16 - unbalance)).sum()
    assert sigma[2] == pytest.approx(np.sqrt(own + 0.15**2), rel=1e-3)
    # A minute after the meter: a fifth of it; an hour after: most of it, as what comes and goes does so within 45 min.
    assert sigma[0] < 0.2 * sigma[2] < sigma[1] < sigma[2]


def test_what_the_estimator_only_expects_teaches_nothing() -> None:
    # Voltages alone: no border is metered, so the estimate's loads are the prior's.
    truth = 1.3 * peak_va(ARRAYS)
    flow = solve_power_flow(ARRAYS, GRID, s_nominal_va=truth)
    assert isinstance(flow, PowerFlow)
    keys = voltage_keys(ARRAYS, ("1",))
    value = true_values(ARRAYS, GRID, flow=flow, keys=keys)
    taken = snapshot(ARRAYS, keys, value=value, sigma=usual_sigma(ARRAYS, keys, value))
    state = cold()
    estimate = scan(taken, ARRAYS, grid=GRID, prior=prior_of(state))[1]
    estimate = replace(estimate, grade=Grade.PARTIAL)
    after = learned(state, estimate=estimate, snapshot=taken, arrays=ARRAYS, grid=GRID, now=NOON)
    assert (after.filter.x == 0.0).all()


@pytest.mark.parametrize("grade", [Grade.FAILED, Grade.INCONSISTENT])
def test_an_untrusted_estimate_teaches_nothing(grade: Grade) -> None:
    state = cold()
    taken, estimate = scanned(1.3 * peak_va(ARRAYS), now=NOON, prior=prior_of(state))
    for bad in (replace(estimate, grade=grade), nothing(NOON)):
        after = learned(state, estimate=bad, snapshot=taken, arrays=ARRAYS, grid=GRID, now=NOON)
        assert after.filter is state.filter
        assert after.levels is state.levels


def test_between_two_steps_of_the_filter_a_scan_costs_it_nothing() -> None:
    state = cold()
    taken, estimate = scanned(1.3 * peak_va(ARRAYS), now=NOON, prior=prior_of(state))
    one = learned(state, estimate=estimate, snapshot=taken, arrays=ARRAYS, grid=GRID, now=NOON)
    again = learned(one, estimate=estimate, snapshot=taken, arrays=ARRAYS, grid=GRID, now=NOON + timedelta(seconds=59))
    assert again.filter is one.filter


def test_late_meters_bring_each_load_closer_and_its_sigma_down() -> None:
    # Loads at 60, 140 and 100 % of nominal for a day, their quarter hours an hour late.
    truth = {NAMES[1]: 0.6, NAMES[2]: 1.4, NAMES[3]: 1.0}
    power = {load.id: load.p_w for load in ARRAYS.model.loads}
    state, now = cold(), NOON
    for _ in range(96):
        taken = metered({name: -share * power[name] for name, share in truth.items()}, now=now, age_s=3600.0)
        state = learned(state, estimate=nothing(now), snapshot=taken, arrays=ARRAYS, grid=GRID, now=now)
        now += timedelta(minutes=15)
    prior, first = prior_of(state, now), prior_of(cold(), now)
    nominal = ARRAYS.injector_s_nominal_va.real
    for row, name in ((3, NAMES[1]), (4, NAMES[2]), (5, NAMES[3])):
        assert prior.s_nominal_va[row].real == pytest.approx(truth[name] * nominal[row], rel=0.06)
        assert prior.sigma_p_va[row] < 0.85 * first.sigma_p_va[row]
        # Nobody metered Q.
        assert prior.sigma_q_va[row] == pytest.approx(first.sigma_q_va[row])
    assert prior.s_nominal_va[0] == pytest.approx(first.s_nominal_va[0])


def test_a_late_meter_is_read_against_the_class_as_it_was_then() -> None:
    # The class was at 130 % an hour ago: a load that drew 130 % then is an ordinary one.
    state, now = taught(cold(), 1.3, steps=75)
    power = ARRAYS.model.loads[1].p_w
    taken = metered({NAMES[1]: -1.3 * power}, now=now, age_s=1800.0)
    after = learned(state, estimate=nothing(now), snapshot=taken, arrays=ARRAYS, grid=GRID, now=now)
    assert abs(after.levels.level[0, 1]) < 0.01
    cold_read = learned(cold(), estimate=nothing(now), snapshot=taken, arrays=ARRAYS, grid=GRID, now=now)
    assert cold_read.levels.level[0, 1] > 0.08


def test_pv_without_telemetry_gets_the_sun_of_no_neighbour_and_its_own_meter_is_not_its_prior() -> None:
    bare = prior_of(cold())
    taken, _ = scanned(peak_va(ARRAYS), now=NOON, prior=bare)
    assert (prior_of(cold(), NOON, taken).s_nominal_va[~LOADS] == bare.s_nominal_va[~LOADS]).all()
    # 0.55 of 100 kW over three phases.
    assert bare.s_nominal_va[~LOADS].real == pytest.approx([55e3 / 3.0] * 3)


@pytest.mark.parametrize("spoil", [np.nan, np.inf, -1e15])
def test_whatever_comes_in_the_prior_stays_finite(spoil: float) -> None:
    state, now = taught(cold(), 1.1, steps=3)
    taken, estimate = scanned(peak_va(ARRAYS), now=now, prior=prior_of(state, now))
    bad = replace(estimate, s_injection_va=estimate.s_injection_va * spoil)
    bad = replace(bad, innovations=replace(bad.innovations, residual=bad.innovations.residual + spoil))
    late = metered(dict.fromkeys(NAMES, spoil), now=now, age_s=100.0)
    with np.errstate(all="ignore"):
        for _ in range(20):
            now += timedelta(minutes=1)
            state = learned(state, estimate=bad, snapshot=taken, arrays=ARRAYS, grid=GRID, now=now)
            state = learned(state, estimate=nothing(now), snapshot=late, arrays=ARRAYS, grid=GRID, now=now)
    prior = prior_of(state, now, taken)
    assert np.isfinite(prior.s_nominal_va).all()
    assert np.isfinite(prior.shared.s_va).all()
    for sigma in (prior.sigma_p_va, prior.sigma_q_va):
        assert np.isfinite(sigma).all()
        assert (sigma > 0.0).all()
    assert (prior.s_nominal_va[LOADS].real <= 0.0).all()


def test_a_forecast_of_another_model_is_a_bug_and_is_said() -> None:
    other = NetworkArrays(four_buses(), version=ModelVersion("other"))
    with pytest.raises(ValueError, match="another model"):
        predicted_prior(cold(), arrays=other, now=NOON, policy=POLICY, snapshot=None)


def test_a_policy_with_bad_profiles_is_refused() -> None:
    bad = ClassProfile(name="", weekday=DailyShape(), weekend=DailyShape())
    with pytest.raises(InputError):
        cold_state(ARRAYS, policy=ForecastPolicy(profiles=(bad,)), estimation=POLICY)


def test_every_number_out_of_range_is_told_at_once() -> None:
    motion = ClassMotion(level_share=0.9, harmonics=0, trend_tau_s=np.inf)
    bad = ForecastPolicy(motion=motion, learn_every_s=0.0, own_level_share=1.5, utc_offset_h=30.0)
    with pytest.raises(InputError) as refused:
        cold(bad)
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"level_share", "harmonics", "trend_tau_s", "learn_every_s", "own_level_share", "utc_offset_h"}
