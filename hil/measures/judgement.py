"""A run against its limits: exactly the entries of the scenario, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite

from adms.client import InputError, Problem
from hil.measures.findings import Findings
from hil.measures.measure import Bound, Finding, Measure
from hil.measures.registry import MEASURES
from hil.scenario import AcceptanceLimit

TOLERANCE = 1e-9
"""A limit holds to so much, in the unit of the measure: sums of floats."""
_NEAREST = 3


class Verdict(StrEnum):
    """What became of an entry."""

    HELD = "held"
    BROKEN = "broken"
    OPEN_SHORTFALL = "open shortfall"
    """Known not to hold yet, and it does not: counted, and no failure of the run."""
    SHORTFALL_CLOSED = "shortfall closed"
    """Said not to hold yet, and it does: the entry's `shortfall` can go."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One limit of the story."""

    name: str
    value: float
    limit: float
    held: bool
    text: str
    reason: str
    unit: str
    bound: Bound
    verdict: Verdict
    shortfall: str
    """Why it does not hold yet; empty where it has to."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A limit of the story whose question did not arise in the run."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """All entries of a scenario: each is either a check or left out."""

    checks: tuple[Check, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def held(self) -> bool:
        """Whether the run passes."""
        return held(self.checks)

    @property
    def open_shortfalls(self) -> tuple[Check, ...]:
        """Those that count against what the product is allowed."""
        return tuple(check for check in self.checks if check.verdict is Verdict.OPEN_SHORTFALL)


def held(checks: Sequence[Check]) -> bool:
    """Whether a run passes: something was judged, and nothing is broken."""
    return bool(checks) and all(check.verdict is not Verdict.BROKEN for check in checks)


def check_names(limits: Iterable[str]) -> None:
    """Raise InputError with every name that is no measure, and the nearest names that are."""
    problems = []
    for name in limits:
        if name in MEASURES:
            continue
        close = get_close_matches(name, MEASURES, n=_NEAREST, cutoff=0.5)
        hint = f"; the nearest are {', '.join(close)}" if close else f"; there are: {', '.join(sorted(MEASURES))}"
        problems.append(
            Problem(element="acceptance", field="name", value=name, message="there is no such measure" + hint)
        )
    if problems:
        raise InputError(problems)


def examine(findings: Findings, *, limits: Mapping[str, AcceptanceLimit]) -> Judgement:
    """Judge a run by every entry of its scenario. Raises InputError for a name that is no measure."""
    check_names(limits)
    checks, left_out = [], []
    for name, entry in limits.items():
        found = MEASURES[name].find(findings)
        if found.applies:
            checks.append(_check(MEASURES[name], found, entry=entry))
        else:
            left_out.append(LeftOut(name=name, reason=found.text))
    return Judgement(checks=tuple(checks), left_out=tuple(left_out))


def judge(findings: Findings, *, limits: Mapping[str, AcceptanceLimit]) -> tuple[Check, ...]:
    """The checks of `examine`."""
    return examine(findings, limits=limits).checks


def _check(measure: Measure, found: Finding, *, entry: AcceptanceLimit) -> Check:
    good = isfinite(found.value) and _within(found.value, entry.limit, bound=measure.bound)
    if entry.shortfall:
        verdict = Verdict.SHORTFALL_CLOSED if good else Verdict.OPEN_SHORTFALL
    else:
        verdict = Verdict.HELD if good else Verdict.BROKEN
    return Check(
        name=measure.name,
        value=found.value,
        limit=entry.limit,
        held=good,
        text=found.text,
        reason=entry.reason,
        unit=measure.unit,
        bound=measure.bound,
        verdict=verdict,
        shortfall=entry.shortfall,
    )


def _within(value: float, limit: float, *, bound: Bound) -> bool:
    return value >= limit - TOLERANCE if bound is Bound.AT_LEAST else value <= limit + TOLERANCE
