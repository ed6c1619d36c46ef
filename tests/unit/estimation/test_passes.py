"""The compiled passes over rows, injectors and nodes against plain NumPy, on the 123-bus feeder with meters of every
kind, among them many that say nothing."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from adms.core.estimate import SigmaSource, Use
from adms.core.ids import BusId
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, prior_from_model
from adms.estimation.aged import aged
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.beliefs import beliefs_of
from adms.estimation.contradiction import contradictions_of
from adms.estimation.kernel.judging import normalise
from adms.estimation.kernel.reading import REASONS, count_contradicting
from adms.estimation.readings import LARGEST_V_PU, LEAST_V_PU, readings_of
from adms.grid.arrays import S_BASE_VA
from adms.grid.model import NodeRef
from tests.unit.estimation.plain_passes import aged_rows, first_reasons, normalised
from tests.unit.estimation.scans import POLICY, injection_keys, scan, snapshot
from tests.unit.estimation.test_aged import AGED, AGEING, first_scan
from tests.unit.estimation.test_feeder import METERED_BUSES, factor, feeder, keys

SIZE = {"voltage": 2400.0, "power": 1e5, "current": 50.0}


@cache
def points() -> tuple[PointKey, ...]:
    """Meters of every kind."""
    arrays = feeder()
    more = [PointKey(kind=kind, element="150", phase=1) for kind in (PointKind.V_AVERAGE, PointKind.V_ANGLE)]
    more += [PointKey(kind=PointKind.V_LINE, element=bus, phase=12) for bus in METERED_BUSES[:2]]
    for phase in (1, 2, 3):
        more += [PointKey(kind=kind, element="line.l115", phase=phase) for kind in _CURRENTS]
    more.append(PointKey(kind=PointKind.I_ANGLE, element="line.sw2", phase=1))
    loads = [load.id for load in arrays.model.loads][::3]
    means = (PointKind.P_AVERAGE, PointKind.Q_AVERAGE)
    return (*keys(), *more, *injection_keys(loads), *(PointKey(kind=k, element=e) for e in loads for k in means))


_CURRENTS = (PointKind.I_MAGNITUDE, PointKind.I_ANGLE)


def spoiled(seed: int) -> TelemetrySnapshot:
    """Values of about the right size; a third of the points has something wrong."""
    arrays, rng = feeder(), np.random.default_rng(seed)
    count = len(points())
    base = np.array([_size(key) for key in points()])
    value = base * (1.0 + 0.02 * rng.standard_normal(count))
    sigma = 0.01 * base
    taken = snapshot(arrays, points(), value=value, sigma=sigma)
    for row in np.flatnonzero(rng.random(count) < 0.35).tolist():
        column = (taken.value, taken.sigma, taken.age_s)[int(rng.integers(3))]
        column[row] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-13, 1e13, 8.0, -5000.0, 0.04 * base[row]])
    quality = np.where(rng.random(count) < 0.15, rng.integers(1, 6, count), int(Quality.GOOD))
    return replace(taken, quality=quality)


def _size(key: PointKey) -> float:
    if key.kind in (PointKind.V_ANGLE, PointKind.I_ANGLE):
        return 0.5
    if key.kind is PointKind.V_LINE:
        return SIZE["voltage"] * float(np.sqrt(3.0))
    kind = "voltage" if key.kind.value.startswith("v_") else "current" if key.kind.value.startswith("i_") else "power"
    return SIZE[kind]


@cache
def state() -> EstimatorState:
    """Of a scan with all points."""
    arrays = feeder()
    return scan(spoiled(0), arrays, grid=factor().grid, prior=prior_from_model(arrays, POLICY), policy=ANY_QUALITY)[0]


ANY_QUALITY = replace(POLICY, alarm_probability=0.0)


@pytest.mark.parametrize("policy", [POLICY, AGED])
def test_every_row_fails_the_first_of_the_tests_that_it_fails(policy: EstimationPolicy) -> None:
    problem = state().problem
    prior = replace(prior_from_model(feeder(), POLICY), told=np.array([3, 40, len(points()) - 1]))
    beliefs = beliefs_of(problem, prior)
    seen: set[str] = set()
    for seed in range(40):
        taken = spoiled(seed)
        got = readings_of(taken, problem=problem, policy=policy, beliefs=beliefs)
        expected = first_reasons(taken, problem=problem, beliefs=beliefs, policy=policy)
        assert [("" if one.startswith("says nothing") else one) for one in got.why] == expected
        seen.update(expected)
        use = got.columns.use
        assert [one == "" for one in got.why] == use.tolist()
        assert (got.columns.z[~use] == 0.0).all()
        assert (got.columns.variance[~use] == 1.0).all()
        if policy.ageing is None:
            rows = problem.layout.rows
            assert got.columns.z[use] == pytest.approx(
                (taken.value[rows.table_rows] / rows.si_per_unit)[use], rel=1e-15
            )
            sigma = (taken.sigma[rows.table_rows] / rows.si_per_unit)[use]
            assert got.columns.variance[use] == pytest.approx(sigma**2, rel=1e-15)
    # Every reason occurs but one: all of this feeder is live.
    assert seen == set(REASONS) - {"what it measures has no voltage"}


@pytest.mark.parametrize("free", [False, True])
def test_ageing_is_what_the_formulas_say(free: bool) -> None:
    """Ages from a second to a day; half of the loads' active powers with nothing known where `free`."""
    problem, rng = state().problem, np.random.default_rng(5)
    prior = prior_from_model(feeder(), POLICY)
    if free:
        sigma = np.where(np.arange(len(prior.sigma_p_va)) % 2 == 0, np.inf, prior.sigma_p_va)
        prior = replace(prior, sigma_p_va=sigma)
    beliefs = beliefs_of(problem, prior)
    rows = problem.layout.rows
    base = np.array([_size(key) for key in points()])[rows.table_rows] / rows.si_per_unit
    use = np.ones(rows.count, dtype=np.bool_)
    for skew_s in (0.0, 2.0):
        policy = replace(AGED, ageing=replace(AGEING, skew_s=skew_s))
        assert policy.ageing is not None
        z = base * (1.0 + 0.1 * rng.standard_normal(rows.count))
        variance = (0.01 * base) ** 2
        age_s = np.where(rng.random(rows.count) < 0.2, 0.0, 10.0 ** rng.uniform(0.0, 4.9, rows.count))
        got = aged(z, variance, age_s=age_s, use=use, problem=problem, beliefs=beliefs, policy=policy)
        expected = aged_rows(
            z, variance, age_s=age_s, problem=problem, beliefs=beliefs, policy=policy, how=policy.ageing
        )
        assert got[0] == pytest.approx(expected[0], rel=1e-12)
        assert got[1] == pytest.approx(expected[1], rel=1e-12)
        assert (got[1] > 1.5 * variance).sum() > 50
    fresh = replace(AGED, ageing=replace(AGEING, average_interval_s=0.0))
    still = aged(z, variance, age_s=0.0 * age_s, use=use, problem=problem, beliefs=beliefs, policy=fresh)
    assert still[0] is z
    assert still[1] is variance


