"""What the rows say of powers of which nothing was known."""

import numpy as np

from adms.core.kept import kept
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.beliefs import NOTHING_KNOWN_PU
from adms.estimation.kernel.rows import ACTIVE
from adms.estimation.system import System
from adms.grid.arrays import BoolArray

_DETERMINED_FRAC = 0.9999
"""A power whose variance fell by a smaller share is not determined: of two of which only the sum is, it is half."""


def unknowns_found(system: System) -> float:
    """How many numbers of which nothing was known the rows determine: what they cost in degrees of freedom.

    Of a power without a prior it is what its variance fell by, over what it was; the open-circuit magnitude of a
    source without a prior counts as found.

    Args:
        system: with a variance that is as good as infinite where nothing is known.
    """
    return float(sum(fallen.sum() for _, fallen in _fallen(system))) + system.problem.free_magnitudes


def open_powers(system: System) -> tuple[BoolArray, BoolArray]:
    """([k], [k]) P and Q of which nothing was known and of which the rows say a sum at most.

    Args:
        system: with a variance that is as good as infinite where nothing is known.
    """
    open_p, open_q = (np.zeros(len(system.problem.injectors.fr), dtype=np.bool_) for _ in range(2))
    for of, (k, fallen) in zip((open_p, open_q), _fallen(system), strict=True):
        of[k] = fallen < _DETERMINED_FRAC
    return open_p, open_q


@kept
def _fallen(system: System) -> list[tuple[IntArray, FloatArray]]:
    """(injectors of whose P, then of whose Q, nothing was known; what the variance fell by, over what it was)."""
    prior = system.beliefs.columns
    active = system.problem.rows.form == ACTIVE
    found = []
    for kept_part, turn, of_part in ((prior.keep_p, 1.0 + 0.0j, active), (prior.keep_q, 1.0j, ~active)):
        k = np.flatnonzero(kept_part)
        alone, among = _metered(system, of_part)
        fallen = np.where(alone[k], 1.0, _by_bus(system, k, turn))
        both = np.flatnonzero(among[k] & ~alone[k])
        fallen[both] = _by_solving(system, k[both], turn)
        found.append((k, fallen))
    return found


def _metered(system: System, of_part: BoolArray) -> tuple[BoolArray, BoolArray]:
    """([k] injectors of which this part is metered alone, [k] those of which it is in a sum with others).

    Args:
        system: with the rows that count.
        of_part: [M] rows of P, or of Q.
    """
    problem = system.problem
    k = np.repeat(np.arange(len(problem.injectors.fr)), np.diff(problem.measured_first))
    row = problem.measured_row
    counts = system.inside[row] & of_part[row]
    single = np.diff(problem.rows.input_first)[row] == 1
    alone, among = (np.zeros(len(problem.injectors.fr), dtype=np.bool_) for _ in range(2))
    alone[k[counts & single]] = True
    among[k[counts & ~single]] = True
    return alone, among


def _by_bus(system: System, k: IntArray, turn: complex) -> FloatArray:
    """By the selected inverse, which knows the ends of an injector where they are of one bus."""
    problem, pattern = system.problem, system.pattern
    injectors, layout = problem.injectors, problem.layout
    fr, to = injectors.fr[k], injectors.to[k]
    current = np.conj(turn * NOTHING_KNOWN_PU / problem.across(system.x)[k])
    block = layout.block[fr]
    together = (to < 0) | (layout.block[to] == block)
    width = pattern.start[block + 1] - pattern.start[block]
    other = np.where(to >= 0, -injectors.ratio[k] * current, 0.0)
    parts = [
        (place + 2 + turned - pattern.start[block], value)
        for place, phasor in ((fr, current), (np.where(to >= 0, to, fr), other))
        for turned, value in ((0, phasor.real), (1, phasor.imag))
    ]
    fallen = np.zeros(len(k))
    for row, a in parts:
        for column, b in parts:
            at = np.where(together, pattern.diagonal[block] + row * width + column, 0)
            fallen -= a * b * system.inverse[at]
    return np.where(together, np.clip(fallen, 0.0, 1.0), 1.0)


def _by_solving(system: System, k: IntArray, turn: complex) -> FloatArray:
    """One solution each: what a row of several injectors sees of one is in no block of the inverse."""
    one_each = system.beliefs.columns._replace(
        first=np.arange(len(k) + 1), injector=k, share=np.full(len(k), turn * NOTHING_KNOWN_PU)
    )
    fallen = np.array([-(q @ system.solve(q)) for q in system.directions(one_each, np.arange(len(k)))])
    return np.asarray(np.clip(fallen, 0.0, 1.0), dtype=np.float64)
