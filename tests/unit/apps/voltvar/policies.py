"""The policy that the tests start from."""

from adms.apps.voltvar import VoltVarPolicy
from tests.unit.apps.interlock_policy import INTERLOCK

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
