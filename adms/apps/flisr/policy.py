"""What FLISR may do. Every field is configured: nothing that protects has a default."""

from dataclasses import dataclass

from adms.apps.interlock.policy import InterlockPolicy


@dataclass(frozen=True, kw_only=True)
class FlisrPolicy:
    """Limits of `decide`."""

    interlock: InterlockPolicy
    """The same limits that the gate enforces."""
    load_lag_s: float
    """Loads count as pre-fault when they were estimated at least this long before the outage was seen: a picture from
    the moment of the fault is not one of the load."""
    cold_load_factor: float
    """What load picked up after a long outage draws, over what it drew before [SW12]."""
    cold_load_after_s: float
    """An outage of this length, or of unknown length, is a long one."""
    step_timeout_s: float
    """A step that telemetry has not confirmed in this time stops the plan."""
    trial_block_s: float
    """A device that tripped after it was closed by command is not closed again for this long, and one that failed a
    step is not used again."""
    replan_interval_s: float
    """Between two searches when nothing but the load has changed."""
    extra_opens_max: int
    """Switches that may be opened beside the isolation, to shed a part or to share it between sources."""
    options_max: int
    """Switching options in one search."""
    power_flows_max: int
    """Power flows in one search."""
    load_reserve_frac: float
    """A plan is firm where its end also holds the normal voltage limits and what the sources give with this much more
    load in what it restores. Of plans that restore the same, a firm one comes first."""
    firm_options_max: int
    """Further accepted options in which a firm one is looked for."""
    cure_moves_max: int
    """Tap and capacitor steps with which Volt/VAR may be counted on to bring a restored part inside its normal
    voltage limits."""
    rejected_listed_max: int
    """Rejected alternatives that a plan lists."""
