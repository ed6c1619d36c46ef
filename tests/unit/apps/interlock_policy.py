"""The interlock policy that the tests of all apps start from."""

from adms.apps.interlock import InterlockPolicy

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
