"""The estimator on a small network: exactness, missing data, dead and unobservable parts, bad data, words."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import ComplexArray, Estimate, Grade, NotEstimated, SigmaSource, Use
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.core.telemetry import FloatArray, PointKey, PointKind, Quality
from adms.estimation import LoadPrior, estimate, nominal_loads
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import GridState, normal_state
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


def solved(arrays: NetworkArrays, grid: GridState, s: ComplexArray | None = None) -> PowerFlow:
    """A power flow far below the estimator's tolerance."""
    flow = solve_power_flow(arrays, grid, s_nominal_va=peak_va(arrays) if s is None else s, tolerance_pu=1e-13)
    assert isinstance(flow, PowerFlow)
    return flow


def prior_of(arrays: NetworkArrays, s: ComplexArray | None = None) -> LoadPrior:
    """40 % of each injector."""
    mean = peak_va(arrays) if s is None else s
    return LoadPrior(s_nominal_va=mean, sigma_p_va=0.4 * np.abs(mean), sigma_q_va=0.4 * np.abs(mean))


def usual_keys(arrays: NetworkArrays) -> list[PointKey]:
    """Voltages at both ends, powers at the head, at the switch and of the DER, a current."""
    current = PointKey(kind=PointKind.I_MAGNITUDE, element="line.s23", side=1, phase=2)
    return [
        *voltage_keys(arrays, ("1", "3", "4")),
        *flow_keys(arrays, ("line.l12", "line.s23")),
        *injection_keys(("der.pv3", "source.main")),
        current,
    ]


def perfect(arrays: NetworkArrays, grid: GridState, flow: PowerFlow) -> tuple[list[PointKey], FloatArray, FloatArray]:
    """Keys, true values and sigma."""
    keys = usual_keys(arrays)
    value = true_values(arrays, grid, flow=flow, keys=keys)
    return keys, value, usual_sigma(arrays, keys, value)


def test_noise_free_telemetry_returns_the_power_flow() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys, value, sigma = perfect(arrays, grid, flow)
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 1e-8
    np.testing.assert_allclose(got.s_injection_va, flow.s_injection_va, atol=0.1)
    np.testing.assert_allclose(got.s_source_va, flow.s_source_va, atol=0.1)
    assert abs(got.losses_w - flow.losses_w) < 0.1
    assert got.chi2 < 1e-8
    assert got.degrees_of_freedom == len(keys)
    assert got.grade is Grade.SOLVED
    assert got.reason == ""
    assert set(got.innovations.use) == {Use.USED}


