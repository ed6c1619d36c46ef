"""How far apart meters could tell positions at best: what redundancy there is, before anybody asks for a verdict.

Readings without noise, of the expected loads in the positions of a candidate, give it the log odds d^2 / 2 on average;
of a tap step d follows from the matrix alone.
"""

from collections.abc import Sequence

import numpy as np

from adms.core.telemetry import FloatArray
from adms.estimation.beliefs import Beliefs, beliefs_of
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Fit, Heard, fit_of
from adms.estimation.hypotheses_linear import linear_test
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.iterate import Diverged, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.problem import Problem, problem_of
from adms.powerflow import NotSolved


def expected_separation(
    candidates: Sequence[Candidate],
    *,
    problem: Problem,
    heard: Heard,
    prior: LoadPrior,
    policy: EstimationPolicy,
    hypotheses: HypothesisPolicy,
) -> dict[Candidate, float]:
    """d of each candidate, sigmas; infinite where the reported positions have no optimum at all for its readings.

    Args:
        candidates: which.
        problem: the network as reported.
        heard: which meters there are and how good they are; not what they say.
        prior: the loads.
        policy: of the estimator.
        hypotheses: what is believed of gross errors.
    """
    beliefs = beliefs_of(problem, prior)

    def fit(one: Problem, about: Beliefs, z: FloatArray) -> Fit | None:
        readings = Heard(z=z, variance=heard.variance, use=heard.use)
        return fit_of(one, readings, beliefs=about, policy=policy, hypotheses=hypotheses, start=None)

    taps = any(candidate.is_tap for candidate in candidates)
    usual = _expected_readings(problem, beliefs, policy=policy) if taps else None
    reported = None if usual is None else fit(problem, beliefs, usual)
    found = {}
    for candidate in candidates:
        linear = None
        if candidate.is_tap and reported is not None:
            linear = linear_test(reported, candidate)
        if linear is not None:
            found[candidate] = linear.separation
            continue
        other = problem_of(problem.layout, candidate.applied(problem.grid), policy=policy)
        if isinstance(other, NotSolved):
            found[candidate] = np.inf
            continue
        about = beliefs_of(other, prior)
        z = _expected_readings(other, about, policy=policy)
        if z is None:
            found[candidate] = np.inf
            continue
        mine, theirs = fit(other, about, z), fit(problem, beliefs, z)
        if mine is None or theirs is None:
            found[candidate] = np.inf
        else:
            found[candidate] = float(np.sqrt(max(2.0 * (mine.log_evidence - theirs.log_evidence), 0.0)))
    return found


def _expected_readings(problem: Problem, beliefs: Beliefs, *, policy: EstimationPolicy) -> FloatArray | None:
    """[M] what perfect meters read with the expected loads; zero where dead."""
    count = problem.layout.rows.count
    nothing = ReadingColumns(z=np.zeros(count), variance=np.ones(count), use=np.zeros(count, dtype=np.bool_))
    expected = optimise(
        problem,
        expected_start(problem, beliefs),
        beliefs=beliefs,
        readings=nothing,
        system=None,
        policy=policy,
        budget=policy.max_iterations,
    )
    if isinstance(expected, Diverged):
        return None
    return np.where(problem.live_rows, -expected.residual, 0.0)
