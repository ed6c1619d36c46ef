"""The policy that the tests start from."""

from adms.apps.interlock import InterlockPolicy
from adms.apps.voltvar import VoltVarPolicy

INTERLOCK = InterlockPolicy(
    telemetry_max_age_s=10.0,
    snapshot_max_age_s=5.0,
    estimate_max_age_s=10.0,
    lockout_timer_s=60.0,
    switch_operations_per_day=20,
    tap_interval_s=30.0,
    tap_steps_per_move=2,
    tap_operations_per_day=20,
    capacitor_interval_s=60.0,
    capacitor_operations_per_day=6,
    capacitor_reclose_s=300.0,
    reversals_max=2,
    reversals_window_s=1800.0,
    der_lease_s=60.0,
    der_rating_tolerance_frac=0.02,
    soc_min_frac=0.1,
    soc_max_frac=0.95,
)

POLICY = VoltVarPolicy(
    interlock=INTERLOCK,
    sigma_margin=2.0,
    violation_deadband_pu=0.001,
    cure_reserve_pu=0.0,
    violation_weight_w_per_pu=1e7,
    fast_period_s=10.0,
    slow_period_s=60.0,
    settle_s=10.0,
    stage_timeout_s=60.0,
    proposal_valid_s=300.0,
    moves_per_plan_max=8,
    power_flows_max=400,
    gain_threshold_w=200.0,
    tap_cost_w=50.0,
    capacitor_cost_w=100.0,
    reverse_power_w=1e3,
    reactive_iterations_max=8,
    reactive_deadband_frac=0.02,
    battery_p_headroom_frac=0.2,
)
