"""The process of a class: its step is the matrix exponential, its spread stays that of a cold start."""

import numpy as np
import pytest
from scipy.linalg import expm

from adms.core.telemetry import FloatArray
from adms.forecast.class_motion import LEVEL, TREND, ClassProcess
from adms.forecast.policy import ClassMotion


def process_of(motion: ClassMotion, *, common: tuple[float, ...] = (0.15, 0.30)) -> ClassProcess:
    return ClassProcess(
        motion=motion,
        common_sigma_frac=np.array(common),
        own_level_sigma_frac=np.full((2, len(common)), 0.02),
        own_fast_sigma_frac=np.full((2, len(common)), 0.03),
        own_level_tau_s=30 * 86400.0,
        own_fast_tau_s=2700.0,
    )


@pytest.mark.parametrize("elapsed_s", [0.0, 60.0, 5400.0, 3e6])
@pytest.mark.parametrize("trend_tau_s", [7200.0, 28800.0])
def test_a_step_is_the_matrix_exponential(elapsed_s: float, trend_tau_s: float) -> None:
    # SciPy's expm of the drift of level and trend, in hours; with equal times it is a Jordan block.
    motion = ClassMotion(level_tau_s=28800.0, trend_tau_s=trend_tau_s)
    step = process_of(motion).transition(elapsed_s)
    drift = np.array([[-1.0 / 8.0, 1.0], [0.0, -3600.0 / trend_tau_s]])
    both = np.ix_([LEVEL, TREND], [LEVEL, TREND])
    assert step[both] == pytest.approx(expm(drift * elapsed_s / 3600.0), abs=1e-12)


def test_the_stationary_spread_solves_lyapunovs_equation_with_noise_that_is_a_covariance() -> None:
    process = process_of(ClassMotion())
    for elapsed_s in (1.0, 60.0, 3600.0, 86400.0, 1e7):
        for block in process.noise(process.transition(elapsed_s)):
            assert np.linalg.eigvalsh(block).min() > -1e-15


def test_the_deviation_of_a_cold_start_has_the_stated_spread_at_every_hour() -> None:
    # 0.15^2 common, 0.02^2 + 0.03^2 what the loads own in their mean; Q another 0.1^2.
    process = process_of(ClassMotion(reactive_sigma_frac=0.1))

    def spread(reading: FloatArray, each: int) -> FloatArray:
        return np.asarray(np.diag(reading @ process.stationary[each] @ reading.T))

    for hour in (0.0, 7.3, 18.0):
        assert spread(process.reading(hour), 0) == pytest.approx([0.0238, 0.0338], abs=1e-12)
        assert spread(process.reading(hour), 1) == pytest.approx([0.0913, 0.1013], abs=1e-12)
