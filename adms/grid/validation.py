"""What makes a network model unusable. Every problem at once, each with its element, field and value.

Here is what each element must be by itself; `adms.grid.validation_passive` looks at the numbers of primitives,
`adms.grid.validation_joints` at what elements make of each other, `adms.grid.plausibility` at slips of units. What is
merely odd is no problem: `adms.grid.plausibility.oddities`.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from adms.core.errors import Problem
from adms.grid.model import (
    SCHEMA_VERSION,
    Branch,
    BranchKind,
    Bus,
    Capacitor,
    ComplexMatrix,
    Der,
    Load,
    NetworkModel,
    NodeRef,
    Source,
    SwitchGear,
    TapChanger,
    VoltageLaw,
)
from adms.grid.plausibility import slips
from adms.grid.validation_joints import joint_problems
from adms.grid.validation_passive import passive_problems
from adms.grid.validation_range import range_problems

_ZIP_TOLERANCE = 1e-6
_PHASE_MAX = 255
"""Conductors of one bus that anybody numbers."""
_POSITION_MAX = 10_000
"""Taps and steps beyond this are a slip, and would be tables without end."""
_COUNT_MAX = 10**9


def check(model: NetworkModel) -> tuple[Problem, ...]:
    """All problems of a model; empty where it can be used."""
    checker = _Checker(model)
    checker.model(model)
    named = {(problem.element, problem.field) for problem in checker.problems}
    endless = [problem for problem in _not_finite(model) if (problem.element, problem.field) not in named]
    return (
        *checker.problems,
        *endless,
        *passive_problems(model),
        *joint_problems(model),
        *range_problems(model),
        *slips(model),
    )


def _not_finite(model: NetworkModel) -> Iterable[Problem]:
    """Numbers of an element that are none, whatever the field is called: fields that come later are looked at too."""
    parts = (model.buses, model.sources, model.branches, model.capacitors, model.loads, model.ders)
    for element in itertools.chain[Bus | Source | Branch | Capacitor | Load | Der](*parts):
        yield from _not_finite_in(element, element=element.id, prefix="")


def _not_finite_in(record: object, *, element: str, prefix: str) -> Iterable[Problem]:
    for field, value in vars(record).items():
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            if isinstance(number, float) and not math.isfinite(number):
                message = "is not a finite number"
                yield Problem(element=element, field=f"{prefix}{field}", value=str(number), message=message)
        if isinstance(value, SwitchGear | TapChanger | VoltageLaw):
            yield from _not_finite_in(value, element=element, prefix=f"{prefix}{field}.")


class _Checker:
    def __init__(self, model: NetworkModel) -> None:
        self.problems: list[Problem] = []
        self._nodes = {NodeRef(bus.id, phase) for bus in model.buses for phase in bus.phases}
        self._buses = {bus.id: bus for bus in model.buses}

    def add(self, element: str, field: str, value: object, message: str) -> None:
        self.problems.append(Problem(element=element, field=field, value=str(value), message=message))

    def model(self, model: NetworkModel) -> None:
        if model.schema_version != SCHEMA_VERSION:
            self.add("model", "schema_version", model.schema_version, f"this program reads version {SCHEMA_VERSION}")
        self.positive("model", frequency_hz=model.frequency_hz)
        if not model.buses:
            self.add("model", "buses", "", "there are none")
        if not model.branches and len(model.buses) > 1:
            self.add("model", "branches", "", "there are none between its buses")
        if not model.sources:
            self.add("model", "sources", "", "there are none: nothing is ever energised")
        self.unique("bus", [bus.id for bus in model.buses])
        ids: list[str] = [source.id for source in model.sources]
        ids += [branch.id for branch in model.branches]
        ids += [capacitor.id for capacitor in model.capacitors]
        ids += [load.id for load in model.loads]
        ids += [der.id for der in model.ders]
        self.unique("element", ids)
        for bus in model.buses:
            self.bus(bus)
        for source in model.sources:
            self.source(source)
        for branch in model.branches:
            self.branch(branch)
        for capacitor in model.capacitors:
            self.capacitor(capacitor)
        for load in model.loads:
            self.load(load)
        for der in model.ders:
            self.der(der)
        if sum(source.interface for source in model.sources) > 1:
            self.add("model", "sources", "", "more than one is marked as the interface")

    def unique(self, what: str, ids: Sequence[str]) -> None:
        for name, count in Counter(ids).items():
            if count > 1:
                self.add(name, "id", name, f"{count} {what}s of this id")
            if not name.isprintable():
                self.add(ascii(name), "id", "", "has characters that do not print")
            if not name:
                self.add(what, "id", "", "is empty")

    def positive(self, element: str, **values: float | None) -> None:
        for field, value in values.items():
            if value is not None and not (math.isfinite(value) and value > 0.0):
                self.add(element, field, value, "must be a positive number")

    def not_negative(self, element: str, **values: float | None) -> None:
        for field, value in values.items():
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                self.add(element, field, value, "must be a number that is not negative")

    def whole(self, element: str, *, up_to: int, **values: int) -> None:
        for field, value in values.items():
            if not 0 <= value <= up_to:
                self.add(element, field, str(value)[:40], f"must be 0 to {up_to}")

    def nodes(self, element: str, field: str, nodes: Iterable[NodeRef | None]) -> None:
        for node in nodes:
            if node is None or node in self._nodes:
                continue
            if node.bus in self._buses:
                self.add(element, field, f"{node.bus}.{node.phase}", "the bus does not have this phase")
            else:
                self.add(element, field, f"{node.bus}.{node.phase}", "unknown bus")

    def matrix(self, element: str, field: str, y: ComplexMatrix, *, size: int) -> None:
        if any(len(part) != size or any(len(line) != size for line in part) for part in (y.re, y.im)):
            self.add(element, field, f"{len(y.re)} rows", f"must be a square matrix of {size} rows, as it has nodes")
        elif not all(math.isfinite(x) for part in (y.re, y.im) for line in part for x in line):
            self.add(element, field, "", "has entries that are not finite numbers")

    def bus(self, bus: Bus) -> None:
        self.positive(bus.id, v_base_v=bus.v_base_v)
        if not bus.phases or len(set(bus.phases)) != len(bus.phases) or min(bus.phases) < 0:
            self.add(bus.id, "phases", bus.phases, "must be distinct numbers, at least one")
        elif max(bus.phases) > _PHASE_MAX:
            self.add(bus.id, "phases", str(bus.phases)[:40], f"must not be above {_PHASE_MAX}")
        elif 0 in bus.phases and len(bus.phases) > 1:
            self.add(bus.id, "phases", bus.phases, "0 is the single node of a balanced bus, and stands alone")
        limits = (bus.v_emergency_min_pu, bus.v_min_pu, bus.v_max_pu, bus.v_emergency_max_pu)
        rising = limits[0] <= limits[1] < limits[2] <= limits[3]
        if not (rising and all(math.isfinite(x) for x in limits) and limits[0] >= 0.0):
            self.add(bus.id, "voltage limits", limits, "must rise: emergency min, min, max, emergency max")

    def source(self, source: Source) -> None:
        size = len(source.nodes)
        if not source.nodes:
            self.add(source.id, "nodes", "", "is empty")
        self.nodes(source.id, "nodes", source.nodes)
        for field, values in (("v_magnitude_pu", source.v_magnitude_pu), ("v_angle_rad", source.v_angle_rad)):
            if len(values) != size:
                self.add(source.id, field, len(values), f"must have {size} entries, as it has nodes")
        for value in source.v_magnitude_pu:
            self.not_negative(source.id, v_magnitude_pu=value)
        self.matrix(source.id, "y_primitive_siemens", source.y_primitive_siemens, size=size)
        self.positive(source.id, p_max_w=source.p_max_w)

    def branch(self, branch: Branch) -> None:
        if not branch.terminals or any(not terminal for terminal in branch.terminals):
            self.add(branch.id, "terminals", "", "a terminal without nodes")
        for terminal in branch.terminals:
            self.nodes(branch.id, "terminals", terminal)
            if len({node.bus for node in terminal}) > 1:
                self.add(branch.id, "terminals", terminal, "one terminal at several buses")
        size = sum(len(terminal) for terminal in branch.terminals)
        self.matrix(branch.id, "y_primitive_siemens", branch.y_primitive_siemens, size=size)
        self.positive(
            branch.id,
            rating_a=branch.rating_a,
            rating_emergency_a=branch.rating_emergency_a,
            rating_va=branch.rating_va,
        )
        self.not_negative(
            branch.id,
            length_m=branch.length_m,
            failure_rate_per_year=branch.failure_rate_per_year,
            repair_h=branch.repair_h,
        )
        if branch.rating_a and branch.rating_emergency_a and branch.rating_emergency_a < branch.rating_a:
            self.add(branch.id, "rating_emergency_a", branch.rating_emergency_a, "is below the normal rating")
        if (branch.switch is None) == (branch.kind is BranchKind.SWITCH):
            self.add(branch.id, "switch", branch.kind, "a switch has gear, and nothing else has")
        if branch.switch is not None:
            self.switch(branch)
        if branch.taps is not None:
            self.taps(branch)

    def switch(self, branch: Branch) -> None:
        gear = branch.switch
        assert gear is not None
        if len(branch.terminals) != 2 or len({tuple(sorted(n.phase for n in t)) for t in branch.terminals}) > 1:
            self.add(branch.id, "terminals", branch.terminals, "a switch has two ends of the same phases")
        self.positive(branch.id, pickup_a=gear.pickup_a, ground_pickup_a=gear.ground_pickup_a, travel_s=gear.travel_s)
        self.positive(branch.id, breaking_a=gear.breaking_a)
        self.not_negative(branch.id, trip_delay_s=gear.trip_delay_s)
        self.whole(branch.id, up_to=_POSITION_MAX, reclose_shots=gear.reclose_shots)
        trips = gear.pickup_a is not None or gear.ground_pickup_a is not None
        if trips and gear.trip_delay_s is None:
            self.add(branch.id, "trip_delay_s", "", "is missing, and it trips by itself")

    def taps(self, branch: Branch) -> None:
        taps = branch.taps
        assert taps is not None
        if not 0 <= taps.terminal < len(branch.terminals):
            self.add(branch.id, "taps.terminal", taps.terminal, "no such terminal")
        self.positive(branch.id, step_pu=taps.step_pu, v_set_v=taps.v_set_v, v_band_v=taps.v_band_v)
        self.not_negative(branch.id, delay_s=taps.delay_s)
        if not taps.min_position <= taps.normal_position <= taps.max_position:
            limits = f"{taps.min_position} to {taps.max_position}"
            self.add(branch.id, "taps.normal_position", taps.normal_position, f"must be {limits}")
        elif max(-taps.min_position, taps.max_position) > _POSITION_MAX:
            self.add(branch.id, "taps.max_position", str(taps.max_position)[:40], f"must be within ±{_POSITION_MAX}")
        elif taps.primitives:
            self.tap_table(branch)
        elif 1.0 + taps.min_position * taps.step_pu <= 0.0:
            self.add(branch.id, "taps.min_position", taps.min_position, "turns the voltage round")

    def tap_table(self, branch: Branch) -> None:
        taps = branch.taps
        assert taps is not None
        given = [primitive.position for primitive in taps.primitives]
        if given != list(range(taps.min_position, taps.max_position + 1)):
            limits = f"{taps.min_position} to {taps.max_position}"
            self.add(branch.id, "taps.primitives", len(given), f"must be one a position, {limits}, in order")
        size = sum(len(terminal) for terminal in branch.terminals)
        for primitive in taps.primitives:
            field = f"taps.primitives.{primitive.position}"
            self.matrix(branch.id, field, primitive.y_primitive_siemens, size=size)

    def capacitor(self, capacitor: Capacitor) -> None:
        if not capacitor.nodes:
            self.add(capacitor.id, "nodes", "", "is empty")
        self.nodes(capacitor.id, "nodes", capacitor.nodes)
        self.matrix(capacitor.id, "y_step_siemens", capacitor.y_step_siemens, size=len(capacitor.nodes))
        self.positive(capacitor.id, rating_var=capacitor.rating_var, v_on_pu=capacitor.v_on_pu)
        self.not_negative(capacitor.id, delay_s=capacitor.delay_s)
        if not 1 <= capacitor.steps <= _POSITION_MAX:
            self.add(capacitor.id, "steps", str(capacitor.steps)[:40], f"must be 1 to {_POSITION_MAX}")
        elif not 0 <= capacitor.normal_steps <= capacitor.steps:
            self.add(capacitor.id, "normal_steps", capacitor.normal_steps, f"must be 0 to {capacitor.steps} steps")
        if (capacitor.v_on_pu is None) != (capacitor.v_off_pu is None):
            self.add(capacitor.id, "v_off_pu", capacitor.v_off_pu, "a local control has both v_on_pu and v_off_pu")
        elif capacitor.v_on_pu is not None and not capacitor.v_on_pu < (capacitor.v_off_pu or 0.0):
            self.add(capacitor.id, "v_off_pu", capacitor.v_off_pu, "must be above v_on_pu")

    def pairs(self, element: str, pairs: tuple[tuple[NodeRef, NodeRef | None], ...]) -> None:
        if not pairs:
            self.add(element, "pairs", "", "is empty")
        self.nodes(element, "pairs", [node for pair in pairs for node in pair])
        for fr, to in pairs:
            if fr == to:
                self.add(element, "pairs", f"{fr.bus}.{fr.phase}", "a pair from a node to itself")

    def load(self, load: Load) -> None:
        self.pairs(load.id, load.pairs)
        self.positive(load.id, v_nominal_v=load.v_nominal_v, v_high_pu=load.v_high_pu)
        self.not_negative(load.id, v_low_pu=load.v_low_pu, v_floor_pu=load.v_floor_pu, v_cut_pu=load.v_cut_pu)
        self.whole(load.id, up_to=_COUNT_MAX, customers=load.customers, critical_customers=load.critical_customers)
        if load.critical_customers > load.customers:
            self.add(load.id, "critical_customers", load.critical_customers, "are more than its customers")
        for field, law in (("law", load.law), ("q_law", load.q_law)):
            if law is not None:
                self.law(load.id, law, field=field)
        if load.v_low_pu >= load.v_high_pu:
            self.add(load.id, "v_low_pu", load.v_low_pu, "must be below v_high_pu")

    def law(self, element: str, law: VoltageLaw, *, field: str) -> None:
        shares = (law.z_frac, law.i_frac, law.p_frac, law.e_frac)
        if abs(sum(shares) - 1.0) > _ZIP_TOLERANCE:
            self.add(element, f"{field}.z_frac + i_frac + p_frac + e_frac", sum(shares), "must be 1")

    def der(self, der: Der) -> None:
        self.pairs(der.id, der.pairs)
        self.positive(
            der.id,
            v_high_pu=der.v_high_pu,
            x_subtransient_pu=der.x_subtransient_pu,
            s_max_va=der.s_max_va,
            v_nominal_v=der.v_nominal_v,
            efficiency_frac=der.efficiency_frac,
            energy_wh=der.energy_wh,
            ramp_w_per_s=der.ramp_w_per_s,
        )
        self.not_negative(der.id, q_max_var=der.q_max_var, v_low_pu=der.v_low_pu, fault_current_pu=der.fault_current_pu)
        if der.v_high_pu is not None and der.v_low_pu >= der.v_high_pu:
            self.add(der.id, "v_low_pu", der.v_low_pu, "must be below v_high_pu")
        if der.efficiency_frac > 1.0:
            self.add(der.id, "efficiency_frac", der.efficiency_frac, "must not be above 1")
        if der.p_min_w > der.p_max_w:
            self.add(der.id, "p_min_w", der.p_min_w, "is above p_max_w")
        for field, value in (("p_max_w", der.p_max_w), ("p_min_w", der.p_min_w), ("q_max_var", der.q_max_var)):
            if abs(value) > der.s_max_va * (1.0 + 1e-9):
                self.add(der.id, field, value, "is beyond s_max_va")
        p = der.default_p_injection_w
        if p is not None and not der.p_min_w <= p <= der.p_max_w:
            self.add(der.id, "default_p_injection_w", p, "must be between p_min_w and p_max_w")
        if abs(der.default_q_injection_var) > der.q_max_var:
            self.add(der.id, "default_q_injection_var", der.default_q_injection_var, "is beyond q_max_var")
