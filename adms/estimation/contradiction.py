"""Voltage meters that contradict the switch positions: no voltage where a path of closed branches leads to a source,
or a voltage where none does.

A wrong position, a blown fuse and a failed voltage transformer look like this. Such a reading is no measurement of the
network as believed: least squares would bend the whole picture towards it. It is a statement about the belief, and the
picture says so. Unless other meters refute it: where they say that what stands beside or beyond it is live, it is the
meter that is wrong.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import IntArray, PointKind, Quality, TelemetrySnapshot
from adms.estimation.kernel.reading import count_contradicting
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.readings import LARGEST_V_PU, LEAST_V_PU
from adms.grid.arrays import BoolArray
from adms.grid.components import components
from adms.grid.model import BranchKind

_SOUND_PU = 0.7
"""A witness reads at least this: over a delta winding or a motor, an open conductor gets about half of a voltage."""
_CARRIES = 5.0
"""Sigmas of its meter above which a power flows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradictions:
    """Of one scan."""

    rows: IntArray
    """[points] rows of the estimator."""
    nodes: IntArray
    """[points] node indices."""
    live: BoolArray
    """[points] True where the switches say live and the meter says dead."""
    refuted: BoolArray
    """[points] True where other meters say so too: it is the meter that is wrong, not a switch above it."""


_NONE = Contradictions(
    rows=np.zeros(0, dtype=np.int64),
    nodes=np.zeros(0, dtype=np.int64),
    live=np.zeros(0, dtype=np.bool_),
    refuted=np.zeros(0, dtype=np.bool_),
)


def contradictions_of(snapshot: TelemetrySnapshot, *, problem: Problem, policy: EstimationPolicy) -> Contradictions:
    """Good and fresh voltage meters that contradict the switches. A meter needs no sigma to say "dead".

    Args:
        snapshot: the telemetry of one instant.
        problem: the network in one state.
        policy: says what is stale.
    """
    rows, nodes, points, base, live = problem.witnesses
    size, age = snapshot.value[points] / base, snapshot.age_s[points]
    quality = snapshot.quality[points].astype(np.int64, copy=False)
    oldest = policy.telemetry_max_age_s
    if not count_contradicting(size, quality, age, live, int(Quality.GOOD), oldest, LEAST_V_PU, LARGEST_V_PU):
        return _NONE
    heard = (quality == Quality.GOOD) & (age <= oldest) & np.isfinite(size)
    size = np.abs(np.where(heard, size, 0.0))
    says_dead = size <= LEAST_V_PU
    says_live = ~says_dead & (size < LARGEST_V_PU)
    at = np.flatnonzero(heard & np.where(live, says_dead, says_live))
    refuted = np.zeros(len(at), dtype=np.bool_)
    if live[at].any():
        sound = heard & (size > _SOUND_PU) & (size < LARGEST_V_PU)
        witnesses = np.concatenate([nodes[sound], _carrying(snapshot, problem=problem, policy=policy)])
        refuted = np.array(
            [bool(live[i]) and _fed_through(problem, int(nodes[i]), witnesses) for i in at], dtype=np.bool_
        )
    return Contradictions(rows=rows[at], nodes=nodes[at], live=live[at], refuted=refuted)


def _carrying(snapshot: TelemetrySnapshot, *, problem: Problem, policy: EstimationPolicy) -> IntArray:
    """Nodes at both ends of a line's conductors that carry power by their own meters: something beyond draws it."""
    arrays = problem.layout.arrays
    found: list[int] = []
    for point in snapshot.table.rows_of(PointKind.P_FLOW):
        key = snapshot.table.keys[point]
        heard = snapshot.quality[point] == Quality.GOOD and snapshot.age_s[point] <= policy.telemetry_max_age_s
        index = arrays.branch_idx.get(ElementId(key.element))
        if heard and index is not None and abs(snapshot.value[point]) / _CARRIES > snapshot.sigma[point]:
            branch = arrays.branches[index]
            sides = (0, 1) if branch.kind in (BranchKind.LINE, BranchKind.SWITCH) else (key.side,)
            ends = [node for side in sides for node in branch.terminals[side]]
            found += [arrays.node_idx[node] for node in ends if node.phase == key.phase]
    return np.array(found, dtype=np.int64)


def _fed_through(problem: Problem, node: int, witnesses: IntArray) -> bool:
    """True where a live witness stands in the node's section, or is fed through it only. A section is what no switch
    parts, conductor by conductor: whatever opens above the node takes the voltage from all of these."""
    arrays = problem.layout.arrays
    fr, to, owner = arrays.conductor_joints
    shut = np.array([problem.grid.closed.get(b.id, True) for b in arrays.branches], dtype=np.bool_)[owner]
    fixed = np.array([b.switch is None for b in arrays.branches], dtype=np.bool_)[owner]
    section = components(fr[fixed], to[fixed], size=arrays.node_count)
    inside = section == section[node]
    kept = shut & ~inside[fr] & ~inside[to]
    island = components(fr[kept], to[kept], size=arrays.node_count)
    sources = np.concatenate(list(arrays.source_nodes))
    fed = np.isin(island, island[sources[~inside[sources]]]) & ~inside
    live = problem.factor.energised[witnesses]
    return bool((live & ~fed[witnesses]).any())
