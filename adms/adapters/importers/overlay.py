"""An overlay applied to an imported model: a pure function in the model's own terms."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from adms.adapters.importers.opendss_elements import as_matrix
from adms.adapters.importers.overlay_schema import Overlay, OverlayDer, OverlayRating, OverlaySource, OverlaySwitch
from adms.core.errors import InputError, Problem
from adms.core.ids import BusId, ElementId
from adms.grid.model import (
    Branch,
    BranchKind,
    Bus,
    Capacitor,
    Der,
    Load,
    NetworkModel,
    NodeRef,
    Source,
    SwitchGear,
)

CONTACT_OHM = 1e-6
"""Of a closed switch that the overlay adds, per phase: what the test feeders' own switches have."""


@dataclass
class _Draft:
    """The model while it is being changed."""

    buses: dict[BusId, Bus]
    sources: dict[ElementId, Source]
    branches: dict[ElementId, Branch]
    capacitors: dict[ElementId, Capacitor]
    loads: dict[ElementId, Load]
    ders: dict[ElementId, Der]
    problems: list[Problem] = field(default_factory=list)

    def problem(self, element: str, field_name: str, value: object, message: str) -> None:
        self.problems.append(Problem(element=element, field=field_name, value=str(value), message=message))

    def take_id(self, element: str) -> ElementId:
        taken = ElementId(element)
        if any(taken in part for part in (self.sources, self.branches, self.capacitors, self.loads, self.ders)):
            self.problem(element, "id", element, "this id is taken")
        return taken

    def nodes(self, element: str, bus: str, phases: tuple[int, ...]) -> tuple[NodeRef, ...]:
        """Nodes at a bus; empty, and a problem noted, where it does not have them."""
        found = self.buses.get(BusId(bus))
        if found is None:
            self.problem(element, "bus", bus, "unknown bus")
            return ()
        absent = [phase for phase in phases if phase not in found.phases]
        if absent:
            self.problem(element, "phases", absent, f"bus {bus} has only {found.phases}")
            return ()
        return tuple(NodeRef(found.id, phase) for phase in phases)


def apply_overlay(model: NetworkModel, overlay: Overlay) -> NetworkModel:
    """The model with what the overlay takes out, adds and says. Raises InputError with every problem at once."""
    draft = _Draft(
        buses={bus.id: bus for bus in model.buses},
        sources={source.id: source for source in model.sources},
        branches={branch.id: branch for branch in model.branches},
        capacitors={capacitor.id: capacitor for capacitor in model.capacitors},
        loads={load.id: load for load in model.loads},
        ders={der.id: der for der in model.ders},
    )
    for removal in overlay.remove:
        _remove(draft, ElementId(removal.element))
    for switch in overlay.switch:
        _switch(draft, switch)
    for source in overlay.source:
        _source(draft, source)
    _capacitors_and_taps(draft, overlay)
    _ratings(draft, overlay.rating)
    _customers(draft, overlay)
    for der in overlay.der:
        _der(draft, der)
    _interface(draft, overlay)
    if draft.problems:
        raise InputError(draft.problems)
    limits = overlay.voltage_limits
    used = _used_buses(draft)
    dropped = [bus for bus in draft.buses if bus not in used]
    return replace(
        model,
        name=overlay.name,
        buses=tuple(
            replace(
                bus,
                v_min_pu=limits.v_min_pu,
                v_max_pu=limits.v_max_pu,
                v_emergency_min_pu=limits.v_emergency_min_pu,
                v_emergency_max_pu=limits.v_emergency_max_pu,
            )
            for bus in draft.buses.values()
            if bus.id in used
        ),
        sources=tuple(draft.sources.values()),
        branches=tuple(draft.branches.values()),
        capacitors=tuple(draft.capacitors.values()),
        loads=tuple(draft.loads.values()),
        ders=tuple(draft.ders.values()),
        notes=(
            *model.notes,
            *(f"{removal.element}: removed by the overlay" for removal in overlay.remove),
            *(f"bus.{bus}: left out, nothing is connected to it" for bus in dropped),
        ),
    )


def _remove(draft: _Draft, element: ElementId) -> None:
    parts: tuple[dict[ElementId, object], ...] = (
        draft.sources,  # type: ignore[assignment]
        draft.branches,
        draft.capacitors,
        draft.loads,
        draft.ders,
    )
    if not any(part.pop(element, None) is not None for part in parts):
        draft.problem(element, "element", element, "not in the deck")


