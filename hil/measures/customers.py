"""Customers without supply, and how soon they are back."""

from __future__ import annotations

from itertools import pairwise

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_least, at_most, change_frac, not_applicable, not_judged
from hil.record import Trace, customer_minutes

NOTHING = not_judged("nothing was recorded")
_ALL = 1.0 - 1e-6
"""Of the restorable demand: less is a load."""


def _restored_frac(found: Findings) -> Finding:
    if not found.fault:
        return not_applicable("nothing failed")
    if found.service_gone:
        return not_applicable("the service was gone at the end: nobody restored")
    best = found.restoration
    if best is None:
        text = f"restoration after the fault on {found.fault} was not judged: "
        if found.never_trips:
            return not_applicable(text + found.never_trips)
        return Finding(value=float("nan"), text=text + "no lockout was seen")
    kind = "" if best.exhausted else f" (a lower bound: {best.unproven})"
    text = (
        f"{found.restored_w / 1e3:.0f} kW; brute force within all limits at the lockout: "
        f"{best.restorable_w / 1e3:.0f} kW{kind}; {best.lost_w / 1e3:.0f} kW were lost"
    )
    if best.restorable_w > 0.0:
        return Finding(value=found.restored_w / best.restorable_w, text=text)
    return Finding(value=1.0 if best.exhausted else float("nan"), text=text)


def _lockout_s(trace: Trace) -> float | None:
    return min((event.time_s for event in trace.events if event.what == "lockout"), default=None)


def _restoration_time(found: Findings) -> Finding:
    lockout_s, best, trace = _lockout_s(found.trace), found.restoration, found.trace
    if lockout_s is None or best is None:
        return not_judged(found.never_trips or "no lockout was seen")
    if best.restorable_w <= 0.0:
        if not best.exhausted:
            return not_judged(f"the search for what can be restored did not end: {best.unproven}")
        return Finding(value=0.0, text="nothing could be restored")
    back = (
        after_s
        for (_, before), (after_s, after) in pairwise(zip(trace.time_s, trace.customers_off, strict=True))
        if after < before and after_s > lockout_s
    )
    last_s = max(back, default=None)
    if found.restored_w < best.restorable_w * _ALL or last_s is None:
        return not_judged(
            f"{found.restored_w / 1e3:.0f} of {best.restorable_w / 1e3:.0f} restorable kW were restored: not the last"
        )
    text = f"lockout at {lockout_s:.6g} s, the last of {best.restorable_w / 1e3:.0f} kW back at {last_s:.6g} s"
    return Finding(value=last_s - lockout_s, text=text)


def _minutes(found: Findings) -> Finding:
    if found.idle is None or not found.idle.time_s or not found.trace.time_s:
        return not_judged("the idle run is missing")
    return change_frac(
        customer_minutes(found.trace),
        before=customer_minutes(found.idle),
        of="customer minutes without supply",
    )


def _at_end(found: Findings) -> Finding:
    if not found.trace.customers_off:
        return NOTHING
    off = found.trace.customers_off[-1]
    return Finding(value=float(off), text=f"{off} customers without supply at {found.trace.time_s[-1]:.6g} s")


def _temporary(found: Findings) -> Finding:
    trace = found.trace
    cleared_s = min((event.time_s for event in trace.events if event.what == "cleared"), default=None)
    if cleared_s is None:
        return not_judged("no fault cleared by itself")
    scans = zip(trace.time_s, trace.customers_off, trace.in_fault, strict=True)
    off = [(count, time_s) for time_s, count, in_fault in scans if time_s >= cleared_s and not in_fault]
    if not off:
        return not_judged(f"protection had not finished after the fault that cleared at {cleared_s:.6g} s")
    most, at_s = max(off, key=lambda item: item[0])
    locked = [event.element for event in trace.events if event.what == "lockout"]
    why = f"; locked out: {', '.join(locked)}" if locked else ""
    text = f"{most} customers without supply at {at_s:.6g} s, the fault having cleared at {cleared_s:.6g} s{why}"
    return Finding(value=float(most), text=text)


MEASURES = (
    at_least(
        "restored_frac_min",
        "1",
        what="restored demand over what brute force on the plant finds restorable within all limits",
        find=_restored_frac,
    ),
    at_most(
        "restoration_time_s",
        "s",
        what="from the first lockout until the last restorable customer is back; not judged where one is not",
        find=_restoration_time,
    ),
    at_most(
        "customer_minutes_vs_idle_frac",
        "1",
        what="customer minutes without supply against those of the same feeder without the service",
        find=_minutes,
    ),
    at_most("customers_off_at_end", "count", what="customers without supply at the last scan", find=_at_end),
    at_most(
        "customers_off_in_temporary_fault",
        "count",
        what="most customers without supply once a fault has cleared by itself and protection has finished",
        find=_temporary,
    ),
)
