"""Neutrals of an OpenDSS deck that no branch joins to the phases beside them: only a capacitor, load or generator does.

To the model, what no branch joins to a source is dead. A shunt of next to nothing over such a neutral and a phase of
its bus tells that it is live; its voltage is what the devices at it make it.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from adms.core.ids import ElementId
from adms.grid.admittance import as_matrix
from adms.grid.joints import LAST_PHASE
from adms.grid.model import Branch, BranchKind, NetworkModel, NodeRef
from adms.grid.validation_joints import supply

_TO_JOIN_SIEMENS = 1e-12


def with_neutrals_joined(model: NetworkModel) -> NetworkModel:
    """The model with a shunt at each neutral that only devices join to a phase."""
    couples = dict(_couples(model))
    if not couples:
        return model
    reached = supply(model).possible
    joints = [_joint(a, b) for b, a in couples.items() if a in reached and b not in reached]
    return replace(model, branches=(*model.branches, *joints))


def _couples(model: NetworkModel) -> Iterable[tuple[NodeRef, NodeRef]]:
    """(neutral, phase) of every device that has both."""
    for capacitor in model.capacitors:
        phases = [node for node in capacitor.nodes if node.phase <= LAST_PHASE]
        yield from ((node, phases[0]) for node in capacitor.nodes if phases and node.phase > LAST_PHASE)
    for pairs in (*(load.pairs for load in model.loads), *(der.pairs for der in model.ders)):
        for fr, to in pairs:
            if to is not None and to.phase > LAST_PHASE >= fr.phase and to.bus == fr.bus:
                yield to, fr


def _joint(phase: NodeRef, neutral: NodeRef) -> Branch:
    shunt = np.array([[0.0, 0.0], [0.0, _TO_JOIN_SIEMENS * 1j]])
    return Branch(
        id=ElementId(f"neutral.{neutral.bus}.{neutral.phase}"),
        kind=BranchKind.REACTOR,
        terminals=((phase, neutral),),
        y_primitive_siemens=as_matrix(shunt),
    )
