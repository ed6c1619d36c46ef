"""Deterministic search over discrete positions: the best single step first, pairs where no single step helps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from adms.apps.voltvar.controls import DiscreteControl
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.state import DeviceClass
from adms.apps.voltvar.study import VIOLATION_TOLERANCE_PU, Score
from adms.grid.state import GridState

PAIRED_MAX = 8
"""So many of the best single steps are tried in pairs: 28 pairs, however many controls there are."""

Positions = tuple[int, ...]
"""Position of each control, in the order of the controls."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Positions with what they are worth."""

    positions: Positions
    score: Score
    total_w: float
    """Objective plus wear."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Result of a search."""

    best: Candidate
    runner_up: Candidate | None
    """Best of the candidates that were solved and not chosen; None where nothing else was looked at."""
    complete: bool
    """False where the limit of power flows ended the search."""


def moved(grid: GridState, controls: tuple[DiscreteControl, ...], positions: Positions) -> GridState:
    """The grid with every control at its position."""
    for control, position in zip(controls, positions, strict=True):
        for member in control.members:
            if control.device_class is DeviceClass.TAP:
                grid = grid.with_tap(member, position=position)
            else:
                grid = grid.with_capacitor(member, steps=position)
    return grid


def wear_w(controls: tuple[DiscreteControl, ...], positions: Positions, *, policy: VoltVarPolicy) -> float:
    """What the steps from the present positions must save."""
    total = 0.0
    for control, position in zip(controls, positions, strict=True):
        each = policy.tap_cost_w if control.device_class is DeviceClass.TAP else policy.capacitor_cost_w
        total += each * abs(position - control.position)
    return total


def search(
    controls: tuple[DiscreteControl, ...],
    *,
    evaluate: Callable[[Positions], Score | None],
    exhausted: Callable[[], bool],
    policy: VoltVarPolicy,
) -> Found | None:
    """Steepest descent over steps of one control, then over pairs of the best of those, within `moves_per_plan_max`.

    A step that only cures (daily budget used, reverse power) counts only where it lowers the violation.

    Returns:
        The best positions found (the present ones where nothing is better), or None where the present state itself
        has no power flow.
    """
    solved: dict[Positions, Candidate | None] = {}

    def look(positions: Positions) -> Candidate | None:
        if positions not in solved:
            score = evaluate(positions)
            solved[positions] = None if score is None else Candidate(
                positions=positions,
                score=score,
                total_w=score.objective_w + wear_w(controls, positions, policy=policy),
            )  # fmt: skip
        return solved[positions]

    def neighbours(around: Candidate, width: int) -> list[Positions]:
        singles = list(_singles(around.positions, controls, policy=policy))
        if width == 1:
            return singles
        ranked = [c for c in (look(positions) for positions in singles) if c is not None]
        ranked = sorted(ranked, key=lambda c: (c.total_w, c.positions))[:PAIRED_MAX]
        return _pairs(around.positions, [c.positions for c in ranked], controls, policy=policy)

    start: Positions = tuple(control.position for control in controls)
    best = look(start)
    if best is None:
        return None
    width = 1
    while not exhausted():
        chosen = best
        for positions in neighbours(best, width):
            if exhausted():
                break
            candidate = look(positions)
            if candidate is not None and candidate.total_w < chosen.total_w and _allowed(candidate, best, controls):
                chosen = candidate
        if chosen is not best:
            best, width = chosen, 1
        elif width == 1:
            width = 2
        else:
            break
    others = [c for c in solved.values() if c is not None and c.positions not in (best.positions, start)]
    runner_up = min(others, key=lambda c: (c.total_w, c.positions), default=None)
    return Found(best=best, runner_up=runner_up, complete=not exhausted())


def _allowed(candidate: Candidate, best: Candidate, controls: tuple[DiscreteControl, ...]) -> bool:
    restricted = any(
        control.cure_only and now != before
        for control, now, before in zip(controls, candidate.positions, best.positions, strict=True)
    )
    return not restricted or candidate.score.violation_pu < best.score.violation_pu - VIOLATION_TOLERANCE_PU


def _singles(
    positions: Positions, controls: tuple[DiscreteControl, ...], *, policy: VoltVarPolicy
) -> Iterator[Positions]:
    """Positions one step away."""
    for k, control in enumerate(controls):
        for step in (-1, 1):
            trial = (*positions[:k], positions[k] + step, *positions[k + 1 :])
            if control.minimum <= trial[k] <= control.maximum and _near(trial, controls, policy=policy):
                yield trial


def _pairs(
    positions: Positions,
    singles: list[Positions],
    controls: tuple[DiscreteControl, ...],
    *,
    policy: VoltVarPolicy,
) -> list[Positions]:
    """Two single steps at once, where they are steps of two controls."""
    found = []
    for one, other in combinations(singles, 2):
        trial = tuple(a + b - p for a, b, p in zip(one, other, positions, strict=True))
        two = sum(t != p for t, p in zip(trial, positions, strict=True)) == 2
        if two and _near(trial, controls, policy=policy):
            found.append(trial)
    return found


def _near(positions: Positions, controls: tuple[DiscreteControl, ...], *, policy: VoltVarPolicy) -> bool:
    distance = sum(abs(p - c.position) for p, c in zip(positions, controls, strict=True))
    return distance <= policy.moves_per_plan_max
