"""What of a factor still fits, and what is believed of powers: the compiled passes against plain NumPy."""

import numpy as np

from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.kernel.columns import PriorColumns, ReadingColumns
from adms.estimation.kernel.comparing import changed_rows, fill_own, largest_drift, much_the_same

ROWS, POWERS = 60, 40


def test_rows_have_changed_where_their_weight_did_or_they_dropped_out() -> None:
    rng = np.random.default_rng(1)
    answers = set()
    for share in (0.0, 0.05, 0.3):
        for _ in range(20):
            inside = rng.random(ROWS) < 0.9
            use = inside & (rng.random(ROWS) >= share)
            if rng.random() < 0.3:
                use[rng.choice(np.flatnonzero(~inside))] = True
            before = rng.uniform(0.5, 2.0, ROWS)
            now = before * rng.choice([1.0, 1.019, 0.981, 1.03, 0.9], ROWS, p=[1.0 - 2 * share, *4 * [0.5 * share]])
            changed = np.empty(ROWS, dtype=np.bool_)
            count = changed_rows(ReadingColumns(z=now, variance=now, use=use), inside, before, 0.02, changed)
            if (use & ~inside).any():
                expected = -1
            else:
                wanted = inside & (~use | (np.abs(now - before) > 0.02 * before))
                assert np.array_equal(changed, wanted)
                expected = int(wanted.sum())
            assert count == expected
            answers.add(count)
    assert {-1, 0} < answers


def prior(rng: np.random.Generator, injector: IntArray) -> PriorColumns:
    share = rng.standard_normal(len(injector)) + 1j * rng.standard_normal(len(injector))
    variance: FloatArray = rng.uniform(1.0, 1.4, POWERS)
    still = np.zeros(POWERS)
    return PriorColumns(
        mean=np.ones(POWERS, dtype=np.complex128),
        variance_p=variance,
        variance_q=variance.copy(),
        keep_p=still,
        keep_q=still,
        first=np.array([0, len(injector)]),
        injector=injector,
        share=share,
    )


def test_beliefs_are_much_the_same_within_a_ratio() -> None:
    rng = np.random.default_rng(2)
    injector = rng.integers(0, POWERS, 70)
    one = prior(rng, injector)
    answers = set()
    for wide in (0.1, 0.45, 0.55, 1.0):
        for part in ("variance_p", "variance_q", "share"):
            moved = getattr(one, part) * (1.0 + rng.uniform(0.0, wide, len(getattr(one, part))))
            other = one._replace(**{part: moved})
            for mine, theirs in ((one, other), (other, one)):
                expected = all(
                    not ((a > 1.5 * b) | (b > 1.5 * a)).any()
                    for a, b in ((mine.variance_p, theirs.variance_p), (mine.variance_q, theirs.variance_q))
                )
                square = np.bincount(injector, weights=np.abs(theirs.share) ** 2, minlength=POWERS)
                expected &= bool((np.abs(mine.share - theirs.share) <= 0.5 * np.sqrt(square[injector])).all())
                assert much_the_same(mine, theirs, 1.5, np.zeros(POWERS)) is expected
                answers.add((part, expected))
    assert len(answers) == 6


def test_the_largest_drift_is_of_magnitudes() -> None:
    rng = np.random.default_rng(3)
    x, place = rng.standard_normal(50), np.arange(0, 48, 4)
    size = rng.random(len(place))
    expected = np.abs(np.abs(x[place] + 1j * x[place + 1]) - size).max()
    assert abs(largest_drift(x, place, size) - expected) < 1e-15
    assert largest_drift(x, place[:0], size[:0]) == 0.0


def test_where_nothing_is_known_of_a_power_its_mean_says_nothing() -> None:
    """By hand, on a base of 10 VA: a power with both sigmas, one below the floor, one of which P is free, one without a
    mean."""
    s = np.array([20.0 + 10.0j, 5.0 - 5.0j, 7.0 + 3.0j, np.nan + 1.0j, 99.0 + 99.0j])
    sigma_p, sigma_q = np.array([1.0, 0.0, np.inf, 1.0, 1.0]), np.array([2.0, 2.0, 2.0, 2.0, 2.0])
    mean, own = np.empty(4, dtype=np.complex128), np.empty((4, 4))
    fill_own(s, sigma_p, sigma_q, np.array([1, 0, 2, 3]), 10.0, 0.05, 8.0, mean, own)
    assert mean.tolist() == [0.5 - 0.5j, 2.0 + 1.0j, 0.3j, 0.0]
    assert np.allclose(own[0], [0.05**2, 0.1**2, 64.0, 64.0], rtol=1e-15)
    assert np.allclose(own[1], [0.2**2, 0.2**2, 0.2**2, 64.0], rtol=1e-15)
    assert own[2].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert own[3].tolist() == [0.0, 0.0, 0.0, 1.0]