def test_many_exact_meters_return_the_power_flow_from_a_wrong_prior() -> None:
    """Every injector metered to 1 W: the pseudo-measurements, 30 % off, no longer matter."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys = [*injection_keys(arrays.injector_rows), *voltage_keys(arrays, ("1", "3"))]
    keys += flow_keys(arrays, ("line.l12", "line.s23", "line.l24"))
    value = true_values(arrays, grid, flow=flow, keys=keys)
    sigma = np.where([k.kind is PointKind.V_MAGNITUDE for k in keys], 1e-3, 1.0)
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays, 1.3 * peak_va(arrays)))
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 2e-5
    assert np.abs(np.abs(got.v_phasor_pu) - flow.v_magnitude_pu).max() < 1e-6


def test_the_network_law_holds_exactly_under_noise() -> None:
    """Bus 2 has no injector: what flows in flows out, to rounding."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    noisy = value + sigma * np.random.default_rng(3).standard_normal(len(value))
    _, got = scan(snapshot(arrays, keys, value=noisy, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    current = arrays.admittance_pu(grid) @ got.v_phasor_pu
    at_two = [i for i, n in enumerate(arrays.nodes) if n.bus == "2"]
    assert np.abs(current[at_two]).max() < 1e-9


def test_a_warm_scan_gives_what_a_cold_one_gives() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    prior = prior_of(arrays)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    rng = np.random.default_rng(4)
    state = None
    for _ in range(5):
        noisy = value + sigma * rng.standard_normal(len(value))
        taken = snapshot(arrays, keys, value=noisy, sigma=sigma)
        lost = rng.random(len(value)) < 0.1
        taken = replace(taken, quality=np.where(lost, int(Quality.MISSING), taken.quality))
        state, warm = scan(taken, arrays, grid=grid, prior=prior, state=state)
        _, cold = scan(taken, arrays, grid=grid, prior=prior)
        np.testing.assert_allclose(warm.v_phasor_pu, cold.v_phasor_pu, atol=3e-8)
        np.testing.assert_allclose(warm.sigma_v_pu, cold.sigma_v_pu, rtol=0.02)
        assert abs(warm.chi2 - cold.chi2) < 1e-3


def test_missing_stale_flagged_and_sigmaless_points_are_not_used_and_make_no_node_better() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    prior = prior_of(arrays)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    full = snapshot(arrays, keys, value=value, sigma=sigma)
    _, best = scan(full, arrays, grid=grid, prior=prior)
    for row in range(len(keys)):
        at = np.arange(len(keys)) == row
        for poor in (
            replace(full, value=np.where(at, np.nan, full.value)),
            replace(full, age_s=np.where(at, 11.0, 0.0), value=np.where(at, 1e9, full.value)),
            replace(full, age_s=np.where(at, np.inf, 0.0)),
            replace(
                full, quality=np.where(at, int(Quality.SUSPECT), full.quality), value=np.where(at, 0.0, full.value)
            ),
            replace(full, sigma=np.where(at, np.nan, full.sigma)),
        ):
            _, got = scan(poor, arrays, grid=grid, prior=prior)
            assert got.innovations.use[row] is Use.NOT_USED
            assert np.isnan(got.innovations.residual[row])
            assert got.degrees_of_freedom == len(keys) - 1
            assert (got.sigma_v_pu >= best.sigma_v_pu * (1.0 - 1e-6)).all()
            assert np.isfinite(got.v_phasor_pu).all()


def test_without_any_telemetry_the_picture_is_the_power_flow_of_the_prior_and_says_so() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys, value, sigma = perfect(arrays, grid, flow)
    taken = snapshot(arrays, keys, value=np.full_like(value, np.nan), sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays))
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 1e-8
    assert got.grade is Grade.INCONSISTENT
    assert "no voltage measurement" in got.reason
    assert (got.sigma_source == SigmaSource.PSEUDO).all()


def test_dead_nodes_are_dead_and_their_meters_are_not_used() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    opened = grid.with_switch(ElementId("line.s23"), closed=False)
    value = true_values(arrays, opened, flow=solved(arrays, opened), keys=keys)
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=opened, prior=prior_of(arrays))
    dead = np.array([n.bus == "3" for n in arrays.nodes])
    assert (got.v_phasor_pu[dead] == 0.0).all()
    assert (got.sigma_source[dead] == SigmaSource.DEAD).all()
    assert (got.sigma_source[~dead] != SigmaSource.DEAD).all()
    assert (got.s_injection_va[dead[arrays.injector_fr]] == 0.0).all()
    uses = dict(zip(got.innovations.keys, got.innovations.use, strict=True))
    assert all(uses[k] is Use.NOT_USED for k in voltage_keys(arrays, ("3",)))


def test_an_island_of_another_source_is_labelled_by_what_it_rests_on() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    grid = grid.with_switch(ElementId("line.s23"), closed=False).with_switch(ElementId("line.t35"), closed=True)
    flow = solved(arrays, grid)
    keys = [*voltage_keys(arrays, ("1", "4")), *flow_keys(arrays, ("line.l12",))]
    value = true_values(arrays, grid, flow=flow, keys=keys)
    taken = snapshot(arrays, keys, value=value, sigma=usual_sigma(arrays, keys, value))
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays))
    label = {n: SigmaSource(int(s)) for n, s in zip(arrays.nodes, got.sigma_source, strict=True)}
    assert {s for n, s in label.items() if n.bus in ("3", "5")} == {SigmaSource.PSEUDO}
    assert {s for n, s in label.items() if n.bus == "1"} == {SigmaSource.MEASURED}
    assert {s for n, s in label.items() if n.bus == "2"} == {SigmaSource.ESTIMATED}
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 1e-8


