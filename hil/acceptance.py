"""Did the story hold: each limit with its value, its reason and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from hil.oracle import Restoration
from hil.overlay import Limits
from hil.record import EstimateScore, Trace, minute_means, voltage_ok_frac
from hil.referee import Unsafe
from hil.scenario import AcceptanceLimit


@dataclass(frozen=True, kw_only=True)
class Check:
    """One limit of the story."""

    name: str
    value: float
    limit: float
    held: bool
    text: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class FrameCount:
    """Frames of one source."""

    source_id: str
    sent: int
    used: int
    """Acknowledged by the service, less those that its journal acknowledges without having folded them."""
    used_twice: int
    """Folded again, by the journal."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that is judged. None where the story had no such part."""

    trace: Trace
    limits: Limits
    frames: tuple[FrameCount, ...]
    unsafe: tuple[Unsafe, ...]
    fault: str
    """The line that failed; empty where none did."""
    never_trips: str
    """Why a fault at this place cannot trip anything; empty where it can."""
    restoration: Restoration | None
    """None where restoration did not begin: no fault, or no lockout after it."""
    restored_w: float
    import_max_w: float | None
    import_judged_from_s: float
    estimate: EstimateScore
    defaults_missed: tuple[str, ...]
    """DER that are not at their default although the service is gone."""
    service_gone: bool


def _restored(found: Findings) -> tuple[float, str]:
    """Share of what can be restored that is, and the words for it; NaN where that was not judged."""
    best = found.restoration
    if best is None:
        why = found.never_trips or "no lockout was seen"
        return float("nan"), f"restoration after the fault on {found.fault} was not judged: {why}"
    kind = "" if best.exhausted else f" (a lower bound: {best.unproven})"
    text = (
        f"{found.restored_w / 1e3:.0f} kW; brute force within all limits at the lockout: "
        f"{best.restorable_w / 1e3:.0f} kW{kind}; {best.lost_w / 1e3:.0f} kW were lost"
    )
    if best.restorable_w > 0.0:
        return found.restored_w / best.restorable_w, text
    return (1.0 if best.exhausted else float("nan")), text


def judge(findings: Findings, *, limits: Mapping[str, AcceptanceLimit]) -> tuple[Check, ...]:
    """All checks that apply to the story. A value that is not a number never holds."""
    checks: list[Check] = []

    def add(name: str, value: float, text: str, *, at_least: bool = False) -> None:
        entry = limits[name]
        within = value >= entry.limit - 1e-9 if at_least else value <= entry.limit + 1e-9
        checks.append(
            Check(
                name=name,
                value=value,
                limit=entry.limit,
                held=isfinite(value) and within,
                text=text,
                reason=entry.reason,
            )
        )

    found = findings
    lost = sum(max(0, count.sent - count.used) for count in found.frames)
    sent = sum(count.sent for count in found.frames)
    if not found.service_gone:
        add("frames_lost", float(lost), f"{lost} of {sent} frames from {len(found.frames)} sources were not used")
    twice = sum(count.used_twice for count in found.frames)
    add("frames_twice", float(twice), f"{twice} of {sent} frames were used twice")
    first = f"; first: {found.unsafe[0].device} {found.unsafe[0].rule} {found.unsafe[0].text}" if found.unsafe else ""
    add("unsafe_commands", float(len(found.unsafe)), f"{len(found.unsafe)} unsafe operations{first}")
    if found.fault and not found.service_gone:
        share, text = _restored(found)
        if found.restoration is None and found.never_trips:
            entry = limits["restored_frac_min"]
            checks.append(
                Check(name=entry.name, value=share, limit=entry.limit, held=True, text=text, reason=found.never_trips)
            )
        else:
            add("restored_frac_min", share, text, at_least=True)
    if found.import_max_w is not None and not found.service_gone:
        means = minute_means(found.trace, from_s=found.import_judged_from_s)
        worst = max((mean for _, mean in means), default=float("nan"))
        add(
            "import_excess_frac_max",
            worst / found.import_max_w - 1.0,
            f"highest one-minute mean {worst / 1e3:.0f} kW against {found.import_max_w / 1e3:.0f} kW",
        )
    unsolved = found.trace.unsolved
    words = f"; first at {unsolved[0][0]:.1f} s: {unsolved[0][1]}" if unsolved else ""
    add("plant_unsolved", float(len(unsolved)), f"{len(unsolved)} steps of the plant without a solution{words}")
    share = voltage_ok_frac(found.trace, v_min_pu=found.limits.v_min_pu, v_max_pu=found.limits.v_max_pu)
    if not found.service_gone:
        add(
            "voltage_ok_frac_min",
            share,
            f"{100 * share:.2f} % of node-minutes within {found.limits.v_min_pu} to {found.limits.v_max_pu} pu",
            at_least=True,
        )
    score = found.estimate
    add(
        "estimate_ratio_max",
        score.ratio,
        f"rms error {score.rms_error_pu:.2e} pu, predicted {score.predicted_pu:.2e} pu over {score.rounds} rounds; "
        f"pseudo-load power flow {score.pseudo_rms_pu:.2e} pu (ratio {score.pseudo_ratio:.2f})",
    )
    if found.service_gone:
        missed = found.defaults_missed
        add(
            "defaults_missed",
            float(len(missed)),
            f"{len(missed)} DER not at their default" + (f": {', '.join(missed)}" if missed else ""),
        )
    return tuple(checks)
