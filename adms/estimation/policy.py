"""What the estimator believes before it sees a measurement, and when it distrusts one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EstimationPolicy:
    """Everything statistical has to be named in the configuration; only limits of the arithmetic have defaults."""

    load_factor_mean: float
    """Expected load over the model's nominal load."""
    load_sigma_frac: float
    """Each load's own deviation, over its expected power."""
    load_sigma_floor_va: float
    """Smallest sigma of a load pair's active or reactive power."""
    load_scale_sigma_frac: float
    """Deviation common to all loads (time of day, weather): wide, so that meters decide it."""
    phase_scale_sigma_frac: float
    """Deviation common to all loads of one phase."""
    pv_sigma_frac: float
    """Deviation of a DER without telemetry, over its apparent power."""
    der_unbalance_frac: float
    """Deviation of one phase of a multi-phase DER from an equal share, over its apparent power."""
    source_v_sigma_pu: float
    """Of the open-circuit voltage of a source, each phase."""
    source_angle_sigma_rad: float
    """Of its angle. This is the angle reference; several live sources are tied by it."""
    telemetry_max_age_s: float
    """Older telemetry is not used."""
    alarm_probability: float
    """That any telemetered point of a scan without bad data is rejected (0..1): sets how large a normalised residual is
    too large, by how many there are."""
    max_rejections: int
    """In one scan; where one more would be needed the picture is INCONSISTENT."""
    chi2_confidence: float
    """Quantile (0..1) that chi-squared is compared with."""
    chi2_partial_ratio: float
    """The picture is INCONSISTENT where chi-squared, after the rejections, is above that quantile by this ratio."""
    sigma_solved_max_pu: float
    """The picture is PARTIAL where a live node's voltage is known less well."""
    sigma_unobservable_pu: float
    """A node known less well than this is unobservable: no voltage is given."""
    tolerance_pu: float = 1e-8
    """Largest voltage change of the last step."""
    max_iterations: int = 60
    """Of steps in one scan, over all rejections."""
