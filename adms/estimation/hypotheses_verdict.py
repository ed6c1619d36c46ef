"""From odds to words: which positions are wrong, which cannot be told, and which are as reported."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.grid.state import GridState

_LARGE = 6.0
"""Odds of more digits are written as powers of ten."""


class Standing(StrEnum):
    """What the telemetry says of a device's reported position."""

    AS_REPORTED = "as reported"
    WRONG = "wrong"
    """The odds against it are large; `PositionVerdict.instead` says what is true, or one of what."""
    OPEN = "not decided yet"
    """More scans would decide."""
    UNDECIDABLE = "undecidable"
    """The meters could not tell even then."""


@dataclass(frozen=True, kw_only=True)
class PositionVerdict:
    """Of one device."""

    device: str
    standing: Standing
    instead: tuple[str, ...]
    """What may be true instead, the most probable first; several where the meters cannot tell them apart."""
    log_odds: float
    """Natural logarithm of the odds of the device's most probable other position against the reported one, priors
    even."""
    why: str

    @property
    def odds_in_words(self) -> str:
        """Against the position as reported."""
        digits = self.log_odds / np.log(10.0)
        if abs(digits) > _LARGE:
            return f"10^{digits:.0f} to 1" if digits > 0.0 else f"1 to 10^{-digits:.0f}"
        return f"{np.exp(self.log_odds):.3g} to 1" if digits > 0.0 else f"1 to {np.exp(-self.log_odds):.3g}"


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What one set of readings says."""

    log_odds: Mapping[Candidate, float]
    """Against the positions as reported."""
    waiting: frozenset[Candidate]
    """Candidates that have to be solved and had no turn yet: improbable at first sight, no more."""
    fits: bool
    """False where neither these nor the best candidate explain the readings."""
    scans: int

    def named(self, hypotheses: HypothesisPolicy) -> tuple[Candidate, ...]:
        """The best candidate and those that cannot be told from it, where its odds are large enough."""
        if not self.log_odds or not self.fits:
            return ()
        best = max(self.log_odds.values())
        if best < hypotheses.least_log_odds(len(self.log_odds)):
            return ()
        near = [c for c, odds in self.log_odds.items() if odds >= best - np.log(hypotheses.odds_apart)]
        return tuple(sorted(near, key=lambda c: -self.log_odds[c]))


def verdicts_of(
    view: View,
    *,
    named: tuple[Candidate, ...],
    separation: Mapping[Candidate, float],
    grid: GridState,
    hypotheses: HypothesisPolicy,
) -> tuple[PositionVerdict, ...]:
    """One verdict for each device, in model order.

    Args:
        view: the odds.
        named: candidates that the readings name.
        separation: how far apart, in sigmas, a full window of readings could tell candidates from the reported
            positions; of those that it was worked out for.
        grid: positions as reported.
        hypotheses: thresholds.
    """
    of_device: dict[str, list[Candidate]] = {}
    for candidate in view.log_odds:
        of_device.setdefault(candidate.device, []).append(candidate)
    return tuple(
        _verdict(view, mine, named=named, separation=separation, grid=grid, hypotheses=hypotheses)
        for mine in of_device.values()
    )


def _verdict(
    view: View,
    mine: list[Candidate],
    *,
    named: tuple[Candidate, ...],
    separation: Mapping[Candidate, float],
    grid: GridState,
    hypotheses: HypothesisPolicy,
) -> PositionVerdict:
    best = max(mine, key=lambda c: view.log_odds[c])
    log_odds = view.log_odds[best]
    instead: tuple[str, ...] = (best.in_words(grid),)
    least = hypotheses.least_separation(len(view.log_odds))
    if any(c in named for c in mine):
        instead = tuple(c.in_words(grid) for c in named)
        alone = len({c.device for c in named}) == 1
        standing, why = Standing.WRONG, "" if alone else "one of these: the meters cannot tell them apart"
    elif best in view.waiting:
        standing, why = Standing.OPEN, "it had no turn yet"
    elif not view.fits:
        standing = Standing.UNDECIDABLE
        why = "no single wrong position explains the readings: meters are biased, or more than one thing is wrong"
    elif (weakest := min((separation[c] for c in mine if c in separation), default=np.inf)) < least:
        standing = Standing.UNDECIDABLE
        why = (
            f"the positions differ by {weakest:.1f} sigma of what {hypotheses.window_scans} scans can say, and it "
            f"takes {least:.1f}"
        )
    elif log_odds < -np.log(hypotheses.least_odds):
        standing, why, instead = Standing.AS_REPORTED, "", ()
    else:
        standing, why = Standing.OPEN, f"after {view.scans} scans"
    return PositionVerdict(device=best.device, standing=standing, instead=instead, log_odds=float(log_odds), why=why)