def test_an_island_that_nothing_holds_is_unobservable_and_has_no_voltage() -> None:
    """The other source's voltage is unknown (wide sigma) and nobody measures there; the main island is metered."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys, value, sigma = perfect(arrays, grid, flow)
    policy = replace(POLICY, source_v_sigma_pu=10.0)
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays), policy=policy)
    lost = np.array([n.bus == "5" for n in arrays.nodes])
    assert (got.sigma_source[lost] == SigmaSource.UNOBSERVABLE).all()
    assert np.isnan(got.v_phasor_pu[lost]).all()
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu)[~lost].max() < 1e-7
    assert got.grade is Grade.PARTIAL
    assert "not observable: 5.1" in got.reason


def test_a_position_that_is_not_known_makes_the_picture_partial() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays), unknown=frozenset({ElementId("line.s23")}))
    assert got.grade is Grade.PARTIAL
    assert "line.s23" in got.reason


def test_a_wrong_switch_position_is_seen_as_a_contradiction() -> None:
    """Telemetry of the open switch says closed: power and voltages behind it do not fit."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    keys, value, sigma = keys[:-1], value[:-1], sigma[:-1]
    wrong = grid.with_switch(ElementId("line.s23"), closed=False)
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=wrong, prior=prior_of(arrays))
    assert Use.REJECTED in got.innovations.use


@pytest.mark.parametrize("sigma_known", [True, False], ids=["usual sigma", "sigma of a share of 0 V"])
def test_no_voltage_behind_a_switch_that_is_reported_closed_is_seen_as_a_contradiction(sigma_known: bool) -> None:
    """Telemetry of the closed switch says open: the mirror of the test above. Nothing but the meters at bus 3 can tell
    (no power is metered), and a 0 V meter whose sigma is a share of its reading still tells."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    opened = grid.with_switch(ElementId("line.s23"), closed=False)
    truth = solved(arrays, opened)
    keys = voltage_keys(arrays, ("1", "2", "3", "4"))
    value = true_values(arrays, opened, flow=truth, keys=keys)
    sigma = usual_sigma(arrays, keys, value) if sigma_known else 0.004 * value
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays))
    assert got.grade is Grade.INCONSISTENT
    assert "no voltage is read where the switches say live: 3.1, 3.2, 3.3" in got.reason
    at_three = [i for i, key in enumerate(keys) if key.element == "3"]
    assert [i for i, use in enumerate(got.innovations.use) if use is Use.REJECTED] == at_three
    # 1 pu less than the picture, in volts, and many times what meter and picture leave open
    at_nodes = [arrays.node_idx[NodeRef(BusId("3"), phase)] for phase in (1, 2, 3)]
    below = -np.abs(got.v_phasor_pu[at_nodes]) * arrays.v_base_v[at_nodes]
    np.testing.assert_allclose(got.innovations.residual[at_three], below)
    assert (got.innovations.normalized[at_three] < -30.0).all()
    assert not (got.sigma_source[at_nodes] == SigmaSource.MEASURED).any()


def test_a_meter_without_voltage_is_bad_data_where_others_say_that_its_node_is_live() -> None:
    """A blown fuse of the voltage transformer: power flows through the switch above, so that no switch is open there.
    The picture is what it is without that meter, and its grade too."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys, value, sigma = perfect(arrays, grid, flow)
    bad = keys.index(PointKey(kind=PointKind.V_MAGNITUDE, element="3", phase=2))
    value[bad] = 0.0
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    assert got.grade is Grade.SOLVED
    assert got.innovations.use[bad] is Use.REJECTED
    assert got.innovations.why[bad] == "bad data: reads no voltage, and switches and other meters say live"
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 1e-7


