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

_ADAPT_S = 6.0 * 3600.0
"""Time over which innovations of twice the predicted variance scale the process by e."""
_ADAPT_RATE_MAX = 0.05
"""Of one step, however long."""
_EXCESS_MAX = 25.0
"""Largest squared innovation that counts: one bad scan moves little."""
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
    """Steps in a row of which most rows were gated out."""


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
    """[row] innovation over its standard deviation, before the step."""
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

    Rows further out than the gate teach nothing. Where most of them are out for `refusals_max` steps in a row the
    spread is set back to that of a cold start, so that the filter follows a real change.

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
    spread = np.einsum("rn,nm,rm->r", h, p, h) + np.diag(rows.covariance)
    normalized = (rows.value - h @ x) / np.sqrt(spread)
    good = np.isfinite(normalized) & (np.diag(rows.covariance) > 0.0)
    used = good & (np.abs(normalized) <= gate_sigma)
    most_out = bool(good.any()) and 2 * int(used.sum()) < int(good.sum())
    refused = state.refused + 1 if most_out else 0
    if refused > refusals_max:
        p, refused = _spread(process.stationary * wider), 0
    inflation = _inflated(state, h, p, spread=spread, normalized=np.where(good, normalized, 1.0), elapsed_s=elapsed)
    if used.any():
        x, p = update(x, p, rows.value[used], rows.covariance[np.ix_(used, used)], h[used])
    if not (np.isfinite(x).all() and np.isfinite(p).all() and (np.diag(p) >= 0.0).all()):
        return Filtered(state=state, normalized=normalized, used=np.zeros(len(used), dtype=np.int64))
    bounded = _bounded(np.asarray(x), process=process)
    after = ClassFilter(time_s=time_s, x=bounded, covariance=0.5 * (p + p.T), inflation=inflation, refused=refused)
    return Filtered(state=after, normalized=normalized, used=used.astype(np.int64))


def _inflated(
    state: ClassFilter, h: FloatArray, p: FloatArray, *, spread: FloatArray, normalized: FloatArray, elapsed_s: float
) -> FloatArray:
    """[class] factors after a step: by how far squared innovations differ from 1, each class by its part in them."""
    if not len(h):
        return state.inflation
    count = len(state.inflation)
    part = (h @ p * h).reshape(len(h), count, -1).sum(axis=2) / spread[:, None]
    excess = np.minimum(normalized**2, _EXCESS_MAX) - 1.0
    rate = min(elapsed_s / _ADAPT_S, _ADAPT_RATE_MAX)
    moved = state.inflation * np.exp(rate * (np.clip(part, 0.0, 1.0) * excess[:, None]).mean(axis=0))
    return np.asarray(np.clip(moved, 1.0, _INFLATION_MAX))


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
