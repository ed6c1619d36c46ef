"""The conductors of a branch end or source: a current that is linear in the phasors, at the voltage of a node."""

from dataclasses import replace

from adms.core.ids import ElementId
from adms.core.telemetry import PointKey
from adms.estimation.kinds.row import Term
from adms.grid.arrays import NetworkArrays


def branch_conductors(arrays: NetworkArrays, key: PointKey) -> tuple[tuple[Term, ...], ...]:
    """Terms of each conductor that a point names: one phase, or all where it has no phase. Empty where there is none.

    A conductor's current is the sum of its terms, positive into the branch.
    """
    index = arrays.branch_idx.get(ElementId(key.element))
    if index is None:
        return ()
    terminals = arrays.branches[index].terminals
    if not 0 <= key.side < len(terminals):
        return ()
    nodes = arrays.branch_nodes[index]
    first = sum(len(terminal) for terminal in terminals[: key.side])
    return tuple(
        tuple(
            Term(column=int(column), branch=index, entry=(position, other), at=int(nodes[position]))
            for other, column in enumerate(nodes)
        )
        for position, node in enumerate(terminals[key.side], start=first)
        if key.phase in (0, node.phase)
    )


def source_conductors(arrays: NetworkArrays, source: int, *, phase: int) -> tuple[tuple[Term, ...], ...]:
    """The same of a source, injecting into the network: i = y (E - V)."""
    equivalent = arrays.sources[source]
    nodes = arrays.source_nodes[source]
    emf = arrays.node_count + sum(len(arrays.source_nodes[s]) for s in range(source))
    found = []
    for position, node in enumerate(arrays.model.sources[source].nodes):
        if phase not in (0, node.phase):
            continue
        y = equivalent.y_pu[position]
        inside = [Term(column=emf + other, y=complex(x), at=int(nodes[position])) for other, x in enumerate(y)]
        outside = [replace(term, column=int(nodes[other]), y=-term.y) for other, term in enumerate(inside)]
        found.append((*inside, *outside))
    return tuple(found)
