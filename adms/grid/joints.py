"""Along which conductors of a branch a source's voltage comes: the one rule that topology and validation share."""

from collections.abc import Iterable

from adms.grid.model import Branch, BranchKind, NodeRef

LAST_PHASE = 3
"""Nodes above it are neutral conductors."""


def branch_joints(branch: Branch) -> Iterable[tuple[NodeRef, NodeRef]]:
    """Pairs of nodes that a closed branch joins.

    A transformer or regulator joins all its nodes. Anything else joins its i-th conductors (the same phases where one
    end has fewer), not its phases with each other: coupling between conductors energises nothing. But a conductor that
    is grounded or open at the other end alone, and a neutral conductor, count as live with the phases beside them:
    they have the voltage that coupling and loads give them.
    """
    if not branch.terminals:
        return
    if branch.kind in (BranchKind.TRANSFORMER, BranchKind.REGULATOR):
        flat = [node for terminal in branch.terminals for node in terminal]
        for other in flat[1:]:
            yield flat[0], other
        return
    first = branch.terminals[0]
    for terminal in branch.terminals[1:]:
        if len(first) == len(terminal):
            yield from zip(first, terminal, strict=True)
            continue
        yield from ((a, b) for a in first for b in terminal if a.phase == b.phase)
        for longer, shorter in ((first, terminal), (terminal, first)):
            there = {node.phase for node in shorter}
            mated = [node for node in longer if node.phase in there]
            yield from ((mated[0], node) for node in longer if mated and node.phase not in there)
    for terminal in branch.terminals:
        phases = [node for node in terminal if node.phase <= LAST_PHASE]
        yield from ((phases[0], node) for node in terminal if phases and node.phase > LAST_PHASE)
