from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.series import ALL_KEPT_UP_TO, BUCKETS, Spell, rounded, series, spells

values = st.one_of(st.floats(-1e9, 1e9), st.just(nan))


@given(
    pattern=st.lists(values, min_size=1, max_size=60),
    spikes=st.dictionaries(st.integers(0, 9999), st.floats(-1e12, 1e12), max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_decimation_keeps_extremes_ends_and_gaps(pattern: list[float], spikes: dict[int, float]) -> None:
    whole = np.resize(np.array(pattern), 10_000)
    for place, height in spikes.items():
        whole[place] = height
    times = np.linspace(0.0, 39_996.0, 10_000)
    kept = series(times, whole)
    assert kept.samples == 10_000
    # Five a stretch at most: first, last, lowest, highest, first missing.
    assert len(kept.value) <= 5 * BUCKETS
    assert list(kept.time_s) == sorted(set(kept.time_s))
    known = whole[np.isfinite(whole)]
    if known.size:
        assert kept.lowest == rounded(float(known.min()))
        assert kept.highest == rounded(float(known.max()))
    assert (kept.time_s[0], kept.time_s[-1]) == (0.0, 39_996.0)
    assert any(isnan(value) for value in kept.value) == bool(np.isnan(whole).any())
    # What is kept is what was there at that time.
    at = {round(float(t), 3): rounded(float(v)) for t, v in zip(times, whole, strict=True)}
    assert all(
        at[t] == value or (isnan(at[t]) and isnan(value)) for t, value in zip(kept.time_s, kept.value, strict=True)
    )


def test_a_short_series_is_kept_whole() -> None:
    rng = np.random.default_rng(1)
    whole = rng.standard_normal(ALL_KEPT_UP_TO)
    kept = series(range(ALL_KEPT_UP_TO), whole)
    assert kept.value == pytest.approx(tuple(whole), rel=1e-6)


def test_spells_end_where_the_next_begins_and_the_last_at_the_end_of_the_run() -> None:
    said = spells([4.0, 8.0, 12.0, 16.0], ["a", "a", "", "b"], end_s=20.0)
    assert said == (Spell(start_s=4.0, end_s=12.0, what="a"), Spell(start_s=16.0, end_s=20.0, what="b"))
