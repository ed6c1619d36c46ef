"""Electric vehicles at chargers: when they come, what they want, and what a charger gives them.

IEC 61851-1, table A.8: the control pilot tells a car a current from 6 A on. There is no lower current, so a limit below
6 A is a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, isfinite
from zlib import crc32

import numpy as np

from adms.client import Problem
from hil.overlay import DerEntry
from hil.plant.reading import Table, raise_problems, tables_of

DAY_S = 86400.0
I_MIN_A = 6.0
STREAM = 31


@dataclass(frozen=True, kw_only=True)
class ChargerPlan:
    """A class of chargers and the habits of those who use them. Clock times are hours after local midnight."""

    phases: int
    v_nominal_v: float
    """Phase to neutral, of the charger's own circuit."""
    i_max_a: float
    """Per phase."""
    sessions_per_day: float
    """Chance of a session on a day; at most one a day."""
    arrival_mean_h: float
    arrival_sigma_h: float
    """Normal."""
    stay_mean_h: float
    stay_sigma_h: float
    """Normal, at least half an hour."""
    energy_mean_wh: float
    energy_sigma_wh: float
    """Wanted, at the terminals: log-normal with this mean and deviation."""
    fallback_a: float
    """Limit while nobody supervises the charger."""
    fallback_after_s: float
    """From the last word of its supervisor on."""
    taper_wh: float = 0.0
    """Over the last so much wanted energy the current falls linearly to 6 A (constant voltage); 0: never."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One car at a charger; feeder seconds."""

    arrival_s: float
    departure_s: float
    energy_wh: float


class Habits:
    """The sessions of one charger, day after day, from a stream of its own."""

    def __init__(self, plan: ChargerPlan, *, name: str, seed: int, start_of_day_s: float) -> None:
        """`start_of_day_s`: seconds after local midnight at feeder second 0."""
        self._plan = plan
        self._key = (seed, STREAM, crc32(name.encode()))
        self._start_of_day_s = start_of_day_s
        self._days: dict[int, Session | None] = {}

    def of_day(self, day: int) -> Session | None:
        """The session that begins on a day (0 is the day of feeder second 0); None where there is none. Each day has
        its own stream, so that the order of asking changes nothing."""
        if day not in self._days:
            self._days[day] = self._draw(day)
        return self._days[day]

    def at(self, time_s: float) -> Session | None:
        """Who stands at the charger; the one who came first where two would."""
        day = floor((time_s + self._start_of_day_s) / DAY_S)
        # Nobody stays longer than two days or comes a day off: see `_draw`.
        for candidate in range(day - 2, day + 1):
            session = self.of_day(candidate)
            if session is not None and session.arrival_s <= time_s < session.departure_s:
                return session
        return None

    def _draw(self, day: int) -> Session | None:
        plan = self._plan
        rng = np.random.default_rng([*self._key, day + 10_000])
        comes, arrival, stay, energy = rng.random(), *(float(x) for x in rng.standard_normal(3))
        if comes >= plan.sessions_per_day:
            return None
        hour = min(max(plan.arrival_mean_h + plan.arrival_sigma_h * arrival, 0.0), 23.99)
        stay_h = min(max(plan.stay_mean_h + plan.stay_sigma_h * stay, 0.5), 24.0)
        spread = float(np.sqrt(np.log1p((plan.energy_sigma_wh / plan.energy_mean_wh) ** 2)))
        energy_wh = plan.energy_mean_wh * float(np.exp(spread * energy - 0.5 * spread**2))
        start_s = day * DAY_S + hour * 3600.0 - self._start_of_day_s
        return Session(arrival_s=start_s, departure_s=start_s + stay_h * 3600.0, energy_wh=energy_wh)


class Charger:
    """One charger. Power is drawn: positive into the car."""

    def __init__(self, plan: ChargerPlan, *, habits: Habits) -> None:
        self.plan = plan
        self._habits = habits
        self._session: Session | None = None
        self.session_wh = 0.0
        """Given in the present session."""
        self.drawn_w = 0.0
        self.total_wh = 0.0
        self._limit_a = inf
        self._begun = False
        self._told_s: float | None = None
        """None: nobody ever supervised it."""

    @property
    def session(self) -> Session | None:
        """The car at the charger."""
        return self._session

    @property
    def available_w(self) -> float:
        """What the car would draw without a limit."""
        return self._power(self._wanted_a())

    def limit(self, i_a: float, *, now_s: float) -> None:
        """A supervisor's limit per phase (V1G); it holds until `fallback_after_s` after the last word."""
        self._limit_a, self._told_s = max(i_a, 0.0), now_s

    def limit_w(self, p_w: float, *, now_s: float) -> None:
        """The same as power."""
        i_a = p_w / (self.plan.phases * self.plan.v_nominal_v) if isfinite(p_w) else inf
        self.limit(i_a, now_s=now_s)

    def limit_a(self, *, now_s: float) -> float:
        """The limit in force: the supervisor's, its fallback after too long a silence, or none."""
        if self._told_s is None:
            return self.plan.i_max_a
        alone = now_s - self._told_s > self.plan.fallback_after_s
        return min(self.plan.fallback_a if alone else self._limit_a, self.plan.i_max_a)

    def step(self, dt_s: float, *, now_s: float, live: bool) -> None:
        """Advance by `dt_s` up to `now_s`. Without supply nothing flows, and the car stays."""
        present = self._habits.at(now_s)
        if present != self._session:
            self._session, self.session_wh = present, 0.0
            if not self._begun and present is not None:
                # Who stands there at the start has charged since he came.
                before_s = max(now_s - dt_s - present.arrival_s, 0.0)
                full_w = self._power(self.plan.i_max_a)
                self.session_wh = min(present.energy_wh, full_w * before_s / 3600.0)
        self._begun = True
        limit_a = self.limit_a(now_s=now_s)
        current_a = min(self._wanted_a(), limit_a)
        if not live or limit_a < I_MIN_A:
            current_a = 0.0
        drawn_w = self._power(current_a)
        if self._session is not None and dt_s > 0.0:
            drawn_w = min(drawn_w, (self._session.energy_wh - self.session_wh) * 3600.0 / dt_s)
        self.drawn_w = drawn_w
        self.session_wh += drawn_w * dt_s / 3600.0
        self.total_wh += drawn_w * dt_s / 3600.0

    def _wanted_a(self) -> float:
        if self._session is None:
            return 0.0
        left_wh = self._session.energy_wh - self.session_wh
        if left_wh <= 1e-9:
            return 0.0
        if left_wh < self.plan.taper_wh:
            return max(self.plan.i_max_a * left_wh / self.plan.taper_wh, min(I_MIN_A, self.plan.i_max_a))
        return self.plan.i_max_a

    def _power(self, i_a: float) -> float:
        return i_a * self.plan.phases * self.plan.v_nominal_v


