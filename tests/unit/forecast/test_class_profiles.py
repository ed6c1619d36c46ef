"""Class profiles: which one a class follows, and what is refused."""

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.forecast.class_profiles import (
    BUILT_IN,
    COMMERCIAL,
    HOUSEHOLD,
    UNKNOWN,
    ClassProfile,
    DailyShape,
    Swing,
    checked_profiles,
    profile_of,
)


@pytest.mark.parametrize("profile", BUILT_IN, ids=lambda p: p.name)
def test_a_built_in_profile_is_in_range_and_its_weekday_has_mean_one(profile: ClassProfile) -> None:
    assert profile.problems() == []
    hours = np.arange(0.0, 24.0, 0.25)
    for shape in (profile.weekday, profile.weekend):
        assert (shape.at(hours) > 0.0).all()
        assert shape.at(hours).mean() == pytest.approx(shape.mean_frac, abs=1e-12)
    assert profile.weekday.mean_frac == 1.0


def test_the_stated_spread_is_40_percent_own_and_15_percent_common() -> None:
    # The priors of the day's study.
    assert (HOUSEHOLD.own_sigma_frac, HOUSEHOLD.common_sigma_frac) == (0.40, 0.15)


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("residential", HOUSEHOLD),
        ("H0-A", HOUSEHOLD),
        ("Commercial large", COMMERCIAL),
        ("G3-H", COMMERCIAL),
        ("", UNKNOWN),
        ("mv_semiurb", UNKNOWN),
        ("hospital", UNKNOWN),
    ],
)
def test_a_class_follows_the_profile_that_its_name_says(name: str, profile: ClassProfile) -> None:
    assert profile_of(name, profiles={}) is profile


def test_a_users_profile_goes_before_a_built_in_one() -> None:
    flat = ClassProfile(name="household", weekday=DailyShape(), weekend=DailyShape())
    mine = ClassProfile(name="H0-A", weekday=DailyShape(), weekend=DailyShape())
    given = checked_profiles([flat, mine])
    assert profile_of("H0-A", profiles=given) is mine
    assert profile_of("residential", profiles=given) is flat


def test_every_problem_of_every_profile_is_told_at_once() -> None:
    steep = DailyShape(
        swings=(Swing(per_day=1, amplitude_frac=0.7, peak_h=12), Swing(per_day=2, amplitude_frac=0.4, peak_h=1))
    )
    bad = ClassProfile(name="x", weekday=steep, weekend=DailyShape(mean_frac=0.0), own_sigma_frac=-1.0, level_frac=0.0)
    with pytest.raises(InputError) as refused:
        checked_profiles([bad, bad])
    fields = [problem.field for problem in refused.value.problems]
    assert sorted(set(fields)) == ["level_frac", "name", "own_sigma_frac", "weekday.swings", "weekend.mean_frac"]
