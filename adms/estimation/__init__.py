"""Three-phase weighted-least-squares state estimation."""

from adms.estimation.estimator import EstimatorState, estimate
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior, SharedDeviations, nominal_loads, prior_from_model

__all__ = [
    "EstimationPolicy",
    "EstimatorState",
    "LoadPrior",
    "SharedDeviations",
    "estimate",
    "nominal_loads",
    "prior_from_model",
]
