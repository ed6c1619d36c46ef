"""What loads of a class are expected to draw over a day, before anything was measured.

The built-in shapes are rough priors, not statistics of any network. They state only what public descriptions of
standard load profiles agree on (VDEW M-28/99 "Repraesentative VDEW-Lastprofile", 1999: households have a small morning
and a large evening peak and a night trough; trade runs with opening hours and halves at weekends; farms peak at the
two milkings; process industry is flat with a day shift on top), written as one or two swings a day with round numbers
of our own. The class filters learn the rest. Give your own `ClassProfile`s where you know better.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.telemetry import FloatArray

HOURS = 24.0


@dataclass(frozen=True, kw_only=True)
class Swing:
    """One harmonic of a day."""

    per_day: int
    """Periods a day."""
    amplitude_frac: float
    """Over the day's mean, not negative."""
    peak_h: float
    """Local hour of (one of) its largest values."""


@dataclass(frozen=True, kw_only=True)
class DailyShape:
    """mean_frac (1 + sum of amplitude cos(2 pi per_day (hour - peak) / 24))."""

    mean_frac: float = 1.0
    """Day's mean over that of an ordinary weekday."""
    swings: tuple[Swing, ...] = ()

    def at(self, hour: FloatArray | float) -> FloatArray:
        """Expected power over the class's mean.

        Args:
            hour: local hours, any shape.

        Returns:
            Same shape, positive.
        """
        total = np.ones(np.shape(hour))
        for swing in self.swings:
            turn = 2.0 * math.pi * swing.per_day / HOURS
            total = total + swing.amplitude_frac * np.cos(turn * (np.asarray(hour) - swing.peak_h))
        return np.asarray(self.mean_frac * total)


@dataclass(frozen=True, kw_only=True)
class ClassProfile:
    """Expectation and spread of the loads of one class."""

    name: str
    weekday: DailyShape
    weekend: DailyShape
    level_frac: float | None = None
    """Mean power on a weekday over the model's nominal power; None is the estimator's `load_factor_mean`."""
    own_sigma_frac: float | None = 0.40
    """Each load's own deviation, over its expected power; None is the estimator's `load_sigma_frac`."""
    common_sigma_frac: float | None = 0.15
    """Deviation common to the class, over its expected power; None is the estimator's `load_scale_sigma_frac`."""

    def problems(self) -> list[Problem]:
        """Everything that is wrong with it."""
        found = []
        where = f"class profile {self.name!r}"

        def bad(field: str, value: object, message: str) -> None:
            found.append(Problem(element=where, field=field, value=str(value), message=message))

        if not self.name:
            bad("name", self.name, "must not be empty")
        if self.level_frac is not None and not 0.0 < self.level_frac < math.inf:
            bad("level_frac", self.level_frac, "must be positive and finite")
        for field in ("own_sigma_frac", "common_sigma_frac"):
            given = getattr(self, field)
            if given is not None and not 0.0 < given < 2.0:
                bad(field, getattr(self, field), "must be above 0 and below 2")
        for day in ("weekday", "weekend"):
            shape: DailyShape = getattr(self, day)
            if not 0.0 < shape.mean_frac < math.inf:
                bad(f"{day}.mean_frac", shape.mean_frac, "must be positive and finite")
            if any(s.per_day < 1 or not s.amplitude_frac >= 0.0 or not math.isfinite(s.peak_h) for s in shape.swings):
                bad(f"{day}.swings", shape.swings, "need per_day of at least 1, no negative amplitude, a finite peak_h")
            elif not sum(s.amplitude_frac for s in shape.swings) < 1.0:
                bad(
                    f"{day}.swings", shape.swings, "amplitudes must add up to less than 1, or power could turn negative"
                )
        return found


def _shape(mean_frac: float, *swings: tuple[int, float, float]) -> DailyShape:
    return DailyShape(
        mean_frac=mean_frac, swings=tuple(Swing(per_day=n, amplitude_frac=a, peak_h=h) for n, a, h in swings)
    )


