"""Which verdict stands, of those that several looks find. Networks and draws are those of `test_descent`."""

from dataclasses import replace

import numpy as np
import pytest

from adms.estimation import standing
from adms.estimation.bad_data import Verdict
from adms.estimation.beliefs import Beliefs, beliefs_of
from adms.estimation.continuation import MOST_UNKNOWNS
from adms.estimation.descent import optimise_by_descent
from adms.estimation.iterate import Diverged, Start, expected_start
from adms.estimation.layout import layout_of
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import Readings, readings_of
from adms.estimation.standing import standing_verdict
from tests.unit.estimation.scans import snapshot
from tests.unit.estimation.test_descent import ARRAYS, GRID, MANY, PRIOR, drawn


def given(seed: int, *, wrong: int | None = None) -> tuple[Problem, Beliefs, Readings]:
    """A draw; the reading `wrong` is off by 30 of its sigmas."""
    keys, value, sigma, _ = drawn(seed)
    if wrong is not None:
        value = value + 30.0 * sigma * (np.arange(len(value)) == wrong)
    taken = snapshot(ARRAYS, keys, value=value, sigma=sigma)
    problem = problem_of(layout_of(ARRAYS, taken.table), GRID, policy=MANY)
    assert isinstance(problem, Problem)
    beliefs = beliefs_of(problem, PRIOR)
    return problem, beliefs, readings_of(taken, problem=problem, policy=MANY, beliefs=beliefs)


def verdict_of(
    problem: Problem, beliefs: Beliefs, readings: Readings, *, starts: tuple[Start | None, ...] = (None,)
) -> Verdict:
    found = standing_verdict(
        problem, [(start, None) for start in starts], beliefs=beliefs, readings=readings, policy=MANY, cache=None
    )
    assert isinstance(found, Verdict), found
    return found


def collapsed(problem: Problem, beliefs: Beliefs) -> Start:
    """Voltages at a third of what is expected, turned half round: steps from there lead anywhere."""
    start = expected_start(problem, beliefs)
    x = start.x.copy()
    node = problem.layout.node
    x[node], x[node + 1] = -0.3 * x[node], -0.3 * x[node + 1]
    return Start(x=x, e=start.e)


def test_a_bad_start_changes_no_verdict() -> None:
    """What the last scan left is only where steps begin."""
    for seed in range(6):
        problem, beliefs, readings = given(seed)
        cold = verdict_of(problem, beliefs, readings)
        warm = verdict_of(problem, beliefs, readings, starts=(collapsed(problem, beliefs), None))
        assert not len(warm.rejections), seed
        assert warm.chi2 < 1.05 * cold.chi2, seed


def test_what_holds_and_blames_nobody_asks_for_no_other_look(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def looked(*_: object, **__: object) -> Diverged:
        asked.append("descent")
        return Diverged(reason="not asked for", iterations=0)

    monkeypatch.setattr(standing, "optimise_by_descent", looked)
    problem, beliefs, readings = given(2)  # whole steps end there
    assert not len(verdict_of(problem, beliefs, readings).rejections)
    assert not asked


def test_one_liar_is_named_alone_and_a_large_network_asks_no_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three readings are voltages at the head, which what loads draw says nothing against: 30 sigmas of one
    are 12 %."""
    asked: list[str] = []

    def looked(*arguments: object, **named: object) -> object:
        asked.append("descent")
        return optimise_by_descent(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(standing, "optimise_by_descent", looked)
    problem, beliefs, readings = given(2, wrong=0)
    small = verdict_of(problem, beliefs, readings)
    assert small.rejected.tolist() == [0]
    assert asked
    asked.clear()
    monkeypatch.setattr(standing, "MOST_UNKNOWNS", 0)
    assert problem.layout.size < MOST_UNKNOWNS
    assert verdict_of(problem, beliefs, readings).rejected.tolist() == [0]
    assert not asked


def test_where_nothing_is_known_of_a_power_descent_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> Diverged:
        raise AssertionError("descent follows valleys there")

    monkeypatch.setattr(standing, "optimise_by_descent", never)
    problem, _, readings = given(0)
    open_power = PRIOR.sigma_p_va.copy()
    open_power[0] = np.inf
    beliefs = beliefs_of(problem, replace(PRIOR, sigma_p_va=open_power))
    found = standing_verdict(problem, [(None, None)], beliefs=beliefs, readings=readings, policy=MANY, cache=None)
    assert isinstance(found, str | Verdict)