class EvUnit:
    """A charger that is a DER of the feeder: its supervisor limits what it draws. Powers are injections: negative."""

    def __init__(self, entry: DerEntry, *, charger: Charger) -> None:
        self.entry = entry
        self.charger = charger
        self.p_target_w: float | None = entry.default_p_injection_w
        self.q_target_var: float | None = 0.0
        """Not heeded: a charger has no reactive power of its own to give."""
        self.leased = False
        """A lease is in force: its power is the limit. Without one the charger follows its own fallback."""
        self.tripped = False
        self.p_w = 0.0
        self.q_var = 0.0

    @property
    def soc_frac(self) -> float | None:
        """What is in the car is not told to a charger."""
        return None

    @property
    def available_w(self) -> float:
        """Highest injection."""
        return self.entry.p_max_w

    def step(self, dt_s: float, *, now_s: float, live: bool) -> None:
        """Advance by `dt_s` up to `now_s`."""
        if self.leased:
            self.charger.limit_w(inf if self.p_target_w is None else max(-self.p_target_w, 0.0), now_s=now_s)
        self.charger.step(dt_s, now_s=now_s, live=live)
        self.p_w = -self.charger.drawn_w


@dataclass(frozen=True, kw_only=True)
class ChargerEntry:
    """Where the chargers of a class are."""

    id: str
    plan: ChargerPlan
    der: str | None
    """The DER of the feeder that it is."""
    loads: tuple[str, ...]
    """Or: loads of the feeder behind whose meters chargers stand, which nobody supervises."""
    per_load: int


def read_ev_chargers(content: Sequence[object]) -> tuple[ChargerEntry, ...]:
    """Read `[[ev_charger]]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    entries = tuple(_charger(table) for table in tables_of(content, name="ev_charger", problems=problems))
    for field, names in (
        ("id", [entry.id for entry in entries]),
        ("der", [entry.der for entry in entries if entry.der is not None]),
    ):
        problems += [
            Problem(element=f"ev_charger {name}", field=field, value=name, message="stands there twice")
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
    raise_problems(problems)
    return entries


def _charger(table: Table) -> ChargerEntry:
    name = table.text("id")
    der = table.text("der").lower() if "der" in table else None
    loads = tuple(load.lower() for load in table.texts("loads", default=()))
    if (der is None) == (not loads):
        table.wrong("der", der or "", "either der or loads must say where it is")
    phases = table.whole("phases", low=1, high=3)
    if phases == 2:
        table.wrong("phases", phases, "must be 1 or 3")
    i_max_a, fallback_a = table.number("i_max_a", low=I_MIN_A, high=80.0), table.number("fallback_a", low=0.0)
    if fallback_a > i_max_a:
        table.wrong("fallback_a", fallback_a, "must be at most i_max_a")
    plan = ChargerPlan(
        phases=phases,
        v_nominal_v=table.positive("v_nominal_v"),
        i_max_a=i_max_a,
        sessions_per_day=table.number("sessions_per_day", low=0.0, high=1.0),
        arrival_mean_h=table.number("arrival_mean_h", low=0.0, high=24.0),
        arrival_sigma_h=table.number("arrival_sigma_h", low=0.0, high=12.0),
        stay_mean_h=table.number("stay_mean_h", low=0.5, high=24.0),
        stay_sigma_h=table.number("stay_sigma_h", low=0.0, high=12.0),
        energy_mean_wh=table.positive("energy_mean_wh"),
        energy_sigma_wh=table.number("energy_sigma_wh", low=0.0),
        fallback_a=fallback_a,
        fallback_after_s=table.number("fallback_after_s", low=0.0),
        taper_wh=table.number("taper_wh", low=0.0, default=0.0),
    )
    per_load = table.whole("per_load", low=1, default=1)
    table.end()
    return ChargerEntry(id=name, plan=plan, der=der, loads=loads, per_load=per_load)
