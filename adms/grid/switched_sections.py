"""What switches can join, in rows: sections, the strands and conductors in them, and the switches between them.

A *strand* is what no switch separates electrically: nodes joined by lines conductor by conductor, and by transformers
altogether, since any winding puts a voltage on all of them. Energisation follows strands. A *conductor* is a strand
taken apart phase by phase: a transformer joins equal phases of its ends only. Loops are looked for along conductors,
so that a three-phase switch between two transformers is no loop of its own poles.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId, SectionId
from adms.core.kept import kept
from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.components import components
from adms.grid.model import Branch, BranchKind
from adms.grid.sections import SectionGraph, sections


@dataclass(frozen=True, kw_only=True, eq=False)
class SwitchedSections:
    """Sections of one model and how switches join them. Nothing here depends on positions. Rows of sections, strands
    and sources are plain integers; sections and sources are in model order."""

    graph: SectionGraph
    sections: tuple[SectionId, ...]
    row: Mapping[SectionId, int]
    sources: tuple[ElementId, ...]
    ends: Mapping[ElementId, tuple[int, int]]
    """Switch, in model order, to the sections at its first and second terminal; both the same where it is bridged."""
    order: Mapping[ElementId, int]
    """Place of a switch in model order."""
    strand_pairs: Mapping[ElementId, tuple[tuple[int, int], ...]]
    """Strands that a closed switch joins, pole by pole, at its first and second terminal."""
    conductor_pairs: Mapping[ElementId, tuple[tuple[int, int, int], ...]]
    """(conductor, conductor, phase at the first terminal), pole by pole."""
    boundary: tuple[tuple[ElementId, ...], ...]
    """[section] switches with one side here."""
    touching: tuple[tuple[ElementId, ...], ...]
    """[section] switches with a side here: `boundary` and the bridged ones."""
    strands: tuple[tuple[int, ...], ...]
    """[section] strands in it."""
    strand_of_node: IntArray
    """[node]"""
    strand_phases: tuple[frozenset[int], ...]
    strand_sources: tuple[tuple[int, ...], ...]
    """[strand] sources connected to it, rising."""
    section_sources: tuple[tuple[int, ...], ...]
    """[section] sources in it, rising."""

    def across(self, switch: ElementId, section: int) -> int:
        """The section at the other side of a switch."""
        fr, to = self.ends[switch]
        return to if section == fr else fr


@kept
def switched_sections(arrays: NetworkArrays) -> SwitchedSections:
    """The switched sections of a model: they never change, so those of the models used last are kept."""
    model = arrays.model
    graph = sections(model)
    names = tuple(graph.sections)
    row = {section: i for i, section in enumerate(names)}
    switches = [branch for branch in arrays.branches if branch.switch is not None]
    strand = _strands(arrays)
    conductor = _conductors(arrays)
    section_of_node = np.empty(arrays.node_count, dtype=np.int64)
    for name, part in graph.sections.items():
        section_of_node[list(part.node_rows)] = row[name]
    strands: list[list[int]] = [[] for _ in names]
    phases: list[set[int]] = [set() for _ in range(int(strand.max(initial=-1)) + 1)]
    for node, (s, section) in enumerate(zip(strand.tolist(), section_of_node.tolist(), strict=True)):
        if not phases[s]:
            strands[section].append(s)
        phases[s].add(arrays.nodes[node].phase)
    at_strand: list[list[int]] = [[] for _ in phases]
    at_section: list[list[int]] = [[] for _ in names]
    for source, nodes in enumerate(arrays.source_nodes):
        for s in sorted(set(strand[nodes].tolist())):
            at_strand[s].append(source)
        for section in sorted(set(section_of_node[nodes].tolist())):
            at_section[section].append(source)
    ends = {switch: (row[fr], row[to]) for switch, (fr, to) in graph.switch_ends.items()}
    touching: list[list[ElementId]] = [[] for _ in names]
    for switch, sides in ends.items():
        for side in sorted(set(sides)):
            touching[side].append(switch)
    poles = {branch.id: _poles(arrays, branch) for branch in switches}
    return SwitchedSections(
        graph=graph,
        sections=names,
        row=row,
        sources=tuple(source.id for source in model.sources),
        ends=ends,
        order={switch: i for i, switch in enumerate(ends)},
        strand_pairs={e: tuple((int(strand[a]), int(strand[b])) for a, b in pairs) for e, pairs in poles.items()},
        conductor_pairs={
            e: tuple((int(conductor[a]), int(conductor[b]), arrays.nodes[a].phase) for a, b in pairs)
            for e, pairs in poles.items()
        },
        boundary=tuple(graph.sections[name].boundary for name in names),
        touching=tuple(map(tuple, touching)),
        strands=tuple(map(tuple, strands)),
        strand_of_node=strand,
        strand_phases=tuple(map(frozenset, phases)),
        strand_sources=tuple(map(tuple, at_strand)),
        section_sources=tuple(map(tuple, at_section)),
    )


def _poles(arrays: NetworkArrays, switch: Branch) -> list[tuple[int, int]]:
    fr, to = switch.terminals
    return [(arrays.node_idx[a], arrays.node_idx[b]) for a, b in zip(fr, to, strict=True)]


def _strands(arrays: NetworkArrays) -> IntArray:
    fr, to, owner = arrays.conductor_joints
    fixed = np.array([branch.switch is None for branch in arrays.branches], dtype=np.bool_)[owner]
    return components(fr[fixed], to[fixed], size=arrays.node_count)


def _conductors(arrays: NetworkArrays) -> IntArray:
    fr, to, owner = arrays.conductor_joints
    kind = [branch.kind for branch in arrays.branches]
    coupled = np.array([k in (BranchKind.TRANSFORMER, BranchKind.REGULATOR) for k in kind], dtype=np.bool_)
    fixed = np.array([branch.switch is None for branch in arrays.branches], dtype=np.bool_) & ~coupled
    more: list[tuple[int, int]] = []
    for index in np.flatnonzero(coupled):
        first, *others = arrays.branches[index].terminals
        for terminal in others:
            same = [(a, b) for a in first for b in terminal if a.phase == b.phase] or [(first[0], terminal[0])]
            more += [(arrays.node_idx[a], arrays.node_idx[b]) for a, b in same]
    pairs = np.array(more, dtype=np.int64).reshape(-1, 2)
    keep = fixed[owner]
    return components(
        np.concatenate([fr[keep], pairs[:, 0]]), np.concatenate([to[keep], pairs[:, 1]]), size=arrays.node_count
    )