def test_a_meter_without_voltage_that_nothing_else_checks_leaves_the_picture_inconsistent() -> None:
    """The meters of the other phases at its bus do not know: one pole of the switch may be open."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys = voltage_keys(arrays, ("1", "2", "3", "4")) + flow_keys(arrays, ("line.l12",))
    value = true_values(arrays, grid, flow=solved(arrays, grid), keys=keys)
    sigma = usual_sigma(arrays, keys, value)
    bad = keys.index(PointKey(kind=PointKind.V_MAGNITUDE, element="3", phase=2))
    value[bad] = 0.0
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    assert got.grade is Grade.INCONSISTENT
    assert got.reason == "no voltage is read where the switches say live: 3.2"


@pytest.mark.parametrize("poor", ["stale", "suspect"])
def test_a_meter_that_is_not_believed_contradicts_nothing(poor: str) -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    bad = keys.index(PointKey(kind=PointKind.V_MAGNITUDE, element="3", phase=2))
    value[bad] = 0.0
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    at = np.arange(len(keys)) == bad
    if poor == "stale":
        taken = replace(taken, age_s=np.where(at, 11.0, 0.0))
    else:
        taken = replace(taken, quality=np.where(at, int(Quality.SUSPECT), taken.quality))
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays))
    assert got.grade is Grade.SOLVED
    assert got.innovations.use[bad] is Use.NOT_USED


def test_a_voltage_behind_a_switch_that_is_reported_open_is_named() -> None:
    """What the switches call dead is not dead: only the meters there can tell."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys = voltage_keys(arrays, ("1", "2", "3", "4"))
    value = true_values(arrays, grid, flow=solved(arrays, grid), keys=keys)
    taken = snapshot(arrays, keys, value=value, sigma=usual_sigma(arrays, keys, value))
    wrong = grid.with_switch(ElementId("line.s23"), closed=False)
    _, got = scan(taken, arrays, grid=wrong, prior=prior_of(arrays))
    assert got.grade is Grade.INCONSISTENT
    assert "a voltage is read where the switches say dead: 3.1, 3.2, 3.3" in got.reason


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_gross_voltage_error_is_rejected_and_nothing_else(sign: float) -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    flow = solved(arrays, grid)
    keys, value, sigma = perfect(arrays, grid, flow)
    bad = keys.index(PointKey(kind=PointKind.V_MAGNITUDE, element="3", phase=2))
    value[bad] += sign * 15.0 * sigma[bad]
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    assert [i for i, use in enumerate(got.innovations.use) if use is Use.REJECTED] == [bad]
    assert sign * got.innovations.normalized[bad] > 4.5
    assert np.abs(got.v_phasor_pu - flow.v_phasor_pu).max() < 1e-7
    assert got.grade is Grade.SOLVED


def test_a_contradiction_beyond_the_permitted_rejections_is_inconsistent_and_says_why() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    value[:6] *= np.array([0.8, 1.2, 0.8, 1.2, 0.8, 1.2])
    policy = replace(POLICY, max_rejections=1)
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays), policy=policy)
    assert got.grade is Grade.INCONSISTENT
    assert "disagree" in got.reason


