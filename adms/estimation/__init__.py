"""Three-phase weighted-least-squares state estimation."""

from adms.estimation.estimator import EstimatorState, estimate
from adms.estimation.observability import Observed, telemetry_alone
from adms.estimation.policy import AgeingPolicy, EstimationPolicy, QuarantinePolicy
from adms.estimation.prior import (
    LoadPrior,
    SharedDeviations,
    nominal_loads,
    prior_from_model,
    shared_deviations,
)

__all__ = [
    "AgeingPolicy",
    "EstimationPolicy",
    "EstimatorState",
    "LoadPrior",
    "Observed",
    "QuarantinePolicy",
    "SharedDeviations",
    "estimate",
    "nominal_loads",
    "prior_from_model",
    "shared_deviations",
    "telemetry_alone",
]
