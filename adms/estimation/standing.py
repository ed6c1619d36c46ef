"""Which verdict on a scan's measurements stands.

Steps from where the last scan ended, or from the expected loads, nearly always lead to it. Where they lead nowhere, or
to a point at which measurements and model disagree or a measurement is blamed, there are other looks: by descent
(`descent`), from afar (`screening`), and by degrees (`continuation`). What holds goes before what does not; then what
rejects fewest.
"""

from collections.abc import Sequence

import numpy as np

from adms.estimation.bad_data import Verdict, judge
from adms.estimation.beliefs import Beliefs
from adms.estimation.continuation import MOST_UNKNOWNS, optimise_by_degrees
from adms.estimation.covariance import CovarianceCache
from adms.estimation.descent import cost_at_expected, costs_more, optimise_by_descent
from adms.estimation.iterate import EXACT_PU, Converged, Diverged, Start, expected_start, optimise
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.readings import Readings
from adms.estimation.screening import holds, judge_from_afar
from adms.estimation.system import System


def standing_verdict(
    problem: Problem,
    starts: Sequence[tuple[Start | None, System | None]],
    *,
    beliefs: Beliefs,
    readings: Readings,
    policy: EstimationPolicy,
    cache: CovarianceCache | None,
) -> Verdict | str:
    """What the measurements come to, or why that is nothing.

    Args:
        problem: the network in one state.
        starts: where to begin, one after the other as long as steps from there end nowhere, each with a factor to
            begin with if there is one; None is the power flow of the expected powers.
        beliefs: about the powers.
        readings: of this scan.
        policy: thresholds.
        cache: of an earlier scan.
    """

    def judged(optimum: Converged | Diverged) -> Verdict | str:
        if isinstance(optimum, Diverged):
            return f"the estimate did not converge: {optimum.reason}"
        verdict = judge(problem, optimum, beliefs=beliefs, readings=readings, policy=policy, cache=cache)
        if isinstance(verdict, Diverged):
            return f"after a rejection the estimate did not converge: {verdict.reason}"
        return verdict

    def by_descent() -> Verdict | str:
        if beliefs.partial:  # where nothing is known of a power, descent follows valleys without a floor
            return ""
        return judged(optimise_by_descent(problem, beliefs=beliefs, readings=readings.columns, policy=policy))

    def from_afar() -> Verdict | str:
        verdict = judge_from_afar(problem, beliefs=beliefs, readings=readings, policy=policy, cache=cache)
        return "" if verdict is None else verdict

    def by_degrees() -> Verdict | str:
        return judged(optimise_by_degrees(problem, beliefs=beliefs, readings=readings.columns, policy=policy))

    large = problem.layout.size > MOST_UNKNOWNS
    best: Verdict | str | None = None
    for start, system in starts:
        optimum = optimise(
            problem,
            expected_start(problem, beliefs) if start is None else start,
            beliefs=beliefs,
            readings=readings.columns,
            system=system,
            policy=policy,
            budget=policy.max_iterations,
        )
        verdict = judged(optimum)
        if isinstance(optimum, Converged) and isinstance(verdict, Verdict) and len(verdict.rejections):
            expected = cost_at_expected(problem, beliefs=beliefs, readings=readings.columns, policy=policy)
            if costs_more(optimum, readings.columns, than=expected):
                verdict = "steps from the expected loads ended where measurements agree less with them"
        best = verdict if best is None else min(best, verdict, key=_worth)
        if _stands(best, large=large) or (large and isinstance(optimum, Converged)):
            break
    assert best is not None, "there is always a start"
    for look in (from_afar, by_descent, by_degrees):
        if _stands(best, large=large) or (look is by_degrees and _holds(best) and not _loose(best)):
            break
        best = min(best, look(), key=_worth)
    return best


def _holds(verdict: Verdict | str) -> bool:
    return isinstance(verdict, Verdict) and holds(verdict)


def _loose(verdict: Verdict | str) -> bool:
    if isinstance(verdict, str):
        return True
    return verdict.optimum.loose_pu > EXACT_PU


def _stands(verdict: Verdict | str, *, large: bool) -> bool:
    """True where no other look is worth its time: what holds, blames nobody and is exact; in a large network, where
    another look takes longer than a scan may, what holds."""
    blameless = isinstance(verdict, Verdict) and not len(verdict.rejections)
    return _holds(verdict) and (large or (blameless and not _loose(verdict)))


def _worth(verdict: Verdict | str) -> tuple[bool, float, bool, float]:
    """(does not hold, rejected, loose, cost): the lower the better; of equals the first one found stays."""
    if isinstance(verdict, str):
        return True, np.inf, True, np.inf
    return not holds(verdict), len(verdict.rejections), _loose(verdict), round(verdict.chi2, 3)