def _gear(switch: OverlaySwitch) -> SwitchGear:
    return SwitchGear(
        kind=switch.kind,
        normally_closed=switch.normally_closed,
        remote=switch.remote,
        fault_indicator=switch.fault_indicator,
        pickup_a=switch.pickup_a,
        ground_pickup_a=switch.ground_pickup_a,
        reclose_shots=switch.reclose_shots,
        trip_delay_s=switch.trip_delay_s,
        travel_s=switch.travel_s,
    )


def _switch(draft: _Draft, switch: OverlaySwitch) -> None:
    if switch.existing:
        branch = draft.branches.get(ElementId(switch.id))
        if branch is None:
            draft.problem(switch.id, "id", switch.id, "not a line of the deck")
        else:
            draft.branches[branch.id] = replace(branch, kind=BranchKind.SWITCH, switch=_gear(switch), length_m=None)
        return
    taken = draft.take_id(switch.id)
    terminals = _in_line(draft, switch) if switch.in_line is not None else _between(draft, switch)
    if terminals is None:
        return
    unit = np.eye(len(terminals[0])) / CONTACT_OHM
    draft.branches[taken] = Branch(
        id=taken,
        kind=BranchKind.SWITCH,
        terminals=terminals,
        y_primitive_siemens=as_matrix(np.block([[unit, -unit], [-unit, unit]]).astype(np.complex128)),
        switch=_gear(switch),
    )


_Ends = tuple[tuple[NodeRef, ...], tuple[NodeRef, ...]]


def _in_line(draft: _Draft, switch: OverlaySwitch) -> _Ends | None:
    """Puts a new bus between a line's end and the bus it stood at; the switch joins the two."""
    line = draft.branches.get(ElementId(str(switch.in_line)))
    if line is None or len(line.terminals) != 2:
        draft.problem(switch.id, "in_line", switch.in_line, "not a line of the deck")
        return None
    end = 0 if switch.at == "fr" else 1
    old = line.terminals[end]
    at = draft.buses[old[0].bus]
    bus = BusId(f"{line.id.partition('.')[2]}_{switch.at}_sw")
    if bus in draft.buses:
        draft.problem(switch.id, "in_line", switch.in_line, "there is a switch at this end already")
        return None
    draft.buses[bus] = replace(at, id=bus, phases=tuple(sorted({node.phase for node in old})))
    new = tuple(NodeRef(bus, node.phase) for node in old)
    terminals = (new, line.terminals[1]) if end == 0 else (line.terminals[0], new)
    draft.branches[line.id] = replace(line, terminals=terminals)
    return (old, new)


def _between(draft: _Draft, switch: OverlaySwitch) -> _Ends | None:
    assert switch.between is not None
    assert switch.phases is not None
    known = [draft.buses[BusId(bus)] for bus in switch.between if BusId(bus) in draft.buses]
    if not known:
        draft.problem(switch.id, "between", switch.between, "neither bus is known yet")
        return None
    for name in switch.between:
        if BusId(name) not in draft.buses:
            draft.buses[BusId(name)] = replace(
                known[0], id=BusId(name), phases=tuple(sorted(switch.phases)), x_m=None, y_m=None
            )
    fr, to = (draft.nodes(switch.id, bus, switch.phases) for bus in switch.between)
    return (fr, to) if fr and to else None


def _source(draft: _Draft, source: OverlaySource) -> None:
    taken = draft.take_id(source.id)
    nodes = draft.nodes(source.id, source.bus, source.phases)
    if not nodes:
        return
    z1, z0 = complex(source.r1_ohm, source.x1_ohm), complex(source.r0_ohm, source.x0_ohm)
    size = len(nodes)
    z = np.full((size, size), (z0 - z1) / 3.0)
    np.fill_diagonal(z, (z0 + 2.0 * z1) / 3.0)
    draft.sources[taken] = Source(
        id=taken,
        nodes=nodes,
        v_magnitude_pu=(source.v_pu,) * size,
        v_angle_rad=tuple(math.radians(source.angle_deg - 120.0 * (phase - 1)) for phase in source.phases),
        y_primitive_siemens=as_matrix(np.asarray(np.linalg.inv(z), dtype=np.complex128)),
        p_max_w=source.p_max_w,
    )


