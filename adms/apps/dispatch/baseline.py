"""The load behind an interface, filtered: level and trend (alpha-beta), so that a ramp leaves no lasting error.

Following the load, instead of correcting the flow, makes the controller feed-forward: what the DER give is measured and
added back, so their delays do not make it hunt.
"""

from datetime import datetime, timedelta

from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.dispatch.state import Baseline

GAP_MAX = timedelta(seconds=60)
"""After a longer gap the filter starts again."""


def followed(
    last: Baseline | None, *, load_w: float, now: datetime, topology_version: str, policy: DispatchPolicy
) -> Baseline:
    """The filter after one more look at the load (import plus what the DER behind it give, W).

    A new topology moves load from feeder to feeder: the filter starts again, and keeps its correction.
    """
    if last is None or last.topology_version != topology_version or not timedelta() < now - last.time < GAP_MAX:
        return Baseline(
            time=now,
            topology_version=topology_version,
            level_w=load_w,
            trend_w_per_s=0.0,
            correction_w=0.0 if last is None else last.correction_w,
        )
    dt = (now - last.time).total_seconds()
    expected_w = last.level_w + last.trend_w_per_s * dt
    surprise_w = load_w - expected_w
    return Baseline(
        time=now,
        topology_version=topology_version,
        level_w=expected_w + policy.level_gain * surprise_w,
        trend_w_per_s=last.trend_w_per_s + policy.trend_gain * surprise_w / dt,
        correction_w=last.correction_w,
    )


def ahead_w(baseline: Baseline, *, policy: DispatchPolicy) -> float:
    """The load when this round's setpoints act."""
    return baseline.level_w + baseline.trend_w_per_s * policy.lead_s
