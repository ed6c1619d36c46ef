"""What cannot be used is refused in words, all of it at once, and what was looked at once cannot change."""

import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.estimate import Estimate, NotEstimated, Use
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimatorState, LoadPrior, SharedDeviations, estimate, prior_from_model
from adms.estimation.checks import check_prior, unreadable
from adms.grid.state import normal_state
from tests.unit.estimation.scans import POLICY, scan, snapshot
from tests.unit.estimation.test_estimator import perfect, solved
from tests.unit.powerflow.networks import arrays_of, four_buses

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
KEYS, VALUE, SIGMA = perfect(ARRAYS, GRID, solved(ARRAYS, GRID))
TAKEN = snapshot(ARRAYS, KEYS, value=VALUE, sigma=SIGMA)
PRIOR = prior_from_model(ARRAYS, POLICY)
COUNT = len(ARRAYS.injectors)


def asked(
    taken: TelemetrySnapshot = TAKEN, *, prior: LoadPrior = PRIOR, state: EstimatorState | None = None
) -> Estimate | NotEstimated:
    return estimate(taken, arrays=ARRAYS, grid=GRID, unknown=frozenset(), prior=prior, policy=POLICY, state=state)[1]


@pytest.fixture(scope="module")
def warm() -> EstimatorState:
    return scan(TAKEN, ARRAYS, grid=GRID, prior=PRIOR)[0]


@pytest.mark.parametrize("column", ["value", "sigma", "age_s", "quality"])
@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda c: c[:-1], "length"),
        (lambda c: np.append(c, c[-1]), "length"),
        (lambda c: c[:0], "length"),
        (lambda c: c.reshape(1, -1), "length"),
        (lambda c: c.tolist(), "list"),
        (lambda c: c.astype(np.complex128), "complex128"),
        (lambda c: c.astype(np.float32), "float32"),
        (lambda c: c.astype(object), "object"),
        (lambda c: c > 0, "bool"),
    ],
)
def test_columns_that_are_none_are_no_picture_and_the_reason_names_them(
    column: str, made: Callable[[Any], Any], word: str, warm: EstimatorState
) -> None:
    wrong: dict[str, Any] = {column: made(getattr(TAKEN, column))}
    for state in (None, warm):
        got = asked(replace(TAKEN, **wrong), state=state)
        assert isinstance(got, NotEstimated)
        assert column in got.reason
        assert word in got.reason


def test_everything_wrong_with_a_snapshot_is_said_at_once() -> None:
    got = asked(replace(TAKEN, value=VALUE[:-1], age_s=np.zeros(len(VALUE), dtype=np.int64)))
    assert isinstance(got, NotEstimated)
    assert "value" in got.reason
    assert "age_s" in got.reason
    assert "int64" in got.reason


@pytest.mark.parametrize("age_s", [-11.0, -1e9, -np.inf, np.nan])
def test_a_value_that_is_dated_in_the_future_is_not_used(age_s: float) -> None:
    """As far ahead as telemetry may be old. A clock that runs a little ahead is forgiven."""
    ages = np.where(np.arange(len(KEYS)) == 2, age_s, -0.5)
    got = asked(replace(TAKEN, age_s=ages))
    assert isinstance(got, Estimate)
    assert [i for i, use in enumerate(got.innovations.use) if use is not Use.USED] == [2]
    assert got.innovations.why[2] == ("too old" if np.isnan(age_s) else "dated in the future")


@pytest.mark.parametrize("value", [1e308, -1e308, 1e-308, 5e-324, np.inf, -np.inf])
def test_numbers_at_the_end_of_their_range_are_not_used_and_nothing_overflows(value: float) -> None:
    for wrong in (replace(TAKEN, value=np.full(len(KEYS), value)), replace(TAKEN, sigma=np.full(len(KEYS), value))):
        got = asked(wrong)
        assert isinstance(got, Estimate)
        assert Use.USED not in got.innovations.use or abs(value) < 1.0


def entry(column: str, value: complex) -> LoadPrior:
    """The prior with one number changed."""
    changed = getattr(PRIOR, column).copy()
    changed[1] = value
    return replace(PRIOR, **{column: changed})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("s_nominal_va", np.nan),
        ("s_nominal_va", np.inf),
        ("s_nominal_va", complex(0.0, -np.inf)),
        ("s_nominal_va", 1e300),
        ("sigma_p_va", -1.0),
        ("sigma_q_va", -1e-9),
        ("sigma_p_va", np.nan),
        ("sigma_q_va", -np.inf),
        ("sigma_p_va", 1e200),
    ],
)
def test_a_prior_with_a_number_that_means_nothing_is_refused_by_name(column: str, value: complex) -> None:
    with pytest.raises(InputError) as refused:
        asked(prior=entry(column, value))
    assert [problem.field for problem in refused.value.problems] == [column]
    assert "at 1" in refused.value.problems[0].value


