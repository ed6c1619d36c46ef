"""Sharing a need: order of the classes, the proportional rule, and capability for any fleet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.apps.dispatch import share as share_module
from adms.apps.dispatch.fleet import Member, fleet
from adms.apps.dispatch.share import Rows, share
from adms.apps.linear_program import LinearProgram, NotOptimal
from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind
from adms.grid.model import DerKind
from tests.unit.apps.dispatch.play import limit
from tests.unit.apps.dispatch.policies import POLICY
from tests.unit.apps.voltvar.feeder import BATTERY, EV, PV, arrays, der, loads, view_of


def member(name: str, kind: DerKind, *, rating_w: float, idle_w: float = 0.0, lower_w: float, upper_w: float) -> Member:
    p_max_w, p_min_w = (rating_w, -rating_w) if kind is DerKind.BATTERY else (upper_w, lower_w)
    return Member(
        der=der(ElementId(name), kind, "a", s_va=rating_w, p_max_w=p_max_w, p_min_w=p_min_w),
        present_w=idle_w,
        idle_w=idle_w,
        lower_w=lower_w,
        upper_w=upper_w,
        interface=ElementId("source.head"),
        unusable="",
    )


def battery(name: str, rating_w: float, *, upper_w: float | None = None) -> Member:
    return member(
        name,
        DerKind.BATTERY,
        rating_w=rating_w,
        lower_w=-rating_w,
        upper_w=rating_w if upper_w is None else upper_w,
    )


def test_batteries_share_in_proportion_to_their_rating() -> None:
    found = share((battery("b1", 100e3), battery("b2", 50e3)), need_w=60e3)
    np.testing.assert_allclose(found.p_w, [40e3, 20e3], atol=1e-3)  # 60 of 150 is 40 %


def test_what_one_cannot_give_the_others_give_in_proportion() -> None:
    members = (battery("b1", 100e3), battery("b2", 50e3, upper_w=5e3), battery("b3", 50e3))
    found = share(members, need_w=80e3)
    np.testing.assert_allclose(found.p_w, [50e3, 5e3, 25e3], atol=1e-3)  # 75 of 150 is 50 %


def test_a_downward_need_charges_batteries_then_curtails_pv() -> None:
    pv = member("pv", DerKind.PV, rating_w=100e3, idle_w=80e3, lower_w=0.0, upper_w=80e3)
    found = share((battery("b1", 30e3), pv), need_w=-50e3)
    np.testing.assert_allclose(found.p_w, [-30e3, 60e3], atol=1e-3)
    assert found.short_w == pytest.approx(0.0, abs=1e-6)


def test_what_is_missing_is_said() -> None:
    found = share((battery("b1", 30e3),), need_w=50e3)
    assert found.p_w[0] == pytest.approx(30e3)
    assert found.short_w == pytest.approx(20e3)


def test_a_voltage_row_moves_the_share_to_where_it_does_not_bind() -> None:
    # 1 pu per GW at b1: 0.01 pu allows it 10 kW; b2 gives the rest though its proportional share is half.
    rows = Rows(matrix=np.array([[1e-6, 0.0]]), limit=np.array([0.01]))
    found = share((battery("b1", 50e3), battery("b2", 50e3)), need_w=40e3, rows=rows)
    np.testing.assert_allclose(found.p_w, [10e3, 30e3], atol=1e-3)


def test_the_order_of_the_members_changes_nothing() -> None:
    members = (battery("b1", 100e3), battery("b2", 50e3, upper_w=5e3), battery("b3", 70e3))
    forward = share(members, need_w=80e3).p_w
    backward = share(members[::-1], need_w=80e3).p_w[::-1]
    np.testing.assert_allclose(forward, backward, atol=1e-6)


def no_optimum(program: LinearProgram) -> NotOptimal:
    return NotOptimal(reason="Unbounded")


def test_without_an_optimum_the_need_is_filled_up_class_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    ev = member("e1", DerKind.EV, rating_w=40e3, idle_w=-40e3, lower_w=-40e3, upper_w=0.0)
    members = (ev, battery("b1", 100e3), battery("b2", 50e3, upper_w=5e3), battery("b3", 50e3))
    by_program = share(members, need_w=80e3)
    deep = share(members, need_w=175e3)
    monkeypatch.setattr(share_module, "minimise", no_optimum)
    by_hand = share(members, need_w=80e3)
    np.testing.assert_allclose(by_hand.p_w, by_program.p_w, atol=1e-3)
    assert (by_hand.solver, by_program.solver) == ("Unbounded", "")
    # 155 kW of the batteries, 20 kW of the EV site.
    found = share(members, need_w=175e3)
    np.testing.assert_allclose(found.p_w, deep.p_w, atol=1e-3)
    np.testing.assert_allclose(found.p_w, [-20e3, 100e3, 5e3, 50e3], atol=1e-3)
    assert share(members, need_w=300e3).short_w == pytest.approx(300e3 - 195e3)


ratings = st.floats(1e3, 500e3)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    batteries=st.lists(st.tuples(ratings, st.floats(0.0, 1.0)), max_size=6),
    evs=st.lists(ratings, max_size=3),
    pvs=st.lists(ratings, max_size=4),
    need_w=st.floats(-1e6, 1e6),
)
def test_any_share_stays_in_capability_and_sums_up(
    batteries: list[tuple[float, float]], evs: list[float], pvs: list[float], need_w: float
) -> None:
    members = (
        *(battery(f"b{i}", r, upper_w=f * r) for i, (r, f) in enumerate(batteries)),
        *(member(f"e{i}", DerKind.EV, rating_w=r, idle_w=-r, lower_w=-r, upper_w=0.0) for i, r in enumerate(evs)),
        *(member(f"p{i}", DerKind.PV, rating_w=r, idle_w=r, lower_w=0.0, upper_w=r) for i, r in enumerate(pvs)),
    )
    found = share(members, need_w=need_w)
    lower, upper = np.array([m.lower_w for m in members]), np.array([m.upper_w for m in members])
    assert np.all(found.p_w >= lower - 1e-6)
    assert np.all(found.p_w <= upper + 1e-6)
    given_w = float(found.p_w.sum()) - sum(m.idle_w for m in members)
    assert abs(given_w) + found.short_w == pytest.approx(abs(need_w), abs=1.0)
    assert given_w * need_w >= 0.0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    battery_va=st.complex_numbers(max_magnitude=100e3),
    pv_w=st.floats(0.0, 100e3),
    ev_w=st.floats(-60e3, 0.0),
    soc=st.none() | st.floats(0.0, 1.0),
    available_w=st.none() | st.floats(0.0, 150e3),
    led=st.booleans(),
)
def test_capability_is_inside_nameplate_and_circle_and_missing_never_loosens(
    battery_va: complex, pv_w: float, ev_w: float, soc: float | None, available_w: float | None, led: bool
) -> None:
    net = arrays()
    points = {}
    if soc is not None:
        points[PointKey(kind=PointKind.SOC, element=BATTERY)] = soc
    if available_w is not None:
        points[PointKey(kind=PointKind.P_AVAILABLE, element=PV)] = available_w
    s = loads(net, factor=0.3, der_va={BATTERY: battery_va, PV: pv_w, EV: ev_w})
    view = view_of(net, s_nominal_va=s, points=points, limits=(limit(import_max_w=1e5),))
    picture = view.picture()
    assert picture is not None
    standing = {BATTERY: 1.0, PV: 1.0, EV: -1.0} if led else {}
    for m in fleet(view, picture=picture, standing=standing, policy=POLICY):
        assert m.unusable == ""
        assert m.lower_w <= m.idle_w <= m.upper_w
        assert m.der.p_min_w <= m.lower_w
        assert m.upper_w <= m.der.p_max_w
        if m.der.id == BATTERY:
            largest = max(abs(m.lower_w), abs(m.upper_w))
            assert largest**2 + min(abs(battery_va.imag), 100e3) ** 2 <= m.der.s_max_va**2 * (1 + 1e-9)
            if soc is None:
                assert (m.lower_w, m.upper_w) == (0.0, 0.0)
