"""Could it be the meters? What a constant error of every meter would make of the odds.

Meters that are constantly off by half a per cent, all by something else, look after a few scans like a tap one step
off: the noise averages out and the errors stay. How large such errors are is not known, so it is integrated over, for
the reported positions and for the candidate alike (a hyperparameter; Bishop, Pattern Recognition and Machine Learning,
2006, section 3.5):

    odds = sum_b p(b) p(z | candidate, b)  /  sum_b p(b) p(z | as reported, b)

with the errors of all meters N(0, (b z)^2), and b zero or one of a few sizes. A true candidate hardly loses by it; what
meters explain as well is not named.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import logsumexp

from adms.estimation.hypotheses_policy import HypothesisPolicy


def sizes_of(hypotheses: HypothesisPolicy) -> tuple[float, ...]:
    """Sizes of constant errors to look at besides none."""
    return hypotheses.unstated_bias_frac if hypotheses.unstated_bias_odds > 0.0 else ()


def log_marginal(log_evidence: Mapping[float, float], *, hypotheses: HypothesisPolicy) -> float:
    """log p(z | positions), the size of constant errors integrated out.

    Args:
        log_evidence: log p(z | positions, b) by b, zero among them.
        hypotheses: odds that there are such errors, shared evenly by their sizes.
    """
    odds = hypotheses.unstated_bias_odds
    others = [value for size, value in log_evidence.items() if size > 0.0]
    each = np.log(odds / len(others)) if others and odds > 0.0 else -np.inf
    terms = [log_evidence[0.0], *(value + each for value in others)]
    return float(logsumexp(terms) - np.log1p(odds if others else 0.0))
