"""What holds on any network with any meters: rubbish gives a picture or a reason, the past does not matter, and a meter
that is silent is a meter that is not there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.core.estimate import BoolArray, Estimate, NotEstimated, SigmaSource, Use
from adms.core.telemetry import FloatArray, Quality, TelemetrySnapshot
from adms.estimation import EstimatorState, estimate
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.referee import Referee
from tests.unit.estimation.random_networks import Metered, random_metered
from tests.unit.estimation.scans import POLICY, snapshot

SEEDS = st.integers(0, 2**32 - 1)
EXACT = replace(POLICY, tolerance_pu=1e-11, alarm_probability=0.0, load_scale_sigma_frac=0.15)
"""Nothing is rejected: what is compared is one problem."""
SAME_PU = 1e-8


def run(
    metered: Metered, taken: TelemetrySnapshot, *, state: EstimatorState | None, rejecting: bool = False
) -> tuple[EstimatorState | None, Estimate | NotEstimated]:
    """One scan."""
    return estimate(
        taken,
        arrays=metered.arrays,
        grid=metered.grid,
        unknown=frozenset(),
        prior=metered.prior,
        policy=POLICY if rejecting else EXACT,
        state=state,
    )


def noisy(metered: Metered, rng: np.random.Generator) -> FloatArray:
    """[point] readings with the meters' usual noise."""
    return metered.value + metered.sigma * rng.standard_normal(len(metered.value))


def ordinary(metered: Metered, rng: np.random.Generator) -> TelemetrySnapshot:
    """A scan of good and fresh points."""
    return snapshot(metered.arrays, metered.keys, value=noisy(metered, rng), sigma=metered.sigma)


def close(one: Estimate, other: Estimate) -> None:
    """The same picture."""
    np.testing.assert_allclose(one.v_phasor_pu, other.v_phasor_pu, rtol=0.0, atol=SAME_PU)
    np.testing.assert_allclose(one.s_injection_va, other.s_injection_va, rtol=0.0, atol=1.0)
    assert one.innovations.use == other.innovations.use


def spoiled(metered: Metered, rng: np.random.Generator) -> TelemetrySnapshot:
    """Values that no meter gives, and values that contradict each other, at weights from nothing to certainty; points
    that are missing, old, flagged, or there twice."""
    count = len(metered.keys)
    twice = rng.integers(0, max(count, 1), int(rng.integers(0, 4)) if count else 0)
    order = np.concatenate([np.arange(count), twice])
    value, sigma = noisy(metered, rng)[order], metered.sigma[order]
    rubbish = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, -1e12, 1e-300, 1e6])

    def some(share: float) -> BoolArray:
        return rng.random(len(order)) < share * rng.random()

    value = np.where(some(0.4), rng.choice(rubbish, len(order)), value)
    value = np.where(some(0.4), value * rng.uniform(-2.0, 3.0, len(order)), value)
    sigma = np.where(some(0.4), sigma * 10.0 ** rng.uniform(-9.0, 9.0, len(order)), sigma)
    sigma = np.where(some(0.2), rng.choice(rubbish, len(order)), sigma)
    keys = [metered.keys[i] for i in order]
    return replace(
        snapshot(metered.arrays, keys, value=value, sigma=sigma),
        age_s=np.where(some(0.3), rng.choice(rubbish, len(order)), 0.0),
        quality=np.where(some(0.5), rng.integers(1, 6, len(order)), int(Quality.GOOD)),
    )


