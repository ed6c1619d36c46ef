"""The estimate against the truth: by round, by node, and a sample of both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.engine import FloatArray
from hil.plant.circuit import Node
from hil.record import DEAD_PU, EstimateRow, EstimateScore
from hil.results import EstimateResult, NodeError
from hil.series import rounded, series

SAMPLE = 2500
"""Pairs of estimate and truth kept: every so-manieth of all, so that about this many stay,"""
WORST_PAIRS = 100
"""and of the largest error of each round the largest ones."""
WORST_NODES = 10

_Pair = tuple[float, float, float]


def estimate_result(
    rows: Sequence[EstimateRow], *, score: EstimateScore, nodes: tuple[Node, ...]
) -> EstimateResult | None:
    """None without a round that has a picture."""
    if not rows:
        return None
    pairs_of_all = sum(row.v_pu.size for row in rows)
    stride = max(1, -(-pairs_of_all // SAMPLE))
    error, sigma, pseudo = (np.full(len(rows), np.nan) for _ in range(3))
    error_by_node, sigma_by_node, count_by_node = (np.zeros(len(nodes)) for _ in range(3))
    sampled: list[_Pair] = []
    largest: list[tuple[float, int, _Pair]] = []
    # Round by round: a day of a large feeder is not copied as a whole.
    for k, row in enumerate(rows):
        good = np.isfinite(row.v_pu) & np.isfinite(row.sigma_pu) & (row.truth_pu > DEAD_PU)
        if not good.any():
            continue
        off = np.where(good, row.v_pu - row.truth_pu, 0.0)
        spread = np.where(good, row.sigma_pu, 0.0)
        error[k], sigma[k] = _rms(off[good]), _rms(spread[good])
        pseudo[k] = _rms((row.pseudo_pu - row.truth_pu)[good & np.isfinite(row.pseudo_pu)])
        error_by_node += off**2
        sigma_by_node += spread**2
        count_by_node += good
        first = -(k * row.v_pu.size) % stride
        sampled += [_pair(row, i) for i in range(first, row.v_pu.size, stride) if good[i]]
        worst = int(np.argmax(np.abs(off)))
        largest.append((-abs(float(off[worst])), k, _pair(row, worst)))
    sampled += [pair for *_, pair in sorted(largest)[:WORST_PAIRS]]
    times = [row.time_s for row in rows]
    return EstimateResult(
        rounds=score.rounds,
        rms_error_pu=score.rms_error_pu,
        predicted_pu=score.predicted_pu,
        pseudo_rms_pu=score.pseudo_rms_pu,
        error_pu=series(times, error),
        sigma_pu=series(times, sigma),
        pseudo_pu=series(times, pseudo),
        truth_pu=tuple(truth for truth, _, _ in sampled),
        estimate_pu=tuple(said for _, said, _ in sampled),
        spread_pu=tuple(spread for *_, spread in sampled),
        worst=_worst(error_by_node, sigma_by_node, count_by_node, nodes=nodes),
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def _pair(row: EstimateRow, i: int) -> _Pair:
    truth, said, spread = (rounded(float(column[i]), digits=6) for column in (row.truth_pu, row.v_pu, row.sigma_pu))
    return truth, said, spread


def _worst(
    error: FloatArray, sigma: FloatArray, count: FloatArray, *, nodes: tuple[Node, ...]
) -> tuple[NodeError, ...]:
    """Nodes by error over prediction, the worst first; `error` and `sigma` are sums of squares."""
    seen = np.flatnonzero((count > 0) & (sigma > 0.0))
    order = seen[np.argsort(-error[seen] / sigma[seen], kind="stable")][:WORST_NODES]
    return tuple(
        NodeError(
            node=f"{nodes[i][0]}.{nodes[i][1]}",
            rms_error_pu=rounded(float(np.sqrt(error[i] / count[i])), digits=4),
            predicted_pu=rounded(float(np.sqrt(sigma[i] / count[i])), digits=4),
        )
        for i in order
    )
