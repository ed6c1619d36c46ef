"""From odds to words: which positions are wrong, which cannot be told, and which are as reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict, Standing, Witness
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Fit, Heard
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.grid.state import GridState

_WITNESSES = 5
_LEAST_SPEECH = 0.5
"""Log odds below which a reading is not worth naming."""


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

    named: tuple[Candidate, ...] = ()
    """The best candidate and those that cannot be told from it, where the odds are large enough whatever constant
    errors the meters have."""
    withdrawn: frozenset[Candidate] = frozenset()
    """What would be named if meters had no constant errors."""
    witnesses: Mapping[Candidate, tuple[Witness, ...]] = field(default_factory=dict)
    """Of those that are named."""


def witnesses_of(reported: Fit, instead: Fit, *, heard: Heard) -> tuple[Witness, ...]:
    """The readings that a candidate explains so much better or worse than the reported positions, loudest first.

    Args:
        reported: the positions as reported.
        instead: the candidate.
        heard: the readings of both.
    """
    layout = reported.problem.layout
    sigma = np.sqrt(heard.variance)
    before, after = (
        np.where(fit.problem.live_rows, fit.optimum.residual, heard.z) / sigma for fit in (reported, instead)
    )
    says = np.where(heard.use, 0.5 * (before * before - after * after), 0.0)
    loudest = np.argsort(-np.abs(says), kind="stable")[:_WITNESSES]
    return tuple(
        Witness(
            key=layout.table.keys[int(layout.rows.table_rows[row])],
            reported_sigmas=float(before[row]),
            instead_sigmas=float(after[row]),
        )
        for row in loudest.tolist()
        if abs(says[row]) > _LEAST_SPEECH
    )


def verdicts_of(
    view: View,
    *,
    named: tuple[Candidate, ...],
    again: frozenset[Candidate],
    separation: Mapping[Candidate, float],
    grid: GridState,
    unknown: frozenset[ElementId],
    hypotheses: HypothesisPolicy,
) -> tuple[PositionVerdict, ...]:
    """One verdict for each device whose position is known, in model order.

    Args:
        view: the odds.
        named: candidates that the readings name.
        again: those that stand out, and have to do so once more.
        separation: how far apart, in sigmas, a full window of readings could tell candidates from the reported
            positions; of those that it was worked out for.
        grid: positions as reported.
        unknown: devices that nobody claims to be anywhere; where one of them explains the readings, no other is named.
        hypotheses: thresholds.
    """
    of_device: dict[str, list[Candidate]] = {}
    for candidate in view.log_odds:
        of_device.setdefault(candidate.device, []).append(candidate)
    elsewhere = [c for c in named if set(c.poles) & unknown]
    said = _Said(
        view=view,
        named=() if elsewhere else named,
        perhaps=elsewhere[0].in_words(grid) if elsewhere else "",
        again=again,
        separation=separation,
        grid=grid,
        hypotheses=hypotheses,
    )
    return tuple(said.of(mine) for mine in of_device.values() if not set(mine[0].poles) & unknown)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Said:
    view: View
    named: tuple[Candidate, ...]
    perhaps: str
    """What a device of unknown position would be at, where that explains the readings."""
    again: frozenset[Candidate]
    separation: Mapping[Candidate, float]
    grid: GridState
    hypotheses: HypothesisPolicy

    def of(self, mine: list[Candidate]) -> PositionVerdict:
        """Of one device."""
        view, named = self.view, self.named
        best = max(mine, key=lambda c: view.log_odds[c])
        is_named = any(c in named for c in mine)
        standing, why = self._standing(mine, best)
        instead: tuple[str, ...] = (best.in_words(self.grid),)
        if is_named:
            instead = tuple(c.in_words(self.grid) for c in named)
        elif standing is Standing.AS_REPORTED:
            instead = ()
        return PositionVerdict(
            device=best.device,
            poles=best.poles,
            is_tap=best.is_tap,
            standing=standing,
            instead=instead,
            log_odds=np.nan if best in view.waiting else float(view.log_odds[best]),
            why=why,
            switch_named=is_named and any(not c.is_tap for c in named),
            witnesses=view.witnesses.get(best, ()) if is_named else (),
        )

    def _standing(self, mine: list[Candidate], best: Candidate) -> tuple[Standing, str]:
        view, hypotheses = self.view, self.hypotheses
        full = view.scans >= hypotheses.window_scans
        after = f"after {view.scans} scan{'' if view.scans == 1 else 's'}"
        least = hypotheses.least_separation(len(view.log_odds))
        weakest = min((self.separation[c] for c in mine if c in self.separation), default=np.inf)
        if any(c in self.named for c in mine):
            alone = len({c.device for c in self.named}) == 1
            whys = [] if alone else ["one of these: the meters cannot tell them apart"]
            if not view.witnesses.get(best):
                whys.append("no reading by itself says so, but all together, and what the loads would have to be")
            return Standing.WRONG, "; ".join(whys)
        if best in view.waiting:
            return Standing.OPEN, "it had no turn yet"
        if not view.fits:
            why = "no single wrong position explains the readings: meters are biased, or more than one thing is wrong"
            return Standing.UNDECIDABLE, why
        if view.withdrawn and (best.is_tap or best in view.withdrawn):
            why = "constant errors of the meters explain the readings as well"
            return (Standing.UNDECIDABLE, why) if full else (Standing.OPEN, f"{after}: {why}")
        if self.perhaps and view.log_odds[best] > 0.0:
            return Standing.OPEN, f"{self.perhaps}, whose position is not known, explains the readings"
        if weakest < least:
            why = f"the positions differ by {weakest:.1f} sigma of what {hypotheses.window_scans} scans can say"
            return Standing.UNDECIDABLE, f"{why}, and it takes {least:.1f}"
        if view.log_odds[best] < -np.log(hypotheses.least_odds):
            return Standing.AS_REPORTED, ""
        if any(c in self.again for c in mine):
            return Standing.OPEN, "it looks wrong, and has to once more"
        if full:
            return Standing.UNDECIDABLE, f"{after} the readings speak neither for it nor against it"
        return Standing.OPEN, after
