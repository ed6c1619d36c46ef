"""`[der_class.x]` and `[[der_defect]]` of a scenario: how units behave by themselves, and which of them misbehave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from adms.client import Problem
from hil.overlay import DerEntry
from hil.plant.battery import BatteryPlan
from hil.plant.ieee1547 import (
    REACTIVE_ABSORPTION_PU,
    REACTIVE_INJECTION_PU,
    RIDE_THROUGH,
    VOLT_VAR,
    VOLT_VAR_RESPONSE_S,
    VOLT_WATT,
    VOLT_WATT_RESPONSE_S,
    VOLT_WATT_STORAGE,
    WATT_VAR,
    Curve,
    Droop,
)
from hil.plant.inverter import Defect, DerClass
from hil.plant.reading import Table, raise_problems, tables_of
from hil.plant.ride_through import RidePlan

MODES = ("constant_q", "constant_pf", "volt_var", "watt_var")
KINDS = ("pv", "battery", "ev", "generator")


@dataclass(frozen=True, kw_only=True)
class ClassEntry:
    """A class and who belongs to it."""

    plan: DerClass
    ders: tuple[str, ...]
    """Named units."""
    kind: str | None
    """All units of this kind that no class names."""


@dataclass(frozen=True, kw_only=True)
class DefectEntry:
    """A unit that misbehaves for a while."""

    der: str
    mode: Defect
    from_s: float
    until_s: float


def read_der_classes(content: Mapping[str, object]) -> tuple[ClassEntry, ...]:
    """Read the `der_class` table of a scenario (class name to its keys). Raises InputError with every problem."""
    problems: list[Problem] = []
    entries = tuple(
        _entry(name, Table(keys, name=f"der_class.{name}", problems=problems)) for name, keys in content.items()
    )
    for what, claims in (
        ("ders", [(d, e.plan.name) for e in entries for d in e.ders]),
        ("kind", [(e.kind, e.plan.name) for e in entries if e.kind]),
    ):
        first: dict[str, str] = {}
        for claimed, name in claims:
            if first.setdefault(claimed, name) != name:
                problems.append(
                    Problem(element=f"der_class.{name}", field=what, value=claimed, message=f"is in {first[claimed]}")
                )
    raise_problems(problems)
    return entries


def read_der_defects(content: Sequence[object]) -> tuple[DefectEntry, ...]:
    """Read `[[der_defect]]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    entries = []
    for table in tables_of(content, name="der_defect", problems=problems):
        mode = table.text("mode", among=[defect.value for defect in Defect])
        der, from_s = table.text("der").lower(), table.number("from_s", low=0.0)
        until_s = table.optional("until_s", low=0.0)
        if until_s is not None and until_s <= from_s:
            table.wrong("until_s", until_s, "must be after from_s")
        table.end()
        entries.append(
            DefectEntry(
                der=der,
                mode=Defect(mode) if mode else Defect.DEAF,
                from_s=from_s,
                until_s=inf if until_s is None else until_s,
            )
        )
    raise_problems(problems)
    return tuple(entries)


def class_of(entry: DerEntry, *, classes: Iterable[ClassEntry]) -> DerClass | None:
    """The class of a unit: the one that names it, else the one of its kind, else None."""
    known = tuple(classes)
    for found in known:
        if entry.id in found.ders:
            return found.plan
    return next((found.plan for found in known if found.kind == entry.kind), None)


def check_against(
    ders: Sequence[DerEntry], *, classes: Sequence[ClassEntry], defects: Sequence[DefectEntry]
) -> list[Problem]:
    """What classes and defects name that the feeder does not have."""
    by_id = {entry.id: entry for entry in ders}
    problems = [
        Problem(element=f"der_class.{c.plan.name}", field="ders", value=der, message="the feeder has no such DER")
        for c in classes
        for der in c.ders
        if der not in by_id
    ]
    for defect in defects:
        entry = by_id.get(defect.der)
        if entry is None:
            message = "the feeder has no such DER"
        elif class_of(entry, classes=classes) is None:
            message = "only a DER with a class can misbehave"
        else:
            continue
        problems.append(Problem(element="der_defect", field="der", value=defect.der, message=message))
    return problems


def _entry(name: str, table: Table) -> ClassEntry:
    ders = tuple(der.lower() for der in table.texts("ders", default=()))
    kind = table.text("kind", among=KINDS) if "kind" in table else None
    if not ders and kind is None:
        table.wrong("ders", "", "neither ders nor kind says who belongs to the class")
    normal = table.text("normal_category", among=tuple(VOLT_VAR)) or "B"
    battery_table = table.table("battery")
    mode = table.text("reactive_mode", among=MODES)
    power_factor = table.number("power_factor", low=0.5, high=1.0) if mode == "constant_pf" else 1.0
    absorbs = table.flag("absorbs", default=False) if mode == "constant_pf" else False
    plan = DerClass(
        name=name,
        ride=_ride(table),
        reactive_mode=mode,
        reactive_curve=_reactive_curve(table, mode=mode, category=normal),
        power_factor=power_factor,
        absorbs=absorbs,
        reactive_response_s=table.number(
            "reactive_response_s", low=0.0, high=90.0, default=VOLT_VAR_RESPONSE_S[normal]
        ),
        volt_watt=_volt_watt(table, stores=battery_table is not None or kind == "battery"),
        volt_watt_response_s=table.number("volt_watt_response_s", low=0.5, high=60.0, default=VOLT_WATT_RESPONSE_S),
        droop=_droop(table),
        priority=table.text("priority", among=("reactive", "active"), default="reactive"),
        i_max_pu=table.positive("i_max_pu", default=1.1),
        battery=None if battery_table is None else read_battery(battery_table),
    )
    table.end()
    return ClassEntry(plan=plan, ders=ders, kind=kind)


def _ride(table: Table) -> RidePlan:
    """Nothing here has a default: it all protects."""
    v_min, v_max = table.number("return_v_min_pu", low=0.5), table.number("return_v_max_pu", low=1.0)
    f_min, f_max = table.number("return_f_min_hz", low=40.0), table.number("return_f_max_hz", low=50.0)
    if f_min >= f_max:
        table.wrong("return_f_min_hz", f_min, "must be below return_f_max_hz")
    return RidePlan(
        category=table.text("abnormal_category", among=tuple(RIDE_THROUGH)) or "III",
        trips_at=table.text("trips_at", among=("clearing", "ride_through")),
        permissive=table.text("permissive", among=("deliver", "cease")),
        return_v_min_pu=v_min,
        return_v_max_pu=v_max,
        return_f_min_hz=f_min,
        return_f_max_hz=f_max,
        return_delay_s=table.number("return_delay_s", low=0.0, high=600.0),
        return_random_s=table.number("return_random_s", low=0.0, high=1000.0),
        return_ramp_s=table.number("return_ramp_s", low=0.0, high=1000.0),
    )


def _curve(table: Table, key: str, *, low: float, high: float) -> Curve:
    points = table.course(key, low=low, high=high, of="v_pu" if key != "watt_var" else "p_pu")
    if len(points) < 2:
        table.wrong(key, points, "must have two points or more")
    if any(after[1] > before[1] for before, after in pairwise(points)):
        table.wrong(key, [y for _, y in points], "must not rise: a unit that answers so drives voltage away")
    return points


def _reactive_curve(table: Table, *, mode: str, category: str) -> Curve:
    if mode not in ("volt_var", "watt_var"):
        return ()
    if mode in table:
        low, high = -REACTIVE_ABSORPTION_PU[category], REACTIVE_INJECTION_PU[category]
        return _curve(table, mode, low=low, high=high)
    return VOLT_VAR[category] if mode == "volt_var" else WATT_VAR[category]


def _volt_watt(table: Table, *, stores: bool) -> Curve | None:
    if not table.flag("volt_watt"):
        return None
    if "volt_watt_curve" in table:
        return _curve(table, "volt_watt_curve", low=-1.0, high=1.0)
    return VOLT_WATT_STORAGE if stores else VOLT_WATT


def _droop(table: Table) -> Droop | None:
    if not table.flag("frequency_watt", default=False):
        return None
    return Droop(
        f_nominal_hz=table.positive("f_nominal_hz", default=Droop.f_nominal_hz),
        dead_band_hz=table.number("dead_band_hz", low=0.017, high=1.0, default=Droop.dead_band_hz),
        droop_frac=table.number("droop_frac", low=0.02, high=0.05, default=Droop.droop_frac),
        response_s=table.number("droop_response_s", low=0.2, high=10.0, default=Droop.response_s),
    )


def read_battery(table: Table) -> BatteryPlan:
    """Read the `battery` table of a class; problems go to the table's list."""
    soc_min, soc_max = (
        table.number("soc_min_frac", low=0.0, high=1.0, default=0.0),
        table.number("soc_max_frac", low=0.0, high=1.0, default=1.0),
    )
    if soc_min >= soc_max:
        table.wrong("soc_min_frac", soc_min, "must be below soc_max_frac")
    start, end = table.optional("derate_from_c"), table.optional("derate_to_c")
    if (start is None) != (end is None):
        table.wrong("derate_from_c", start, "derate_from_c and derate_to_c come together")
    elif start is not None and end is not None and start >= end:
        table.wrong("derate_from_c", start, "must be below derate_to_c")
    plan = BatteryPlan(
        charge_efficiency_frac=table.number("charge_efficiency_frac", low=0.01, high=1.0),
        discharge_efficiency_frac=table.number("discharge_efficiency_frac", low=0.01, high=1.0),
        soc_min_frac=soc_min,
        soc_max_frac=soc_max,
        taper_frac=table.number("taper_frac", low=0.0, high=1.0, default=0.0),
        standby_w=table.number("standby_w", low=0.0, default=0.0),
        derate_from_c=start,
        derate_to_c=end,
    )
    table.end()
    return plan
