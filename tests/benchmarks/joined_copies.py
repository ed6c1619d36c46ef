"""Many copies of a feeder in one network: the same loads in each, a source and joints that grow with what they feed."""

from dataclasses import replace

import numpy as np

from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix, dense
from adms.grid.model import Branch, BranchKind, Bus, Load, NetworkModel, NodeRef

JOINT_SIEMENS = 2e3
"""Of a joint, per copy that it feeds: short beside the feeder's own lines."""


def joined_copies(model: NetworkModel, *, count: int) -> NetworkModel:
    """`count` copies of a feeder with one source, joined at their heads as a binary tree.

    Copy k hangs on copy (k - 1) // 2 by a joint whose admittance is in proportion to the copies below, and the source's
    admittance to all: voltages stay about those of one copy, so that only the size grows.
    """
    source = model.sources[0]
    head, phases = source.nodes[0].bus, tuple(node.phase for node in source.nodes)
    below = np.ones(count)
    for copy in range(count - 1, 0, -1):
        below[(copy - 1) // 2] += below[copy]
    buses: list[Bus] = []
    branches: list[Branch] = []
    loads: list[Load] = []
    capacitors = []
    for copy in range(count):

        def node(one: NodeRef, copy: int = copy) -> NodeRef:
            return NodeRef(BusId(f"{one.bus}~{copy}"), one.phase)

        buses += [replace(b, id=BusId(f"{b.id}~{copy}")) for b in model.buses]
        branches += [
            replace(b, id=ElementId(f"{b.id}~{copy}"), terminals=tuple(tuple(node(n) for n in t) for t in b.terminals))
            for b in model.branches
        ]
        capacitors += [
            replace(c, id=ElementId(f"{c.id}~{copy}"), nodes=tuple(node(n) for n in c.nodes)) for c in model.capacitors
        ]
        loads += [
            replace(
                one,
                id=ElementId(f"{one.id}~{copy}"),
                pairs=tuple((node(a), None if b is None else node(b)) for a, b in one.pairs),
            )
            for one in model.loads
        ]
        if copy:
            ends = tuple(
                tuple(NodeRef(BusId(f"{head}~{k}"), phase) for phase in phases) for k in ((copy - 1) // 2, copy)
            )
            y = np.eye(len(phases)) * (JOINT_SIEMENS * below[copy])
            branches.append(
                Branch(
                    id=ElementId(f"line.joint~{copy}"),
                    kind=BranchKind.LINE,
                    terminals=ends,
                    y_primitive_siemens=as_matrix(np.block([[y, -y], [-y, y]])),
                )
            )
    return replace(
        model,
        name=f"{count} x {model.name}",
        buses=tuple(buses),
        branches=tuple(branches),
        capacitors=tuple(capacitors),
        loads=tuple(loads),
        ders=(),
        sources=(
            replace(
                source,
                nodes=tuple(NodeRef(BusId(f"{n.bus}~0"), n.phase) for n in source.nodes),
                y_primitive_siemens=as_matrix(count * dense(source.y_primitive_siemens)),
            ),
        ),
    )