def _capacitors_and_taps(draft: _Draft, overlay: Overlay) -> None:
    for item in overlay.capacitor:
        capacitor = draft.capacitors.get(ElementId(item.id))
        if capacitor is None:
            draft.problem(item.id, "id", item.id, "not a capacitor of the deck")
            continue
        part = capacitor.steps / item.steps
        y = capacitor.y_step_siemens
        draft.capacitors[capacitor.id] = replace(
            capacitor,
            y_step_siemens=replace(
                y,
                re=tuple(tuple(x * part for x in line) for line in y.re),
                im=tuple(tuple(x * part for x in line) for line in y.im),
            ),
            steps=item.steps,
            normal_steps=item.normal_steps,
            remote=item.remote,
            v_on_pu=item.v_on_pu,
            v_off_pu=item.v_off_pu,
            delay_s=item.delay_s,
        )
    for changer in overlay.tap_changer:
        branch = draft.branches.get(ElementId(changer.id))
        if branch is None or branch.taps is None:
            draft.problem(changer.id, "id", changer.id, "not a regulator of the deck")
            continue
        taps = replace(branch.taps, group=changer.group, delay_s=changer.delay_s, remote=changer.remote)
        draft.branches[branch.id] = replace(branch, taps=taps)


def _ratings(draft: _Draft, ratings: tuple[OverlayRating, ...]) -> None:
    """Named elements go before a rule by phases, and that before the default; later rules before earlier ones."""
    chosen: dict[ElementId, OverlayRating] = {}
    wired = [b for b in draft.branches.values() if b.kind in (BranchKind.LINE, BranchKind.SWITCH)]
    for rating in ratings:
        if rating.default:
            chosen.update((branch.id, rating) for branch in wired)
    for rating in ratings:
        if rating.phases is not None:
            chosen.update((branch.id, rating) for branch in wired if len(branch.terminals[0]) == rating.phases)
    for rating in ratings:
        for name in rating.elements or ():
            if ElementId(name) not in draft.branches:
                draft.problem("rating", "elements", name, "no such branch")
            chosen[ElementId(name)] = rating
    for element, rating in chosen.items():
        if element in draft.branches:
            draft.branches[element] = replace(
                draft.branches[element], rating_a=rating.normal_a, rating_emergency_a=rating.emergency_a
            )


def _customers(draft: _Draft, overlay: Overlay) -> None:
    for item in overlay.customers:
        if item.default_w_per_customer is not None:
            for load in draft.loads.values():
                count = max(1, round(load.p_w / item.default_w_per_customer))
                draft.loads[load.id] = replace(load, customers=count)
    for item in overlay.customers:
        if item.load is None or item.customers is None:
            continue
        if ElementId(item.load) not in draft.loads:
            draft.problem("customers", "load", item.load, "no such load")
            continue
        load = draft.loads[ElementId(item.load)]
        draft.loads[load.id] = replace(
            load, customers=item.customers, critical_customers=item.customers if item.critical else 0
        )


def _der(draft: _Draft, der: OverlayDer) -> None:
    taken = draft.take_id(der.id)
    nodes = draft.nodes(der.id, der.bus, der.phases)
    if not nodes:
        return
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...]
    v_nominal_v = draft.buses[nodes[0].bus].v_base_v
    if der.connection == "wye":
        pairs = tuple((node, None) for node in nodes)
    elif len(nodes) == 1:
        draft.problem(der.id, "connection", "delta", "needs two or three phases")
        return
    else:
        ring = tuple(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
        pairs = ring if len(nodes) == 3 else ring[:1]
        v_nominal_v *= math.sqrt(3.0)
    draft.ders[taken] = Der(
        id=taken,
        kind=der.kind,
        pairs=pairs,
        s_max_va=der.s_max_va,
        p_max_w=der.p_max_w,
        p_min_w=der.p_min_w,
        q_max_var=der.q_max_var,
        v_nominal_v=v_nominal_v,
        energy_wh=der.energy_wh,
        efficiency_frac=der.efficiency_frac,
        default_p_injection_w=der.default_p_injection_w,
        default_q_injection_var=der.default_q_injection_var,
        ramp_w_per_s=der.ramp_w_per_s,
        owner=der.owner,
    )


def _interface(draft: _Draft, overlay: Overlay) -> None:
    if overlay.interface is None:
        return
    source = draft.sources.get(ElementId(overlay.interface.source))
    if source is None:
        draft.problem("interface", "source", overlay.interface.source, "no such source")
    else:
        draft.sources[source.id] = replace(source, interface=True)


def _used_buses(draft: _Draft) -> set[BusId]:
    used = {node.bus for source in draft.sources.values() for node in source.nodes}
    used |= {node.bus for branch in draft.branches.values() for end in branch.terminals for node in end}
    used |= {node.bus for capacitor in draft.capacitors.values() for node in capacitor.nodes}
    used |= {fr.bus for load in draft.loads.values() for fr, _ in load.pairs}
    used |= {fr.bus for der in draft.ders.values() for fr, _ in der.pairs}
    return used