def test_one_more_rejection_than_permitted_is_inconsistent_even_where_chi_squared_is_near_its_limit() -> None:
    """Two voltages 8 sigma off and one rejection: the second stands out. The ratio is wide, so only this rule tells."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    for element, phase in (("3", 2), ("4", 1)):
        bad = keys.index(PointKey(kind=PointKind.V_MAGNITUDE, element=element, phase=phase))
        value[bad] += 15.0 * sigma[bad]
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    grades = {}
    for most in (1, 2):
        policy = replace(POLICY, max_rejections=most, chi2_partial_ratio=1e6)
        _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays), policy=policy)
        grades[most] = got.grade
    assert grades == {1: Grade.INCONSISTENT, 2: Grade.SOLVED}


@pytest.mark.parametrize(
    ("kept", "grade", "words"),
    [
        # The least: on every phase a voltage, and a power of the network itself.
        (("v123", "p123"), Grade.SOLVED, ""),
        (("v12", "p123"), Grade.INCONSISTENT, "no voltage measurement is in use on phase 3"),
        (("v123", "p1"), Grade.INCONSISTENT, "no power or current measurement is in use on phase 2, 3"),
        (("v123",), Grade.INCONSISTENT, "no power or current measurement is in use on phase 1, 2, 3"),
        (("p123",), Grade.INCONSISTENT, "no voltage measurement is in use"),
        # A whole-source total speaks for all phases.
        (("v123", "total"), Grade.SOLVED, ""),
    ],
)
def test_a_head_that_is_not_measured_on_every_phase_is_no_picture_to_act_on(
    kept: tuple[str, ...], grade: Grade, words: str
) -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    groups: dict[str, list[PointKey]] = {
        "v": voltage_keys(arrays, ("1",)),
        "p": [k for k in flow_keys(arrays, ("line.l12",)) if k.kind is PointKind.P_FLOW],
    }
    total = PointKey(kind=PointKind.P_INJECTION, element=arrays.model.sources[0].id)
    keys = [k for part in kept if part != "total" for k in groups[part[0]] if str(k.phase) in part[1:]]
    keys += [total] if "total" in kept else []
    value = true_values(arrays, grid, flow=solved(arrays, grid), keys=keys)
    taken = snapshot(arrays, keys, value=value, sigma=usual_sigma(arrays, keys, value))
    policy = replace(POLICY, sigma_solved_max_pu=0.2, sigma_unobservable_pu=0.5)
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays), policy=policy)
    assert (got.grade, got.reason) == (grade, words)


def test_a_snapshot_of_another_model_is_refused_in_words() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    taken = replace(snapshot(arrays, keys, value=value, sigma=sigma), model_version=ModelVersion("other"))
    state, got = estimate(
        taken, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior_of(arrays), policy=POLICY, state=None
    )
    assert state is None
    assert isinstance(got, NotEstimated)
    assert "model other" in got.reason


def test_too_few_steps_are_not_an_estimate() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    taken = snapshot(arrays, keys, value=value * 1.02, sigma=sigma)
    state, got = estimate(
        taken,
        arrays=arrays,
        grid=grid,
        unknown=frozenset(),
        prior=prior_of(arrays),
        policy=replace(POLICY, max_iterations=1),
        state=None,
    )
    assert state is None
    assert isinstance(got, NotEstimated)
    assert "did not converge" in got.reason


def test_nominal_loads_of_a_picture_reproduce_it_and_never_forget_a_dead_load() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    s = 0.8 * peak_va(arrays)
    flow = solved(arrays, grid, s)
    keys, value, sigma = perfect(arrays, grid, flow)
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays, s))
    np.testing.assert_allclose(nominal_loads(got, arrays), s, atol=1.0)
    opened = grid.with_switch(ElementId("line.s23"), closed=False)
    value = true_values(arrays, opened, flow=solved(arrays, opened, s), keys=keys)
    _, dark = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=opened, prior=prior_of(arrays, s))
    loads = ~arrays.injector_is_der
    np.testing.assert_allclose(nominal_loads(dark, arrays)[loads], s[loads], atol=1.0)
    assert (nominal_loads(dark, arrays)[~loads] == 0.0).all()


def test_an_estimate_is_returned_for_every_node_of_the_model() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    _, got = scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior_of(arrays))
    assert isinstance(got, Estimate)
    for column in (got.v_phasor_pu, got.sigma_v_pu, got.sigma_source):
        assert column.shape == (arrays.node_count,)
    assert got.s_injection_va.shape == (len(arrays.injectors),)


def test_columns_of_another_length_than_the_table_are_refused() -> None:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    for short in (replace(taken, value=taken.value[:-1]), replace(taken, age_s=np.zeros(len(value) + 1))):
        state, got = estimate(
            short, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior_of(arrays), policy=POLICY, state=None
        )
        assert state is None
        assert isinstance(got, NotEstimated)
        assert "length" in got.reason


def test_an_angle_without_its_current_is_not_used() -> None:
    """An angle of a current that is nearly none turns freely; a phasor unit gives both parts."""
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model)
    keys, value, sigma = perfect(arrays, grid, solved(arrays, grid))
    angle = PointKey(kind=PointKind.I_ANGLE, element="line.l12", side=0, phase=1)
    taken = snapshot(arrays, [*keys, angle], value=np.append(value, 0.3), sigma=np.append(sigma, 0.003))
    _, got = scan(taken, arrays, grid=grid, prior=prior_of(arrays))
    at = got.innovations.keys.index(angle)
    assert got.innovations.use[at] is Use.NOT_USED
    assert "current" in got.innovations.why[at]
