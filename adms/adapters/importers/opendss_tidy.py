"""What a deck may have and a model may not: nodes that nothing stands on, lines between different phases, DER that no
switch position supplies. Each is changed or left out, and noted."""

from dataclasses import replace

import numpy as np

from adms.adapters.importers.opendss_elements import as_matrix
from adms.core.ids import ElementId
from adms.grid.model import Branch, BranchKind, Bus, Capacitor, NetworkModel, NodeRef
from adms.grid.validation_joints import ends_do_not_match, supply, used_nodes

_TO_JOIN_SIEMENS = 1e-12


def tidied(model: NetworkModel) -> NetworkModel:
    """The model as it can be checked and solved; its notes say what changed."""
    notes = list(model.notes)
    branches = [_as_coupling(branch, notes) for branch in model.branches]
    branches += _neutral_joints(model, branches)
    model = replace(model, branches=tuple(branches))
    if model.ders and model.sources:
        reach = supply(model).possible
        cut_off = [der for der in model.ders if any(node not in reach for pair in der.pairs for node in pair if node)]
        notes += [f"{der.id}: no switch position connects it to a source: left out" for der in cut_off]
        model = replace(model, ders=tuple(der for der in model.ders if der not in cut_off))
    used = used_nodes(model)
    buses = [kept for bus in model.buses if (kept := _without_unused(bus, used, notes)) is not None]
    return replace(model, buses=tuple(buses), notes=tuple(notes))


def _as_coupling(branch: Branch, notes: list[str]) -> Branch:
    """A line between different phases as a reactor: it joins nodes as they stand, not phases of one name."""
    if not ends_do_not_match(branch):
        return branch
    notes.append(f"{branch.id}: joins phases of different names: carried as a reactor")
    return replace(branch, kind=BranchKind.REACTOR)


def _neutral_joints(model: NetworkModel, branches: list[Branch]) -> list[Branch]:
    """A shunt of nothing at the neutral of a capacitor that no branch stands on: it is live with its phases."""
    held = {node for branch in branches for terminal in branch.terminals for node in terminal}
    held.update(node for source in model.sources for node in source.nodes)
    return [_neutral_joint(c, loose) for c in model.capacitors if (loose := [n for n in c.nodes if n not in held])]


def _neutral_joint(capacitor: Capacitor, loose: list[NodeRef]) -> Branch:
    nodes = capacitor.nodes
    shunt = np.diag([_TO_JOIN_SIEMENS * 1j * (node in loose) for node in nodes])
    return Branch(
        id=ElementId(f"{capacitor.id}.neutral"),
        kind=BranchKind.REACTOR,
        terminals=(nodes,),
        y_primitive_siemens=as_matrix(np.asarray(shunt, dtype=np.complex128)),
    )


def _without_unused(bus: Bus, used: set[NodeRef], notes: list[str]) -> Bus | None:
    phases = tuple(phase for phase in bus.phases if NodeRef(bus.id, phase) in used)
    if phases == bus.phases:
        return bus
    gone = ", ".join(str(phase) for phase in bus.phases if phase not in phases)
    notes.append(f"bus.{bus.id}: no element stands on node {gone}: left out")
    return replace(bus, phases=phases) if phases else None
