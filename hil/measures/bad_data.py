"""Meters that lie: are they named, and only they; positions that are not as reported: how soon are they named."""

from __future__ import annotations

from math import inf, nan

from hil.measures.findings import Findings
from hil.measures.injections import LyingPoint, WrongPosition
from hil.measures.measure import Finding, at_least, at_most, not_judged
from hil.measures.picture import NO_ROUND, due
from hil.rounds import Round

_SHOWN = 3
_NO_LIAR = "no meter was made to lie so that it could be found out"


def _after(wait_s: float) -> str:
    return f"after {wait_s:.6g} s" if wait_s < inf else "never"


def _named(one: Round, liar: LyingPoint) -> bool:
    return liar.point in one.rejected or not one.wrong_positions.isdisjoint({liar.device, liar.also} - {""})


def _liars_named(found: Findings) -> Finding:
    liars = [liar for liar in found.injections.points if liar.to_be_named]
    if not liars:
        return not_judged(_NO_LIAR)
    settle_s = found.terms.bad_data_settle_s
    rounds = due(found)
    named = total = 0
    worst: list[tuple[float, str]] = []
    for liar in liars:
        during = [one for one in rounds if liar.start_s + settle_s <= one.time_s < liar.end_s]
        hits = sum(_named(one, liar) for one in during)
        named, total = named + hits, total + len(during)
        if during:
            worst.append((hits / len(during), liar.point))
    if not total:
        return not_judged(f"no round later than {settle_s:g} s after a meter began to lie")
    share, point = min(worst)
    text = f"{len(worst)} lying points named in {named} of {total} rounds; least {point}: {share:.1%}"
    return Finding(value=named / total, text=text)


def _first_named(found: Findings) -> Finding:
    liars = [liar for liar in found.injections.points if liar.to_be_named]
    if not liars:
        return not_judged(_NO_LIAR)
    waits = []
    for liar in liars:
        until_s = liar.end_s + found.terms.bad_data_settle_s
        times = (one.time_s for one in found.rounds if liar.start_s <= one.time_s < until_s and _named(one, liar))
        waits.append((min(times, default=inf) - liar.start_s, liar))
    waits.sort(key=lambda item: -item[0])
    words = "; ".join(f"{liar.point} ({liar.text}): {_after(wait_s)}" for wait_s, liar in waits[:_SHOWN])
    return Finding(value=waits[0][0] if waits[0][0] < inf else nan, text=words)


def _innocents_blamed(found: Findings) -> Finding:
    scans = zip(found.trace.time_s, found.trace.in_fault, strict=True)
    busy = {round(time_s, 3) for time_s, in_fault in scans if in_fault}
    rounds = [one for one in due(found) if round(one.time_s, 3) not in busy]
    if not rounds:
        return NO_ROUND
    grace_s = found.terms.bad_data_settle_s
    times: dict[str, int] = {}
    blamed = 0
    for one in rounds:
        lying = {p.point for p in found.injections.points if p.start_s <= one.time_s < p.end_s + grace_s}
        innocents = one.rejected - lying
        blamed += bool(innocents)
        for point in innocents:
            times[point] = times.get(point, 0) + 1
    most = sorted(times.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    whom = f"; most often {', '.join(f'{point} ({count})' for point, count in most)}" if most else ""
    text = f"{blamed} of {len(rounds)} rounds reject a point that does not lie{whom}"
    return Finding(value=blamed / len(rounds), text=text)


def _until_named_s(found: Findings, wrong: WrongPosition) -> float:
    """Time from the beginning to the first round that names it; infinite where none does."""
    until_s = wrong.end_s + found.terms.bad_data_settle_s
    times = (
        one.time_s
        for one in found.rounds
        if wrong.start_s <= one.time_s < until_s and wrong.named_by(one.wrong_positions)
    )
    return min(times, default=inf) - wrong.start_s


def _position_named(found: Findings) -> Finding:
    positions = found.injections.positions
    if not positions:
        return not_judged("every position was as reported")
    waits = sorted(((_until_named_s(found, wrong), wrong) for wrong in positions), key=lambda item: -item[0])
    words = "; ".join(f"{wrong.device} ({wrong.text}): {_after(wait_s)}" for wait_s, wrong in waits[:_SHOWN])
    longest_s = waits[0][0]
    return Finding(value=longest_s if longest_s < inf else nan, text=words)


def _named_wrongly(found: Findings) -> Finding:
    if not due(found):
        return NO_ROUND
    grace_s = found.terms.bad_data_settle_s
    first: dict[str, float] = {}
    for one in found.rounds:
        for device in one.wrong_positions:
            guilty = any(
                wrong.start_s <= one.time_s < wrong.end_s + grace_s and wrong.named_by(frozenset({device}))
                for wrong in found.injections.positions
            )
            if not guilty:
                first.setdefault(device, one.time_s)
    shown = sorted(first.items(), key=lambda item: (item[1], item[0]))[:_SHOWN]
    whom = f": {', '.join(f'{device} at {time_s:.6g} s' for device, time_s in shown)}" if first else ""
    return Finding(value=float(len(first)), text=f"{len(first)} devices named although they were as reported{whom}")


MEASURES = (
    at_least(
        "liars_named_frac",
        "1",
        what="share of the rounds under a lie, after a settling time, in which the lying point or its device is named",
        find=_liars_named,
    ),
    at_most(
        "liar_named_s",
        "s",
        what="time until a lying point or its device is named for the first time, the longest of them; NaN if never",
        find=_first_named,
    ),
    at_most(
        "innocents_blamed_frac",
        "1",
        what="share of the rounds in which a point that does not lie is rejected; not while protection works",
        find=_innocents_blamed,
    ),
    at_most(
        "wrong_position_named_s",
        "s",
        what="time until a switch or tap changer that is not as reported is named, the longest of them; NaN if never",
        find=_position_named,
    ),
    at_most(
        "positions_named_wrongly",
        "count",
        what="switches and tap changers that were named at some time although they were as reported",
        find=_named_wrongly,
    ),
)
