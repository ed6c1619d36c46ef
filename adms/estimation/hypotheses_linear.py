"""What another primitive of one branch would do to an optimum, without solving again.

The network law is linear in the admittances: a branch whose primitive changes by dY adds lambda^T dY V to the
Lagrangian, that is x^T E x / 2 with E over the places b of (V, lambda) at its ends only. With G = (K + E)^-1 there,

    G = (1 + Z E)^-1 Z        Z = K^-1 over b: selected entries of the inverse, no solving

    d(chi-squared / 2) = x^T E x / 2 - (E x)^T G (E x) / 2      d(log det S) = log |det (1 + Z E)| - same unmeasured

which is the normalised multiplier test (Clements & Davis, IEEE Trans. Power Systems 3(4), 1988; Lin & Abur, IEEE Trans.
Power Systems 33(6), 2018) for a change of any size, as a likelihood ratio. What it leaves out is the curvature of
loads and meters, and that a section without a source is dead: for a tap step it is nearly exact, for an opened switch
it says which ones are worth solving.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.hypotheses_candidates import Candidate
from adms.estimation.hypotheses_evidence import Fit
from adms.estimation.system import System


@dataclass(frozen=True, kw_only=True)
class LinearTest:
    """Of one candidate against the positions as reported."""

    log_odds: float
    separation: float
    """d, sigmas: log odds are N(d^2 / 2, d^2) where the candidate is true and N(-d^2 / 2, d^2) where it is not."""


def linear_test(fit: Fit, candidate: Candidate) -> LinearTest | None:
    """A candidate against the reported positions.

    Args:
        fit: of the reported positions.
        candidate: what may be wrong.

    Returns:
        The test; None where a dead end or a meter on the branch itself asks for an exact solution.
    """
    problem = fit.problem
    layout, grid = problem.layout, problem.grid
    arrays = layout.arrays
    after = candidate.applied(grid)
    branches = [arrays.branch_idx[pole] for pole in candidate.poles]
    metered = np.isin(layout.rows.branch, branches)
    owner = np.repeat(np.arange(layout.rows.count), np.diff(layout.rows.term_first))
    if fit.columns.use[owner[metered]].any():
        return None
    nodes = np.unique(np.concatenate([arrays.branch_nodes[i] for i in branches]))
    if not problem.factor.solved[nodes].all():
        return None
    dy = np.zeros((len(nodes), len(nodes)), dtype=np.complex128)
    for index in branches:
        at = np.searchsorted(nodes, arrays.branch_nodes[index])
        change = arrays.branch_admittance_pu(index, after) - arrays.branch_admittance_pu(index, grid)
        np.add.at(dy, (at[:, None], at[None, :]), change)
    places = (layout.node[nodes][:, None] + np.arange(4)).ravel()
    e = _bilinear(dy)
    with np.errstate(all="ignore"):
        try:
            measured = _answer(_inverse_at(fit.system, places), e)
            unmeasured = _answer(_inverse_at(fit.unmeasured, places), e)
        except np.linalg.LinAlgError:
            return None
    x = _with_idle_multipliers(fit)[places]
    pull = e @ x
    change_of_cost = 0.5 * float(x @ pull) - 0.5 * float(pull @ measured[0] @ pull)
    still = x.reshape(-1, 4).copy()
    still[:, 2:] = 0.0
    alone = e @ still.ravel()
    odds = -change_of_cost - 0.5 * (measured[1] - unmeasured[1])
    separation = float(np.sqrt(max(-float(alone @ measured[0] @ alone), 0.0)))
    if not np.isfinite(odds) or not np.isfinite(separation):
        return None
    return LinearTest(log_odds=odds, separation=separation)


def _with_idle_multipliers(fit: Fit) -> FloatArray:
    """[size] the optimum. Steps leave out the multipliers of idle nodes: they follow from the others as voltages do,
    with the conjugate of a symmetric Y, since Y^H lambda = 0 there."""
    problem = fit.problem
    place = problem.layout.node + 2
    x = fit.optimum.x.copy()
    multiplier = np.conj(problem.layout.phasors(x, place))
    problem.reduced.complete(multiplier)
    multiplier[~problem.factor.solved] = 0.0
    x[place], x[place + 1] = multiplier.real, -multiplier.imag
    return x


def _bilinear(dy: np.ndarray[tuple[int, int], np.dtype[np.complex128]]) -> FloatArray:
    """E over (Re V, Im V, Re lambda, Im lambda) of each node."""
    count = len(dy)
    e = np.zeros((count, 4, count, 4))
    e[:, 2, :, 0], e[:, 2, :, 1] = dy.real, -dy.imag
    e[:, 3, :, 0], e[:, 3, :, 1] = dy.imag, dy.real
    e[:, 0, :, 2], e[:, 1, :, 2] = dy.real.T, -dy.imag.T
    e[:, 0, :, 3], e[:, 1, :, 3] = dy.imag.T, dy.real.T
    return np.asarray(e.reshape(4 * count, 4 * count))


def _answer(z: FloatArray, e: FloatArray) -> tuple[FloatArray, float]:
    """(G, log |det (1 + Z E)|)."""
    whole = np.eye(len(z)) + z @ e
    return np.asarray(np.linalg.solve(whole, z), dtype=np.float64), float(np.linalg.slogdet(whole)[1])


def _inverse_at(system: System, places: IntArray) -> FloatArray:
    """K^-1 over places that one branch joins, with the far modes."""
    pattern = system.pattern
    block = system.problem.layout.block[places]
    inverse = system.inverse
    z = np.zeros((len(places), len(places)))
    for i in np.unique(block).tolist():
        rows = np.flatnonzero(block == i)
        in_i = places[rows] - pattern.start[i]
        for j in np.unique(block[block <= i]).tolist():
            columns = np.flatnonzero(block == j)
            in_j = places[columns] - pattern.start[j]
            width = int(pattern.start[j + 1] - pattern.start[j])
            if i == j:
                base = int(pattern.diagonal[i])
            else:
                first, last = int(pattern.column[j]), int(pattern.column[j + 1])
                base = int(pattern.lower[first + int(np.searchsorted(pattern.row[first:last], i))])
            part = inverse[base + in_i[:, None] * width + in_j]
            z[np.ix_(rows, columns)] = part
            z[np.ix_(columns, rows)] = part.T
    modes, core = system.mode_columns
    if len(core):
        here = modes[:, places]
        z -= here.T @ np.linalg.solve(core, here)
    return z
