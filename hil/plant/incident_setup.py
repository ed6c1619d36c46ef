"""A feeder's faults and protection, put together from scenario, overlay and plan."""

from __future__ import annotations

from dataclasses import replace

from hil.plant.faults import Faults
from hil.plant.incident_plan import IncidentPlan
from hil.plant.incidents import Feeder, Incidents, Move, Note
from hil.plant.indicators import Indicators, IndicatorSettings, LastGasps
from hil.plant.protection import Protection
from hil.scenario import FaultEvent, Scenario


def incidents_of(
    feeder: Feeder,
    *,
    scenario: Scenario,
    fault: FaultEvent | None,
    plan: IncidentPlan | None,
    seed: int,
    note: Note,
    move: Move,
) -> Incidents:
    """`fault` says when a prepared fault begins that says nothing of it itself. Raises InputError with every device of
    the plan that does not fit the feeder."""
    plan = plan or IncidentPlan()
    circuit, times = feeder.circuit, scenario.protection
    switches = [switch.id for switch in circuit.overlay.switches if switch.fault_indicator]
    exact = IndicatorSettings(rise_a=times.indicator_rise_a, min_a=times.indicator_min_a)
    begins_s = fault.time_s if fault is not None else None
    faults = [f if f.time_s is not None or f.after else replace(f, time_s=begins_s) for f in circuit.faults]
    return Incidents(
        feeder,
        note=note,
        move=move,
        faults=Faults(faults, places=circuit.fault_places),
        protection=Protection(circuit, times=times, neighbour_pickup_a=scenario.neighbour_pickup_a, plan=plan.devices),
        indicators=Indicators(switches, settings=plan.indicators or exact, seed=seed),
        last_gasps=LastGasps(circuit.loads, settings=plan.last_gasps, seed=seed) if plan.last_gasps else None,
    )