def test_residuals_are_normalised_as_in_plain_numpy() -> None:
    rng = np.random.default_rng(2)
    for count in (0, 1, 200):
        residual, use = rng.standard_normal(count), rng.random(count) < 0.8
        variance = rng.uniform(0.5, 2.0, count)
        share = rng.choice([0.5, 1e-4, 1.0], count)
        residual_variance = np.where(use, share * variance, np.nan)
        shown, sigma, over = np.empty(count), np.empty(count), np.empty(count)
        critical = np.empty(count, dtype=np.bool_)
        worst, size, candidates, used, cost = normalise(
            residual, use, variance, residual_variance, CRITICAL_FRAC, shown, sigma, over, critical
        )
        expected = normalised(
            residual, use=use, variance=variance, residual_variance=residual_variance, critical_frac=CRITICAL_FRAC
        )
        assert np.array_equal(over, expected[0], equal_nan=True)
        assert np.array_equal(sigma, expected[1], equal_nan=True)
        assert np.array_equal(critical, expected[2])
        assert np.array_equal(shown, np.where(use, residual, np.nan), equal_nan=True)
        assert cost == pytest.approx(expected[3], rel=1e-12)
        assert (candidates, used) == (np.isfinite(over).sum(), use.sum())
        assert size == np.abs(over[np.isfinite(over)]).max(initial=0.0)
        assert not candidates or abs(over[worst]) == size


