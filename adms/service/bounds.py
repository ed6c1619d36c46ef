"""What the numbers of a configuration may be, and which must be in order with each other.

They stand here and not at the policies' fields because the rule is one for all tables: no number of a configuration is
negative, a share is at most one. Only what differs from that is listed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adms.core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The numbers that are accepted, ends included."""

    least: float = 0.0
    most: float = math.inf
    positive: bool = False
    """Zero is refused too."""


_POSITIVE = Bounds(positive=True)
_COUNT = Bounds(least=1.0)
_SHARE = Bounds(most=1.0)
_PROBABILITY = Bounds(most=1.0, positive=True)

BOUNDS: Mapping[tuple[str, str], Bounds] = {
    ("service", "arrival_timeout_s"): _POSITIVE,
    # Epochs are 64 bits on the wire; each start takes one more.
    ("service", "epoch_floor"): Bounds(most=2.0**62),
    ("round", "period_s"): _POSITIVE,
    ("round", "good_rounds_before_control"): _COUNT,
    ("round", "telemetry_max_age_s"): _POSITIVE,
    ("round", "waiting_frames_max"): _COUNT,
    ("gate", "lease_s"): _POSITIVE,
    ("gate", "der_moves_per_round_max"): _COUNT,
    ("gate", "unanswered_leases_max"): _COUNT,
    ("gate", "latched_expiry_s"): _POSITIVE,
    ("gate", "confirm_timeout_s"): _POSITIVE,
    ("gate", "failures_max"): _COUNT,
    ("interlock", "snapshot_max_age_s"): _POSITIVE,
    ("interlock", "estimate_max_age_s"): _POSITIVE,
    ("interlock", "lockout_timer_s"): _POSITIVE,
    ("interlock", "tap_steps_per_move"): _COUNT,
    # What rounding and meters explain; more would be another rating.
    ("interlock", "der_rating_tolerance_frac"): Bounds(most=0.1),
    ("estimation", "load_factor_mean"): _POSITIVE,
    # A sigma of zero is certainty: the weights of the estimator become infinite.
    ("estimation", "load_sigma_frac"): _POSITIVE,
    ("estimation", "load_sigma_floor_va"): _POSITIVE,
    ("estimation", "pv_sigma_frac"): _POSITIVE,
    ("estimation", "der_unbalance_frac"): _PROBABILITY,
    ("estimation", "source_v_sigma_pu"): _POSITIVE,
    ("estimation", "source_angle_sigma_rad"): _POSITIVE,
    ("estimation", "alarm_probability"): Bounds(least=1e-9, most=0.1),
    ("estimation", "chi2_confidence"): Bounds(least=0.5, most=0.999999),
    ("estimation", "chi2_partial_ratio"): Bounds(least=1.0),
    ("estimation", "sigma_solved_max_pu"): _POSITIVE,
    ("estimation", "sigma_unobservable_pu"): _POSITIVE,
    ("ageing", "der_tau_s"): _POSITIVE,
    ("ageing", "v_tau_s"): _POSITIVE,
    ("ageing", "average_max_age_s"): _POSITIVE,
    ("quarantine", "bad_scans"): _COUNT,
    ("quarantine", "fine_scans"): _COUNT,
    ("quarantine", "fine_sigmas"): _POSITIVE,
    ("positions", "least_odds"): Bounds(least=1.0),
    ("positions", "alarm_probability"): Bounds(least=1e-12, most=0.1),
    ("positions", "odds_apart"): Bounds(least=1.0),
    ("positions", "naming_probability"): Bounds(least=0.5, most=0.999999),
    ("positions", "voltage_bias_frac"): Bounds(most=0.1),
    ("positions", "power_bias_frac"): Bounds(most=0.1),
    ("positions", "bad_meter_odds"): Bounds(least=1e-6, most=1.0),
    ("positions", "gross_error_sigmas"): Bounds(least=10.0),
    ("positions", "misfit_probability"): Bounds(least=1e-12, most=0.1),
    ("positions", "unstated_bias_odds"): Bounds(most=100.0),
    ("positions", "window_scans"): _COUNT,
    ("positions", "exact_each_scan"): _COUNT,
    ("positions", "named_in_a_row"): _COUNT,
    ("positions", "work_ms_each_scan"): _POSITIVE,
    ("forecast", "utc_offset_h"): Bounds(least=-15.0, most=15.0),
    ("forecast", "own_level_share"): _SHARE,
    ("forecast", "own_level_tau_s"): _POSITIVE,
    ("forecast", "own_fast_tau_s"): _POSITIVE,
    ("forecast", "meter_interval_s"): _POSITIVE,
    ("forecast", "learn_every_s"): _POSITIVE,
    ("forecast", "gate_sigma"): _POSITIVE,
    ("forecast", "refusals_max"): _COUNT,
    ("forecast", "areas_max"): _COUNT,
    ("forecast", "history_s"): _POSITIVE,
    ("forecast", "history_step_s"): _POSITIVE,
    ("load_motion", "level_share"): _SHARE,
    ("load_motion", "level_tau_s"): _POSITIVE,
    ("load_motion", "trend_share"): _SHARE,
    ("load_motion", "trend_tau_s"): _POSITIVE,
    ("load_motion", "fast_share"): _SHARE,
    ("load_motion", "offset_share"): _SHARE,
    ("load_motion", "shape_tau_s"): _POSITIVE,
    ("load_motion", "harmonics"): Bounds(least=1.0, most=12.0),
    ("load_motion", "reactive_tau_s"): _POSITIVE,
    ("solar", "latitude_deg"): Bounds(least=-90.0, most=90.0),
    ("solar", "longitude_deg"): Bounds(least=-180.0, most=180.0),
    ("solar", "rating_w_per_m2"): _POSITIVE,
    ("solar", "tilt_gain"): _POSITIVE,
    ("solar", "mean_ratio"): _PROBABILITY,
    ("solar", "weather_sigma"): Bounds(most=1.0),
    ("solar", "cloud_sigma"): Bounds(most=1.0, positive=True),
    ("solar", "cloud_tau_s"): _POSITIVE,
    ("solar", "own_sigma"): Bounds(most=1.0, positive=True),
    ("solar", "range_m"): _POSITIVE,
    ("solar", "neighbours_max"): _COUNT,
    ("flisr", "cold_load_factor"): Bounds(least=1.0, most=10.0),
    ("flisr", "step_timeout_s"): _POSITIVE,
    ("flisr", "options_max"): _COUNT,
    ("flisr", "power_flows_max"): _COUNT,
    ("flisr", "firm_options_max"): _COUNT,
    ("voltvar", "sigma_margin"): Bounds(most=6.0),
    ("voltvar", "violation_weight_w_per_pu"): _POSITIVE,
    ("voltvar", "fast_period_s"): _POSITIVE,
    ("voltvar", "slow_period_s"): _POSITIVE,
    ("voltvar", "stage_timeout_s"): _POSITIVE,
    ("voltvar", "proposal_valid_s"): _POSITIVE,
    ("voltvar", "moves_per_plan_max"): _COUNT,
    ("voltvar", "power_flows_max"): Bounds(least=10.0),
    ("dispatch", "margin_frac"): Bounds(most=0.5),
    ("dispatch", "level_gain"): _PROBABILITY,
    ("dispatch", "trend_gain"): Bounds(most=1.0),
    ("dispatch", "integral_gain_per_s"): Bounds(most=1.0),
    ("dispatch", "sigma_margin"): Bounds(most=6.0),
    ("dispatch", "voltage_allowance_pu"): Bounds(most=0.02),
}

