from dataclasses import replace

import numpy as np
import pytest

from hil.plant.ev import Charger, ChargerPlan, EvUnit, Habits, Session
from tests.unit.hil.plant.units import PV

PLAN = ChargerPlan(
    phases=1,
    v_nominal_v=240.0,
    i_max_a=32.0,
    sessions_per_day=1.0,
    arrival_mean_h=18.0,
    arrival_sigma_h=1.5,
    stay_mean_h=11.0,
    stay_sigma_h=1.0,
    energy_mean_wh=12e3,
    energy_sigma_wh=5e3,
    fallback_a=8.0,
    fallback_after_s=60.0,
)


class Waiting(Habits):
    """One car that is there from the start, for as long as it takes."""

    def __init__(self, energy_wh: float = 50e3, *, until_s: float = 1e9) -> None:
        self._session = Session(arrival_s=0.0, departure_s=until_s, energy_wh=energy_wh)

    def at(self, time_s: float) -> Session | None:
        return self._session if time_s < self._session.departure_s else None


def habits(name: str = "one", *, seed: int = 1, plan: ChargerPlan = PLAN) -> Habits:
    return Habits(plan, name=name, seed=seed, start_of_day_s=0.0)


def test_sessions_have_the_stated_distributions() -> None:
    found = [s for k in range(2000) if (s := habits(f"charger {k}").of_day(0)) is not None]
    assert len(found) == 2000
    hours = np.array([s.arrival_s / 3600 for s in found])
    stays = np.array([(s.departure_s - s.arrival_s) / 3600 for s in found])
    energy = np.array([s.energy_wh for s in found])
    # Within four standard errors of 2000 draws: sigma / sqrt(2000), sigma / sqrt(4000) for deviations. Energy has
    # heavier tails: its deviation's standard error is some 1.7 times that of a normal one (log-normal, kurtosis 6.3).
    assert hours.mean() == pytest.approx(18.0, abs=4 * 1.5 / 2000**0.5)
    assert hours.std() == pytest.approx(1.5, abs=4 * 1.5 / 4000**0.5)
    assert stays.mean() == pytest.approx(11.0, abs=4 * 1.0 / 2000**0.5)
    assert energy.mean() == pytest.approx(12e3, abs=4 * 5e3 / 2000**0.5)
    assert energy.std() == pytest.approx(5e3, abs=4 * 1.7 * 5e3 / 4000**0.5)


def test_a_chance_of_a_session_is_kept() -> None:
    plan = replace(PLAN, sessions_per_day=0.3)
    came = sum(habits(f"{k}", plan=plan).of_day(0) is not None for k in range(2000))
    assert came / 2000 == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)


def test_the_day_of_a_charger_is_its_own_and_does_not_depend_on_when_it_is_asked_for() -> None:
    forth, back = habits(), habits()
    first = [forth.of_day(day) for day in range(5)]
    assert first == [back.of_day(day) for day in reversed(range(5))][::-1]
    assert len({s.arrival_s % 86400 for s in first if s is not None}) == 5
    assert habits("two").of_day(0) != first[0]
    assert habits(seed=2).of_day(0) != first[0]


def test_many_chargers_peak_in_the_evening() -> None:
    fleet = [Charger(PLAN, habits=habits(f"{k}")) for k in range(100)]
    load = np.zeros(96)
    for k in range(96):
        for charger in fleet:
            charger.step(900.0, now_s=(k + 1) * 900.0, live=True)
        load[k] = sum(charger.drawn_w for charger in fleet)
    assert 17.0 <= (np.argmax(load) + 1) / 4 <= 21.0
    assert load[40:56].max() < 0.1 * load.max()  # ten to two


def test_who_stands_there_at_the_start_has_charged_since_he_came() -> None:
    class CameBefore(Waiting):
        def at(self, time_s: float) -> Session:
            return Session(arrival_s=-1800.0, departure_s=1e6, energy_wh=12e3)

    charger = Charger(PLAN, habits=CameBefore())
    charger.step(0.0, now_s=0.0, live=True)
    # Half an hour of 32 A at 240 V.
    assert charger.session_wh == pytest.approx(3840.0)
    assert charger.total_wh == 0.0


