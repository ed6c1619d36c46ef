"""The compiled path (block factor, corrections, selected inverse, kept factors) against SciPy's SuperLU and NumPy's
dense algebra, on random networks with random meters and weights over four and eight decades."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, PointTable
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.beliefs import Beliefs, beliefs_of
from adms.estimation.covariance import CovarianceCache
from adms.estimation.iterate import Converged, Diverged, expected_start, optimise
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.gradient import negative_gradient
from adms.estimation.kernel.scan import solve_corrected
from adms.estimation.layout import layout_of
from adms.estimation.plain import PlainOptimum, far_directions, plain_matrix, plain_optimum, solve_plain
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import readings_of
from adms.estimation.system import Singular, System, system_at
from adms.grid.arrays import BoolArray
from tests.unit.estimation.random_networks import Metered, random_metered
from tests.unit.estimation.scans import POLICY, snapshot

SEEDS = st.integers(0, 2**32 - 1)
EXACT = replace(POLICY, tolerance_pu=1e-12)
_SETTLED_PU = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A random problem at the power flow of its expected powers."""

    metered: Metered
    problem: Problem
    beliefs: Beliefs
    readings: ReadingColumns
    x: FloatArray
    s: ComplexArray

    def system(self, *, inside: BoolArray, variance: FloatArray) -> System:
        """K factored with some rows at some weights."""
        made = system_at(self.problem, self.x, s=self.s, beliefs=self.beliefs, inside=inside, variance=variance)
        assert isinstance(made, System)
        return made


def case_of(seed: int, *, decades: float) -> Case:
    """Sigmas are scaled so that the weights go over so many decades; noise is never more than the meters' usual."""
    metered = random_metered(seed)
    rng = np.random.default_rng([seed, 1])
    sigma = metered.sigma * 10.0 ** rng.uniform(-0.25 * decades, 0.25 * decades, len(metered.sigma))
    noise = np.minimum(sigma, metered.sigma) * rng.standard_normal(len(sigma))
    taken = snapshot(metered.arrays, metered.keys, value=metered.value + noise, sigma=sigma)
    problem = problem_of(layout_of(metered.arrays, PointTable(keys=metered.keys)), metered.grid, policy=EXACT)
    assert isinstance(problem, Problem)
    beliefs = beliefs_of(problem, metered.prior)
    x = problem.expected_flow(metered.prior)
    return Case(
        metered=metered,
        problem=problem,
        beliefs=beliefs,
        readings=readings_of(taken, problem=problem, policy=EXACT).columns,
        x=x,
        s=problem.powers_at(x, metered.prior.s_nominal_va),
    )