def test_nothing_known_may_be_said_with_infinite_sigmas_and_no_mean() -> None:
    sigma = np.where(np.arange(COUNT) == 1, np.inf, PRIOR.sigma_p_va)
    mean = np.where(np.arange(COUNT) == 1, np.nan, PRIOR.s_nominal_va)
    assert isinstance(asked(prior=replace(PRIOR, s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=sigma)), Estimate)
    with pytest.raises(InputError):
        asked(prior=replace(PRIOR, s_nominal_va=mean, sigma_p_va=sigma))


def test_everything_wrong_with_a_prior_is_said_at_once() -> None:
    shared = SharedDeviations(injector=[-1, COUNT], mode=[0, 2], s_va=[1.0, np.nan], modes=2)  # type: ignore[arg-type]
    wrong = replace(PRIOR, sigma_p_va=PRIOR.sigma_p_va[:-1], shared=shared, told=np.array([-1, 0, len(KEYS)]))
    with pytest.raises(InputError) as refused:
        asked(prior=wrong)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["sigma_p_va", "shared.injector", "shared.mode", "shared.s_va", "told"]
    assert refused.value.problems[1].value == f"-1, {COUNT}"
    assert refused.value.problems[-1].value == f"-1, {len(KEYS)}"


def test_a_prior_is_looked_at_again_with_another_table(warm: EstimatorState) -> None:
    """`told` are rows of the table: those of a longer one are none of a shorter."""
    prior = replace(PRIOR, told=np.array([len(KEYS) - 1]))
    state, _ = scan(TAKEN, ARRAYS, grid=GRID, prior=prior, state=warm)
    with pytest.raises(InputError):
        asked(snapshot(ARRAYS, KEYS[:-1], value=VALUE[:-1], sigma=SIGMA[:-1]), prior=prior, state=state)


def test_columns_of_a_prior_are_of_their_type_or_refused() -> None:
    with pytest.raises(InputError) as refused:
        LoadPrior(
            s_nominal_va=PRIOR.s_nominal_va.reshape(1, -1),
            sigma_p_va=PRIOR.s_nominal_va,  # type: ignore[arg-type]
            sigma_q_va=PRIOR.sigma_q_va.astype(np.float32),
            told=np.array([0.5]),
        )
    assert [problem.field for problem in refused.value.problems] == ["s_nominal_va", "sigma_p_va", "told"]


def test_what_a_prior_was_made_of_can_change_and_the_prior_does_not() -> None:
    """Scans keep what they worked out from a prior for as long as it is the same object."""
    mean, injector = PRIOR.s_nominal_va.copy(), PRIOR.shared.injector.copy()
    shared = replace(PRIOR.shared, injector=injector)
    prior = LoadPrior(s_nominal_va=mean, sigma_p_va=PRIOR.sigma_p_va, sigma_q_va=PRIOR.sigma_q_va, shared=shared)
    state, before = scan(TAKEN, ARRAYS, grid=GRID, prior=prior)
    mean *= 3.0
    injector[:] = 0
    for after in (
        scan(TAKEN, ARRAYS, grid=GRID, prior=prior)[1],
        scan(TAKEN, ARRAYS, grid=GRID, prior=prior, state=state)[1],
    ):
        np.testing.assert_allclose(after.v_phasor_pu, before.v_phasor_pu, atol=1e-8)
    with pytest.raises(ValueError, match="read-only"):
        prior.s_nominal_va[0] = 0.0
    assert replace(prior, told=np.array([1])).s_nominal_va is prior.s_nominal_va


def test_a_snapshot_that_is_written_over_gives_what_a_new_one_gives(warm: EstimatorState) -> None:
    """Nothing is kept of a snapshot, so that its columns may be used again for the next."""
    taken = replace(TAKEN, value=VALUE.copy())
    state, _ = scan(taken, ARRAYS, grid=GRID, prior=PRIOR, state=warm)
    taken.value[:] += SIGMA
    _, again = scan(taken, ARRAYS, grid=GRID, prior=PRIOR, state=state)
    _, fresh = scan(replace(TAKEN, value=VALUE + SIGMA), ARRAYS, grid=GRID, prior=PRIOR)
    np.testing.assert_allclose(again.v_phasor_pu, fresh.v_phasor_pu, atol=3e-8)
    assert again.chi2 > 1.0


def test_looking_costs_microseconds() -> None:
    """Ten, of a scan's two hundred at 33 buses, and a hundred for a prior that is new; the best of many, doubled."""
    readable = min(timeit.repeat(lambda: unreadable(TAKEN, arrays=ARRAYS), number=100, repeat=20)) / 100
    new = min(timeit.repeat(lambda: check_prior(PRIOR, arrays=ARRAYS, points=len(KEYS)), number=20, repeat=20)) / 20
    assert readable < 20e-6
    assert new < 200e-6
