"""What the estimator believes before it sees a measurement, and when it distrusts one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AgeingPolicy:
    """How fast what is measured moves by itself: what a value is worth after a while (`adms.estimation.ageing`)."""

    load_tau_s: float
    """Correlation time of what comes and goes of a load's own deviation."""
    load_stays_share: float
    """Share of a load's own variance that stays: its customer's habits. What loads have in common stays, too: it moves
    over hours."""
    der_tau_s: float
    """Correlation time of a DER's deviation, all of it."""
    v_sigma_pu: float
    """What a voltage moves around its mean; of an angle, the same in rad."""
    v_tau_s: float
    """Correlation time of that."""
    skew_s: float
    """How far apart in time the meters of one scan may be read: added to every age."""
    average_interval_s: float
    """Over which P_AVERAGE, Q_AVERAGE and V_AVERAGE are means."""
    average_max_age_s: float
    """Means that ended longer ago are not used."""


@dataclass(frozen=True, kw_only=True)
class QuarantinePolicy:
    """When a meter is no longer asked, and when it is again (`adms.estimation.quarantine`)."""

    bad_scans: int
    """Rejected in so many scans one after the other, a point is quarantined."""
    fine_scans: int
    """In agreement with the estimate in so many scans one after the other, it is used again."""
    fine_sigmas: float
    """What agreement is: the largest difference, over its standard deviation."""


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
    """Older telemetry is not used; means over intervals have `AgeingPolicy.average_max_age_s`."""
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
    ageing: AgeingPolicy | None = None
    """None: every value counts as one of now, and means over intervals as instants."""
    quarantine: QuarantinePolicy | None = None
    """None: a point that was rejected is asked again in the next scan."""
    tolerance_pu: float = 1e-8
    """Largest voltage change of the last step."""
    max_iterations: int = 60
    """Of steps to one optimum; each rejection asks for another."""