def gradient(case: Case, x: FloatArray) -> FloatArray:
    """[size] of the Lagrangian, where no power deviates from its law but by the multipliers."""
    problem = case.problem
    k, size = len(problem.injectors.fr), problem.layout.size
    e, s, s_before, t = (np.zeros(k, dtype=np.complex128) for _ in range(4))
    right = np.zeros(size)
    negative_gradient(
        problem.network,
        problem.sources,
        problem.injectors,
        problem.no_holds,
        case.beliefs.columns,
        problem.rows,
        case.readings,
        x,
        np.zeros(size),
        e,
        s,
        s_before,
        t,
        np.zeros(problem.layout.rows.count),
        right,
    )
    return -right


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_the_matrix_is_the_slope_of_the_gradient_where_no_multiplier_bends_it(seed: int) -> None:
    """With all multipliers zero nothing is left out of Gauss-Newton's matrix. Central differences, no dead nodes."""
    case = case_of(seed, decades=2.0)
    inside, variance = case.readings.use, case.readings.variance
    k = plain_matrix(case.problem, case.x, s=case.s, beliefs=case.beliefs, inside=inside, variance=variance)
    far = far_directions(case.problem, case.x, beliefs=case.beliefs, inside=inside)
    pattern = case.problem.layout.structure.pattern
    whole, first = k.toarray() - far.T @ far, int(pattern.start[pattern.lead])
    # The gradient is of the network without its idle nodes.
    beside = whole[first:, :first]
    whole[first:, first:] -= beside @ np.linalg.solve(whole[:first, :first], beside.T)
    asked = np.arange(len(case.x)) >= first
    asked[case.problem.rows.place[~inside]] = False
    for place in np.flatnonzero(asked):
        apart = np.full(len(case.x), np.inf)
        # A current of an ampere bends within 1e-6 pu of voltage, and differences of less are rounding elsewhere.
        for step in (1e-5, 1e-6, 1e-7, 1e-8):
            move = np.zeros(len(case.x))
            move[place] = step
            slope = (gradient(case, case.x + move) - gradient(case, case.x - move)) / (2.0 * step)
            size = max(1.0, float(np.abs(slope).max()))
            apart = np.minimum(apart, np.abs(whole[:, place] - slope) / size)
        assert apart[asked].max() < 1e-6


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_a_solve_is_superlus(seed: int) -> None:
    """To a millionth, because pivots are not chosen across blocks; what is left is solved away by the next step, which
    has the exact gradient."""
    case = case_of(seed, decades=4.0)
    inside, variance = case.readings.use, case.readings.variance
    system = case.system(inside=inside, variance=variance)
    k = plain_matrix(case.problem, case.x, s=case.s, beliefs=case.beliefs, inside=inside, variance=variance)
    right = k @ np.random.default_rng(seed).standard_normal(k.shape[0])
    expected = solve_plain(k, np.zeros((0, len(right))), right)
    node = case.problem.layout.node
    v = np.concatenate([node, node + 1])
    size = float(np.abs(expected[v]).max())
    found = system.solve(right)
    assert np.abs(found - expected)[v].max() < 1e-6 * size
    for _ in range(2):
        found += system.solve(right - k @ found)
    assert np.abs(found - expected)[v].max() < 1e-11 * size


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_the_inverse_is_numpys(seed: int) -> None:
    """Of voltages, and of the rows: what covariances are made of."""
    case = case_of(seed, decades=4.0)
    inside, variance = case.readings.use, case.readings.variance
    system = case.system(inside=inside, variance=variance)
    k = plain_matrix(case.problem, case.x, s=case.s, beliefs=case.beliefs, inside=inside, variance=variance).toarray()
    # Scaled first: unknowns are of very different units.
    scale = 1.0 / np.sqrt(np.abs(k).max(axis=1))
    scaled = k * scale[:, None] * scale
    # Of a matrix of this condition no method in double precision, numpy's neither, leaves more than these six digits
    # (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 7.1).
    assume(np.linalg.cond(scaled) < 1e10)
    expected = np.linalg.inv(scaled) * scale[:, None] * scale
    layout = case.problem.layout
    node, row = layout.node, layout.mu[inside]
    for found, own in (
        (system.inverse[layout.own(node)], expected[node, node]),
        (system.inverse[layout.own(node + 1)], expected[node + 1, node + 1]),
        (system.inverse[layout.with_next(node)], expected[node, node + 1]),
    ):
        np.testing.assert_allclose(found, own, atol=1e-6 * np.abs(expected[node, node]).max())
    np.testing.assert_allclose(
        system.inverse[layout.own(row)] * variance[inside], expected[row, row] * variance[inside], atol=1e-6
    )


def ends(seed: int, *, decades: float) -> tuple[Converged | Diverged, PlainOptimum, float]:
    """(The compiled path's end, the plain one's, how far apart their voltages are)."""
    case = case_of(seed, decades=decades)
    start = expected_start(case.problem, case.beliefs)
    found = optimise(
        case.problem, start, beliefs=case.beliefs, readings=case.readings, system=None, policy=EXACT, budget=100
    )
    expected = plain_optimum(case.problem, start, beliefs=case.beliefs, readings=case.readings)
    apart = np.inf
    if isinstance(found, Converged):
        layout = case.problem.layout
        apart = float(np.abs(layout.phasors(found.x - expected.x, layout.node)).max())
    return found, expected, apart


