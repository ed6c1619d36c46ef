"""What the classes did over the last days, for meters that come late. Bounded: the oldest is forgotten."""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassHistory:
    """Filtered deviations of the classes at past times."""

    time_s: FloatArray
    """[step], rising."""
    deviation: FloatArray
    """[step, 2 * class] over expected power: P's of every class, then Q's."""
    variance: FloatArray
    """[step, 2 * class]."""


def empty_history(classes: int) -> ClassHistory:
    """Nothing remembered."""
    return ClassHistory(time_s=np.zeros(0), deviation=np.zeros((0, 2 * classes)), variance=np.zeros((0, 2 * classes)))


def remembered(
    history: ClassHistory, *, time_s: float, deviation: FloatArray, variance: FloatArray, step_s: float, keep_s: float
) -> ClassHistory:
    """With one more step, unless the last is younger than `step_s`; without what is older than `keep_s`."""
    if len(history.time_s) and time_s - history.time_s[-1] < step_s:
        return history
    kept = history.time_s >= time_s - keep_s
    return ClassHistory(
        time_s=np.append(history.time_s[kept], time_s),
        deviation=np.vstack([history.deviation[kept], deviation]),
        variance=np.vstack([history.variance[kept], variance]),
    )


def looked_up(
    history: ClassHistory, *, column: IntArray, time_s: FloatArray, cold_var: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Deviations of some columns at some times, linear in between.

    Args:
        history: what is remembered.
        column: [item] in 0 .. 2 * class - 1.
        time_s: [item, time].
        cold_var: [2 * class] variance where nothing is remembered: before the first step, or with none at all.

    Returns:
        ([item, time] deviation, [item] largest variance). After the last step it is the last one's.
    """
    out, variance = np.zeros(time_s.shape), cold_var[column].astype(np.float64)
    if not len(history.time_s):
        return out, variance
    for each in np.unique(column):
        rows = column == each
        at = time_s[rows]
        out[rows] = np.interp(at, history.time_s, history.deviation[:, each], left=0.0)
        spread = np.interp(at, history.time_s, history.variance[:, each], left=cold_var[each])
        variance[rows] = spread.max(axis=1)
    return out, variance