def test_a_session_gets_what_it_wants_and_then_nothing() -> None:
    charger = Charger(PLAN, habits=Waiting(12e3))
    for k in range(180):
        charger.step(60.0, now_s=k * 60.0, live=True)
    assert charger.session_wh == pytest.approx(12e3)
    assert charger.drawn_w == 0.0


def test_a_car_that_leaves_early_goes_without() -> None:
    charger = Charger(PLAN, habits=Waiting(12e3, until_s=3600.0))
    for k in range(1, 100):
        charger.step(60.0, now_s=k * 60.0, live=True)
    # 32 A at 240 V for 59 minutes: the last minute begins as it leaves.
    assert charger.total_wh == pytest.approx(32 * 240 * 59 / 60)
    assert charger.drawn_w == 0.0


# IEC 61851-1 table A.8: no current below 6 A can be told to a car.
@pytest.mark.parametrize(
    ("limit_a", "drawn_a"), [(40.0, 32.0), (16.0, 16.0), (6.0, 6.0), (5.9, 0.0), (1.0, 0.0), (0.0, 0.0)]
)
def test_a_limit_is_kept_and_below_six_ampere_it_is_a_pause(limit_a: float, drawn_a: float) -> None:
    charger = Charger(PLAN, habits=Waiting())
    charger.limit(limit_a, now_s=0.0)
    charger.step(1.0, now_s=1.0, live=True)
    assert charger.drawn_w == pytest.approx(drawn_a * 240.0)


def test_a_charger_whose_supervisor_is_silent_falls_back() -> None:
    charger = Charger(PLAN, habits=Waiting())
    charger.limit(20.0, now_s=0.0)
    drawn = []
    for now_s in (60.0, 61.0):
        charger.step(1.0, now_s=now_s, live=True)
        drawn.append(charger.drawn_w / 240.0)
    assert drawn == pytest.approx([20.0, 8.0])


def test_without_supply_nothing_flows_and_the_car_charges_on_afterwards() -> None:
    charger = Charger(PLAN, habits=Waiting(12e3))
    charger.step(600.0, now_s=600.0, live=True)
    before = charger.session_wh
    charger.step(600.0, now_s=1200.0, live=False)
    assert (charger.drawn_w, charger.session_wh) == (0.0, before)
    charger.step(600.0, now_s=1800.0, live=True)
    assert charger.session_wh == pytest.approx(2 * before)


def test_three_phases_draw_three_times_as_much_and_taper_at_the_end() -> None:
    charger = Charger(replace(PLAN, phases=3, v_nominal_v=230.0, taper_wh=4e3), habits=Waiting(6e3))
    charger.step(1.0, now_s=1.0, live=True)
    assert charger.drawn_w == pytest.approx(3 * 230 * 32)
    charger.session_wh = 4e3
    charger.step(1.0, now_s=2.0, live=True)
    # Half of the last 4 kWh: half of the current.
    assert charger.drawn_w == pytest.approx(3 * 230 * 16)


def test_a_lease_limits_a_charger_that_is_a_der_and_its_end_leaves_the_fallback() -> None:
    entry = replace(PV, id="der.ev", kind="ev", p_min_w=-7680.0, p_max_w=0.0, default_p_injection_w=None)
    unit = EvUnit(entry, charger=Charger(PLAN, habits=Waiting()))
    unit.step(1.0, now_s=1.0, live=True)
    assert unit.p_w == pytest.approx(-7680.0)
    unit.leased, unit.p_target_w = True, -2400.0
    unit.step(1.0, now_s=2.0, live=True)
    assert unit.p_w == pytest.approx(-2400.0)
    unit.leased, unit.p_target_w = False, None
    unit.step(1.0, now_s=61.0, live=True)
    assert unit.p_w == pytest.approx(-2400.0)
    unit.step(1.0, now_s=63.0, live=True)
    assert unit.p_w == pytest.approx(-8 * 240.0)
