"""The policy that the tests start from."""

from adms.apps.dispatch import DispatchPolicy
from tests.unit.apps.interlock_policy import INTERLOCK

POLICY = DispatchPolicy(
    interlock=INTERLOCK,
    prepare_s=20.0,
    margin_frac=0.01,
    deadband_frac=0.003,
    lead_s=3.0,
    level_gain=0.4,
    trend_gain=0.05,
    integral_gain_per_s=0.02,
    integral_max_frac=0.05,
    sigma_margin=0.0,
    voltage_allowance_pu=0.002,
    voltage_corrections_max=3,
)