HOUSEHOLD = ClassProfile(
    name="household",
    weekday=_shape(1.0, (1, 0.35, 16.5), (2, 0.20, 20.0), (3, 0.05, 20.0)),
    weekend=_shape(1.05, (1, 0.35, 15.5), (2, 0.15, 19.5)),
)
COMMERCIAL = ClassProfile(
    name="commercial",
    weekday=_shape(1.0, (1, 0.50, 12.5), (2, 0.10, 11.0)),
    weekend=_shape(0.6, (1, 0.30, 12.5)),
)
INDUSTRIAL = ClassProfile(
    name="industrial",
    weekday=_shape(1.0, (1, 0.25, 12.5)),
    weekend=_shape(0.7, (1, 0.10, 12.5)),
)
AGRICULTURAL = ClassProfile(
    name="agricultural",
    weekday=_shape(1.0, (1, 0.20, 13.5), (2, 0.30, 19.0)),
    weekend=_shape(1.0, (1, 0.20, 13.5), (2, 0.30, 19.0)),
)
STREET_LIGHTING = ClassProfile(
    name="street lighting",
    weekday=_shape(1.0, (1, 0.90, 0.5)),
    weekend=_shape(1.0, (1, 0.90, 0.5)),
    common_sigma_frac=0.30,
)
UNKNOWN = ClassProfile(
    name="unknown",
    # Any mixture of the above sleeps at night; half of the usual swing is the mean, the rest is spread.
    weekday=_shape(1.0, (1, 0.20, 15.5)),
    weekend=_shape(1.0, (1, 0.20, 15.5)),
    own_sigma_frac=None,
    common_sigma_frac=None,
)
BUILT_IN = (HOUSEHOLD, COMMERCIAL, INDUSTRIAL, AGRICULTURAL, STREET_LIGHTING, UNKNOWN)

_BEGINNINGS: tuple[tuple[str, ClassProfile], ...] = (
    ("house", HOUSEHOLD),
    ("resid", HOUSEHOLD),
    ("domestic", HOUSEHOLD),
    ("commerc", COMMERCIAL),
    ("office", COMMERCIAL),
    ("retail", COMMERCIAL),
    ("shop", COMMERCIAL),
    ("indust", INDUSTRIAL),
    ("agri", AGRICULTURAL),
    ("farm", AGRICULTURAL),
    ("street", STREET_LIGHTING),
)
# Letters of the German standard profiles, as in H0, G1, L2 and SimBench's H0-A: a letter and a digit.
_LETTERS = {"h": HOUSEHOLD, "g": COMMERCIAL, "l": AGRICULTURAL}


def checked_profiles(profiles: Iterable[ClassProfile]) -> dict[str, ClassProfile]:
    """A user's profiles by name.

    Raises:
        InputError: one is out of range or two have the same name, with every problem found.
    """
    given = tuple(profiles)
    problems = [problem for profile in given for problem in profile.problems()]
    names = [profile.name for profile in given]
    problems += [
        Problem(element=f"class profile {name!r}", field="name", value=name, message="is given more than once")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise InputError(problems)
    return {profile.name: profile for profile in given}


def profile_of(load_class: str, *, profiles: Mapping[str, ClassProfile]) -> ClassProfile:
    """The profile that a load class follows: a user's of that name, else a built-in one that the name says, else
    UNKNOWN.

    Args:
        load_class: `Load.load_class`; empty where none is given.
        profiles: the user's, by name (`checked_profiles`). One named "unknown" replaces the last resort.

    Returns:
        The profile.
    """
    if load_class in profiles:
        return profiles[load_class]
    name = load_class.strip().lower()
    for beginning, profile in _BEGINNINGS:
        if name.startswith(beginning):
            return profiles.get(profile.name, profile)
    if len(name) >= 2 and name[0] in _LETTERS and name[1].isdigit():
        profile = _LETTERS[name[0]]
        return profiles.get(profile.name, profile)
    return profiles.get(UNKNOWN.name, UNKNOWN)
