"""What customers draw is what the service is told to expect (`adms/service/reference.toml` and the feeder's priors)."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

from hil.engine import ComplexArray, LoadRecord
from hil.plant.customers import Customers, LoadStatistics
from tests.unit.hil.bench_case import scenario

LOAD = LoadRecord(name="load.a", bus="a", phases=(1,), p_w=40e3, q_var=20e3)
DRAWS = 4000


def draws(statistics: LoadStatistics) -> ComplexArray:
    """The same load many times over, at one instant."""
    return Customers([LOAD] * DRAWS, statistics=statistics, seed=7).demand_va(0.0)


def test_p_and_q_deviate_by_the_stated_share_of_apparent_power() -> None:
    statistics = replace(scenario().loads, common_sigma_frac=0.0, ramp=((0.0, 1.0),))
    found = draws(statistics)
    # The estimator's prior: mean_frac times the deck's power, sigma_frac of its |S| for P and for Q.
    sigma_va = statistics.sigma_frac * statistics.mean_frac * abs(complex(LOAD.p_w, LOAD.q_var))
    # A sample sigma of 4000 draws is within 4/sqrt(8000) = 4.5 %; P is cut at its floor, which takes 1 % off.
    assert np.isclose(np.std(found.real), sigma_va, rtol=0.055)
    assert np.isclose(np.std(found.imag), sigma_va, rtol=0.045)
    assert abs(np.corrcoef(found.real, found.imag)[0, 1]) < 4 / DRAWS**0.5
    mean_va = statistics.mean_frac * complex(LOAD.p_w, LOAD.q_var)
    assert abs(np.mean(found.imag) - mean_va.imag) < 4 * sigma_va / DRAWS**0.5
    # The floor lifts the mean of P by some 0.3 % of sigma.
    assert abs(np.mean(found.real) - mean_va.real) < 5 * sigma_va / DRAWS**0.5
    assert found.real.min() >= statistics.floor_frac * LOAD.p_w


def test_the_ramp_and_the_common_swing_leave_each_loads_own_deviation_as_stated() -> None:
    low, high = (
        draws(replace(scenario().loads, common_sigma_frac=0.0, ramp=((0.0, factor),))) for factor in (0.9, 1.1)
    )
    assert np.isclose(np.std(low.imag), np.std(high.imag), rtol=1e-9)
    assert np.isclose(np.mean(high.imag) - np.mean(low.imag), 0.2 * scenario().loads.mean_frac * LOAD.q_var, rtol=1e-9)


def test_the_storys_common_swing_is_within_what_the_service_is_told(project_root: Path) -> None:
    told = tomllib.loads((project_root / "adms" / "service" / "reference.toml").read_text())["estimation"]
    loads = scenario().loads
    ramp = max(abs(factor - 1.0) for _, factor in loads.ramp)
    # The swing is cut at two sigma. One sigma of the service's covers all of it.
    assert ramp + 2 * loads.common_sigma_frac * (1.0 + ramp) < told["load_scale_sigma_frac"]
