"""What a sensor plan does to a run, in words: for the report's list of faults injected and the shading of its plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from hil.sensors.channel import ChannelPlan
from hil.sensors.faults import SensorPlan
from hil.sensors.lies import (
    Drift,
    Inverted,
    Lie,
    NotANumber,
    PhasesSwapped,
    Scaled,
    SignFlipped,
    StuckAtLast,
    StuckAtValue,
    TimeFrozen,
)
from hil.sensors.terms import Span


@dataclass(frozen=True, kw_only=True)
class Injected:
    """One thing that is wrong, where and when."""

    span: Span
    where: str
    """Pattern of points or sources."""
    text: str


def injected(plan: SensorPlan) -> tuple[Injected, ...]:
    """Faults of sensors and channels by their start. Errors that every meter of a class has are none."""
    found = [
        Injected(
            span=fault.span,
            where=fault.point if fault.source == "*" else f"{fault.point} of {fault.source}",
            text=lie_in_words(fault.lie),
        )
        for fault in plan.faults
    ]
    for channel in plan.channels:
        always = _always(channel)
        if always:
            found.append(Injected(span=Span(), where=channel.source, text=always))
        kept = f", {channel.store_frames} frames stored" if channel.store_frames else ", its frames lost"
        found += [Injected(span=outage, where=channel.source, text="outage" + kept) for outage in channel.outages]
        found += [
            Injected(
                span=flag.span,
                where=f"{flag.point} of {channel.source}",
                text=f"flagged {flag.quality.name.lower()} with a chance of {flag.chance_frac:.3g}",
            )
            for flag in channel.flags
        ]
    return tuple(sorted(found, key=lambda one: one.span.start_s))


def lie_in_words(lie: Lie) -> str:
    """What a sensor does wrong."""
    match lie:
        case StuckAtLast():
            return "stuck at its last value"
        case StuckAtValue(value=value):
            return f"stuck at {value:.6g}"
        case SignFlipped():
            return "shows the wrong sign"
        case Inverted():
            return "shows the other state"
        case Scaled(factor=factor):
            return f"shows {factor:.6g} times the value"
        case NotANumber():
            return "shows no number"
        case Drift(drift_per_h=rate):
            return f"drifts by {rate:+.6g} per hour"
        case PhasesSwapped(phases=(first, second)):
            return f"phases {first} and {second} exchanged"
        case TimeFrozen():
            return "its time stands still"
        case _ as unreachable:
            assert_never(unreachable)


def _always(plan: ChannelPlan) -> str:
    """What a channel does to frames at any time; empty for one that does nothing."""
    jitter = f" and {plan.jitter_distribution} jitter of {plan.jitter_s:.3g} s" if plan.jitter_distribution else ""
    clock = f"{plan.clock_skew_s:+.3g} s and {plan.clock_drift_s_per_h:+.3g} s/h"
    words = (
        (plan.latency_s or plan.jitter_s, f"latency of {plan.latency_s:.3g} s{jitter}"),
        (plan.loss_frac, f"loses {plan.loss_frac:.3g} of its frames"),
        (plan.duplicate_frac, f"repeats {plan.duplicate_frac:.3g} of them"),
        (plan.reorder_frac, f"holds {plan.reorder_frac:.3g} of them back by {plan.reorder_delay_s:.3g} s"),
        (plan.clock_skew_s or plan.clock_drift_s_per_h, f"clock off by {clock}"),
    )
    return "; ".join(text for size, text in words if size)
