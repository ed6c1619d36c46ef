"""The estimator against full Gauss-Newton on every feeder, over draws of loads, sources and noise.

The referee (`tests.estimation_study.referee`) shares nothing with the estimator and is checked on its own in
`tests/unit/estimation/test_gauss_newton.py`. A few draws by default; `--estimation-draws 50` for all.
"""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import Use
from adms.core.telemetry import PointKey, PointKind
from adms.estimation import EstimatorState
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.floating import largest_difference
from tests.estimation_study.networks import DECKS
from tests.estimation_study.plans import Extent, with_sigmas
from tests.estimation_study.studies import Study, study

TOLERANCE_PU = {name: 1e-7 if name in ("123", "8500") else 1e-8 for name in DECKS}
LARGE = ("european_lv", "8500")
SMALL = tuple(name for name in DECKS if name not in LARGE)
SPARSE = Extent(voltage_frac=0.05)
FEW = 2
"""Up to here one draw of a large feeder is enough."""


def agrees(one: Study, *, draws: int, tolerance_pu: float) -> None:
    """Warm scans, one after the other, each against Gauss-Newton from the expected power flow."""
    one = replace(one, policy=replace(one.policy, alarm_probability=0.0))
    _, values = one.drawn(seed=11, count=draws)
    state: EstimatorState | None = None
    for draw in range(draws):
        state, got = one.scan(values[:, draw], state=state)
        assert [
            key for key, use in zip(got.innovations.keys, got.innovations.use, strict=True) if use is not Use.USED
        ] == []
        best = one.referee.solve(values[:, draw], v_start_pu=one.expected_v_pu)
        assert best.step_pu < 0.2 * tolerance_pu
        assert largest_difference(got.v_phasor_pu, best.v_phasor_pu, one.referee.sections) < tolerance_pu, draw
        assert abs(got.chi2 / best.chi2 - 1.0) < 1e-6, draw


@pytest.mark.parametrize("name", SMALL)
def test_estimates_are_those_of_full_gauss_newton(name: str, estimation_draws: int) -> None:
    agrees(study(name), draws=estimation_draws, tolerance_pu=TOLERANCE_PU[name])


@pytest.mark.parametrize("name", LARGE)
def test_estimates_of_large_feeders_are_those_of_full_gauss_newton(name: str, estimation_draws: int) -> None:
    one = study(name, extent=SPARSE)
    agrees(one, draws=estimation_draws if estimation_draws > FEW else 1, tolerance_pu=TOLERANCE_PU[name])


@pytest.mark.parametrize("name", ["13", "34"])
def test_so_they_are_where_the_parts_of_a_load_move_as_one_and_currents_are_metered(
    name: str, estimation_draws: int
) -> None:
    one = study(name, extent=Extent(flows=1, currents=2), moving_as_one=True)
    agrees(one, draws=estimation_draws, tolerance_pu=TOLERANCE_PU[name])


def every_kind(arrays: NetworkArrays) -> tuple[PointKey, ...]:
    """Each kind of point once or more, on the 13-bus feeder: at phases, between them and in all, at elements, at a bus
    with three loads' worth of current and at one without any."""
    powers = ((PointKind.P_FLOW, PointKind.Q_FLOW), (PointKind.P_INJECTION, PointKind.Q_INJECTION))
    places = [
        (powers[0], "line.650632", 0, 0),
        (powers[0], "line.632670", 0, 2),
        (powers[1], str(arrays.model.sources[0].id), 0, 0),
        (powers[1], str(arrays.model.sources[0].id), 0, 3),
        (powers[1], str(arrays.model.loads[0].id), 0, 0),
        (powers[1], "675", 0, 0),
        (powers[1], "675", 0, 3),
        (powers[1], "680", 0, 0),
        ((PointKind.I_MAGNITUDE, PointKind.I_ANGLE), "line.632670", 0, 1),
        ((PointKind.I_MAGNITUDE,), "line.650632", 0, 2),
        ((PointKind.V_MAGNITUDE,), "671", 0, 1),
        ((PointKind.V_MAGNITUDE,), "rg60", 0, 2),
        ((PointKind.V_LINE,), "671", 0, 12),
        ((PointKind.V_LINE,), "675", 0, 31),
        ((PointKind.V_ANGLE,), "675", 0, 1),
        ((PointKind.V_ANGLE, PointKind.V_MAGNITUDE), "634", 0, 3),
    ]
    return tuple(
        PointKey(kind=kind, element=element, side=side, phase=phase)
        for kinds, element, side, phase in places
        for kind in kinds
    )


def test_estimates_from_every_kind_of_point_are_those_of_full_gauss_newton(estimation_draws: int) -> None:
    one = study("13")
    keys = every_kind(one.arrays)
    plan = with_sigmas(one.arrays, one.grid, v_phasor_pu=one.expected_v_pu, keys=keys)
    agrees(one.with_plan(plan), draws=estimation_draws, tolerance_pu=TOLERANCE_PU["13"])


@pytest.mark.parametrize("name", list(DECKS))
def test_noise_free_telemetry_of_the_expected_state_returns_the_power_flow(name: str) -> None:
    """The power flow is that of `adms.powerflow`, to 1e-12; readings are the referee's measurement functions of it."""
    one = study(name, extent=SPARSE if name in LARGE else None)
    flow = solve_power_flow(one.arrays, one.grid, s_nominal_va=one.prior.s_nominal_va, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    emf = np.concatenate([source.emf_pu for source in one.arrays.sources])
    w = np.concatenate([flow.v_phasor_pu, emf])
    value = one.referee.meters.value(w, s_pu=flow.s_injection_va / S_BASE_VA)
    _, got = one.scan(value, state=None)
    assert largest_difference(got.v_phasor_pu, flow.v_phasor_pu, one.referee.sections) < 1e-8
    assert got.chi2 < 1e-6
    assert Use.REJECTED not in got.innovations.use
