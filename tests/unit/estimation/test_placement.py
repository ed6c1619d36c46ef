"""One more sensor: what is said that it would bring is what it brings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind, TelemetrySnapshot
from adms.estimation import EstimatorState, LoadPrior, prior_from_model
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.candidate import borders
from adms.estimation.certainty import Certainty
from adms.estimation.placement import (
    MeterAccuracy,
    Objective,
    Sensor,
    possible_sensors,
    sensor_in_words,
    suggest_sensors,
    suggestion_in_words,
)
from adms.estimation.prior import NOTHING_SHARED
from adms.estimation.promise import row_variance
from adms.estimation.system import system_at
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

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
TIGHT = replace(POLICY, tolerance_pu=1e-12)


def flow_of(arrays: NetworkArrays) -> PowerFlow:
    got = solve_power_flow(arrays, GRID, s_nominal_va=peak_va(arrays), tolerance_pu=1e-13)
    assert isinstance(got, PowerFlow)
    return got


FLOW = flow_of(ARRAYS)
HEAD = (*voltage_keys(ARRAYS, ("1",)), *flow_keys(ARRAYS, ("line.l12",)), *injection_keys(("load.l4",)))
PRIOR = replace(prior_from_model(ARRAYS, POLICY), s_nominal_va=peak_va(ARRAYS))
LOAD_4 = ARRAYS.injector_rows[ElementId("load.l4")]
FREE = replace(
    PRIOR,
    sigma_p_va=np.where(np.isin(np.arange(len(ARRAYS.injectors)), LOAD_4), np.inf, PRIOR.sigma_p_va),
    sigma_q_va=np.where(np.isin(np.arange(len(ARRAYS.injectors)), LOAD_4), np.inf, PRIOR.sigma_q_va),
    shared=NOTHING_SHARED,
)
"""Of the load at bus 4 only its meter says anything."""


def true_value(key: PointKey) -> float:
    """Of any point, of one phase of a load or DER too."""
    parts = ARRAYS.injector_rows.get(ElementId(key.element))
    if parts is None or key.phase == 0:
        return float(true_values(ARRAYS, GRID, flow=FLOW, keys=[key])[0])
    (part,) = [k for k in parts.tolist() if ARRAYS.nodes[ARRAYS.injector_fr[k]].phase == key.phase]
    s = complex(FLOW.s_injection_va[part])
    return s.real if key.kind is PointKind.P_INJECTION else s.imag


def taken(keys: Sequence[PointKey], *, sensors: Sequence[Sensor] = ()) -> TelemetrySnapshot:
    """Perfect meters, those of sensors with theirs."""
    value = true_values(ARRAYS, GRID, flow=FLOW, keys=keys)
    more = tuple(key for sensor in sensors for key in sensor.keys)
    return snapshot(
        ARRAYS,
        (*keys, *more),
        value=np.concatenate([value, [true_value(key) for key in more]]),
        sigma=np.concatenate([usual_sigma(ARRAYS, keys, value), [x for sensor in sensors for x in sensor.sigma]]),
    )


def estimated(keys: Sequence[PointKey], *, prior: LoadPrior = PRIOR, sensors: Sequence[Sensor] = ()) -> EstimatorState:
    return scan(taken(keys, sensors=sensors), ARRAYS, grid=GRID, prior=prior, policy=TIGHT)[0]


def sigma_and_residuals(state: EstimatorState) -> tuple[FloatArray, FloatArray]:
    """([node] sigma, [point] residual variance over the meter's own) at the optimum itself: a factor of the whole
    network with all of its rows."""
    base = state.system
    beliefs = base.beliefs.for_covariance()
    s = getattr(state.optimum, "s")  # noqa: B009
    made = system_at(base.problem, state.optimum.x, s=s, beliefs=beliefs, inside=state.use, variance=base.variance)
    here = Certainty(made, cap_pu=1.0)  # type: ignore[arg-type]
    points = base.problem.layout.rows.table_rows[here.used]
    return np.sqrt(here.variance), here.residual_frac[np.argsort(points)]


@pytest.mark.parametrize("prior", [PRIOR, FREE], ids=["all believed", "one load known by its meter"])
def test_a_sensor_that_is_put_up_brings_what_was_said(prior: LoadPrior) -> None:
    """Exhaustive: every possible sensor is put up, and the network with it estimated from nothing."""
    state = estimated(HEAD, prior=prior)
    sensors = possible_sensors(state, accuracy=MeterAccuracy())
    got = suggest_sensors(state, count=len(sensors), sensors=sensors)
    assert len(got) == len(sensors)
    gains = [one.before.sigma_mean_pu - one.after.sigma_mean_pu for one in got]
    assert max(np.diff(gains)) < 1e-9
    live = state.problem.live
    cap = POLICY.sigma_unobservable_pu
    for one in got:
        sigma, residuals = sigma_and_residuals(estimated(HEAD, prior=prior, sensors=[one.sensor]))
        v = sigma[live]
        assert one.after.sigma_mean_pu == pytest.approx(np.sqrt(np.mean(np.minimum(v, cap) ** 2)), rel=1e-6)
        assert one.after.sigma_worst_pu == pytest.approx(v.max(), rel=1e-6)
        assert one.after.critical == np.count_nonzero(residuals[: len(HEAD)] < CRITICAL_FRAC)


def test_what_could_be_put_up_is_everything_that_is_not_there() -> None:
    sensors = possible_sensors(estimated(HEAD), accuracy=MeterAccuracy(v_frac=0.01, s_frac=0.02, s_least_va=50.0))
    words = [sensor_in_words(sensor) for sensor in sensors]
    # Bus 1 and load.l4 have meters, as has the first end of line.l12; the open tie carries nothing.
    assert sorted(words) == sorted(
        [
            *(f"V at bus {bus} phase {phase}" for bus in "235" for phase in (1, 2, 3)),
            "V at bus 4 phase 1",
            "P and Q into line.l12 phases 123 at side 1",
            *(f"P and Q into line.s23 phases 123 at side {side}" for side in (0, 1)),
            *(f"P and Q into line.l24 phase 1 at side {side}" for side in (0, 1)),
            "P and Q of load.l1 phases 123",
            "P and Q of load.l3a",
            "P and Q of load.l3bc",
            "P and Q of der.pv3 phases 123",
        ]
    )
    by_words = dict(zip(words, sensors, strict=True))
    assert by_words["V at bus 4 phase 1"].sigma == (24.0,)
    # 2 % of the apparent power: load.l4 draws 40 + 10j kVA of constant power, through line.l24 at its end.
    assert by_words["P and Q into line.l24 phase 1 at side 1"].sigma == pytest.approx([824.6, 824.6], rel=1e-3)


@pytest.mark.parametrize("objective", list(Objective))
def test_the_shortlist_does_not_miss_the_best(objective: Objective) -> None:
    """A quarter of the sensors worked out, and all of them."""
    keys = (*HEAD, *voltage_keys(ARRAYS, ("3",)))
    state = estimated(keys, prior=FREE)
    (whole,) = suggest_sensors(state, count=1, objective=objective)
    (quick,) = suggest_sensors(state, count=1, objective=objective, shortlist=5)
    assert quick == whole


def test_sensors_put_up_together_are_each_the_best_beside_those_before() -> None:
    state = estimated(HEAD)
    first, second, third = suggest_sensors(state, count=3, together=True)
    assert (second.before, third.before) == (first.after, second.after)
    assert first == suggest_sensors(state, count=1)[0]
    for chosen, said in (([first, second], second), ([first, second, third], third)):
        sigma, _ = sigma_and_residuals(estimated(HEAD, sensors=[one.sensor for one in chosen]))
        assert said.after.sigma_worst_pu == pytest.approx(sigma.max(), rel=1e-6)
    beside = estimated(HEAD, sensors=[first.sensor])
    assert suggest_sensors(beside, count=1)[0].sensor.keys == second.sensor.keys


def test_a_sensor_that_makes_a_critical_measurement_checkable_is_found() -> None:
    """With nothing known of the load of bus 4, and no flow metered, nothing checks its meter. Only what sees the same
    power does: its line, at either end, or what feeds all."""
    keys = (*voltage_keys(ARRAYS, ("1",)), *injection_keys(("load.l4",)))
    state = estimated(keys, prior=FREE)
    (best,) = suggest_sensors(state, count=1, objective=Objective.REDUNDANCY)
    assert (best.before.critical, best.after.critical) == (2, 0)
    assert sensor_in_words(best.sensor).startswith("P and Q into line.")
    _, residuals = sigma_and_residuals(estimated(keys, prior=FREE, sensors=[best.sensor]))
    assert np.count_nonzero(residuals[: len(keys)] < CRITICAL_FRAC) == 0


def test_a_suggestion_is_told_in_words() -> None:
    state = estimated(HEAD)
    sensor = Sensor(keys=(PointKey(kind=PointKind.V_MAGNITUDE, element="4", phase=1),), sigma=(12.0,))
    (one,) = suggest_sensors(state, count=3, sensors=[sensor])
    words = suggestion_in_words(one)
    before, after = 100.0 * one.before.sigma_mean_pu, 100.0 * one.after.sigma_mean_pu
    assert words.startswith(f"V at bus 4 phase 1: mean sigma {before:.3g} % -> {after:.3g} %, worst 1 % -> ")


def test_a_sensor_that_brings_nothing_is_not_suggested() -> None:
    blind = Sensor(keys=(PointKey(kind=PointKind.V_MAGNITUDE, element="4", phase=1),), sigma=(1e12,))
    nowhere = Sensor(keys=(PointKey(kind=PointKind.V_MAGNITUDE, element="4", phase=3),), sigma=(1.0,))
    assert suggest_sensors(estimated(HEAD), count=3, sensors=[blind, nowhere]) == ()


def test_the_variance_of_every_row_is_looked_up_as_it_is_worked_out() -> None:
    """h^T Sigma h by the selected inverse against a substitution for each row, of every kind."""
    state = estimated(HEAD)
    more = [
        PointKey(kind=PointKind.V_LINE, element="3", phase=12),
        PointKey(kind=PointKind.V_ANGLE, element="3", phase=2),
        PointKey(kind=PointKind.I_MAGNITUDE, element="line.s23", phase=1),
        PointKey(kind=PointKind.I_ANGLE, element="line.l12", side=1, phase=3),
        PointKey(kind=PointKind.P_INJECTION, element="source.main", phase=2),
        PointKey(kind=PointKind.Q_INJECTION, element="3"),
        PointKey(kind=PointKind.P_AVERAGE, element="load.l1"),
    ]
    keys = (*(key for s in possible_sensors(state, accuracy=MeterAccuracy()) for key in s.keys), *more)
    base = state.system
    beliefs = base.beliefs.for_covariance()
    made = system_at(base.problem, base.x, s=base.s, beliefs=beliefs, inside=state.use, variance=base.variance)
    found = borders(made, keys)  # type: ignore[arg-type]
    certainty = Certainty(made, cap_pu=0.2)  # type: ignore[arg-type]
    columns = found.columns(np.arange(found.stack.count))
    shares = found.shares.toarray()
    worked_out = np.einsum("ri,ri->r", columns, certainty.solve(columns)) + np.einsum("rd,rd->r", shares, shares)
    np.testing.assert_allclose(row_variance(certainty, found), worked_out, rtol=1e-6, atol=1e-12)
    assert found.stack.count == len(keys)