def test_a_scan_ends_where_plain_gauss_newton_ends() -> None:
    """Or says that it has no end. Where plain Gauss-Newton itself goes to and fro (currents of two amperes), there is
    none to compare with."""
    settled, missed = [], []
    for seed in range(60):
        found, expected, apart = ends(seed, decades=4.0)
        if expected.step_pu > _SETTLED_PU:
            continue
        settled.append(apart)
        if not isinstance(found, Converged):
            missed.append(seed)
    assert len(settled) >= 55
    assert missed == []
    assert np.median(settled) < 1e-11
    assert np.quantile(settled, 0.9) < 1e-9
    assert max(settled) < 1e-7


def test_what_is_called_an_optimum_is_one_whatever_the_weights() -> None:
    """Over eight decades, down to sigmas of a tenth of a volt-ampere: the factor has no pivots across blocks and may
    fail there, but it says so: by no optimum, or by how loose it is."""
    failed = 0
    for seed in range(60):
        found, expected, apart = ends(seed, decades=8.0)
        if expected.step_pu > _SETTLED_PU:
            continue
        said = not isinstance(found, Converged) or found.loose_pu > 0.0
        failed += said
        if not said:
            assert apart < 1e-7, (seed, apart)
    assert failed <= 3


def changed(case: Case, seed: int) -> tuple[ReadingColumns, int]:
    """(Readings of the next scan: a few rows dropped out, a few at another weight; how many in all)."""
    rng = np.random.default_rng([seed, 2])
    rows = rng.permutation(np.flatnonzero(case.readings.use))[: int(rng.integers(1, 7))]
    dropped, moved = rows[::2], rows[1::2]
    use, variance = case.readings.use.copy(), case.readings.variance.copy()
    use[dropped] = False
    variance[dropped] = 1.0
    variance[moved] *= 10.0 ** rng.uniform(-1.0, 2.0, len(moved))
    return case.readings._replace(use=use, variance=variance, z=np.where(use, case.readings.z, 0.0)), len(rows)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_a_corrected_factor_is_a_new_one(seed: int) -> None:
    """Rows that dropped out and weights that moved: the solve and the covariance, against SuperLU and a new factor."""
    case = case_of(seed, decades=4.0)
    system = case.system(inside=case.readings.use, variance=case.readings.variance)
    after, count = changed(case, seed)
    correction = system.correction(after)
    if correction is None:  # a row that cannot be taken out of a factor
        return
    assert len(correction.rows) <= count
    problem, layout = case.problem, case.problem.layout
    k = plain_matrix(problem, case.x, s=case.s, beliefs=case.beliefs, inside=after.use, variance=after.variance)
    far = far_directions(problem, case.x, beliefs=case.beliefs, inside=after.use)
    x = np.random.default_rng(seed).standard_normal(layout.size)
    x[problem.rows.place[~after.use]] = 0.0
    right = k @ x - far.T @ (far @ x)
    pattern = layout.structure.pattern
    idle = int(pattern.start[pattern.lead])
    right[:idle] = 0.0
    found = right.copy()
    inner = correction.inner
    solve_corrected(
        layout.structure.pattern, system.values, system.pivot, correction.columns, inner, found, np.zeros(len(inner))
    )
    expected = solve_plain(k, far, right)
    v = np.concatenate([layout.node, layout.node + 1])
    v = v[v >= idle]
    # Steps with it shrink what is left by as much; where they end does not depend on it.
    assert np.abs(found - expected)[v].max() < 1e-2 * float(np.abs(expected[v]).max())
    fresh = case.system(inside=after.use, variance=after.variance)
    plain = fresh.correction(after)
    assert plain is not None
    assert plain.rows == ()
    mine = CovarianceCache(system).of(correction, readings=after)
    theirs = CovarianceCache(fresh).of(plain, readings=after)
    np.testing.assert_allclose(mine.sigma_v_pu, theirs.sigma_v_pu, rtol=1e-6, atol=1e-9)
    # A share of the meter's variance, told to a hundredth of the one below which a point counts as critical.
    share, expected_share = mine.residual_variance / after.variance, theirs.residual_variance / after.variance
    np.testing.assert_allclose(share, expected_share, rtol=1e-6, atol=1e-2 * CRITICAL_FRAC)


