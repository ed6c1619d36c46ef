"""Stale values, interval means and time skew in the estimator's weights: by hand, against simulated paths, and whether
normalised residuals keep unit variance on a feeder whose meters are old."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import Estimate, Use
from adms.core.telemetry import FloatArray, PointKey, PointKind, Quality, TelemetrySnapshot
from adms.estimation import AgeingPolicy, EstimationPolicy, EstimatorState, LoadPrior, prior_from_model
from adms.estimation.aged import aged
from adms.estimation.beliefs import beliefs_of
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import POLICY, injection_keys, scan, snapshot, true_values, usual_sigma
from tests.unit.estimation.test_feeder import factor, feeder, keys
from tests.unit.forecast.paths import ou_paths
from tests.unit.powerflow.networks import arrays_of, four_buses

TAU_S, STAYS = 300.0, 0.3
AGEING = AgeingPolicy(
    load_tau_s=TAU_S,
    load_stays_share=STAYS,
    der_tau_s=1800.0,
    v_sigma_pu=0.01,
    v_tau_s=600.0,
    skew_s=0.0,
    average_interval_s=900.0,
    average_max_age_s=7200.0,
)
AGED = replace(POLICY, ageing=AGEING)
ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
LOAD = "load.l4"
"""Of one row, 40 kW."""


def point(kind: PointKind, element: str, phase: int = 0, side: int = 0) -> PointKey:
    return PointKey(kind=kind, element=element, phase=phase, side=side)


def own_only(arrays: NetworkArrays, frac: float = 0.4) -> LoadPrior:
    """Every injector by itself."""
    s = arrays.injector_s_nominal_va.copy()
    sigma = np.maximum(frac * np.abs(s), 1e3)
    return LoadPrior(s_nominal_va=s, sigma_p_va=sigma, sigma_q_va=sigma)


def at_rest(*points: PointKey, value: FloatArray, sigma: FloatArray) -> TelemetrySnapshot:
    return snapshot(ARRAYS, points, value=value, sigma=sigma)


def brought(
    taken: TelemetrySnapshot, *, age_s: float, policy: EstimationPolicy = AGED, prior: LoadPrior | None = None
) -> tuple[FloatArray, FloatArray]:
    """SI values and standard deviations of the present."""
    prior = prior or own_only(ARRAYS)
    state, _ = scan(taken, ARRAYS, grid=GRID, prior=prior)
    rows = state.problem.layout.rows
    z = taken.value[rows.table_rows] / rows.si_per_unit
    variance = (taken.sigma[rows.table_rows] / rows.si_per_unit) ** 2
    beliefs = beliefs_of(state.problem, prior)
    value, after = aged(
        z,
        variance,
        age_s=np.full(len(z), age_s),
        use=np.ones(len(z), dtype=np.bool_),
        problem=state.problem,
        beliefs=beliefs,
        policy=policy,
    )
    out = np.empty((2, len(z)))
    out[:, rows.table_rows] = value * rows.si_per_unit, np.sqrt(after) * rows.si_per_unit
    return out[0], out[1]


FOUR = (
    point(PointKind.P_INJECTION, LOAD),
    point(PointKind.V_MAGNITUDE, "3", 2),
    point(PointKind.P_FLOW, "line.l12", 1),
    point(PointKind.Q_FLOW, "line.l12", 1),
)
VALUE, SIGMA = np.array([-50e3, 2390.0, 120e3, 50e3]), np.array([500.0, 10.0, 1e3, 1e3])


def test_at_age_zero_without_skew_nothing_changes() -> None:
    value, sigma = brought(at_rest(*FOUR, value=VALUE, sigma=SIGMA), age_s=0.0)
    assert value == pytest.approx(VALUE, rel=1e-14)
    assert sigma == pytest.approx(SIGMA, rel=1e-14)


def test_a_power_is_carried_on_and_a_voltage_held_by_the_laws_of_their_motion() -> None:
    """Hand calculation at 100 s. A load of 40 kW + 10 kvar: V = (0.4 |S|)^2, c = 0.3 + 0.7 exp(-1/3). A variance is
    rounded by up to a twentieth."""
    value, sigma = brought(at_rest(*FOUR, value=VALUE, sigma=SIGMA), age_s=100.0)
    spread = (0.4 * abs(40e3 + 10e3j)) ** 2
    c = 0.3 + 0.7 * np.exp(-1.0 / 3.0)
    assert value[0] == pytest.approx(-40e3 + (-50e3 + 40e3) / c, rel=1e-12)
    assert sigma[0] ** 2 == pytest.approx((500.0**2 + spread * (1.0 - c * c)) / c**2, rel=0.051)
    held = 10.0**2 + 2.0 * (0.01 * 2400.0) ** 2 * (1.0 - np.exp(-100.0 / 600.0))
    assert value[1] == 2390.0
    assert sigma[1] ** 2 == pytest.approx(held, rel=0.051)
    assert value[2:].tolist() == [120e3, 50e3]
    assert (sigma[2:] > 1.05e3).all()


def test_time_skew_is_more_age() -> None:
    taken = at_rest(*FOUR, value=VALUE, sigma=SIGMA)
    late = replace(AGED, ageing=replace(AGEING, skew_s=40.0))
    assert np.array_equal(brought(taken, age_s=60.0, policy=late), brought(taken, age_s=100.0))


def test_variances_move_in_steps_so_that_ages_that_jitter_keep_the_factor() -> None:
    taken = at_rest(*FOUR, value=VALUE, sigma=SIGMA)
    found = {round(float(brought(taken, age_s=float(age))[1][1]) ** 2 / 100.0, 9) for age in np.linspace(0.0, 60.0, 61)}
    assert found <= {round(1.1**n, 9) for n in range(9)}
    assert len(found) > 3


def test_where_nothing_is_known_of_a_load_its_value_is_held() -> None:
    prior = own_only(ARRAYS)
    free = replace(prior, sigma_p_va=np.full(len(prior.sigma_p_va), np.inf))
    value, sigma = brought(at_rest(*FOUR, value=VALUE, sigma=SIGMA), age_s=100.0, prior=free)
    assert value[0] == -50e3
    moves = 0.7 * (POLICY.load_sigma_frac * abs(40e3 + 10e3j)) ** 2
    assert sigma[0] ** 2 == pytest.approx(500.0**2 + 2.0 * moves * (1.0 - np.exp(-1.0 / 3.0)), rel=0.051)


@pytest.mark.parametrize("average", [False, True])
def test_a_value_of_the_past_is_an_unbiased_measurement_of_the_present(average: bool) -> None:
    """20,000 paths of a load that partly stays: what is left between the value brought forward and the truth has the
    stated variance, has nothing to do with the load's deviation, and with it the innovation has V plus that."""
    rng = np.random.default_rng(7)
    count, step_s, age_s = 20_000, 20.0, 200.0
    kind = PointKind.P_AVERAGE if average else PointKind.P_INJECTION
    sigma, own = 500.0, 0.4 * abs(40e3 + 10e3j)
    comes = ou_paths(rng, paths=count, steps=60, step_s=step_s, sigma=own * np.sqrt(1.0 - STAYS), tau_s=TAU_S)
    x = comes + own * np.sqrt(STAYS) * rng.standard_normal((count, 1))
    now, end = x[:, -1], -1 - round(age_s / step_s)
    # An interval of 900 s is 45 steps: the trapezium's mean.
    inside = x[:, end - 44 : end].sum(axis=1) + 0.5 * (x[:, end - 45] + x[:, end])
    past = inside / 45.0 if average else x[:, end]
    z = -40e3 + past + sigma * rng.standard_normal(count)
    low, spread = brought(at_rest(point(kind, LOAD), value=np.array([-50e3]), sigma=np.array([sigma])), age_s=age_s)
    gain = (low[0] + 40e3) / -10e3
    left = gain * (z + 40e3) - now
    # Rounding of the variance is a twentieth; sqrt(2 / 20000) = 0.01 is chance.
    assert np.var(left) / spread[0] ** 2 == pytest.approx(1.0, abs=0.05 + 0.04)
    assert abs(np.corrcoef(left, now)[0, 1]) < 4.0 / np.sqrt(count)


