"""What a Volt/VAR decision may do. Every field is configured: nothing that protects has a default."""

from dataclasses import dataclass

from adms.apps.interlock import InterlockPolicy


@dataclass(frozen=True, kw_only=True)
class VoltVarPolicy:
    """Limits and weights of `decide`. Ids in brackets are the invariants of the safety list."""

    interlock: InterlockPolicy
    """The same limits that the gate enforces: stops, pace, budgets, reversals [VV3 to VV6] and the age of telemetry. A
    plan moves a tap changer no further than one command may."""
    sigma_margin: float
    """Voltage limits are tightened by this many standard deviations of the estimate at each node [VV1: 2]."""
    violation_deadband_pu: float
    """A node this far outside its tightened limits starts the fast cycle."""
    cure_reserve_pu: float
    """A cure aims this far inside the tightened limits: loads wander, and one that ends at the limit does not last."""
    violation_weight_w_per_pu: float
    """What a node outside its tightened limit costs, against losses in W. Large: violations come first."""
    fast_period_s: float
    """Shortest time between two searches for a cure."""
    slow_period_s: float
    """Time between two searches for lower losses."""
    settle_s: float
    """Wait after the positions of a stage are confirmed, before anything else moves [VV2]."""
    stage_timeout_s: float
    """A stage that is not confirmed in this time stops the plan."""
    proposal_valid_s: float
    """A plan that no operator approves in this time is withdrawn."""
    moves_per_plan_max: int
    """Discrete steps in one plan, over all devices."""
    power_flows_max: int
    """Power flows in one search."""
    gain_threshold_w: float
    """A plan that cures nothing must save at least this [VV9]."""
    tap_cost_w: float
    """What one tap step must save, at least."""
    capacitor_cost_w: float
    """What one capacitor switching must save, at least."""
    reverse_power_w: float
    """A regulator with more than this flowing backwards moves only to cure [VV10]."""
    reactive_iterations_max: int
    """Linear programs in one search for inverter Q."""
    reactive_deadband_frac: float
    """Changes of Q smaller than this share of s_max are left out."""
    battery_p_headroom_frac: float
    """Share of s_max that a battery keeps for P above its present P, when no interface limit is announced."""
