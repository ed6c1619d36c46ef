"""Inverter Q: sensitivities against differences of power flows, capability, and no move at the optimum."""

from dataclasses import replace
from math import hypot, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.apps.view import InterfaceLimit
from adms.apps.voltvar import VoltVarState, decide
from adms.apps.voltvar.picture import Picture, picture_of
from adms.apps.voltvar.reactive import best_reactive, q_limit_var, reactive_controls
from adms.apps.voltvar.study import Study
from adms.core.commands import PowerSetpoint
from adms.core.telemetry import PointKey, PointKind
from adms.estimation.prior import nominal_loads
from tests.unit.apps.voltvar.feeder import BATTERY, HEAD, PV, START, arrays, loads, model, view_of
from tests.unit.apps.voltvar.policies import POLICY

NET = arrays(model(z_frac=0.3))
DERS = {der.id: der for der in NET.model.ders}


def setting(load_factor: float, der_va: dict | None = None):  # type: ignore[no-untyped-def, type-arg]
    view = view_of(NET, s_nominal_va=loads(NET, factor=load_factor, der_va=der_va))
    picture = picture_of(view, sigma_margin=2.0)
    assert isinstance(picture, Picture)
    study = Study(arrays=NET, picture=picture, s_nominal_va=nominal_loads(picture.estimate, NET), policy=POLICY)
    return view, picture, study


def test_sensitivities_equal_differences_of_power_flows() -> None:
    view, _, study = setting(0.8)
    flow = study.flow(view.grid, q={PV: 0.0, BATTERY: 0.0})
    assert flow is not None
    found = study.sensitivity(view.grid, flow, ders=(BATTERY, PV))
    assert found is not None
    for column, der in enumerate((BATTERY, PV)):
        moved = study.flow(view.grid, q={PV: 0.0, BATTERY: 0.0, der: 100.0})
        assert moved is not None
        difference = (np.abs(moved.v_phasor_pu) - np.abs(flow.v_phasor_pu)) / 100.0
        np.testing.assert_allclose(found.dv_dq[:, column], difference, rtol=1e-3, atol=1e-12)
        assert found.dlosses_dq[column] == pytest.approx((moved.losses_w - flow.losses_w) / 100.0, rel=2e-3)


def test_q_at_the_optimum_asks_for_nothing_more() -> None:
    view, picture, study = setting(0.5)
    controls = reactive_controls(view, picture=picture, policy=POLICY)
    first = best_reactive(
        study, view.grid, controls, start={c.der: 0.0 for c in controls}, picture=picture, policy=POLICY
    )
    assert first is not None
    again = best_reactive(study, view.grid, controls, start=first[0], picture=picture, policy=POLICY)
    assert again is not None
    assert again[1].losses_w >= first[1].losses_w - POLICY.gain_threshold_w


def test_q_is_never_worse_than_none() -> None:
    for load_factor in (0.1, 0.5, 1.0):
        view, picture, study = setting(load_factor)
        controls = reactive_controls(view, picture=picture, policy=POLICY)
        start = {c.der: 0.0 for c in controls}
        nothing = study.evaluate(view.grid, q=start)
        found = best_reactive(study, view.grid, controls, start=start, picture=picture, policy=POLICY)
        assert nothing is not None
        assert found is not None
        assert found[1].objective_w <= nothing.objective_w


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    load_factor=st.floats(0.05, 1.3),
    pv_w=st.floats(0.0, 100e3),
    battery_w=st.floats(-80e3, 80e3),
    available_w=st.none() | st.floats(0.0, 100e3),
)
def test_p_and_q_stay_inside_the_inverter(
    load_factor: float, pv_w: float, battery_w: float, available_w: float | None
) -> None:
    points = {} if available_w is None else {PointKey(kind=PointKind.P_AVAILABLE, element=PV): available_w}
    power = {PV: complex(pv_w), BATTERY: complex(battery_w)}
    view = view_of(NET, s_nominal_va=loads(NET, factor=load_factor, der_va=power), points=points)
    decision = decide(view, state=VoltVarState.initial(), policy=POLICY)
    steps = [(s.device, s.setpoint) for progress in decision.plans for s in progress.plan.steps]
    for device, setpoint in [*steps, *((p.device, p.setpoint) for p in decision.proposals)]:
        if not isinstance(setpoint, PowerSetpoint):
            continue
        q = setpoint.q_injection_var
        assert q is not None
        der = DERS[device]
        assert abs(q) <= der.q_max_var + 1e-6
        assert hypot(power[der.id].real, q) <= der.s_max_va * (1 + 1e-9)


def test_pv_of_unknown_available_power_keeps_room_for_all_of_it() -> None:
    view, picture, _ = setting(0.5)
    # q_max of the PV is raised so that only the circle limits: sqrt(120^2 - 100^2) = 66.3 kvar.
    der = replace(DERS[PV], q_max_var=120e3)
    assert q_limit_var(view, der, picture=picture, policy=POLICY) == pytest.approx(sqrt(120e3**2 - 100e3**2))
    known = replace(
        view, snapshot=view_of(NET, points={PointKey(kind=PointKind.P_AVAILABLE, element=PV): 0.0}).snapshot
    )
    assert q_limit_var(known, der, picture=picture, policy=POLICY) == pytest.approx(120e3)


def test_a_battery_leaves_its_whole_p_free_once_an_interface_limit_is_announced() -> None:
    view, picture, _ = setting(0.5)
    limit = InterfaceLimit(interface=HEAD, import_max_w=1e5, export_max_w=None, start=START, end=None)
    # sqrt(100^2 - 80^2) = 60 kvar, above q_max 44; with q_max out of the way the circle shows.
    der = replace(DERS[BATTERY], q_max_var=100e3)
    free = q_limit_var(view, der, picture=picture, policy=POLICY)
    bound = q_limit_var(replace(view, interface_limits=(limit,)), der, picture=picture, policy=POLICY)
    assert free == pytest.approx(sqrt(100e3**2 - 20e3**2))
    assert bound == pytest.approx(60e3)
