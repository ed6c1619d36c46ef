"""Observable islands: parts of the network inside which every flow follows from the telemetry.

Two nodes that a branch or a bus joins belong to one island where telemetry alone determines both magnitudes and the
angle between them: then it determines what flows between them (Abur & Exposito, Power System State Estimation, 2004,
section 4.6). Two voltmeters at the ends of a line make two islands: the angle, and with it the active power, is
anybody's guess.
"""

import numpy as np

from adms.block_ldu.as_sparse import symmetric_as_sparse
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.observability import Observed
from adms.estimation.policy import EstimationPolicy
from adms.estimation.system import System
from adms.grid.components import components


def observable_islands(observed: Observed, *, policy: EstimationPolicy) -> IntArray:
    """[node] number of its observable island, -1 where it belongs to none."""
    island = np.full(len(observed.determined), -1, dtype=np.int64)
    if observed.system is None:
        return island
    fr, to = _neighbours(observed.system)
    both = observed.determined[fr] & observed.determined[to]
    fr, to = fr[both], to[both]
    tied = angle_between_sigma_rad(observed.system, fr, to) < policy.sigma_unobservable_pu
    found = components(fr[tied], to[tied], size=len(island))[observed.determined]
    _, first, number, size = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    island[observed.determined] = rank[number]
    return island


def everything_follows(observed: Observed, *, policy: EstimationPolicy) -> bool:
    """True where telemetry alone determines every voltage, angle and power: as many measurements as unknown powers, and
    one observable island in each part that is connected. (The angle across a closed switch is known whatever flows: an
    island alone does not say that what enters it is.)

    Args:
        observed: what telemetry alone determines.
        policy: as for `observable_islands`.
    """
    system = observed.system
    if system is None:
        return False
    problem = system.problem
    live = problem.factor.energised
    if not observed.determined[live].all():
        return False
    fr, to = problem.injectors.fr, problem.injectors.to
    injected = len(np.unique(np.concatenate([fr, to[to >= 0]])))
    unknowns = 2 * injected + int(live[problem.layout.emf_node].sum())
    if system.inside.sum() < unknowns:
        return False
    parts = len(np.unique(problem.joined[live]))
    islands = observable_islands(observed, policy=policy)[live]
    return bool(islands.min(initial=0) >= 0 and islands.max(initial=-1) + 1 <= parts)


def angle_between_sigma_rad(system: System, fr: IntArray, to: IntArray) -> FloatArray:
    """[pair] standard deviation of the angle between the voltages of two nodes of one bus or branch, without any
    correction of the factor.

    Args:
        system: a factored matrix.
        fr: [pair] node indices, live.
        to: [pair] the same.
    """
    layout = system.problem.layout
    if not len(fr):
        return np.zeros(0)
    inverse = symmetric_as_sparse(system.pattern, system.inverse)
    entries = []
    for sign, node in ((1.0, fr), (-1.0, to)):
        place = layout.node[node]
        v = layout.phasors(system.x, place)
        turn = sign / np.abs(v) ** 2
        entries += [(place, -turn * v.imag), (place + 1, turn * v.real)]
    variance = np.zeros(len(fr))
    for row, a in entries:
        for column, b in entries:
            variance += a * b * np.asarray(inverse[row, column]).ravel()
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _neighbours(system: System) -> tuple[IntArray, IntArray]:
    """Pairs of nodes that a closed branch, a coupling or a bus joins."""
    problem = system.problem
    arrays = problem.layout.arrays
    row, column = problem.neighbours()
    by_bus = np.argsort(bus := problem.layout.block[problem.layout.node], kind="stable")
    same = bus[by_bus[1:]] == bus[by_bus[:-1]]
    fr, to = np.concatenate([row, by_bus[:-1][same]]), np.concatenate([column, by_bus[1:][same]])
    apart = (fr < to) & (fr < arrays.node_count)
    turned = (fr > to) & (to < arrays.node_count)
    return np.concatenate([fr[apart], to[turned]]), np.concatenate([to[apart], fr[turned]])