@settings(max_examples=120, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_any_telemetry_gives_a_picture_or_a_reason(seed: int) -> None:
    """Scan after scan, the state of the one before passed on."""
    metered = random_metered(seed, most_buses=8)
    rng = np.random.default_rng([seed, 3])
    state: EstimatorState | None = None
    with np.errstate(over="ignore"):
        for turn in range(3):
            taken = spoiled(metered, rng) if turn != 1 else ordinary(metered, rng)
            before = state
            state, got = run(metered, taken, state=before, rejecting=True)
            if isinstance(got, NotEstimated):
                assert got.reason
                assert state is before
                continue
            assert state is not None
            known = np.isfinite(got.v_phasor_pu)
            assert (known | (got.sigma_source == SigmaSource.UNOBSERVABLE)).all()
            assert np.isfinite(got.sigma_v_pu[known]).all()
            assert np.isfinite(got.chi2)
            assert got.reason or (known.all() and got.grade.trusted)
            for use, why in zip(got.innovations.use, got.innovations.why, strict=True):
                assert (use is Use.USED) == (why == "")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_where_the_last_scan_ended_does_not_matter(seed: int) -> None:
    """A cold scan, and the same after others in any order."""
    metered = random_metered(seed, most_buses=8)
    rng = np.random.default_rng([seed, 4])
    scans = [ordinary(metered, rng) for _ in range(4)]
    _, cold = run(metered, scans[-1], state=None)
    if isinstance(cold, NotEstimated):  # currents of next to nothing, where Gauss-Newton goes to and fro
        return
    for order in ((0, 1, 2), (2, 0, 1)):
        state: EstimatorState | None = None
        for index in order:
            state, _ = run(metered, scans[index], state=state)
        _, warm = run(metered, scans[-1], state=state)
        assert isinstance(warm, Estimate)
        close(warm, cold)
        np.testing.assert_allclose(warm.sigma_v_pu, cold.sigma_v_pu, rtol=0.05, atol=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_a_meter_that_is_silent_is_a_meter_that_is_not_there(seed: int) -> None:
    """Silent after a scan in which it spoke, which corrects the factor; not there: a table without it, cold."""
    metered = random_metered(seed, most_buses=8)
    if len(metered.keys) < 2:
        return
    rng = np.random.default_rng([seed, 5])
    before, after = ordinary(metered, rng), ordinary(metered, rng)
    lost = np.zeros(len(metered.keys), dtype=np.bool_)
    lost[rng.permutation(len(lost))[: int(rng.integers(1, 4))]] = True
    state, _ = run(metered, before, state=None)
    quality = np.where(lost, int(Quality.MISSING), int(Quality.GOOD))
    _, silent = run(metered, replace(after, quality=quality), state=state)
    kept = tuple(key for key, gone in zip(metered.keys, lost, strict=True) if not gone)
    taken = snapshot(metered.arrays, kept, value=after.value[~lost], sigma=metered.sigma[~lost])
    _, without = run(metered, taken, state=None)
    assert isinstance(silent, Estimate) == isinstance(without, Estimate)
    if isinstance(silent, Estimate) and isinstance(without, Estimate):
        np.testing.assert_allclose(silent.v_phasor_pu, without.v_phasor_pu, rtol=0.0, atol=SAME_PU)
        known = np.isfinite(without.v_phasor_pu)
        np.testing.assert_allclose(silent.sigma_v_pu[known], without.sigma_v_pu[known], rtol=0.05, atol=1e-9)


def test_weights_that_move_give_what_a_new_factor_gives() -> None:
    apart = []
    for seed in range(60):
        metered = random_metered(seed, most_buses=8)
        rng = np.random.default_rng([seed, 6])
        state, _ = run(metered, ordinary(metered, rng), state=None)
        after = ordinary(metered, rng)
        heavier = np.where(rng.random(len(after.sigma)) < 0.3, 10.0 ** rng.uniform(-0.7, 1.0, len(after.sigma)), 1.0)
        after = replace(after, sigma=after.sigma * heavier)
        _, warm = run(metered, after, state=state)
        _, cold = run(metered, after, state=None)
        assert isinstance(warm, Estimate) == isinstance(cold, Estimate)
        if isinstance(warm, Estimate) and isinstance(cold, Estimate):
            apart.append(float(np.nanmax(np.abs(warm.v_phasor_pu - cold.v_phasor_pu))))
    assert len(apart) >= 59
    assert max(apart) < SAME_PU


def test_accurate_meters_beside_coarse_ones_give_what_full_gauss_newton_gives() -> None:
    """Sigmas from a thousandth of the usual to a hundred times: the referee is SciPy's sparse factor of the whole
    Newton step. Where it does not end in fifty steps there is nothing to compare with."""
    compared = 0
    for seed in range(120):
        metered = random_metered(seed, most_buses=8)
        rng = np.random.default_rng([seed, 7])
        sigma = metered.sigma * 10.0 ** rng.integers(-3, 3, len(metered.sigma))
        value = metered.value + sigma * rng.standard_normal(len(sigma))
        flow = solve_power_flow(metered.arrays, metered.grid, s_nominal_va=metered.prior.s_nominal_va)
        taken = snapshot(metered.arrays, metered.keys, value=value, sigma=sigma)
        state, got = run(metered, taken, state=None)
        if not isinstance(flow, PowerFlow) or (state is not None and not state.use.all()):
            continue
        referee = Referee(
            metered.arrays,
            metered.grid,
            keys=metered.keys,
            sigma=sigma,
            prior=metered.prior,
            source_v_sigma_pu=EXACT.source_v_sigma_pu,
            source_angle_sigma_rad=EXACT.source_angle_sigma_rad,
        )
        expected = referee.solve(value, v_start_pu=flow.v_phasor_pu)
        if expected.step_pu > 1e-10:
            continue
        assert isinstance(got, Estimate), seed
        assert np.nanmax(np.abs(got.v_phasor_pu - expected.v_phasor_pu)) < SAME_PU, seed
        assert got.chi2 == pytest.approx(expected.chi2, rel=1e-6, abs=1e-6), seed
        compared += 1
    assert compared > 45
