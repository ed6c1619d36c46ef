"""What the forecast carries from scan to scan: a value, replaced as a whole."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from adms.core.errors import InputError
from adms.core.telemetry import FloatArray
from adms.estimation.policy import EstimationPolicy
from adms.forecast.areas import MeteredAreas
from adms.forecast.class_profiles import checked_profiles
from adms.forecast.columns import ForecastColumns, forecast_columns
from adms.forecast.history import ClassHistory, empty_history
from adms.forecast.load_filter import ClassFilter, cold_filter
from adms.forecast.own_level import OwnLevels, OwnMotion, cold_levels
from adms.forecast.points import MeterRows
from adms.forecast.policy import ForecastPolicy, policy_problems
from adms.grid.arrays import NetworkArrays

_WEEKEND = 5
MULTIPLIER_RANGE = (0.05, 4.0)
"""Of 1 + deviation of a class: no forecast turns a class's power round or takes it beyond all bounds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastState:
    """All that was learned, and the columns it is about."""

    columns: ForecastColumns
    policy: ForecastPolicy
    filter: ClassFilter
    history: ClassHistory
    levels: OwnLevels
    areas: MeteredAreas | None = None
    """Of the last step; kept because they seldom change."""
    meters: MeterRows | None = None
    """Of the last snapshot's table; kept likewise."""
    normalized: FloatArray | None = None
    """[row] innovations of the last step of the class filter, over their standard deviations; for tests and metrics."""


def cold_state(arrays: NetworkArrays, *, policy: ForecastPolicy, estimation: EstimationPolicy) -> ForecastState:
    """A service that has just started: class profiles and nothing else.

    Args:
        arrays: the network.
        policy: how loads move.
        estimation: mean load factor, spread of DER.

    Returns:
        The state.

    Raises:
        InputError: policy or class profiles out of range, with every problem found.
    """
    wrong = policy_problems(policy)
    if wrong:
        raise InputError([*wrong, *(problem for profile in policy.profiles for problem in profile.problems())])
    profiles = checked_profiles(policy.profiles)
    columns = forecast_columns(arrays, profiles=profiles, policy=policy, estimation=estimation)
    return ForecastState(
        columns=columns,
        policy=policy,
        filter=cold_filter(columns.process),
        history=empty_history(columns.process.classes),
        levels=cold_levels(own_motion(columns, policy)),
    )


def own_motion(columns: ForecastColumns, policy: ForecastPolicy) -> OwnMotion:
    """How the own deviations of a network's loads move."""
    return OwnMotion(
        level_var=columns.loads.own_level_var,
        fast_var=columns.loads.own_fast_var,
        level_tau_s=policy.own_level_tau_s,
        fast_tau_s=policy.own_fast_tau_s,
    )


def local_hour(now: datetime, policy: ForecastPolicy) -> float:
    """Hour of the day where the network is, 0 <= h < 24."""
    return float((now.timestamp() / 3600.0 + policy.utc_offset_h) % 24.0)


def expected_multipliers(columns: ForecastColumns, *, time_s: FloatArray, policy: ForecastPolicy) -> FloatArray:
    """Expected power over nominal power of every class, by its profile alone.

    Args:
        columns: the network's.
        time_s: [...] seconds since 1970.
        policy: where midnight is.

    Returns:
        [class, ...].
    """
    local = np.asarray(time_s, dtype=np.float64) / 3600.0 + policy.utc_offset_h
    hour = local % 24.0
    # 1 January 1970 was a Thursday, day 3 of its week.
    weekend = (np.floor(local / 24.0) + 3.0) % 7.0 >= _WEEKEND
    out = [
        level * np.where(weekend, profile.weekend.at(hour), profile.weekday.at(hour))
        for profile, level in zip(columns.loads.profiles, columns.loads.level_frac, strict=True)
    ]
    return np.array(out).reshape(len(out), *np.shape(time_s))


def seconds(now: datetime) -> float:
    """Since 1970; a time without a zone is refused.

    Raises:
        ValueError: no zone.
    """
    if now.utcoffset() is None:
        raise ValueError("a time without a zone")
    return now.timestamp()
