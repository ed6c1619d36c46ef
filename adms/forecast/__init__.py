"""Pseudo-measurements from forecasts: what loads and PV are expected to do at this minute, learned as the service
runs."""

from adms.forecast.class_profiles import BUILT_IN, ClassProfile, DailyShape, Swing
from adms.forecast.learning import learned
from adms.forecast.load_filter import ready
from adms.forecast.policy import ClassMotion, ForecastPolicy
from adms.forecast.predicted import predicted_prior
from adms.forecast.solar import SolarPolicy
from adms.forecast.state import ForecastState, cold_state

__all__ = [
    "BUILT_IN",
    "ClassMotion",
    "ClassProfile",
    "DailyShape",
    "ForecastPolicy",
    "ForecastState",
    "SolarPolicy",
    "Swing",
    "cold_state",
    "learned",
    "predicted_prior",
    "ready",
]
