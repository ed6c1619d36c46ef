"""What customers draw over days: the statistics of `customers.py` under class shapes, measured series, heat, cold-load
pickup and cars. How a load answers voltage is the deck's own model of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adms.client import InputError, Problem
from hil.engine import ComplexArray, FloatArray, LoadRecord
from hil.plant.cold_load import ColdLoad, ColdLoadPlan
from hil.plant.customers import Customers, LoadStatistics
from hil.plant.ev import Charger, ChargerEntry, Habits
from hil.plant.load_series import LoadSeries, read_load_series
from hil.plant.load_shapes import CLASSES, DeckShape, class_share
from hil.plant.local_time import LocalTime
from hil.plant.reading import Table, raise_problems
from hil.plant.weather import Weather


@dataclass(frozen=True, kw_only=True)
class Cooling:
    """Load that follows the temperature of buildings."""

    from_c: float
    """Temperature above which a building is cooled."""
    share_per_k: float
    """More of the load for each K above."""
    share_max_frac: float
    """All machines run: no more than this."""
    building_s: float
    """Time constant with which buildings follow the air."""
    classes: tuple[str, ...]

    def factor(self, building_c: float) -> float:
        """On the load, at a temperature of the buildings."""
        return 1.0 + min(max(building_c - self.from_c, 0.0) * self.share_per_k, self.share_max_frac)


@dataclass(frozen=True, kw_only=True)
class CustomersPlan:
    """What the `[customers]` of a scenario say."""

    default_class: str
    classes: Mapping[str, tuple[str, ...]]
    """Loads of each class that is not the default."""
    cooling: Cooling | None
    cold_load: ColdLoadPlan | None
    series: LoadSeries | None

    def class_of(self, load: str) -> str:
        """The class of a load."""
        return next((name for name, loads in self.classes.items() if load in loads), self.default_class)


class CustomerDay:
    """Drawn power of every load over days. Same seed and steps, same loads."""

    def __init__(
        self,
        loads: Sequence[LoadRecord],
        *,
        statistics: LoadStatistics,
        plan: CustomersPlan,
        local: LocalTime,
        weather: Weather | None,
        deck_shapes: Mapping[str, DeckShape],
        chargers: Sequence[ChargerEntry],
        seed: int,
    ) -> None:
        """`deck_shapes`: those of the loads in class `deck`. The cold load of the plan takes the place of that of the
        statistics."""
        if plan.cold_load is not None:
            statistics = replace(statistics, cold_load_frac=0.0)
        self._base = Customers(loads, statistics=statistics, seed=seed)
        self._plan, self._local, self._weather = plan, local, weather
        self._deck_va = [complex(load.p_w, load.q_var) for load in loads]
        self._classes = [plan.class_of(load.name) for load in loads]
        self._deck = [deck_shapes.get(load.name) for load in loads]
        self._series = {
            i: load.name for i, load in enumerate(loads) if plan.series is not None and load.name in plan.series.p_w
        }
        self._cold = ColdLoad(plan.cold_load, count=len(loads)) if plan.cold_load is not None else None
        self._now_s = 0.0
        self._building_c = weather.temperature_c(0.0) if weather is not None else 0.0
        row = {load.name: i for i, load in enumerate(loads)}
        self.chargers: list[tuple[int, Charger]] = []
        """(row of the load, charger) of every charger behind a customer's meter."""
        for entry in chargers:
            for name in entry.loads:
                for k in range(entry.per_load):
                    habits = Habits(
                        entry.plan, name=f"{entry.id} {name} {k}", seed=seed, start_of_day_s=local.start_of_day_s
                    )
                    charger = Charger(entry.plan, habits=habits)
                    charger.step(0.0, now_s=0.0, live=True)
                    self.chargers.append((row[name], charger))

    def step(self, dt_s: float, *, live: npt.NDArray[np.bool_]) -> None:
        """Advance by `dt_s`; `live` says which loads have a supply."""
        self._now_s += dt_s
        self._base.step(dt_s, live=live)
        if self._cold is not None:
            self._cold.step(dt_s, live=live)
        if self._weather is not None and self._plan.cooling is not None:
            air_c = self._weather.temperature_c(self._now_s)
            self._building_c += (1.0 - exp(-dt_s / self._plan.cooling.building_s)) * (air_c - self._building_c)
        for i, charger in self.chargers:
            charger.step(dt_s, now_s=self._now_s, live=bool(live[i]))

    def demand_va(self, time_s: float) -> ComplexArray:
        """Power that each load would draw at nominal voltage, VA. With a cold load its dead loads show what they would
        draw now."""
        demand = self._base.demand_va(time_s) * self._factors(time_s)
        for i, name in self._series.items():
            assert self._plan.series is not None
            demand[i] = self._plan.series.at(name, time_s=time_s, deck_va=self._deck_va[i])
        if self._cold is not None:
            demand = demand * self._cold.factor
        for i, charger in self.chargers:
            demand[i] += charger.drawn_w
        return np.asarray(demand, dtype=np.complex128)

    def _factors(self, time_s: float) -> FloatArray:
        hour, weekend = self._local.hour(time_s), self._local.weekend(time_s)
        cooling = self._plan.cooling
        of_class = {name: class_share(name, hour=hour, weekend=weekend) for name in CLASSES if name != "deck"}
        hot = cooling.factor(self._building_c) if cooling is not None and self._weather is not None else 1.0
        shares = np.ones(len(self._classes))
        for i, name in enumerate(self._classes):
            deck = self._deck[i]
            if name == "deck":
                shares[i] = deck.share(self._local.start_of_day_s + time_s) if deck is not None else 1.0
            else:
                shares[i] = of_class[name]
            if cooling is not None and name in cooling.classes:
                shares[i] *= hot
        return shares


