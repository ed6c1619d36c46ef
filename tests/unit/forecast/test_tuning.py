"""Process noise from data: a series of known motion, and SimBench's quarter hours (ODbL, read where pip put them)."""

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import simbench

from adms.core.errors import InputError
from adms.core.telemetry import FloatArray
from adms.forecast.class_motion import ClassProcess
from adms.forecast.class_profiles import UNKNOWN
from adms.forecast.load_filter import ClassRows, cold_filter, deviations, stepped
from adms.forecast.policy import ClassMotion
from adms.forecast.tuning import log_likelihood, series_innovations, tuned_motion
from tests.unit.forecast.test_class_motion import process_of
from tests.unit.forecast.test_load_filter import simulated

START_S = datetime(2016, 1, 1, tzinfo=UTC).timestamp()
STEP_S = 900.0


def simbench_series(name: str, *, days: int) -> FloatArray:
    """[quarter hour] of one load profile from 1 January 2016, over its own mean."""
    folder = Path(simbench.__file__).parent / "networks" / "1-complete_data-mixed-all-0-sw"
    with (folder / "LoadProfile.csv").open() as lines:
        column = next(lines).strip().split(";").index(f"{name}_pload")
        power = np.array([float(line.split(";")[column]) for line in itertools.islice(lines, days * 96)])
    return np.asarray(power / power.mean())


def test_the_likelihood_is_that_of_the_joint_normal() -> None:
    # Three values, one missing: against the density of the two others, with the covariance written out.
    process = process_of(ClassMotion(), common=(0.15,))
    innovation, variance = series_innovations(
        np.array([0.1, np.nan, -0.05]), process=process, step_s=STEP_S, first_hour=3.0, sigma=0.01
    )
    h0, h2 = process.reading(3.0)[0], process.reading(3.5)[0]
    between = h2 @ process.transition(2 * STEP_S) @ process.stationary[0] @ h0
    own = [h @ process.stationary[0] @ h + 1e-4 for h in (h0, h2)]
    joint = np.array([[own[0], between], [between, own[1]]])
    z = np.array([0.1, -0.05])
    stated = -0.5 * (z @ np.linalg.solve(joint, z) + math.log(np.linalg.det(2.0 * math.pi * joint)))
    assert log_likelihood(innovation, variance) == pytest.approx(stated, rel=1e-9)


def test_a_known_motion_is_found_again() -> None:
    # 40 days of hours from a process of 25 % and a level time of 8 h; the search starts a factor away from both.
    rng = np.random.default_rng(8)
    motion = ClassMotion(harmonics=1, fast_share=0.0, level_share=0.6, offset_share=0.2)
    true = replace(
        process_of(motion, common=(0.25,)),
        own_level_sigma_frac=np.zeros((2, 1)),
        own_fast_sigma_frac=np.full((2, 1), 0.05),
    )
    series = simulated(rng, true, steps=40 * 24, step_s=3600.0)
    start = replace(motion, level_tau_s=40 * 3600.0, level_share=0.3, offset_share=0.4)
    found = tuned_motion(series, step_s=3600.0, first_hour=0.0, sigma=0.005, start=start, max_iterations=120)
    nu, s = series_innovations(series, process=true, step_s=3600.0, first_hour=0.0, sigma=0.005)
    # At least as likely as the truth, but for two units; the level to what 120 correlation times tell of it.
    assert found.log_likelihood > log_likelihood(nu, s) - 2.0
    level = found.common_sigma_frac * math.sqrt(found.motion.level_share)
    assert level == pytest.approx(0.25 * math.sqrt(0.6), rel=0.35)
    assert 3.0 < found.motion.level_tau_s / 3600.0 < 20.0


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(InputError):
        tuned_motion(np.zeros(20), step_s=3600.0, first_hour=0.0, sigma=0.01, start=ClassMotion())


@pytest.mark.parametrize("name", ["mv_urban", "mv_rural"])
def test_on_simbench_the_filter_beats_the_class_profile_an_hour_and_a_day_ahead(name: str) -> None:
    # 42 days; learning on two of three days, the third forecast from the evening before. From the third week on.
    days = 42
    power = simbench_series(name, days=days)
    at = START_S + np.arange(days * 96) * STEP_S
    hours = np.asarray(at / 3600.0 % 24.0, dtype=np.float64)
    deviation = power / UNKNOWN.weekday.at(hours) - 1.0
    process = ClassProcess(
        motion=ClassMotion(),
        common_sigma_frac=np.array([0.30]),
        own_level_sigma_frac=np.full((2, 1), 0.03),
        own_fast_sigma_frac=np.full((2, 1), 0.03),
        own_level_tau_s=30 * 86400.0,
        own_fast_tau_s=2700.0,
    )
    state = cold_filter(process)
    hour_ahead, day_ahead, squares = [], [], []
    for k, y in enumerate(deviation):
        late = k >= 14 * 96
        if (k // 96) % 3 == 2:
            mean, covariance = deviations(state, process=process, time_s=float(at[k]), hour=float(hours[k]))
            if late:
                day_ahead.append((y - mean[0], y))
                squares.append((y - mean[0]) ** 2 / covariance[0, 0])
            continue
        if late and k % 4 == 0 and (k // 96) % 3 == 1 and k + 4 < len(at) and ((k + 4) // 96) % 3 == 1:
            mean, _ = deviations(state, process=process, time_s=float(at[k + 3]), hour=float(hours[k + 3]))
            hour_ahead.append((deviation[k + 3] - mean[0], deviation[k + 3]))
        rows = ClassRows(value=np.array([y]), weight=np.array([[1.0, 0.0]]), covariance=np.array([[1e-4]]))
        state = stepped(
            state,
            process=process,
            rows=rows,
            time_s=float(at[k]),
            hour=float(hours[k]),
            gate_sigma=5.0,
            refusals_max=10,
        ).state
    skill = [1.0 - np.mean(np.square(e), axis=0)[0] / np.mean(np.square(e), axis=0)[1] for e in (hour_ahead, day_ahead)]
    # Less than half of the profile's squared error an hour ahead, less than three quarters a day ahead.
    assert skill[0] > 0.5
    assert skill[1] > 0.25
    # And the stated spread of a day ahead is not too small.
    assert np.mean(squares) < 1.0
