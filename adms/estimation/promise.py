"""Which of many rows promise most, without a substitution for each of them.

Two things are needed of a row: h^T Sigma h, which the selected inverse holds, and how it moves with what is to become
better, which one substitution for each of those says of all rows at once. For the mean variance these are sums over
groups of nodes of one phase that stand next to one another: what moves with them moves with their sum.
"""

from collections.abc import Sequence

import numpy as np

from adms.block_ldu.as_sparse import symmetric_as_sparse
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.candidate import Borders
from adms.estimation.certainty import Certainty

_GROUPS = 96
"""Sums of nodes."""
_WORST = 32
"""Nodes that are looked at where the worst one counts."""
_CRITICAL = 200
"""Critical measurements that are looked at."""


def promise(
    certainty: Certainty,
    found: Borders,
    *,
    rows: Sequence[IntArray],
    variance: Sequence[FloatArray],
    objective: str,
) -> FloatArray:
    """[sensor] how much each promises; only the order means something.

    Args:
        certainty: how well the network is known now.
        found: the rows that there could be.
        rows: [sensor] those of each.
        variance: [sensor] of each of them.
        objective: "voltage", "worst" or "redundancy".
    """
    if not rows:
        return np.zeros(0)
    row = np.concatenate(rows)
    sensor = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    spread = np.concatenate(variance) + row_variance(certainty, found)[row]
    size, node = certainty.system.problem.layout.size, certainty.system.problem.layout.node
    by_voltage = np.zeros(len(rows))
    groups = _groups(certainty)
    right = np.zeros((len(groups), size))
    for at, nodes in enumerate(groups):
        weight = certainty.weight[nodes] / np.sqrt(len(nodes))
        right[at, node[nodes]] = weight * certainty.along[nodes].real
        right[at, node[nodes] + 1] = weight * certainty.along[nodes].imag
    np.add.at(by_voltage, sensor, (_moved(certainty, found, right)[:, row] ** 2).sum(axis=0) / spread)
    if objective == "voltage":
        return by_voltage
    chosen, kept, limit = _looked_at(certainty, objective)
    right = np.zeros((len(chosen), size))
    if objective == "worst":
        right[np.arange(len(chosen)), node[chosen]] = certainty.along[chosen].real
        right[np.arange(len(chosen)), node[chosen] + 1] = certainty.along[chosen].imag
    else:
        right[np.arange(len(chosen)), certainty.mu[chosen]] = certainty.system.variance[certainty.used[chosen]] ** 0.5
    change = np.zeros((len(chosen), len(rows)))
    np.add.at(change.T, sensor, (_moved(certainty, found, right)[:, row] ** 2 / spread).T)
    if objective == "worst":
        gained = kept.max(initial=0.0) - np.max(kept[:, None] - change, axis=0, initial=0.0)
    else:
        gained = np.count_nonzero(kept[:, None] + change > limit, axis=0).astype(np.float64)
    tie = by_voltage / max(float(by_voltage.max(initial=0.0)), 1e-300)
    return np.asarray(gained + 1e-6 * max(float(gained.max(initial=0.0)), 1e-300) * tie)


def row_variance(certainty: Certainty, found: Borders) -> FloatArray:
    """[R] h^T Sigma h of every row, from the selected inverse and the far modes."""
    system = certainty.system
    inverse = symmetric_as_sparse(system.pattern, system.inverse)
    own = np.asarray(found.near.multiply(inverse @ found.near).sum(axis=0)).ravel()
    own = own + np.asarray(found.shares.multiply(found.shares).sum(axis=1)).ravel()
    if not len(found.far_at):
        return np.asarray(own, dtype=np.float64)
    qc = found.far_shares
    near = np.asarray(found.near.T @ certainty.modes.T)
    gram = np.asarray(found.far @ certainty.modes.T)
    own += np.einsum("rc,rc->r", qc, qc @ gram) - 2.0 * np.einsum("rc,rc->r", qc, near)
    through = near - qc @ gram.T
    return np.asarray(own + np.einsum("rc,rc->r", through, through @ certainty.inner), dtype=np.float64)


def _moved(certainty: Certainty, found: Borders, right: FloatArray) -> FloatArray:
    """[right, R] c^T K^-1 right."""
    solved = certainty.solve(right)
    moved = np.asarray((found.near.T @ solved.T).T)
    if len(found.far_at):
        moved = moved - np.asarray(found.far @ solved.T).T @ found.far_shares.T
    return moved


def _groups(certainty: Certainty) -> list[IntArray]:
    """Live nodes, those of a phase that are eliminated one after the other together."""
    layout = certainty.system.problem.layout
    live = certainty.live
    phase = np.array([layout.arrays.nodes[i].phase for i in live.tolist()])
    order = live[np.lexsort((layout.node[live], phase))]
    return [each for each in np.array_split(order, _GROUPS) if len(each)]


def _looked_at(certainty: Certainty, objective: str) -> tuple[IntArray, FloatArray, float]:
    """(what is looked at, where it stands now, limit)"""
    if objective == "worst":
        worst = certainty.live[np.argsort(-certainty.variance[certainty.live], kind="stable")[:_WORST]]
        return worst, certainty.variance[worst], 0.0
    critical = np.flatnonzero(certainty.residual_frac < CRITICAL_FRAC)[:_CRITICAL]
    return critical, certainty.residual_frac[critical], CRITICAL_FRAC
