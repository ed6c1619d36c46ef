"""Among the options that restore as much as the best: one that is firm, else the one that falls short by least."""

import sys
from collections.abc import Collection
from dataclasses import dataclass

from adms.apps.flisr.accept import Accepted, Judge, Rejected
from adms.apps.flisr.options import Option, search
from adms.apps.flisr.reserve import Reserve
from adms.apps.interlock.wiring import Wiring
from adms.core.ids import ElementId
from adms.core.plans import PlanStep

_MARGIN_STEP_PU = 1e-3
"""Margins closer than this are equal: then fewer operations decide."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An option that all guards and power flows accept."""

    option: Option
    verdict: Accepted
    steps: tuple[PlanStep, ...]


def candidate_of(judge: Judge, option: Option) -> Candidate | Rejected:
    """Judges an option and its steps."""
    verdict = judge.judge(option)
    if isinstance(verdict, Rejected):
        return verdict
    steps = judge.steps(option)
    return steps if isinstance(steps, Rejected) else Candidate(option=option, verdict=verdict, steps=steps)


def firmest(
    wiring: Wiring, *, judge: Judge, locked_out: Collection[ElementId], first: Candidate
) -> tuple[Candidate, tuple[tuple[Option, Reserve], ...]]:
    """The first firm option that restores what `first` does, by openings and operations; without one among the
    `firm_options_max` accepted that come next, the one that falls short by least.

    Args:
        wiring: the section graph.
        judge: of this search; it bounds the power flows.
        locked_out: devices closed first among equals.
        first: the best accepted option, which has the fewest operations of its value.

    Returns:
        The choice, and what was passed over for it with no more operations than it has, fewest first.
    """
    found: list[tuple[Option, Accepted]] = [(first.option, first.verdict)]
    if not first.verdict.reserve.is_firm:
        found += _accepted(wiring, judge=judge, locked_out=locked_out, first=first.option)
    choice = first
    for option, _ in sorted(found, key=_rank):
        candidate = first if option is first.option else candidate_of(judge, option)
        if isinstance(candidate, Candidate):
            choice = candidate
            break
    most = choice.option.key[3]
    shorter = [(o, verdict.reserve) for o, verdict in found if o is not choice.option and o.key[3] <= most]
    return choice, tuple(sorted(shorter, key=lambda item: item[0].key[3]))


def _accepted(
    wiring: Wiring, *, judge: Judge, locked_out: Collection[ElementId], first: Option
) -> list[tuple[Option, Accepted]]:
    """Accepted options that restore what `first` does, fewest openings and operations first, the last one firm if
    there is one."""
    policy = judge.policy
    found: list[tuple[Option, Accepted]] = []
    seen = {_switching(first)}
    value = first.key[:3]
    for depth in range(policy.extra_opens_max + 1):
        options = search(
            wiring,
            outage=judge.outage,
            locked_out=locked_out,
            extra_opens_max=depth,
            options_max=policy.options_max,
            better_than=(*value, sys.maxsize),
        )
        for tried, option in enumerate(options.best_first()):
            if option.key[:3] > value or tried >= policy.options_max:
                break
            if option.key[:3] != value or _switching(option) in seen or not option.restored >= first.restored:
                continue
            if len(found) >= policy.firm_options_max:
                return found
            seen.add(_switching(option))
            verdict = judge.judge(option)
            if isinstance(verdict, Rejected):
                continue
            found.append((option, verdict))
            if verdict.reserve.is_firm:
                return found
    return found


def _rank(item: tuple[Option, Accepted]) -> tuple[bool, int, int]:
    """Smaller is better: firm, margin, operations. Between firm ones margins do not count."""
    option, verdict = item
    reserve = verdict.reserve
    short = 0 if reserve.is_firm else round(-reserve.margin_pu / _MARGIN_STEP_PU)
    return not reserve.is_firm, short, option.key[3]


def _switching(option: Option) -> tuple[frozenset[ElementId], frozenset[ElementId]]:
    return frozenset(option.opens), frozenset(device for feed in option.feeds for device in feed.closes)
