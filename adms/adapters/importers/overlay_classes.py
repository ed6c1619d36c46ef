"""Rules of an overlay that are about many elements: limits, ratings, reliability, zones, load classes, customers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from adms.adapters.importers.overlay_draft import Draft
from adms.adapters.importers.overlay_rules import BranchChoice, OverlayRating, OverlayReliability
from adms.adapters.importers.overlay_schema import Overlay, VoltageLimits
from adms.adapters.importers.overlay_switches import pole_ids
from adms.core.ids import ElementId
from adms.grid.model import Branch, BranchKind, Bus

Rule = TypeVar("Rule", bound=BranchChoice)


def set_limits(draft: Draft, overlay: Overlay) -> None:
    """Voltage limits of every bus: of its class (the later one of two), else of all."""
    for bus in draft.buses.values():
        nominal_v = bus.v_base_v * math.sqrt(3.0)
        chosen: VoltageLimits | None = overlay.voltage_limits
        for item in overlay.voltage_class:
            if item.phase_to_phase_min_v <= nominal_v * (1.0 + 1e-9) and nominal_v <= item.phase_to_phase_max_v:
                chosen = item
        if chosen is not None:
            draft.buses[bus.id] = replace(
                bus,
                v_min_pu=chosen.v_min_pu,
                v_max_pu=chosen.v_max_pu,
                v_emergency_min_pu=chosen.v_emergency_min_pu,
                v_emergency_max_pu=chosen.v_emergency_max_pu,
            )
    for row, item in enumerate(overlay.voltage_class):
        if item.phase_to_phase_min_v > item.phase_to_phase_max_v:
            draft.problem(
                f"voltage_class[{row}]", "phase_to_phase_max_v", item.phase_to_phase_max_v, "is below the min"
            )


def set_ratings(draft: Draft, ratings: Sequence[OverlayRating]) -> None:
    """Ratings in A of lines and switches, and of what a rule names by kind or id."""
    for element, rule in _chosen(draft, ratings, where="rating", unnamed=(BranchKind.LINE, BranchKind.SWITCH)):
        branch = draft.branches[element]
        if rule.normal_a is not None:
            branch = replace(branch, rating_a=rule.normal_a, rating_emergency_a=rule.emergency_a)
        if rule.rating_va is not None:
            branch = replace(branch, rating_va=rule.rating_va)
        draft.branches[element] = branch


def set_reliability(draft: Draft, rules: Sequence[OverlayReliability]) -> None:
    """Failure rates and repair times; each of the two from the first rule in order of precedence that gives it."""
    rates = [
        rule for rule in rules if rule.failure_rate_per_year is not None or rule.failure_rate_per_km_year is not None
    ]
    for element, rule in _chosen(draft, rates, where="reliability", unnamed=tuple(BranchKind)):
        branch = draft.branches[element]
        rate = rule.failure_rate_per_year
        if rule.failure_rate_per_km_year is not None and branch.length_m is not None:
            rate = rule.failure_rate_per_km_year * branch.length_m / 1e3
        if rate is not None:
            draft.branches[element] = replace(branch, failure_rate_per_year=rate)
    repairs = [rule for rule in rules if rule.repair_h is not None]
    for element, rule in _chosen(draft, repairs, where="reliability", unnamed=tuple(BranchKind), told=rates):
        draft.branches[element] = replace(draft.branches[element], repair_h=rule.repair_h)


def _chosen(
    draft: Draft,
    rules: Sequence[Rule],
    *,
    where: str,
    unnamed: tuple[BranchKind, ...],
    told: Sequence[BranchChoice] = (),
) -> Iterable[tuple[ElementId, Rule]]:
    """The rule that counts for each branch. Rules without a kind are about the `unnamed` kinds; unknown names of the
    rules in `told` are problems already."""
    chosen: dict[ElementId, Rule] = {}
    wide = [branch for branch in draft.branches.values() if branch.kind in unnamed]
    for rule in sorted((rule for rule in rules if rule.elements is None), key=lambda rule: rule.conditions):
        some = draft.branches.values() if rule.kind is not None else wide
        chosen.update((branch.id, rule) for branch in some if _meets(branch, rule, draft))
    for rule in rules:
        for name in rule.elements or ():
            poles = pole_ids(draft, ElementId(name))
            if poles:
                chosen.update((pole, rule) for pole in poles)
                continue
            if any(rule is other for other in told) and ElementId(name) not in draft.branches:
                continue
            branch = draft.find(draft.branches, name, what="branch", where=where, field_name="elements")
            if branch is not None:
                chosen[branch.id] = rule
    return chosen.items()


def _meets(branch: Branch, rule: BranchChoice, draft: Draft) -> bool:
    if rule.kind is not None and branch.kind is not rule.kind:
        return False
    first = branch.terminals[0]
    if rule.phases is not None and rule.phases != (3 if first[0].phase == 0 else len(first)):
        return False
    buses: list[Bus] = [draft.buses[end[0].bus] for end in branch.terminals]
    nominal_v = max(bus.v_base_v for bus in buses) * math.sqrt(3.0)
    low, high = rule.phase_to_phase_min_v or 0.0, rule.phase_to_phase_max_v or math.inf
    return low <= nominal_v * (1.0 + 1e-9) and nominal_v <= high * (1.0 + 1e-9)


def set_zones(draft: Draft, overlay: Overlay) -> None:
    """Zone of every bus that one names, and of all others where there is a default."""
    named: dict[str, str] = {}
    for zone in overlay.zone:
        for name in zone.buses or ():
            bus = draft.find(draft.buses, name, what="bus", where=f"zone {zone.name}", field_name="buses")
            if bus is None:
                continue
            if named.get(bus.id, zone.name) != zone.name:
                draft.problem(f"zone {zone.name}", "buses", name, f"is in zone {named[bus.id]} already")
            named[bus.id] = zone.name
    default = next((zone.name for zone in overlay.zone if zone.default), None)
    for bus in draft.buses.values():
        chosen = named.get(bus.id, default)
        if chosen is not None:
            draft.buses[bus.id] = replace(bus, zone=chosen)


def set_load_classes(draft: Draft, overlay: Overlay) -> None:
    """Class of every load: its own before that of its zone, and that before the default."""
    for item in overlay.load_class:
        if item.default:
            for load in draft.loads.values():
                draft.loads[load.id] = replace(load, load_class=item.name)
    zones = {bus.zone for bus in draft.buses.values()}
    for item in overlay.load_class:
        if item.zone is None:
            continue
        if item.zone not in zones:
            draft.problem(f"load_class {item.name}", "zone", item.zone, "no such zone")
        for load in draft.loads.values():
            if draft.buses[load.pairs[0][0].bus].zone == item.zone:
                draft.loads[load.id] = replace(load, load_class=item.name)
    for item in overlay.load_class:
        where = f"load_class {item.name}"
        for name in item.loads or ():
            found = draft.find(draft.loads, name, what="load", where=where, field_name="loads")
            if found is not None:
                draft.loads[found.id] = replace(found, load_class=item.name)


def set_customers(draft: Draft, overlay: Overlay) -> None:
    """Customers of every load by the rule, then of those that have their own number."""
    for item in overlay.customers:
        if item.default_w_per_customer is not None:
            for load in draft.loads.values():
                count = max(1, round(load.p_w / item.default_w_per_customer))
                draft.loads[load.id] = replace(load, customers=count)
    for item in overlay.customers:
        if item.load is None or item.customers is None:
            continue
        found = draft.find(draft.loads, item.load, what="load", where="customers", field_name="load")
        if found is not None:
            critical = item.customers if item.critical else item.critical_customers or 0
            draft.loads[found.id] = replace(found, customers=item.customers, critical_customers=critical)
