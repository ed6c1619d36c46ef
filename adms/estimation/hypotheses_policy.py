"""When a position is called wrong, and what is believed of the meters that say so."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True, kw_only=True)
class HypothesisPolicy:
    """Everything statistical has to be named."""

    least_odds: float
    """A position is named wrong where the odds against the reported one are at least this (100: a hundred to one)."""
    alarm_probability: float
    """And where they are so large that, of all candidates together, a scan with every position as reported shows such
    odds no more often than this (0..1)."""
    odds_apart: float
    """Candidates whose odds are within this ratio of the best one's are named together: the meters cannot tell them
    apart."""
    naming_probability: float
    """A candidate is decidable where, if it is true, it would be named this often (0..1)."""
    voltage_bias_frac: float
    """Standard deviation of what a voltage meter is constantly wrong by, over its reading; 0 where meters are known to
    be unbiased. It does not average out."""
    power_bias_frac: float
    """The same for powers and currents."""
    bad_meter_odds: float
    """Odds, before any reading, that some meter of the scan is grossly wrong."""
    gross_error_sigmas: float
    """A gross error is anything up to this many sigmas, either way."""
    misfit_probability: float
    """That readings with no error but noise are called unexplained by the positions that are true (0..1). No position
    is named by readings that nothing explains."""
    window_scans: int
    """Scans over which readings are averaged."""
    exact_each_scan: int
    """Most candidates solved in one set of readings: a count, so that a scan is repeatable."""
    by_turn: int = 2
    """Of switches that are refuted at first sight, so many are solved for one set of readings all the same."""
    tap_steps: tuple[int, ...] = (-1, 1)
    """How far a tap may be off."""
    unstated_bias_frac: tuple[float, ...] = (0.002, 0.005, 0.01)
    """Constant errors of all meters, over their readings, that nobody stated and that have to explain the readings
    less well before a position is named (`hypotheses_bias`)."""
    unstated_bias_odds: float = 0.1
    """Odds that there are such errors, against none; 0 where that is out of the question."""
    named_in_a_row: int = 1
    """So many times in a row a position has to be found wrong, each time on newer readings, before it is named."""
    work_ms_each_scan: float = 10.0
    """Where it is done in turns: how much a scan may take, on average. Counted from sizes, not timed, so that a run
    repeats."""

    def least_log_odds(self, candidates: int) -> float:
        """What the log odds of a named candidate exceed.

        With a Gaussian log likelihood ratio, N(-d^2 / 2, d^2) where all is as reported, P(ratio > t) is largest for
        d^2 = 2 t, and is then the normal tail beyond sqrt(2 t): t follows from the probability shared by all candidates
        (Bonferroni).

        Args:
            candidates: how many there are.
        """
        each = self.alarm_probability / max(candidates, 1)
        return max(float(np.log(self.least_odds)), 0.5 * float(ndtri(min(each, 0.5))) ** 2)

    def least_separation(self, candidates: int) -> float:
        """Smallest d, in sigmas, at which a true candidate is named with `naming_probability`: its log odds are
        N(d^2 / 2, d^2), so d^2 / 2 - z d = t.

        Args:
            candidates: how many there are.
        """
        z = float(ndtri(self.naming_probability))
        return z + float(np.sqrt(z * z + 2.0 * self.least_log_odds(candidates)))
