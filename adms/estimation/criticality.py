"""Which measurements nothing else checks, alone or together: critical measurements and critical sets.

With W = R^-1/2 Omega R^-1/2, the residual covariance in units of the meters' own sigmas, a measurement is critical
where W_ii is zero: its residual is zero whatever it says (Clements, Davis, IEEE Trans. Power Systems 1(3), 1986). A set
is critical where W of the set is singular and that of no part of it is: take all but one of its members away, and the
last is critical; take all, and less is observable (Abur & Exposito, Power System State Estimation, 2004, section 5.3,
and chapter 7). In a critical pair both normalised residuals are of one size: an error shows, and not whose it is.

Zero is `CRITICAL_FRAC`, as for the residual test. Singular is the same: conditioned on the rest of its set, each member
has less than that left.

Cost: a substitution for each measurement in use (0.6 ms on 8,500 nodes), the square of their number in memory, and its
cube in arithmetic. It is for when somebody asks, not for every scan.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpstrf

from adms.core.telemetry import FloatArray, IntArray, PointKey
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.estimator import EstimatorState
from adms.estimation.observability import Observed
from adms.estimation.system import System, system_at
from adms.grid.arrays import BoolArray
from adms.grid.components import components

MOST_ROWS = 2000
"""Of measurements in use that sets are looked for among."""
LARGEST_SET = 5
"""Larger sets tell an operator nothing."""
_CORRELATED = 1e-3
"""Residuals correlated less than this are looked at apart."""
_MOST_IN_TRIPLES = 60
"""Triples are tried one by one in a group of at most this many; in larger ones, those that a basis of the group leads
to are found."""


@dataclass(frozen=True, kw_only=True)
class CriticalSet:
    """Measurements that check one another and that nothing else checks."""

    table_rows: tuple[int, ...]
    """Rows of the telemetry's table. Two or more that check one another in pairs stand in one set."""
    pairwise: bool
    """True where every two of them are a critical pair."""
    why: str


@dataclass(frozen=True, kw_only=True)
class Criticality:
    """Of the measurements in use in one scan."""

    table_rows: tuple[int, ...]
    """Critical measurements: nothing checks them."""
    sets: tuple[CriticalSet, ...]
    """Critical sets: pairs and what hangs together by pairs, all triples of small groups, and of triples of large
    groups and sets of up to `LARGEST_SET` one for each measurement that the others of a group determine. One of a
    pairwise set stands for all of them in a larger set."""
    complete: bool
    """False where so many measurements are in use that no sets were looked for."""


def criticality_noticed(state: EstimatorState) -> Criticality:
    """What the estimator could notice in a scan, pseudo-measurements helping to check.

    Args:
        state: that the scan left.
    """
    return criticality_of(state.system, use=state.use)


def criticality_alone(observed: Observed) -> Criticality | None:
    """What the meters check among themselves, nothing being believed.

    Args:
        observed: what they determine.

    Returns:
        None where no matrix could be factored.
    """
    system = observed.system
    return None if system is None else criticality_of(system, use=system.inside)


def criticality_of(system: System, *, use: BoolArray, most_rows: int = MOST_ROWS) -> Criticality:
    """Critical measurements and sets of the rows in use.

    Args:
        system: a factor near the optimum that holds them at their weights; it is made anew where it holds more.
        use: [M] rows in use.
        most_rows: with more than this in use, no sets are looked for.
    """
    table_rows = system.problem.layout.rows.table_rows
    keys = system.problem.layout.table.keys
    fresh = _for_these(system, use)
    used = np.flatnonzero(use)
    complete = len(used) <= most_rows
    turn = np.argsort(table_rows[used], kind="stable")
    w = weighed_residuals(fresh)[np.ix_(turn, turn)] if complete else None
    own = _diagonal(fresh)[turn] if w is None else np.diag(w)
    used = used[turn]
    critical = own < CRITICAL_FRAC
    sets: list[CriticalSet] = []
    if w is not None:
        checked = np.flatnonzero(~critical)
        for members, pairwise in _sets(w[np.ix_(checked, checked)]):
            rows = tuple(sorted(int(table_rows[used[checked[i]]]) for i in members))
            why = _words([keys[row] for row in rows], pairwise=pairwise)
            sets.append(CriticalSet(table_rows=rows, pairwise=pairwise, why=why))
    return Criticality(
        table_rows=tuple(sorted(table_rows[used[critical]].tolist())),
        sets=tuple(sorted(sets, key=lambda each: (len(each.table_rows), each.table_rows))),
        complete=complete,
    )


def weighed_residuals(system: System) -> FloatArray:
    """[m, m] covariance of the residuals of the rows that a factor holds, over the meters' own sigmas."""
    used = np.flatnonzero(system.inside)
    place = system.problem.rows.place[used]
    modes, core = system.mode_columns
    inverse = np.empty((len(used), len(used)))
    for i, at in enumerate(place.tolist()):
        right = np.zeros(system.problem.layout.size)
        right[at] = 1.0
        inverse[i] = system.solve(right)[place]
    far = modes[:, place]
    inverse -= far.T @ np.linalg.solve(core, far)
    sigma = np.sqrt(system.variance[used])
    w = -sigma[:, None] * inverse * sigma
    return np.asarray(0.5 * (w + w.T))


