"""What holds for any telemetry: order does not matter, and less is never more."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.core.estimate import Estimate
from adms.core.telemetry import Quality
from adms.estimation import LoadPrior, estimate
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import (
    POLICY,
    flow_keys,
    injection_keys,
    scan,
    snapshot,
    true_values,
    usual_sigma,
    voltage_keys,
)
from tests.unit.powerflow.networks import arrays_of, four_buses, peak_va

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
FLOW = solve_power_flow(ARRAYS, GRID, s_nominal_va=peak_va(ARRAYS), tolerance_pu=1e-12)
assert isinstance(FLOW, PowerFlow)
KEYS = (
    *voltage_keys(ARRAYS, ("1", "3", "4")),
    *flow_keys(ARRAYS, ("line.l12", "line.s23")),
    *injection_keys(("der.pv3", "source.main")),
)
VALUE = true_values(ARRAYS, GRID, flow=FLOW, keys=KEYS)
SIGMA = usual_sigma(ARRAYS, KEYS, VALUE)
_SIGMA_VA = 0.4 * np.abs(peak_va(ARRAYS))
PRIOR = LoadPrior(s_nominal_va=peak_va(ARRAYS), sigma_p_va=_SIGMA_VA, sigma_q_va=_SIGMA_VA)
COUNT = len(KEYS)

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=seeds)
def test_permuting_the_measurements_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = VALUE + SIGMA * rng.standard_normal(COUNT)
    order = rng.permutation(COUNT)
    _, plain = scan(snapshot(ARRAYS, KEYS, value=noisy, sigma=SIGMA), ARRAYS, grid=GRID, prior=PRIOR)
    taken = snapshot(ARRAYS, [KEYS[i] for i in order], value=noisy[order], sigma=SIGMA[order])
    _, mixed = scan(taken, ARRAYS, grid=GRID, prior=PRIOR)
    np.testing.assert_allclose(mixed.v_phasor_pu, plain.v_phasor_pu, atol=2e-8)
    np.testing.assert_allclose(mixed.sigma_v_pu, plain.sigma_v_pu, rtol=1e-4)
    np.testing.assert_allclose(mixed.innovations.normalized, plain.innovations.normalized[order], atol=1e-3)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=seeds)
def test_a_measurement_less_never_makes_a_voltage_better_known(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lost = rng.random(COUNT) < 0.5
    fewer = lost & (rng.random(COUNT) < 0.7)
    full = snapshot(ARRAYS, KEYS, value=VALUE, sigma=SIGMA)
    sigma = []
    for mask in (lost, fewer):
        quality = np.where(mask, int(Quality.MISSING), int(Quality.GOOD))
        _, got = scan(replace(full, quality=quality), ARRAYS, grid=GRID, prior=PRIOR)
        sigma.append(got.sigma_v_pu)
    assert (sigma[0] >= sigma[1] * (1.0 - 1e-6)).all()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=seeds)
def test_any_rubbish_gives_a_picture_or_a_reason_and_never_a_silent_nan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rubbish = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e12, 1e-12])
    value = np.where(rng.random(COUNT) < 0.3, rng.choice(rubbish, COUNT), VALUE)
    sigma = np.where(rng.random(COUNT) < 0.2, rng.choice(rubbish, COUNT), SIGMA)
    taken = replace(
        snapshot(ARRAYS, KEYS, value=value, sigma=sigma),
        age_s=np.where(rng.random(COUNT) < 0.2, rng.choice(rubbish, COUNT), 0.0),
        quality=rng.integers(1, 6, COUNT),
    )
    state, got = estimate(taken, arrays=ARRAYS, grid=GRID, unknown=frozenset(), prior=PRIOR, policy=POLICY, state=None)
    if isinstance(got, Estimate):
        known = np.isfinite(got.v_phasor_pu)
        assert (known | (got.sigma_source == 4)).all()
        assert np.isfinite(got.sigma_v_pu[known]).all()
        assert got.reason != "" or known.all()
        assert state is not None
    else:
        assert got.reason
        assert state is None