def test_a_picture_has_the_columns_of_its_optimum() -> None:
    """Written out from the state: voltages, their labels, powers of sources by their own law, losses."""
    arrays, rng = feeder(), np.random.default_rng(4)
    perfect = first_scan()
    count = len(perfect.value)
    missing = rng.random(count) < 0.3
    taken = replace(
        perfect,
        value=np.where(missing, np.nan, perfect.value + perfect.sigma * rng.standard_normal(count)),
        age_s=np.where(missing, np.inf, rng.uniform(0.0, 9.0, count)),
    )
    prior = prior_from_model(arrays, POLICY)
    after, got = scan(taken, arrays, grid=factor().grid, prior=prior, policy=ANY_QUALITY)
    layout, x, use = after.problem.layout, after.optimum.x, after.use
    v = x[layout.node] + 1j * x[layout.node + 1]
    assert np.array_equal(got.v_phasor_pu, v)
    emf = x[layout.emf] + 1j * x[layout.emf + 1]
    ends = np.cumsum([len(nodes) for nodes in arrays.source_nodes])[:-1]
    delivered = [
        S_BASE_VA * source.power_pu(v, emf_pu=part)
        for source, part in zip(arrays.sources, np.split(emf, ends), strict=True)
    ]
    assert got.s_source_va == pytest.approx(delivered, rel=1e-9)
    losses = sum(delivered).real + float(got.s_injection_va.real.sum())
    assert got.losses_w == pytest.approx(losses, rel=1e-6)
    label = np.where(after.observed.determined, int(SigmaSource.ESTIMATED), int(SigmaSource.PSEUDO))
    rows = layout.voltage_rows[PointKind.V_MAGNITUDE]
    label[layout.rows.column[layout.rows.term_first[rows[use[rows]]]]] = int(SigmaSource.MEASURED)
    assert np.array_equal(got.sigma_source, label)
    assert {int(SigmaSource.MEASURED), int(SigmaSource.PSEUDO)} <= set(got.sigma_source.tolist())
    said = got.innovations
    assert [one is Use.USED for one in said.use] == (~missing).tolist()
    assert np.array_equal(np.isnan(said.residual), missing)
    assert got.oldest_input_s == taken.age_s[~missing].max()
    voltages = [i for i, key in enumerate(said.keys) if key.kind is PointKind.V_MAGNITUDE and not missing[i]]
    assert len(voltages) > 10
    for i in voltages:
        node = arrays.node_idx[NodeRef(BusId(said.keys[i].element), said.keys[i].phase)]
        assert said.residual[i] == pytest.approx(taken.value[i] - abs(v[node]) * arrays.v_base_v[node], abs=1e-7)


@pytest.mark.parametrize("spoil", [(), (5,), (5, 9, 11)])
def test_meters_that_contradict_the_switches_are_counted(spoil: tuple[int, ...]) -> None:
    """Of live nodes those that read nothing; of dead ones those that read something."""
    rng = np.random.default_rng(3)
    live = rng.random(14) < 0.5
    size = np.where(live, 1.0, 0.02)
    size[list(spoil)] = 1.02 - size[list(spoil)]
    quality, age_s = np.full(14, int(Quality.GOOD)), np.zeros(14)

    def count() -> int:
        good = int(Quality.GOOD)
        return count_contradicting(size, quality, age_s, live, good, 10.0, LEAST_V_PU, LARGEST_V_PU)

    assert count() == len(spoil)
    for column, value in ((quality, int(Quality.SUSPECT)), (age_s, 11.0), (size, np.nan)):
        before = column[5]
        column[5] = value
        assert count() == len(set(spoil) - {5})
        column[5] = before


def test_nothing_contradicts_where_no_meter_does() -> None:
    got = contradictions_of(spoiled(0), problem=state().problem, policy=replace(POLICY, telemetry_max_age_s=-1.0))
    assert not len(got.rows)
