"""Powers without a prior of which the meters say a sum at most are not given: expected values by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind
from adms.estimation import prior_from_model
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.networks import arrays_of, grid_of
from tests.unit.estimation.scans import POLICY, scan, snapshot, true_values, usual_sigma, voltage_keys

ARRAYS = arrays_of("13")
GRID = grid_of("13")
LOADS = [load.id for load in ARRAYS.model.loads]
FREE = replace(
    prior_from_model(ARRAYS, POLICY),
    sigma_p_va=np.full(len(ARRAYS.injectors), np.inf),
    sigma_q_va=np.full(len(ARRAYS.injectors), np.inf),
)


def powers(metered: Sequence[str]) -> tuple[PowerFlow, ComplexArray]:
    """(the truth, [injector] estimated powers) with voltages everywhere and P and Q of some loads."""
    flow = solve_power_flow(ARRAYS, GRID, s_nominal_va=ARRAYS.injector_s_nominal_va, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    kinds = (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    keys = voltage_keys(ARRAYS, [bus.id for bus in ARRAYS.model.buses])
    keys += [PointKey(kind=kind, element=load) for load in metered for kind in kinds]
    value = true_values(ARRAYS, GRID, flow=flow, keys=keys)
    taken = snapshot(ARRAYS, keys, value=value, sigma=usual_sigma(ARRAYS, keys, value))
    _, got = scan(taken, ARRAYS, grid=GRID, prior=FREE)
    return flow, got.s_injection_va


def test_a_current_around_a_delta_is_seen_by_no_meter_of_its_sum_and_is_not_made_up() -> None:
    """It leaves the currents of the lines as they are, and the sum of the powers, since the voltages around a delta add
    up to zero. Loads with meters of their own are as metered."""
    flow, s = powers(LOADS)
    delta = ARRAYS.injector_rows[ElementId("load.671")]
    assert np.isnan(s[delta].real).all()
    assert np.isnan(s[delta].imag).all()
    others = np.setdiff1d(np.arange(len(s)), delta)
    np.testing.assert_allclose(s[others], flow.s_injection_va[others], rtol=1e-6, atol=10.0)


def test_a_load_without_a_meter_is_known_where_voltages_and_the_others_tell() -> None:
    """634 has one load a phase and a bank of its own: its bus is a node with one unknown."""
    flow, s = powers([load for load in LOADS if load != "load.634a"])
    row = ARRAYS.injector_rows[ElementId("load.634a")]
    np.testing.assert_allclose(s[row], flow.s_injection_va[row], rtol=1e-6, atol=10.0)
