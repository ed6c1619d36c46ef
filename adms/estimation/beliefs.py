"""What is believed of the powers in one problem, as compiled code reads it."""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.kept import kept
from adms.core.telemetry import IntArray
from adms.estimation.kernel.columns import MatrixColumns, PriorColumns
from adms.estimation.kernel.comparing import fill_own
from adms.estimation.prior import LoadPrior, SharedDeviations
from adms.estimation.problem import Problem
from adms.grid.arrays import S_BASE_VA, BoolArray

NOTHING_KNOWN_PU = 1e2
"""Sigma that stands for nothing being known of a power, where a covariance is asked for: a hundred megawatts a phase.
Ten times as much costs four digits of the covariance, and turns angles by whole turns."""
_FREE_STEP_PU = 10.0
"""The same in steps, which start from where the last one ended: as much wider than any meter as digits allow."""
_SIGMA_FLOOR_PU = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Beliefs:
    """A prior on one problem, as compiled code reads it."""

    prior: LoadPrior
    columns: PriorColumns
    near: BoolArray
    """[mode] True where all that it moves belongs to one bus."""

    @property
    def partial(self) -> bool:
        """True where nothing is known of some power."""
        return bool(self.columns.keep_p.any() or self.columns.keep_q.any())

    def for_covariance(self) -> "Beliefs":
        """The same with a variance that is as good as infinite where nothing is known."""
        widest = NOTHING_KNOWN_PU**2
        columns = self.columns
        p = np.where(columns.keep_p > 0.0, widest, columns.variance_p)
        q = np.where(columns.keep_q > 0.0, widest, columns.variance_q)
        return replace(self, columns=columns._replace(variance_p=p, variance_q=q))

    @property
    def far(self) -> IntArray:
        """Modes that move more than one bus."""
        return np.flatnonzero(~self.near)


def beliefs_of(problem: Problem, prior: LoadPrior) -> Beliefs:
    """A prior on the live injectors. Where its sigma is infinite the mean says nothing."""
    k = problem.factor.injectors
    mean, own = np.empty(len(k), dtype=np.complex128), np.empty((4, len(k)))
    fill_own(
        prior.s_nominal_va,
        prior.sigma_p_va,
        prior.sigma_q_va,
        k,
        S_BASE_VA,
        _SIGMA_FLOOR_PU,
        _FREE_STEP_PU,
        mean,
        own,
    )
    shared = _shared(problem, prior.shared)
    return Beliefs(
        prior=prior,
        columns=PriorColumns(
            mean=mean,
            variance_p=own[0],
            variance_q=own[1],
            keep_p=own[2],
            keep_q=own[3],
            first=shared.first,
            injector=shared.injector,
            share=prior.shared.s_va[shared.order] / S_BASE_VA,
        ),
        near=shared.near,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shared:
    """Which live injectors share what, mode by mode: the same from scan to scan."""

    of: SharedDeviations
    order: IntArray
    """[entry] of the prior's entries."""
    first: IntArray
    """[mode + 1]"""
    injector: IntArray
    """[entry]"""
    near: BoolArray
    """[mode]"""


@kept
def _last_shared(problem: Problem) -> list[_Shared]:
    """What the last prior on it shares, if there was one."""
    return []


def _shared(problem: Problem, shared: SharedDeviations) -> _Shared:
    known = _last_shared(problem)
    if known:
        last = known[0].of
        if last.modes == shared.modes and (
            (last.injector is shared.injector and last.mode is shared.mode)
            or (np.array_equal(last.injector, shared.injector) and np.array_equal(last.mode, shared.mode))
        ):
            return known[0]
    at = problem.row_of_injector[shared.injector]
    there = at >= 0
    order = np.flatnonzero(there)[np.argsort(shared.mode[there], kind="stable")]
    mode, injector = shared.mode[order], at[order]
    known[:] = [
        _Shared(
            of=shared,
            order=order,
            first=np.searchsorted(mode, np.arange(shared.modes + 1)).astype(np.int64),
            injector=injector,
            near=_near(problem, mode=mode, injector=injector, modes=shared.modes),
        )
    ]
    return known[0]


def _near(problem: Problem, *, mode: IntArray, injector: IntArray, modes: int) -> BoolArray:
    """[mode] True where all that it moves, and all rows that measure it, belong to one bus."""
    layout = problem.layout
    fr = layout.block[problem.injectors.fr[injector]]
    to = problem.injectors.to[injector]
    apart = (to >= 0) & (layout.block[to] != fr)
    lowest, highest = np.full(modes, layout.size), np.full(modes, -1)
    np.minimum.at(lowest, mode, fr)
    np.maximum.at(highest, mode, fr)
    near = lowest == highest
    near[mode[apart]] = False
    rows = np.diff(problem.measured_first)[injector]
    metered = np.repeat(np.arange(len(injector)), rows)
    first = np.repeat(problem.measured_first[injector], rows)
    within = np.arange(len(metered)) - np.repeat(np.cumsum(rows) - rows, rows)
    row = problem.measured_row[first + within]
    near[mode[metered][layout.home[row] != fr[metered]]] = False
    return np.asarray(near)


def matrix_columns(problem: Problem, beliefs: Beliefs) -> MatrixColumns:
    """What `assemble` asks for."""
    return MatrixColumns(
        block=problem.layout.block,
        dead=problem.dead,
        row_first=problem.measured_first,
        row=problem.measured_row,
        near=beliefs.near,
    )
