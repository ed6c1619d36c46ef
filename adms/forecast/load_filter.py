"""The Kalman filter of the load classes: one block a class, tied together by what metered areas say of their sums.

Only the sum of an area is measured, so classes in it are not known one by one: their errors are opposite. A filter for
each class apart would take the same sum for several independent facts; the blocks therefore share one covariance.

The process noise follows the data: where innovations are larger than predicted, the spread of the classes behind them
is scaled up step by step (never below what was given, never beyond sixteenfold variance), and comes down again as
slowly. filterpy does predict and update. It takes a quarter of a second to import (scipy.stats), so it is imported by
the first step and not by the service's start.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.forecast.class_motion import ClassProcess
from adms.grid.arrays import BoolArray

_ADAPT_S = 86400.0
"""Time over which innovations of twice the predicted variance scale the process by e."""
_ADAPT_RATE_MAX = 0.02
"""Of one step, however long."""
_INFLATION_MAX = 16.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassFilter:
    """State of the class processes (`ClassProcess`) at one time."""

    time_s: float | None
    """Seconds since 1970; None where nothing was learned yet: the state is then that of a cold start at any time."""
    x: FloatArray
    """[class * block] mean."""
    covariance: FloatArray
    """[class * block, class * block]."""
    inflation: FloatArray
    """[class] factor on the variance of its process, at least 1."""
    refused: int = 0
    """Steps in a row with something gated out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassRows:
    """Measurements of sums over classes: value = weight @ (deviations of P, then of Q, of every class) + noise."""

    value: FloatArray
    """[row] any one unit."""
    weight: FloatArray
    """[row, 2 * class] in that unit: what a deviation of 1 adds. First P's of every class, then Q's."""
    covariance: FloatArray
    """[row, row] of the noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Filtered:
    """What a step did."""

    state: ClassFilter
    normalized: FloatArray
    """[row] what a row says beyond what the filter and the other rows say, over its standard deviation, before the
    step."""
    used: IntArray
    """[row] 1 where it taught, 0 where it was gated out."""


def ready() -> None:
    """Imports filterpy now, so that the first step does not wait for it."""
    import filterpy.kalman.kalman_filter  # noqa: F401


def cold_filter(process: ClassProcess) -> ClassFilter:
    """Nothing learned."""
    return ClassFilter(
        time_s=None,
        x=np.zeros(process.classes * process.block),
        covariance=_spread(process.stationary),
        inflation=np.ones(process.classes),
    )


def deviations(
    state: ClassFilter, *, process: ClassProcess, time_s: float, hour: float
) -> tuple[FloatArray, FloatArray]:
    """Deviations of every class over its expected power, predicted for a time not before the state's.

    Args:
        state: the filter.
        process: what it is a filter of.
        time_s: when.
        hour: the same as local hour of the day.

    Returns:
        ([2 * class] mean, [2 * class, 2 * class] covariance): P's of every class, then Q's.
    """
    count, block = process.classes, process.block
    step = process.transition(_elapsed(state, time_s))
    reading = process.reading(hour)
    carried = reading @ step
    mean = (state.x.reshape(count, block) @ carried.T).T.ravel()
    half = carried @ state.covariance.reshape(count, block, count * block)
    covariance = np.einsum("kimb,jb->ikjm", half.reshape(count, 2, count, block), carried)
    fresh = reading @ (process.noise(step) * state.inflation[:, None, None]) @ reading.T
    every = np.arange(count)
    for i in range(2):
        for j in range(2):
            covariance[i, every, j, every] += fresh[:, i, j]
    return mean, covariance.reshape(2 * count, 2 * count)


def stepped(
    state: ClassFilter,
    *,
    process: ClassProcess,
    rows: ClassRows,
    time_s: float,
    hour: float,
    gate_sigma: float,
    refusals_max: int,
) -> Filtered:
    """One predict and update.

    The row that is furthest from what the filter and the other rows say together teaches nothing if it is beyond the
    gate, then the next. (Each row by itself would not do: the noise of single areas is wide and that of their sum is
    not.) Where something is out for more than `refusals_max` steps in a row the spread is set back to that of a cold
    start, so that the filter follows a real change.

    Args:
        state: the filter.
        process: what it is a filter of.
        rows: what was measured; none is allowed.
        time_s: when; not before the state's.
        hour: the same as local hour of the day.
        gate_sigma: of an innovation.
        refusals_max: as above.

    Returns:
        The state after, and each row's innovation. A step whose numbers are not finite changes nothing.
    """
    from filterpy.kalman.kalman_filter import predict, update

    elapsed = _elapsed(state, time_s)
    x, p = state.x, state.covariance
    wider = state.inflation[:, None, None]
    if state.time_s is not None and elapsed > 0.0:
        step = process.transition(elapsed)
        x, p = predict(x, p, np.kron(np.eye(process.classes), step), _spread(process.noise(step) * wider))
    h = _measured(rows.weight, process=process, hour=hour)
    there = np.isfinite(rows.value) & np.isfinite(rows.covariance).all(axis=1) & (np.diag(rows.covariance) > 0.0)
    value, noise = np.where(there, rows.value, 0.0), np.where(np.outer(there, there), rows.covariance, 0.0)
    innovation = value - h @ x
    spread = _innovation_spread(h, p, noise)
    normalized, used = _gated(innovation, spread, there=there, gate_sigma=gate_sigma)
    refused = state.refused + 1 if used.sum() < there.sum() else 0
    if refused > refusals_max:
        p, refused = _spread(process.stationary * wider), 0
        spread = _innovation_spread(h, p, noise)
        _, used = _gated(innovation, spread, there=there, gate_sigma=gate_sigma)
    # What is beyond the gate counts as if at it: one bad scan moves little.
    held = innovation[there] * (gate_sigma / np.maximum(np.abs(normalized[there]).max(initial=0.0), gate_sigma))
    inflation = _inflated(state, h[there], p, spread=spread[np.ix_(there, there)], innovation=held, elapsed_s=elapsed)
    if used.any():
        x, p = update(x, p, rows.value[used], rows.covariance[np.ix_(used, used)], h[used])
    if not (np.isfinite(x).all() and np.isfinite(p).all() and (np.diag(p) >= 0.0).all()):
        return Filtered(state=state, normalized=normalized, used=np.zeros(len(used), dtype=np.int64))
    bounded = _bounded(np.asarray(x), process=process)
    after = ClassFilter(time_s=time_s, x=bounded, covariance=0.5 * (p + p.T), inflation=inflation, refused=refused)
    return Filtered(state=after, normalized=normalized, used=used.astype(np.int64))


def _innovation_spread(h: FloatArray, p: FloatArray, noise: FloatArray) -> FloatArray:
    """[row, row], kept clear of singular where two rows say the same."""
    spread = h @ p @ h.T + noise
    return np.asarray(spread + np.diag(1e-12 * np.diag(spread)))


def _gated(
    innovation: FloatArray, spread: FloatArray, *, there: BoolArray, gate_sigma: float
) -> tuple[FloatArray, BoolArray]:
    """([row] normalised innovation given the other rows, of all that are there, [row] True where it is within the
    gate).

    Given the others, row i's is [S^-1 nu]_i / sqrt([S^-1]_ii).
    """
    normalized, used = np.full(len(innovation), np.nan), there.copy()
    first = True
    while used.any():
        rows = np.flatnonzero(used)
        inverse = np.linalg.inv(spread[np.ix_(rows, rows)])
        given = inverse @ innovation[rows] / np.sqrt(np.maximum(np.diag(inverse), 1e-300))
        if first:
            normalized[rows], first = given, False
        worst = int(np.argmax(np.abs(given)))
        if abs(given[worst]) <= gate_sigma:
            break
        used[rows[worst]] = False
    return normalized, used


def _inflated(
    state: ClassFilter, h: FloatArray, p: FloatArray, *, spread: FloatArray, innovation: FloatArray, elapsed_s: float
) -> FloatArray:
    """[class] factors after a step along the score of the likelihood: with a = S^-1 nu and P_c the class's part of the
    spread, a^T H P_c H^T a - tr(S^-1 H P_c H^T), which is (nu^2 / S - 1) for one class and one row without noise."""
    if not len(h):
        return state.inflation
    count = len(state.inflation)
    inverse = np.linalg.inv(spread)
    seen = h.T @ (inverse @ innovation)
    found = (seen * (p @ seen)).reshape(count, -1).sum(axis=1)
    stated = (h * (inverse @ h @ p)).sum(axis=0).reshape(count, -1).sum(axis=1)
    rate = min(elapsed_s / _ADAPT_S, _ADAPT_RATE_MAX)
    return np.asarray(np.clip(state.inflation * np.exp(rate * (found - stated)), 1.0, _INFLATION_MAX))


def _bounded(x: FloatArray, *, process: ClassProcess) -> FloatArray:
    """No number of the state further out than eight of its largest standard deviations."""
    limit = 8.0 * np.sqrt(_INFLATION_MAX * np.diagonal(process.stationary, axis1=1, axis2=2)).ravel()
    return np.clip(x, -limit, limit)


def _measured(weight: FloatArray, *, process: ClassProcess, hour: float) -> FloatArray:
    """[row, class * block]."""
    per_class = weight.reshape(len(weight), 2, process.classes)
    read = np.einsum("rik,ib->rkb", per_class, process.reading(hour))
    return np.asarray(read.reshape(len(weight), process.classes * process.block))


def _spread(blocks: FloatArray) -> FloatArray:
    """[class, block, block] on the diagonal of one matrix."""
    count, block, _ = blocks.shape
    out = np.zeros((count, block, count, block))
    every = np.arange(count)
    out[every, :, every, :] = blocks
    return out.reshape(count * block, count * block)


def _elapsed(state: ClassFilter, time_s: float) -> float:
    return 0.0 if state.time_s is None else max(time_s - state.time_s, 0.0)