def test_means_over_intervals_may_be_older_than_instants() -> None:
    points = (*FOUR, point(PointKind.P_AVERAGE, LOAD), point(PointKind.V_AVERAGE, "3", 2))
    value, sigma = np.append(VALUE, [-45e3, 2380.0]), np.append(SIGMA, [500.0, 10.0])
    taken = at_rest(*points, value=value, sigma=sigma)
    late = [int(Quality.GOOD)] * 4 + [int(Quality.STALE)] * 2

    def uses(age_s: float) -> list[Use]:
        old = replace(taken, age_s=np.full(6, age_s), quality=np.array(late))
        _, got = scan(old, ARRAYS, grid=GRID, prior=own_only(ARRAYS), policy=AGED)
        place = dict(zip(got.innovations.keys, got.innovations.use, strict=True))
        return [place[key] for key in points]

    assert [use is Use.USED for use in uses(9.0)] == [True] * 6
    assert [use is Use.USED for use in uses(3600.0)] == [False] * 4 + [True] * 2
    assert [use is Use.USED for use in uses(7201.0)] == [False] * 6


def test_a_mean_of_long_ago_says_nothing_of_a_load_that_keeps_nothing() -> None:
    """The correlation of a mean that ended 3,600 s ago with a load of 300 s is 2e-6."""
    taken = replace(
        at_rest(point(PointKind.P_AVERAGE, LOAD), value=np.array([-45e3]), sigma=np.array([500.0])),
        age_s=np.array([3600.0]),
    )
    fickle = replace(AGED, ageing=replace(AGEING, load_stays_share=0.0))
    _, got = scan(taken, ARRAYS, grid=GRID, prior=own_only(ARRAYS), policy=fickle)
    assert got.innovations.why[0] == "says nothing of the present any more"


