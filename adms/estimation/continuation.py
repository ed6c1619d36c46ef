"""An optimum by degrees, for readings from which steps lead nowhere.

Meters that are believed a hundred times less pull an estimate only a little way from the expected powers, where steps
always end; each stage starts where the last one ended and believes them more, and the last one believes them as they
ask to be (numerical continuation: Allgower & Georg, Introduction to Numerical Continuation Methods, SIAM, 2003, chapter
1). Where the block factor's pivots, which never leave their bus, cost it its digits, as in sections that float behind a
delta winding, the steps are taken with SuperLU's.
"""

from adms.estimation.beliefs import Beliefs
from adms.estimation.iterate import Converged, Diverged, Start, expected_start, optimise, optimum_at
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.scan import ROUNDING_PU
from adms.estimation.plain import plain_optimum
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem

_SIGMAS = (100.0, 30.0, 10.0, 3.0, 1.0)
"""How many times the meters' own."""
MOST_UNKNOWNS = 5_000
"""Of more, factors of SuperLU take longer than a scan may."""


def optimise_by_degrees(
    problem: Problem, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
) -> Converged | Diverged:
    """The optimum, or why the last stage found none.

    Args:
        problem: the network in one state.
        beliefs: about the powers.
        readings: of this scan.
        policy: tolerance, and the largest number of steps of a stage.
    """
    start: Start = expected_start(problem, beliefs)
    for times in _SIGMAS:
        found = _stage(
            problem,
            start,
            beliefs=beliefs,
            readings=readings._replace(variance=times**2 * readings.variance),
            policy=policy,
        )
        if isinstance(found, Converged):
            start = found
    return found


def _stage(
    problem: Problem, start: Start, *, beliefs: Beliefs, readings: ReadingColumns, policy: EstimationPolicy
) -> Converged | Diverged:
    budget = policy.max_iterations
    found = optimise(problem, start, beliefs=beliefs, readings=readings, system=None, policy=policy, budget=budget)
    exact = isinstance(found, Converged) and found.loose_pu == 0.0
    if exact or problem.layout.size > MOST_UNKNOWNS:
        return found
    plain = plain_optimum(problem, start, beliefs=beliefs, readings=readings, most_steps=budget)
    if not plain.step_pu < ROUNDING_PU:
        return found
    return optimum_at(problem, plain.x, e=plain.e, beliefs=beliefs, readings=readings, iterations=plain.steps)