def _diagonal(system: System) -> FloatArray:
    """The diagonal of the same by the selected inverse."""
    used = np.flatnonzero(system.inside)
    layout = system.problem.layout
    modes, core = system.mode_columns
    far = modes[:, layout.mu[used]]
    inverse = system.inverse[layout.own(layout.mu[used])] - np.einsum("ci,ci->i", far, np.linalg.solve(core, far))
    return np.asarray(-system.variance[used] * inverse)


def _for_these(system: System, use: BoolArray) -> System:
    base = system.for_covariance
    if np.array_equal(base.inside, use):
        return base
    made = system_at(base.problem, base.x, s=base.s, beliefs=base.beliefs, inside=use, variance=base.variance)
    return made if isinstance(made, System) else base


def _sets(w: FloatArray) -> list[tuple[tuple[int, ...], bool]]:
    """(members, whether every two of them are a pair) of critical sets among rows none of which is critical."""
    own = np.diag(w)
    left = own[None, :] - w**2 / own[:, None]
    fr, to = np.nonzero(np.maximum(left, left.T) < CRITICAL_FRAC)
    twin = components(fr, to, size=len(w))
    first = np.unique(twin, return_index=True)[1]
    sets = [(tuple(np.flatnonzero(twin == each).tolist()), True) for each in np.flatnonzero(np.bincount(twin) > 1)]
    alone = w[np.ix_(first, first)]
    size = np.sqrt(np.diag(alone))
    fr, to = np.nonzero(np.abs(alone) > _CORRELATED * size[:, None] * size)
    group = components(fr, to, size=len(alone))
    for each in np.flatnonzero(np.bincount(group, minlength=1) > 2):
        inside = np.flatnonzero(group == each)
        found = _larger(alone[np.ix_(inside, inside)])
        sets += [(tuple(first[inside[list(members)]].tolist()), False) for members in found]
    return sets


def _larger(w: FloatArray) -> list[tuple[int, ...]]:
    """Critical sets of three and more in a group without pairs."""
    found = {frozenset(members) for members in _triples(w)} if len(w) <= _MOST_IN_TRIPLES else set()
    basis, dependent = _basis(w)
    if len(dependent) and len(basis):
        inner = cho_factor(w[np.ix_(basis, basis)])
        share = cho_solve(inner, w[np.ix_(basis, dependent)])
        left = np.diag(w)[dependent] - np.einsum("bd,bd->d", w[np.ix_(basis, dependent)], share)
        precision = np.diag(cho_solve(inner, np.eye(len(basis))))
        # What a dependent row would have left without one row of the basis.
        needed = left + share**2 / precision[:, None] > CRITICAL_FRAC
        for column, row in enumerate(dependent.tolist()):
            members = frozenset([row, *basis[needed[:, column]].tolist()])
            if 3 <= len(members) <= LARGEST_SET:
                found.add(members)
    minimal = [one for one in found if not any(other < one for other in found)]
    return [tuple(sorted(members)) for members in sorted(minimal, key=sorted)]


def _basis(w: FloatArray) -> tuple[IntArray, IntArray]:
    """(rows that check one another to the end, rows that have nothing left once these are known): Cholesky's factor
    with the largest pivot first."""
    _, pivots, rank, _ = dpstrf(w.copy(), tol=CRITICAL_FRAC, lower=1)
    order = np.asarray(pivots, dtype=np.int64) - 1
    return order[:rank], order[rank:]


def _triples(w: FloatArray) -> list[tuple[int, ...]]:
    if len(w) < 3:
        return []
    rows = np.array(list(combinations(range(len(w)), 3)), dtype=np.int64)
    singular: BoolArray = np.ones(len(rows), dtype=np.bool_)
    for last in range(3):
        a, b, c = (rows[:, (last + turn) % 3] for turn in (1, 2, 0))
        determinant = w[a, a] * w[b, b] - w[a, b] ** 2
        explained = (w[b, b] * w[a, c] ** 2 - 2.0 * w[a, b] * w[a, c] * w[b, c] + w[a, a] * w[b, c] ** 2) / determinant
        singular &= w[c, c] - explained < CRITICAL_FRAC
    return [tuple(each) for each in rows[singular].tolist()]


def _words(keys: list[PointKey], *, pairwise: bool) -> str:
    named = ", ".join(point_in_words(key) for key in keys)
    if pairwise:
        return f"an error in one of {named} shows, and not in which; without the others, nothing checks the last"
    return f"of {named} any {len(keys) - 1} determine the last: without them, nothing checks it"


def point_in_words(key: PointKey) -> str:
    """A point as it is spoken of."""
    where = key.element if key.phase == 0 else f"{key.element}.{key.phase}"
    side = f" side {key.side}" if key.side else ""
    return f"{key.kind.value} of {where}{side}"
