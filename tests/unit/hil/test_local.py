"""Timing and sense of the local controls by hand. That they are OpenDSS' own, move by move, is shown in
`tests/cases/test_second_engine.py`."""

from dataclasses import replace

import pytest

from hil.engine import CapacitorControl, RegulatorControl
from hil.plant.local import LocalCapacitor, LocalRegulator

REGULATOR = RegulatorControl(
    transformer="transformer.r",
    winding=2,
    winding_v=2400.0,
    bus="b",
    phases=(1,),
    v_set_v=120.0,
    v_band_v=2.0,
    pt_ratio=20.0,
    ct_primary_a=100.0,
    drop_r_v=0.0,
    drop_x_v=0.0,
    delay_s=15.0,
    tap_delay_s=2.0,
    tap_step_pu=0.00625,
    tap_low=-16,
    tap_high=16,
)
KVAR = CapacitorControl(
    capacitor="capacitor.c",
    kind="kvar",
    element="line.l",
    side=0,
    on=150.0,
    off=-225.0,
    pt_ratio=1.0,
    ct_ratio=1.0,
    delay_on_s=100.0,
    delay_off_s=80.0,
    dead_time_s=300.0,
    v_min_v=7110.0,
    v_max_v=7740.0,
)


def regulator(*, delay_s: float = 30.0) -> LocalRegulator:
    return LocalRegulator(control=REGULATOR, delay_s=delay_s)


def looks(local: LocalRegulator, volts: list[float], *, dt_s: float) -> list[int]:
    """What it moves at each look, for voltages behind the ratio."""
    return [local.step(dt_s, v_phasor_v=complex(20.0 * v), i_into_a=0j) for v in volts]


@pytest.mark.parametrize(
    ("volts", "taps"),
    # One tap is 0.00625 x 2400 V / 20 = 0.75 V. Band: 119 to 121 V.
    [(120.0, 0), (119.0, 0), (121.0, 0), (118.9, 1), (118.8, 2), (121.1, -1), (117.0, 4), (30.0, 0)],
)
def test_a_regulator_wants_the_taps_that_bring_it_nearest_to_its_set_point(volts: float, taps: int) -> None:
    assert regulator().wanted(v_phasor_v=complex(20.0 * volts), i_into_a=0j) == taps


def test_a_band_narrower_than_a_tap_asks_for_none_that_would_not_bring_it_nearer() -> None:
    local = LocalRegulator(control=replace(REGULATOR, v_band_v=0.4), delay_s=30.0)
    # 0.3 V short, out of the band's 0.2 V: less than half of 0.75 V.
    assert local.wanted(v_phasor_v=complex(20.0 * 119.7), i_into_a=0j) == 0


def test_line_drop_compensation_sees_the_voltage_at_the_load() -> None:
    local = LocalRegulator(control=replace(REGULATOR, drop_r_v=3.0, drop_x_v=7.5), delay_s=30.0)
    # 40 A out of the terminal at unity power factor: 120 - 0.4 x (3 + 7.5j) = 118.8 - 3j, 118.84 V behind the ratio.
    assert local.wanted(v_phasor_v=complex(2400.0), i_into_a=complex(-40.0)) == 2
    assert local.wanted(v_phasor_v=complex(2400.0), i_into_a=complex(40.0)) == -2


def test_the_delay_runs_from_the_look_that_saw_it_out_of_band() -> None:
    # Out of band at 10 s: due at 40 s, the fourth look.
    assert looks(regulator(), [118.9] * 4, dt_s=10.0) == [0, 0, 0, 1]


def test_back_in_band_the_delay_starts_again() -> None:
    assert looks(regulator(), [118.9, 118.9, 119.5, 118.9, 118.9, 118.9, 118.9], dt_s=10.0) == [0, 0, 0, 0, 0, 0, 1]


def test_several_taps_follow_each_other_by_the_delay_between_taps() -> None:
    # 3 V short is four taps; as its voltage does not answer it keeps moving, one each 2 s.
    assert looks(regulator(delay_s=3.0), [117.0] * 9, dt_s=1.0) == [0, 0, 0, 1, 0, 1, 0, 1, 0]


def test_another_look_at_the_same_instant_moves_nothing_twice() -> None:
    local = regulator(delay_s=10.0)
    assert looks(local, [117.0, 117.0], dt_s=10.0) == [0, 1]
    assert looks(local, [117.7], dt_s=0.0) == [0]


def test_a_supervised_regulator_forgets_how_long_it_was_out() -> None:
    local = regulator()
    looks(local, [118.0] * 3, dt_s=10.0)
    local.reset()
    assert looks(local, [118.0] * 4, dt_s=10.0) == [0, 0, 0, 1]


def switched(local: LocalCapacitor, *, kvar: float, v_v: float = 7400.0, steps: int, until_s: float) -> float | None:
    """When it moves, looked at each second from 0; None where it does not."""
    for now in range(int(until_s) + 1):
        if local.step(now=float(now), reading=kvar, v_v=v_v, steps=steps, max_steps=1):
            return float(now)
    return None


@pytest.mark.parametrize(
    ("kvar", "v_v", "steps", "at_s"),
    [
        (151.0, 7400.0, 0, 100.0),
        (149.0, 7400.0, 0, None),
        (-226.0, 7400.0, 1, 80.0),
        (-224.0, 7400.0, 1, None),
        (151.0, 7400.0, 1, None),
        # Voltage override, whatever the kvar.
        (0.0, 7100.0, 0, 100.0),
        (300.0, 7750.0, 1, 80.0),
        # No supply: its controller is dead.
        (300.0, 100.0, 0, None),
    ],
)
def test_a_capacitor_by_kvar_closes_and_opens_after_its_delay(
    kvar: float, v_v: float, steps: int, at_s: float | None
) -> None:
    assert switched(LocalCapacitor(control=KVAR), kvar=kvar, v_v=v_v, steps=steps, until_s=200.0) == at_s


def test_a_capacitor_that_has_opened_waits_out_its_discharge_before_its_delay() -> None:
    local = LocalCapacitor(control=KVAR, opened_at=0.0)
    assert switched(local, kvar=200.0, steps=0, until_s=500.0) == 400.0


def test_a_capacitor_by_current_and_one_by_voltage_act_on_opposite_sides() -> None:
    plain = replace(KVAR, v_min_v=None, v_max_v=None, on=100.0, off=50.0)
    current = LocalCapacitor(control=replace(plain, kind="current"))
    voltage = LocalCapacitor(control=replace(plain, kind="voltage", on=117.0, off=123.0))
    assert current.wanted(reading=120.0, v_v=0.0, steps=0, max_steps=1) == 1
    assert current.wanted(reading=40.0, v_v=0.0, steps=1, max_steps=1) == -1
    assert voltage.wanted(reading=116.0, v_v=116.0, steps=0, max_steps=1) == 1
    assert voltage.wanted(reading=124.0, v_v=124.0, steps=1, max_steps=1) == -1
    assert voltage.wanted(reading=1.0, v_v=1.0, steps=0, max_steps=1) == 0