ORDER: tuple[tuple[str, str, str, str, str], ...] = (
    ("round", "period_s", "round", "telemetry_max_age_s", "or every picture would be stale"),
    ("round", "period_s", "interlock", "estimate_max_age_s", "or every estimate would be stale"),
    ("interlock", "soc_min_frac", "interlock", "soc_max_frac", "or no charge is in range"),
    ("estimation", "sigma_solved_max_pu", "estimation", "sigma_unobservable_pu", "or PARTIAL is never said"),
    ("solar", "same_zone_m", "solar", "other_zone_m", "or a zone is wider than the way to the next"),
    ("forecast", "history_step_s", "forecast", "history_s", "or nothing is remembered"),
    ("round", "telemetry_max_age_s", "ageing", "average_max_age_s", "or means are dropped sooner than instants"),
    ("voltvar", "fast_period_s", "voltvar", "slow_period_s", "or economy goes before cures"),
    # Standing setpoints may be off by the dead band; beyond the margin that is over the limit.
    ("dispatch", "deadband_frac", "dispatch", "margin_frac", "or setpoints may stand beyond the limit"),
)
"""(table, key) that must not be above (table, key), and what happens otherwise."""


def outside_bounds(value: object, *, table: str, key: str) -> str:
    """Why a number is not accepted; empty where it is, and for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value):
        return "must be a finite number"
    bounds = BOUNDS.get((table, key), Bounds(most=1.0 if key.endswith("_frac") else math.inf))
    if bounds.positive and value <= 0.0:
        return "must be above zero"
    if value < bounds.least:
        return f"must be at least {bounds.least:g}"
    if value > bounds.most:
        return f"must be at most {bounds.most:g}"
    return ""


def order_problems(tables: Mapping[str, Any]) -> list[Problem]:
    """Pairs of numbers that are each fine and do not go together."""
    found = []
    for low_table, low, high_table, high, otherwise in ORDER:
        small, large = _number(tables, low_table, low), _number(tables, high_table, high)
        if small is not None and large is not None and large < small:
            of = low if low_table == high_table else f"[{low_table}].{low}"
            message = f"must not be below {of}, {small:g}, {otherwise}"
            found.append(Problem(element=f"[{high_table}]", field=high, value=f"{large:g}", message=message))
    return found


def _number(tables: Mapping[str, Any], table: str, key: str) -> float | None:
    content = tables.get(table)
    value = content.get(key) if isinstance(content, dict) else None
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and value is not None else None
