"""An overlay applied to an imported model: a pure function in the model's own terms, the same for every importer."""

from collections import Counter
from dataclasses import replace

from adms.adapters.importers.overlay_classes import (
    set_customers,
    set_limits,
    set_load_classes,
    set_ratings,
    set_reliability,
    set_zones,
)
from adms.adapters.importers.overlay_devices import (
    add_der,
    add_source,
    change_ders,
    set_capacitors,
    set_tap_changers,
)
from adms.adapters.importers.overlay_draft import Draft
from adms.adapters.importers.overlay_schema import Overlay
from adms.adapters.importers.overlay_switches import add_switch
from adms.core.errors import InputError
from adms.core.ids import ElementId
from adms.grid.model import NetworkModel


def apply_overlay(model: NetworkModel, overlay: Overlay) -> NetworkModel:
    """The model with what the overlay takes out, adds and says. Buses that this leaves alone are still there
    (`adms.grid.settled`). Raises InputError with every problem at once."""
    draft = Draft.of(model)
    _once(draft, overlay)
    for removal in overlay.remove:
        _remove(draft, removal.element)
    for switch in overlay.switch:
        add_switch(draft, switch)
    for source in overlay.source:
        add_source(draft, source)
    set_capacitors(draft, overlay.capacitor)
    set_tap_changers(draft, overlay.tap_changer)
    set_ratings(draft, overlay.rating)
    set_reliability(draft, overlay.reliability)
    set_zones(draft, overlay)
    set_load_classes(draft, overlay)
    set_customers(draft, overlay)
    change_ders(draft, overlay.der_change)
    for der in overlay.der:
        add_der(draft, der)
    set_limits(draft, overlay)
    _interface(draft, overlay)
    if draft.problems:
        raise InputError(draft.problems)
    return replace(
        model,
        name=overlay.name,
        buses=tuple(draft.buses.values()),
        sources=tuple(draft.sources.values()),
        branches=tuple(draft.branches.values()),
        capacitors=tuple(draft.capacitors.values()),
        loads=tuple(draft.loads.values()),
        ders=tuple(draft.ders.values()),
        notes=(
            *model.notes,
            *(f"{removal.element}: removed by the overlay" for removal in overlay.remove),
            *draft.notes,
        ),
    )


def _once(draft: Draft, overlay: Overlay) -> None:
    """What is said twice of one element would be decided by its order."""
    named = {
        "remove": [item.element for item in overlay.remove],
        "switch": [item.id for item in overlay.switch if item.existing],
        "capacitor": [item.id for item in overlay.capacitor],
        "tap_changer": [item.id for item in overlay.tap_changer],
        "customers": [item.load for item in overlay.customers if item.load is not None],
        "der_change": [item.id for item in overlay.der_change if item.id is not None],
    }
    for table, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                draft.problem(name, table, name, f"is given {count} times in [[{table}]]")


def _remove(draft: Draft, name: str) -> None:
    parts: tuple[dict[ElementId, object], ...] = (
        draft.sources,  # type: ignore[assignment]
        draft.branches,
        draft.capacitors,
        draft.loads,
        draft.ders,
    )
    everything = {key: key for part in parts for key in part}
    found = draft.find(everything, name, what="element", where=name, field_name="element")
    for part in parts:
        if found is not None:
            part.pop(found, None)


def _interface(draft: Draft, overlay: Overlay) -> None:
    if overlay.interface is None:
        return
    name = overlay.interface.source
    source = draft.find(draft.sources, name, what="source", where="interface", field_name="source")
    if source is not None:
        for other in draft.sources.values():
            draft.sources[other.id] = replace(other, interface=other.id == source.id)
