"""The service killed and started again."""

from __future__ import annotations

from math import inf, nan

from adms.client import Mode
from hil.measures.findings import Findings, ServiceOutage
from hil.measures.measure import Finding, at_most, not_judged


def _recovered_s(found: Findings, outage: ServiceOutage) -> float:
    until_s = min((other.start_s for other in found.outages if other.start_s >= outage.end_s), default=inf)
    times = (
        one.time_s
        for one in found.rounds
        if outage.end_s <= one.time_s < until_s and one.trusted and one.mode is Mode.CONTROL
    )
    return min(times, default=inf) - outage.end_s


def _recovery(found: Findings) -> Finding:
    back = [outage for outage in found.outages if outage.end_s < inf]
    if not back:
        return not_judged("the service was not started again")
    waits = [(_recovered_s(found, outage), outage) for outage in back]
    longest_s, outage = max(waits, key=lambda item: item[0])
    when = f"started again at {outage.end_s:.6g} s"
    if longest_s == inf:
        return Finding(value=nan, text=f"{when}: never with a picture to act on and in CONTROL")
    return Finding(value=longest_s, text=f"{when}: in CONTROL, with a picture to act on, {longest_s:.6g} s later")


MEASURES = (
    at_most(
        "recovery_s",
        "s",
        what="from the restart until a round in CONTROL with a picture to act on, the longest; NaN if never",
        find=_recovery,
    ),
)
