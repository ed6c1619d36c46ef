"""How loads move around their class profiles, and how the forecast learns."""

import math
from dataclasses import dataclass, field, fields

from adms.core.errors import Problem
from adms.forecast.class_profiles import ClassProfile
from adms.forecast.solar import SolarPolicy

DAY_S = 86400.0


@dataclass(frozen=True, kw_only=True)
class ClassMotion:
    """How a class's common deviation moves: shares of its variance, and correlation times.

    The defaults are rounded from what `adms.forecast.tuning` finds on 60 days of SimBench's aggregate quarter-hour
    series (mv_rural, mv_semiurb, mv_urban, mv_comm) against the built-in profiles: level times of 4 to 8 h, a trend
    that carries a third of the level's variance, a part of a few per cent that comes and goes within the hour. What is
    left over is the day's mean (is the nominal power right?) and its shape, which stay for weeks.
    """

    level_share: float = 0.30
    """Of the common variance, in the level of these hours."""
    level_tau_s: float = 8.0 * 3600.0
    trend_share: float = 0.3
    """Of the level's variance, carried by the trend."""
    trend_tau_s: float = 2.0 * 3600.0
    fast_share: float = 0.10
    """Of the common variance, in what comes and goes as single loads do."""
    offset_share: float = 0.30
    """Of the common variance, in the day's mean; what is left is in the daily shape, equal over its harmonics."""
    shape_tau_s: float = 20.0 * DAY_S
    """Of the day's mean and shape."""
    harmonics: int = 3
    """At least 1."""
    reactive_sigma_frac: float = 0.10
    """Of the class's reactive power apart from what its active power explains."""
    reactive_tau_s: float = 2.0 * DAY_S


@dataclass(frozen=True, kw_only=True)
class ForecastPolicy:
    """Everything that the forecast believes besides the class profiles themselves."""

    profiles: tuple[ClassProfile, ...] = ()
    """The user's; built-in ones stand behind them."""
    utc_offset_h: float = 0.0
    """Local time less UTC, for the hour of the day."""
    motion: ClassMotion = field(default_factory=ClassMotion)
    own_level_share: float = 0.5
    """Of a load's own variance, what stays (its customer's habits); the rest comes and goes."""
    own_level_tau_s: float = 30.0 * DAY_S
    own_fast_tau_s: float = 2700.0
    phase_unbalance_frac: float = 0.15
    """Of a load with several phases: each phase's own deviation, over its expected power. Part of the own deviation."""
    meter_interval_s: float = 900.0
    """Over which P_AVERAGE and Q_AVERAGE are means."""
    learn_every_s: float = 60.0
    """Shortest time between two updates of the class filters."""
    gate_sigma: float = 5.0
    """An innovation further out teaches nothing."""
    refusals_max: int = 10
    """So many refusals in a row, and the filter believes the world rather than itself: its spread is that of a cold
    start again."""
    balance_sigma_frac: float = 0.005
    """Of an area's measured load: what losses, the load law and the model leave open, beside the meters' sigma."""
    areas_max: int = 24
    """Largest metered areas that teach."""
    history_s: float = 3.0 * DAY_S
    """How far back a late meter is read against the class as it was then."""
    history_step_s: float = 300.0
    solar: SolarPolicy = field(default_factory=SolarPolicy)


def policy_problems(policy: ForecastPolicy) -> list[Problem]:
    """Every number of a policy that is out of range; class profiles are checked by `checked_profiles`."""
    found = []

    def bad(part: object, name: str, message: str) -> None:
        found.append(Problem(element="forecast", field=name, value=str(getattr(part, name)), message=message))

    motion = policy.motion
    for part in (policy, motion):
        for name in (f.name for f in fields(part)):
            if name.endswith(("_s", "_sigma")) and not 0.0 < getattr(part, name) < math.inf:
                bad(part, name, "must be positive and finite")
            elif name.endswith(("_share", "_frac")) and not 0.0 <= getattr(part, name) <= 1.0:
                bad(part, name, "must be between 0 and 1")
    if not motion.level_share + motion.fast_share + motion.offset_share <= 1.0:
        bad(motion, "level_share", "with fast_share and offset_share must not add up to more than 1")
    if motion.harmonics < 1:
        bad(motion, "harmonics", "must be at least 1")
    if policy.refusals_max < 1:
        bad(policy, "refusals_max", "must be at least 1")
    if policy.areas_max < 1:
        bad(policy, "areas_max", "must be at least 1")
    if not -15.0 <= policy.utc_offset_h <= 15.0:
        bad(policy, "utc_offset_h", "must be between -15 and 15")
    return found
