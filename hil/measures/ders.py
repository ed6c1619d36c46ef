"""DER: do they follow their leases, and fall back to their defaults without one."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import numpy.typing as npt

from hil.engine import FloatArray
from hil.measures.findings import Findings, ServiceOutage
from hil.measures.measure import Finding, at_least, at_most, not_applicable, not_judged
from hil.record import DerScan, Trace

BoolArray = npt.NDArray[np.bool_]
_SHOWN = 3
_DEFAULT_TOLERANCE_W = 1.0


def _reference(own: FloatArray, *, asked: FloatArray) -> FloatArray:
    """Where a DER is expected: what its lease asks for; where that says nothing, wherever it is."""
    return np.where(np.isfinite(asked), asked, own)


def _within(value: FloatArray, window: list[FloatArray], *, tolerance: FloatArray) -> BoolArray:
    low, high = np.min(window, axis=0) - tolerance, np.max(window, axis=0) + tolerance
    return np.asarray((value >= low) & (value <= high), dtype=np.bool_)


def _follows(trace: Trace, *, settle_s: float, tolerance_frac: float) -> tuple[BoolArray, BoolArray]:
    """[scan, DER] judged, and follows: between the least and the most that was expected in the settling time before,
    give or take the tolerance. A charger takes its lease as the most that it may draw."""
    rated = np.array([entry.s_max_va for entry in trace.ders])
    charger = np.array([entry.kind == "ev" for entry in trace.ders], dtype=np.bool_)
    tolerance = tolerance_frac * rated
    judged, follows = [], []
    p_window: list[FloatArray] = []
    q_window: list[FloatArray] = []
    times: list[float] = []
    for time_s, scan in zip(trace.time_s, trace.der, strict=True):
        p_window.append(_reference(scan.p_w, asked=np.clip(scan.p_lease_w, scan.p_low_w, scan.p_high_w)))
        q_room = np.sqrt(np.maximum(rated**2 - scan.p_w**2, 0.0))
        q_window.append(_reference(scan.q_var, asked=np.clip(scan.q_lease_var, -q_room, q_room)))
        times.append(time_s)
        while times[0] < time_s - settle_s:
            del times[0], p_window[0], q_window[0]
        p_good = _within(scan.p_w, p_window, tolerance=tolerance)
        q_good = _within(scan.q_var, q_window, tolerance=tolerance)
        drawn_good = scan.p_w >= np.min(p_window, axis=0) - tolerance
        judged.append(scan.leased & ~scan.away)
        follows.append(np.where(charger, drawn_good, p_good & q_good))
    return np.array(judged), np.array(follows)


def _at_target(found: Findings) -> Finding:
    trace, terms = found.trace, found.terms
    if not trace.der or not trace.ders:
        return not_judged("no DER was recorded")
    judged, follows = _follows(trace, settle_s=terms.der_settle_s, tolerance_frac=terms.der_tolerance_frac)
    total = judged.sum(axis=0)
    if not total.any():
        return not_judged("no DER held a lease")
    good = (judged & follows).sum(axis=0)
    missed = sorted(
        (good[k] / total[k], entry.id) for k, entry in enumerate(trace.ders) if total[k] and good[k] < total[k]
    )
    whom = f"; least {', '.join(f'{name} {share:.1%}' for share, name in missed[:_SHOWN])}" if missed else ""
    share = float(good.sum() / total.sum())
    text = f"{share:.2%} of the scans of {int((total > 0).sum())} leased DER at target{whom}"
    return Finding(value=share, text=text)


def _noticed(found: Findings) -> Finding:
    defects = found.injections.defects
    if not defects:
        return not_judged("no DER was made to misbehave")
    names = sorted({defect.der for defect in defects})
    seen = {
        defect.der
        for defect in defects
        for one in found.rounds
        if one.time_s >= defect.from_s and defect.der in one.noticed
    }
    missed = [name for name in names if name not in seen]
    words = f"; not noticed: {', '.join(missed[:_SHOWN])}" if missed else ""
    return Finding(value=float(len(seen)), text=f"{len(seen)} of {len(names)} DER that misbehave were noticed{words}")


def _defaults_missed(found: Findings) -> Finding:
    if not found.service_gone:
        return not_applicable("the service was there at the end")
    missed = found.defaults_missed
    words = f": {', '.join(missed)}" if missed else ""
    return Finding(value=float(len(missed)), text=f"{len(missed)} DER not at their default{words}")


def _at_default(trace: Trace, scan: DerScan, *, column: int) -> bool:
    """Without a lease, and where its stored default puts it; off, and without a stored power, that is anywhere."""
    if scan.leased[column]:
        return False
    entry = trace.ders[column]
    default_w = entry.default_p_injection_w
    if default_w is None or scan.away[column]:
        return True
    p_w = float(scan.p_w[column])
    wanted_w = min(max(default_w, float(scan.p_low_w[column])), float(scan.p_high_w[column]))
    if entry.kind == "ev":
        return p_w >= wanted_w - _DEFAULT_TOLERANCE_W
    return abs(p_w - wanted_w) <= _DEFAULT_TOLERANCE_W


def _during(trace: Trace, outage: ServiceOutage) -> list[tuple[float, DerScan]]:
    scans = zip(trace.time_s, trace.der, strict=True)
    return [(time_s, scan) for time_s, scan in scans if outage.start_s <= time_s < outage.end_s]


def _reached_s(
    trace: Trace, inside: list[tuple[float, DerScan]], *, outage: ServiceOutage, column: int
) -> float | None:
    """From the loss until it stands at its default for the rest of the outage; infinite where it does not. None where
    the outage was over before its lease was."""
    if not inside or (outage.end_s < inf and inside[-1][1].leased[column]):
        return None
    since_s: float | None = None
    for time_s, scan in inside:
        at_default = _at_default(trace, scan, column=column)
        since_s = (time_s if since_s is None else since_s) if at_default else None
    return inf if since_s is None else since_s - outage.start_s


def _default_reached(found: Findings) -> Finding:
    if not found.outages:
        return not_judged("the service was always there")
    trace = found.trace
    waits: list[tuple[float, str]] = []
    for outage in found.outages:
        inside = _during(trace, outage)
        for column, entry in enumerate(trace.ders):
            wait_s = _reached_s(trace, inside, outage=outage, column=column)
            if wait_s is not None:
                waits.append((wait_s, entry.id))
    if not waits:
        return not_judged("no DER was seen without a lease after the service was lost")
    longest_s, name = max(waits)
    never = sorted({der for wait, der in waits if wait == inf})
    if never:
        return Finding(value=nan, text=f"never: {', '.join(never[:_SHOWN])} ({len(never)} of {len(trace.ders)} DER)")
    return Finding(value=longest_s, text=f"{name} last, {longest_s:.6g} s after the service was lost")


MEASURES = (
    at_least(
        "ders_at_target_frac",
        "1",
        what="share of the scans of leased DER in which they are where the lease or their resource puts them",
        find=_at_target,
    ),
    at_least(
        "disobedient_ders_noticed",
        "count",
        what="DER that misbehave which a note of the service names, or which it leaves alone for it (DE10, DE11)",
        find=_noticed,
    ),
    at_most(
        "defaults_missed",
        "count",
        what="DER that are not at their stored default at the end although the service is gone (SAFETY.md, DE4)",
        find=_defaults_missed,
    ),
    at_most(
        "default_reached_s_max",
        "s",
        what="from the loss of the service until the last DER stands at its stored default; NaN if one never does",
        find=_default_reached,
    ),
)
