"""A study applied to a model: model, positions and injections at any time of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.core.near import NotFound, find_name
from adms.grid.arrays import NetworkArrays
from adms.grid.faults import Fault, fault_problems
from adms.grid.model import Bus, Der, Load, NetworkModel
from adms.grid.pairs import NoNodes, device_pairs, nodes_at
from adms.grid.state import GridState, normal_state, switch_poles
from adms.grid.study import Chosen, FaultEvent, Forecast, NewDer, PlacedFault, Quantity, Study
from adms.grid.validation import check

_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class AppliedStudy:
    """A model and a state to start from, as a study wants them."""

    study: Study
    model: NetworkModel
    """With its loads, its DER and the DER that it adds."""
    grid: GridState
    faults: tuple[PlacedFault, ...]
    forecasts: tuple[tuple[ElementId, Forecast], ...]
    """For each element, those that count, one of a quantity."""

    def s_nominal_va(self, arrays: NetworkArrays, *, time_s: float = 0.0) -> ComplexArray:
        """[injector] injection at nominal voltage at a time of the study, VA, as `solve_power_flow` takes it.

        Args:
            arrays: of this study's model.
            time_s: after its start.
        """
        s_va = arrays.injector_s_nominal_va.copy()
        given: dict[ElementId, dict[Quantity, float]] = {}
        for element, forecast in self.forecasts:
            value = forecast.at(time_s)
            if value is not None:
                given.setdefault(element, {})[forecast.quantity] = value
        loads = {load.id: load for load in self.model.loads}
        ders = {der.id: der for der in self.model.ders}
        for element, values in given.items():
            rows = arrays.injector_rows[element]
            total = _load_va(loads[element], values) if element in loads else _der_va(ders[element], values)
            s_va[rows] = total / len(rows)
        return s_va

    def s_over_time_va(self, arrays: NetworkArrays) -> ComplexArray:
        """[injector, step] the same at each step of the study."""
        return np.stack([self.s_nominal_va(arrays, time_s=time_s) for time_s in self.study.times_s], axis=1)


def _load_va(load: Load, values: dict[Quantity, float]) -> complex:
    p_w, q_var = load.p_w, load.q_var
    if Quantity.LOAD_P in values:
        ratio = values[Quantity.LOAD_P] / p_w if p_w else 1.0
        p_w, q_var = values[Quantity.LOAD_P], q_var * ratio
    q_var = values.get(Quantity.LOAD_Q, q_var)
    return -complex(p_w, q_var) * values.get(Quantity.SCALE, 1.0)


def _der_va(der: Der, values: dict[Quantity, float]) -> complex:
    p_w = der.normal_p_injection_w
    if Quantity.DER_AVAILABLE in values:
        p_w = values[Quantity.DER_AVAILABLE] * der.p_max_w
    return complex(values.get(Quantity.DER_P, p_w), values.get(Quantity.DER_Q, der.normal_q_injection_var))


def apply_study(model: NetworkModel, study: Study) -> AppliedStudy:
    """The model and state that a study starts from. Raises InputError: unknown names, each with near ones, positions
    beyond their stops, powers beyond ratings, all at once."""
    work = _Application(model=model)
    grid = work.positions(study)
    changed = work.changed(study)
    forecasts = work.forecasts(changed, study.forecasts)
    faults = tuple(placed for event in study.faults if (placed := work.fault(event)) is not None)
    # What the study makes of the model is checked as a model is, once its own names and numbers are sound.
    problems = work.problems or ([] if changed is model else list(check(changed)))
    if problems:
        raise InputError(problems)
    return AppliedStudy(study=study, model=changed, grid=grid, faults=faults, forecasts=forecasts)


class _Application:
    def __init__(self, *, model: NetworkModel) -> None:
        self.model = model
        self.buses = {bus.id: bus for bus in model.buses}
        self.problems: list[Problem] = []

    def add(self, element: str, field: str, value: object, message: str) -> None:
        self.problems.append(Problem(element=element, field=field, value=str(value), message=message))

    def name(self, wanted: str, *, known: Iterable[str], what: str, field: str) -> str | None:
        found = find_name(wanted, known=known, what=what)
        if isinstance(found, NotFound):
            self.add(wanted, field, wanted, found.message)
            return None
        return found

    def positions(self, study: Study) -> GridState:
        grid = normal_state(self.model)
        poles = switch_poles(self.model)
        moved: dict[ElementId, bool] = {}
        for field, names, to in (("open", study.opened, False), ("close", study.closed, True)):
            for wanted in names:
                found = self.name(wanted, known=poles, what="switch", field=field)
                for pole in poles[found] if found else ():
                    if moved.setdefault(pole, to) != to:
                        self.add(pole, field, wanted, "is to be opened and closed")
                    grid = grid.with_switch(pole, closed=to)
        tapped = {branch.id: branch.taps for branch in self.model.branches if branch.taps is not None}
        for wanted, position in study.taps:
            found = self.name(wanted, known=tapped, what="tap changer", field="tap")
            taps = tapped.get(ElementId(found)) if found else None
            if taps is not None and not taps.min_position <= position <= taps.max_position:
                self.add(wanted, "position", position, f"must be {taps.min_position} to {taps.max_position}")
            elif taps is not None and found is not None:
                grid = grid.with_tap(ElementId(found), position=position)
        steps_of = {capacitor.id: capacitor.steps for capacitor in self.model.capacitors}
        for wanted, steps in study.capacitors:
            found = self.name(wanted, known=steps_of, what="capacitor", field="capacitor")
            if found is not None and not 0 <= steps <= steps_of[ElementId(found)]:
                self.add(wanted, "steps", steps, f"must be 0 to {steps_of[ElementId(found)]}")
            elif found is not None:
                grid = grid.with_capacitor(ElementId(found), steps=steps)
        return grid

    def matching(self, elements: Sequence[Load] | Sequence[Der], chosen: Chosen, *, field: str) -> list[ElementId]:
        """Ids of the loads or DER that something is about; a problem noted where there is none."""
        ids = [element.id for element in elements]
        if chosen.element is not None:
            found = self.name(chosen.element, known=ids, what=field, field="element")
            return [ElementId(found)] if found is not None else []
        if chosen.load_class is not None:
            classes = dict.fromkeys(e.load_class for e in elements if isinstance(e, Load) and e.load_class)
            found = self.name(chosen.load_class, known=classes, what="load class", field="class")
            return [e.id for e in elements if isinstance(e, Load) and e.load_class == found] if found else []
        if chosen.der_kind is not None:
            some = [e.id for e in elements if isinstance(e, Der) and e.kind is chosen.der_kind]
            if not some:
                self.add(field, "kind", chosen.der_kind, "there are none of this kind")
            return some
        if chosen.zone is not None:
            zones = dict.fromkeys(bus.zone for bus in self.model.buses if bus.zone)
            found = self.name(chosen.zone, known=zones, what="zone", field="zone")
            return [e.id for e in elements if found and self.buses[e.pairs[0][0].bus].zone == found]
        return ids

    def changed(self, study: Study) -> NetworkModel:
        nominal = {load.id: load for load in self.model.loads}
        loads = dict(nominal)
        for change in sorted(study.loads, key=lambda change: change.chosen.rank):
            for element in self.matching(self.model.loads, change.chosen, field="load"):
                load = loads[element]
                p_w = load.p_w if change.p_w is None else change.p_w
                q_var = load.q_var if change.q_var is None else change.q_var
                if change.scale_frac is not None:
                    # Of what the model says, whatever a weaker rule made of it.
                    p_w, q_var = (x * change.scale_frac for x in (nominal[element].p_w, nominal[element].q_var))
                loads[element] = replace(load, p_w=p_w, q_var=q_var)
        ders = {der.id: der for der in self.model.ders}
        for output in sorted(study.ders, key=lambda output: output.chosen.rank):
            for element in self.matching(self.model.ders, output.chosen, field="DER"):
                der = ders[element]
                if output.p_injection_w is not None:
                    der = replace(der, normal_p_injection_w=output.p_injection_w)
                if output.q_injection_var is not None:
                    der = replace(der, normal_q_injection_var=output.q_injection_var)
                if output.s_max_va is not None:
                    der = replace(der, s_max_va=output.s_max_va)
                ders[element] = der
        everything = [
            *(source.id for source in self.model.sources),
            *(branch.id for branch in self.model.branches),
            *(capacitor.id for capacitor in self.model.capacitors),
            *loads,
        ]
        for new in study.new_ders:
            if new.der.id in ders or new.der.id in everything:
                self.add(new.der.id, "element", new.der.id, "this id is taken")
            placed = self.placed(new)
            if placed is not None:
                ders[placed.id] = placed
        touched = {*(der.id for der in self.model.ders if ders[der.id] is not der), *(n.der.id for n in study.new_ders)}
        for der in ders.values():
            if der.id in touched:
                self.within(der)
        if not (study.loads or study.ders or study.new_ders):
            return self.model
        return replace(self.model, loads=tuple(loads.values()), ders=tuple(ders.values()))

    def within(self, der: Der) -> None:
        s_va = math.hypot(der.normal_p_injection_w, der.normal_q_injection_var)
        if s_va > der.s_max_va * (1.0 + _TOLERANCE):
            self.add(der.id, "s_max_va", f"{der.s_max_va:g}", f"is below the {s_va:g} VA that it is to inject")
        low, high = der.p_min_w, der.p_max_w
        slack = _TOLERANCE * der.s_max_va
        if not low - slack <= der.normal_p_injection_w <= high + slack:
            self.add(der.id, "p_injection_w", f"{der.normal_p_injection_w:g}", f"must be {low:g} to {high:g} W")
        if abs(der.normal_q_injection_var) > der.q_max_var + slack:
            self.add(der.id, "q_injection_var", f"{der.normal_q_injection_var:g}", f"must be within ±{der.q_max_var:g}")

    def placed(self, new: NewDer) -> Der | None:
        bus = self.bus(new.bus, element=new.der.id)
        if bus is None:
            return None
        nodes = nodes_at(bus, new.phases or None)
        if isinstance(nodes, NoNodes):
            self.add(new.der.id, "phases", list(nodes.phases), nodes.message)
            return None
        found = device_pairs(nodes, delta=new.delta, bus=bus)
        if found is None:
            self.add(new.der.id, "connection", "delta", "needs two or three phases")
            return None
        return replace(new.der, pairs=found[0], v_nominal_v=found[1])

    def bus(self, wanted: str, *, element: str) -> Bus | None:
        found = find_name(wanted, known=self.buses, what="bus")
        if isinstance(found, NotFound):
            self.add(element, "bus", wanted, found.message)
            return None
        return self.buses[BusId(found)]

    def forecasts(self, model: NetworkModel, given: Sequence[Forecast]) -> tuple[tuple[ElementId, Forecast], ...]:
        chosen: dict[tuple[ElementId, Quantity], Forecast] = {}
        for forecast in sorted(given, key=lambda forecast: forecast.chosen.rank):
            elements = model.loads if forecast.quantity.of_loads else model.ders
            for element in self.matching(elements, forecast.chosen, field=f"forecast of {forecast.quantity}"):
                chosen[element, forecast.quantity] = forecast
        return tuple((element, forecast) for (element, _), forecast in chosen.items())

    def fault(self, event: FaultEvent) -> PlacedFault | None:
        branches = {branch.id: branch for branch in self.model.branches}
        element: ElementId | None = None
        if event.branch is not None:
            found = self.name(event.branch, known=branches, what="branch", field="fault")
            if found is None:
                return None
            element = ElementId(found)
            ends = branches[element].terminals
            end = ends[-1] if event.at_frac > 0.5 else ends[0]
            place, has = end[0].bus, tuple(node.phase for node in end)
        else:
            wanted = event.bus if event.section is None else event.section.removeprefix("section.")
            if wanted is None:
                self.add("fault", "bus", "", "needs one of branch, section and bus")
                return None
            bus = self.bus(wanted, element="fault")
            if bus is None:
                return None
            place, has = bus.id, bus.phases
        fault = Fault(kind=event.kind, bus=place, phases=event.phases, r_fault_ohm=event.r_fault_ohm)
        self.problems += fault_problems(fault, present=has)
        return PlacedFault(event=event, element=element, fault=fault)