def test_a_variance_that_comes_out_below_zero_is_no_certainty() -> None:
    """Digits that ran out say nothing: such a voltage is not known, rather than known exactly."""
    case = case_of(3, decades=1.0)
    system = case.system(inside=case.readings.use, variance=case.readings.variance)
    correction = system.correction(case.readings)
    assert correction is not None
    cache = CovarianceCache(system)
    node = int(np.flatnonzero(case.problem.factor.solved)[0])
    cache.diagonals[0][node] = -1e-3
    sigma = cache.of(correction, readings=case.readings).sigma_v_pu
    assert sigma[node] == np.inf
    assert np.isfinite(np.delete(sigma, node)).all()


def test_a_voltage_that_is_held_is_corrected_for_as_if_it_were_in_the_matrix() -> None:
    """Against products with K + W u u^T, u the slope of the magnitude across an injector by central differences."""
    checked = 0
    for seed in range(12):
        case = case_of(seed, decades=1.0)
        problem, layout = case.problem, case.problem.layout
        count = len(problem.injectors.fr)
        if count < 2:
            continue
        system = case.system(inside=case.readings.use, variance=case.readings.variance)
        weight = np.zeros(count)
        weight[[0, count - 1]] = 50.0, 2000.0
        holds = problem.no_holds._replace(weight=weight)
        correction = system.correction(case.readings, holds)
        assert correction is not None
        k = plain_matrix(
            problem,
            case.x,
            s=case.s,
            beliefs=case.beliefs,
            inside=case.readings.use,
            variance=case.readings.variance,
        ).toarray()
        far = far_directions(problem, case.x, beliefs=case.beliefs, inside=case.readings.use)
        k -= far.T @ far
        for held in np.flatnonzero(weight):
            ends = [end for end in (problem.injectors.fr[held], problem.injectors.to[held]) if end >= 0]
            u = np.zeros(layout.size)
            for place in [p for end in ends for p in (end, end + 1)]:
                step = np.zeros(layout.size)
                step[place] = 1e-6
                up, down = (np.abs(problem.across(case.x + way * step)[held]) for way in (1.0, -1.0))
                u[place] = (up - down) / 2e-6
            k += weight[held] * np.outer(u, u)
        x = np.random.default_rng(seed).standard_normal(layout.size)
        x[: int(layout.structure.pattern.start[layout.structure.pattern.lead])] = 0.0
        x[problem.rows.place[~case.readings.use]] = 0.0
        right = k @ x
        found = system.solve(right)
        found += correction.columns.T @ (correction.inner @ (correction.columns @ right))
        v = np.concatenate([layout.node, layout.node + 1])
        # Central differences keep about nine digits of u.
        assert np.abs(found - x)[v].max() < 1e-5
        checked += 1
    assert checked >= 5


def test_no_voltage_across_a_load_is_a_reason_and_no_crash() -> None:
    case = case_of(1, decades=2.0)
    inside, variance = case.readings.use, case.readings.variance
    made = system_at(
        case.problem, np.zeros_like(case.x), s=case.s, beliefs=case.beliefs, inside=inside, variance=variance
    )
    assert isinstance(made, Singular)
    assert "no voltage is left across a load" in made.reason