def read_customers(
    content: Mapping[str, object],
    *,
    folder: Path,
    loads: Sequence[str] | None = None,
    duration_s: float | None = None,
) -> CustomersPlan:
    """Read `[customers]`; files are looked for from `folder`, names checked against `loads` where they are given.
    Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="customers", problems=problems)
    default = table.text("default_class", among=CLASSES)
    groups, classes = table.table("classes"), {}
    if groups is not None:
        classes = {name: tuple(load.lower() for load in groups.texts(name)) for name in groups.keys if name in CLASSES}
        groups.end()
        _check_members(groups, classes=classes, loads=loads)
    plan = CustomersPlan(
        default_class=default,
        classes=classes,
        cooling=_cooling(table),
        cold_load=_cold_load(table),
        series=_series(table, folder=folder, loads=loads, duration_s=duration_s),
    )
    table.end()
    raise_problems(problems)
    return plan


def _check_members(groups: Table, *, classes: Mapping[str, tuple[str, ...]], loads: Sequence[str] | None) -> None:
    first: dict[str, str] = {}
    for name, members in classes.items():
        for load in members:
            if first.setdefault(load, name) != name:
                groups.wrong(name, load, f"is in {first[load]} too")
            if loads is not None and load not in loads:
                groups.wrong(name, load, "the feeder has no such load")


def _cooling(table: Table) -> Cooling | None:
    inner = table.table("cooling")
    if inner is None:
        return None
    classes = inner.texts("classes", default=("residential", "commercial"))
    for name in classes:
        if name not in CLASSES:
            inner.wrong("classes", name, f"must be one of {', '.join(CLASSES)}")
    cooling = Cooling(
        from_c=inner.number("from_c", low=0.0, high=50.0),
        share_per_k=inner.number("share_per_k", low=0.0, high=1.0),
        share_max_frac=inner.number("share_max_frac", low=0.0, high=5.0),
        building_s=inner.positive("building_s"),
        classes=classes,
    )
    inner.end()
    return cooling


def _cold_load(table: Table) -> ColdLoadPlan | None:
    inner = table.table("cold_load")
    if inner is None:
        return None
    plan = ColdLoadPlan(
        factor=inner.number("factor", low=1.0, high=10.0),
        build_s=inner.positive("build_s"),
        hold_s=inner.number("hold_s", low=0.0),
        decay_s=inner.positive("decay_s"),
    )
    inner.end()
    return plan


def _series(table: Table, *, folder: Path, loads: Sequence[str] | None, duration_s: float | None) -> LoadSeries | None:
    if "series_file" not in table:
        return None
    name = table.text("series_file")
    if not name:
        return None
    try:
        return read_load_series(folder / name, loads=loads, duration_s=duration_s)
    except InputError as refused:
        table.problems.extend(refused.problems)
        return None