def test_drop_outs_of_single_meters_cost_no_new_factor() -> None:
    """A value that does not come is two seconds older in each scan; the weights of up to 24 rows are corrected."""
    arrays, taken = feeder(), first_scan()
    prior = prior_from_model(arrays, POLICY)
    state, _ = scan(taken, arrays, grid=factor().grid, prior=prior, policy=AGED)
    system = state.system
    rng = np.random.default_rng(1)
    for _ in range(20):
        missing = rng.random(len(taken.value)) < 0.03
        old = replace(taken, age_s=np.where(missing, rng.integers(1, 4, len(missing)) * 2.0, 0.0))
        state, _ = scan(old, arrays, grid=factor().grid, prior=prior, policy=AGED, state=state)
        assert state.system is system


def first_scan() -> TelemetrySnapshot:
    """Perfect telemetry of the 123-bus feeder at its expected loads."""
    arrays = feeder()
    flow = solve_power_flow(arrays, factor().grid, s_nominal_va=arrays.injector_s_nominal_va, factor=factor())
    assert isinstance(flow, PowerFlow)
    value = true_values(arrays, factor().grid, flow=flow, keys=keys())
    return snapshot(arrays, keys(), value=value, sigma=usual_sigma(arrays, keys(), value))


def normalized_over_draws(policy: EstimationPolicy, *, draws: int) -> FloatArray:
    """[draw, point] normalised residuals on the 123-bus feeder, with meters of 0, 4 or 10 s of age.

    Truth: loads of the prior, their own part an Ornstein-Uhlenbeck process with a share that stays; what they have in
    common stays. Every sixth load has a meter, besides the usual ones.
    """
    arrays, grid = feeder(), factor().grid
    points = (*keys(), *injection_keys([load.id for load in arrays.model.loads][::6]))
    prior = prior_from_model(arrays, POLICY)
    is_load = ~arrays.injector_is_der
    shared = prior.shared
    of_der = np.zeros(shared.modes, dtype=np.bool_)
    of_der[shared.mode[~is_load[shared.injector]]] = True
    rng = np.random.default_rng(11)
    count = len(prior.s_nominal_va)
    state: EstimatorState | None = None
    out = []
    for _ in range(draws):
        stays, comes = rng.standard_normal((2, 2, count))
        b = rng.standard_normal(shared.modes)
        seen = []
        for elapsed_s in (0.0, 6.0, 4.0):
            rho = np.exp(-elapsed_s / np.where(is_load, TAU_S, AGEING.der_tau_s))
            comes = rho * comes + np.sqrt(1.0 - rho**2) * rng.standard_normal((2, count))
            rho_der = np.where(of_der, np.exp(-elapsed_s / AGEING.der_tau_s), 1.0)
            b = rho_der * b + np.sqrt(1.0 - rho_der**2) * rng.standard_normal(shared.modes)
            own = np.where(is_load, np.sqrt(STAYS) * stays + np.sqrt(1.0 - STAYS) * comes, comes)
            s = prior.s_nominal_va + prior.sigma_p_va * own[0] + 1j * prior.sigma_q_va * own[1]
            np.add.at(s, shared.injector, shared.s_va * b[shared.mode])
            flow = solve_power_flow(arrays, grid, s_nominal_va=s, factor=factor())
            assert isinstance(flow, PowerFlow)
            seen.append(true_values(arrays, grid, flow=flow, keys=points))
        of_element: dict[tuple[str, int], int] = {}
        which = np.array([of_element.setdefault((p.element, p.side), int(rng.integers(3))) for p in points])
        value = np.array(seen)[which, np.arange(len(points))]
        sigma = usual_sigma(arrays, points, seen[-1])
        taken = snapshot(arrays, points, value=value + sigma * rng.standard_normal(len(points)), sigma=sigma)
        old = replace(taken, age_s=np.array([10.0, 4.0, 0.0])[which])
        state, got = scan(old, arrays, grid=grid, prior=prior, policy=policy, state=state)
        assert isinstance(got, Estimate)
        out.append(got.innovations.normalized)
    return np.array(out)


def test_normalised_residuals_of_stale_meters_have_unit_variance() -> None:
    """Pooled over 60 scans of 128 points: 1 +- 0.1 (measured 1.00), and far from it if age counts for nothing
    (measured 1.37)."""
    square = np.nanmean(normalized_over_draws(replace(AGED, alarm_probability=1e-9), draws=60) ** 2)
    assert 0.9 < square < 1.1
    assert np.nanmean(normalized_over_draws(replace(POLICY, alarm_probability=1e-9), draws=60) ** 2) > 1.2
