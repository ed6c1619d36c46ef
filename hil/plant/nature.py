"""What lives on a feeder by itself: customers, DER, weather; and how the plant differs from the service's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hil.plant.circuit import Circuit
from hil.plant.customer_day import CustomerDay
from hil.plant.customers import Customers, LoadStatistics
from hil.plant.fleet import Fleet
from hil.plant.load_shapes import DeckShape
from hil.plant.mismatch import Change, apply_mismatch
from hil.plant.plan import PlantPlan
from hil.plant.weather import Sky, Weather
from hil.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Nature:
    """All of it. What it holds changes with time."""

    changes: tuple[Change, ...]
    """What differs from the service's model."""
    customers: Customers | CustomerDay
    fleet: Fleet
    sky: Sky | Weather


def nature_of(
    circuit: Circuit,
    plan: PlantPlan,
    *,
    scenario: Scenario,
    coordinates: Mapping[str, tuple[float, float]],
    seed: int,
) -> Nature:
    """Bring a circuit to life; a mismatch edits it. Raises InputError for names in the plan that the feeder does not
    have. Without a plan it is what the scenario's own statistics say."""
    plan.check(circuit)
    changes = apply_mismatch(circuit, plan.mismatch, seed) if plan.mismatch is not None else ()
    weather: Weather | None = None
    if plan.weather is not None and plan.local is not None:
        weather = Weather(plan.weather, coordinates=coordinates, local=plan.local, seed=seed)
    sky = weather or Sky(coordinates, clear_frac=scenario.clear_frac, clouds=scenario.clouds)
    fleet = Fleet(
        circuit.overlay.ders,
        ride_through=scenario.ride_through,
        soc_frac=scenario.soc_frac,
        plan=plan,
        sky=sky,
        temperature_c=weather.temperature_c if weather is not None else None,
        seed=seed,
    )
    customers = _customers(circuit, plan, statistics=scenario.loads, weather=weather, seed=seed)
    return Nature(changes=changes, customers=customers, fleet=fleet, sky=sky)


def _customers(
    circuit: Circuit, plan: PlantPlan, *, statistics: LoadStatistics, weather: Weather | None, seed: int
) -> Customers | CustomerDay:
    # A mismatch may have changed the loads in the engine.
    loads = circuit.engine.loads() if plan.mismatch is not None else circuit.loads
    if plan.customers is None or plan.local is None:
        return Customers(loads, statistics=statistics, seed=seed)
    in_deck = [load.name for load in loads if plan.customers.class_of(load.name) == "deck"]
    told = {name: circuit.engine.daily_shape(name) for name in in_deck}
    return CustomerDay(
        loads,
        statistics=statistics,
        plan=plan.customers,
        local=plan.local,
        weather=weather,
        deck_shapes={name: DeckShape(shape[0], interval_s=shape[1]) for name, shape in told.items() if shape},
        chargers=plan.chargers,
        seed=seed,
    )
