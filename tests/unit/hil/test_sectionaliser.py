from collections.abc import Callable
from dataclasses import replace

import pytest

from hil.plant.sectionaliser import Sectionaliser, SectionaliserSettings
from tests.unit.hil.driven import PHASES, Driven

SETTINGS = SectionaliserSettings(count_a=300.0, counts=3, opens_after_s=0.2, forgets_after_s=60.0)
EVERY = frozenset(PHASES)


def upstream(*, opens: tuple[float, ...], closes: tuple[float, ...]) -> Callable[[float], bool]:
    """Whether the upstream device is closed."""

    def closed(t: float) -> bool:
        return sum(t >= at - 1e-9 for at in opens) == sum(t >= at - 1e-9 for at in closes)

    return closed


def played(
    closed: Callable[[float], bool], *, settings: SectionaliserSettings = SETTINGS, i_a: float = 800.0
) -> Driven:
    device = Sectionaliser("switch.s", phases=PHASES, settings=settings)
    table = Driven(
        device=device,
        amperes=lambda t, poles: dict.fromkeys(PHASES, i_a if closed(t) and t >= 1.0 - 1e-9 else 0.0),
        live=lambda t: EVERY if closed(t) else frozenset(),
    )
    table.run(40.0)
    return table


def test_it_opens_in_the_dead_time_after_the_third_interruption() -> None:
    # Upstream trips at 1.2, 3.4 and 5.6, the last dead time is 5 s: open 0.2 s into it.
    table = played(upstream(opens=(1.2, 3.4, 5.6), closes=(3.2, 5.4, 10.6)))
    assert table.told == [(5.8, "sectionalise", ()), (5.8, "open", PHASES)]
    assert table.device.status(closed=table.closed).lockout


def test_one_interruption_less_leaves_it_closed() -> None:
    assert played(upstream(opens=(1.2, 3.4), closes=(3.2, 5.4))).told == []


def test_it_does_not_open_under_voltage_where_the_dead_time_is_shorter_than_its_own() -> None:
    table = played(
        upstream(opens=(1.2, 3.4, 5.6), closes=(3.2, 5.4, 5.9)), settings=replace(SETTINGS, opens_after_s=0.5)
    )
    assert table.told == []


def test_interruptions_below_the_count_current_are_not_counted() -> None:
    assert played(upstream(opens=(1.2, 3.4, 5.6), closes=(3.2, 5.4, 10.6)), i_a=250.0).told == []


def test_what_a_downstream_device_clears_is_not_counted() -> None:
    device = Sectionaliser("switch.s", phases=PHASES, settings=replace(SETTINGS, counts=1))
    Driven(device=device, amperes=lambda t, _: dict.fromkeys(PHASES, 800.0 if 1.0 <= t < 1.3 else 0.0)).run(5.0)
    assert device.trips == 0


@pytest.mark.parametrize(("forgets_after_s", "opens"), [(10.0, False), (60.0, True)])
def test_the_count_is_forgotten_after_its_time(forgets_after_s: float, opens: bool) -> None:
    closed = upstream(opens=(1.2, 3.4, 25.0), closes=(3.2, 5.4, 35.0))
    table = played(closed, settings=replace(SETTINGS, forgets_after_s=forgets_after_s))
    assert bool(table.told) is opens
