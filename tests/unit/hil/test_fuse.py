import pytest

from hil.plant.curves import FuseLink, Table, link_from_ratios
from hil.plant.fuse import Fuse, FuseSettings
from tests.unit.hil.driven import PHASES, Driven

LINK = FuseLink(
    melt=Table(points=((100.0, 100.0), (1000.0, 0.1))),
    clear=Table(points=((120.0, 100.0), (1200.0, 0.12))),
)
"""Melting 100 (100/I)^3 s."""


def fuse(*, cooling_s: float = 60.0) -> Fuse:
    return Fuse("line.x", phases=PHASES, settings=FuseSettings(link=LINK, cooling_s=cooling_s))


def test_only_the_link_of_the_faulted_phase_blows_and_stays_open() -> None:
    device = fuse()
    table = Driven(device=device, amperes=lambda t, _: {1: 30.0, 2: 500.0 if t >= 1.0 - 1e-9 else 30.0, 3: 30.0})
    table.run(10.0)
    clears_s = LINK.clear.time_s(500.0)
    assert LINK.melt_s(500.0) == pytest.approx(0.8)  # 100 (100/500)^3
    assert table.told == [(round(1.0 + clears_s, 3), "fuse", ()), (round(1.0 + clears_s, 3), "open", (2,))]
    assert device.blown == {2}
    assert device.status(closed=table.closed).targets == {2}


def test_an_interrupted_heating_leaves_a_link_that_melts_sooner_until_it_has_cooled() -> None:
    # At 500 A melting takes 0.8 s. 0.5 s of it leaves 0.625; what is kept decides when the second heating melts it.
    def blown_at(*, pause_s: float) -> float:
        device = fuse(cooling_s=10.0)
        again = 1.5 + pause_s

        def amperes(t: float, closed: frozenset[int]) -> dict[int, float]:
            return {1: 500.0 if 1.0 - 1e-9 <= t < 1.5 - 1e-9 or t >= again - 1e-9 else 0.0}

        table = Driven(device=device, amperes=amperes)
        return table.run(again + 5.0)[0][0] - again

    arcing_s = LINK.arcing_s(500.0)
    # exp(-0.5/10) of 0.625 is left after half a second, exp(-10) of it after 100 s.
    assert blown_at(pause_s=0.5) == pytest.approx((1.0 - 0.625 * 0.951229) * 0.8 + arcing_s, abs=2e-3)
    assert blown_at(pause_s=100.0) == pytest.approx(0.8 + arcing_s, abs=2e-3)


def test_a_link_that_has_melted_is_open_even_where_somebody_else_ends_its_arc() -> None:
    device = fuse()
    # 0.8 s melt; the current is cut at 0.9 s, in the arc (which alone would end at 1.383 s).
    table = Driven(device=device, amperes=lambda t, _: {1: 500.0 if t < 0.9 - 1e-9 else 0.0})
    assert table.run(5.0) == [(0.9, "fuse"), (0.9, "open")]


def test_load_never_melts_it() -> None:
    table = Driven(device=fuse(), amperes=lambda t, _: dict.fromkeys(PHASES, 99.0))
    assert table.run(500.0, step_s=1.0) == []


def test_new_links_carry_again() -> None:
    device = fuse()
    Driven(device=device, amperes=lambda t, _: {1: 500.0}).run(5.0)
    assert device.blown == {1}
    device.operated(closed=True, now=5.0)
    assert not device.lockout


def test_the_speed_ratio_makes_a_slow_link_outlast_a_fast_one_of_the_same_rating() -> None:
    # ANSI C37.42: the same 300 s current, a T link with a speed ratio of 12, a K link with one of 7.
    def link(ratio_100ms: float) -> FuseLink:
        return link_from_ratios(
            melt_300s_a=128.0, ratio_10s=1.4, ratio_100ms=ratio_100ms, clear_over_melt=1.2, arcing_s=0.02
        )

    assert link(12.0).melt_s(700.0) > 2.0 * link(7.0).melt_s(700.0)
