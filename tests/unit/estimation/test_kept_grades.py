"""What a grade keeps from scan to scan: the same words as without, whatever switches, taps and drop-outs do."""

from dataclasses import replace

import numpy as np

from adms.core.estimate import Estimate
from adms.core.ids import ElementId
from adms.core.telemetry import Quality
from adms.estimation import EstimatorState, estimate, prior_from_model
from adms.grid.state import GridState, normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import POLICY, injection_keys, snapshot, true_values, usual_sigma, voltage_keys
from tests.unit.powerflow.networks import arrays_of, four_buses

SWITCH, TIE = ElementId("line.s23"), ElementId("line.t35")
ARRAYS = arrays_of(four_buses())
KEYS = (*voltage_keys(ARRAYS, ["1", "3"]), *injection_keys(["source.main"]))


def reason_of(
    grid: GridState, state: EstimatorState | None, *, silent_phase: int = 0
) -> tuple[EstimatorState | None, str]:
    """Of a scan of voltages at buses 1 and 3 and the power of one of the two sources."""
    flow = solve_power_flow(ARRAYS, grid, s_nominal_va=ARRAYS.injector_s_nominal_va)
    assert isinstance(flow, PowerFlow)
    value = true_values(ARRAYS, grid, flow=flow, keys=KEYS)
    taken = snapshot(ARRAYS, KEYS, value=value, sigma=usual_sigma(ARRAYS, KEYS, value))
    silent = np.array([key.phase == silent_phase and key.phase > 0 for key in KEYS])
    taken = replace(taken, quality=np.where(silent, int(Quality.INVALID), taken.quality))
    after, got = estimate(
        taken,
        arrays=ARRAYS,
        grid=grid,
        unknown=frozenset(),
        prior=prior_from_model(ARRAYS, POLICY),
        policy=POLICY,
        state=state,
    )
    assert isinstance(got, Estimate), got.reason
    return after, got.reason


def test_a_warm_picture_says_what_is_missing_with_the_switches_of_its_own_scan() -> None:
    """Bus 3 goes over to the source without meters, and most load with it; all meters stay in use. And back."""
    normal = normal_state(ARRAYS.model)
    over = normal.with_switch(SWITCH, closed=False).with_switch(TIE, closed=True)
    state: EstimatorState | None = None
    for grid, lacking in ((normal, False), (over, True), (normal, False), (over, True)):
        state, reason = reason_of(grid, state)
        assert ("no power or current measurement is in use" in reason) is lacking
        assert reason_of(grid, None)[1] == reason


def test_a_warm_picture_says_what_is_missing_with_the_meters_of_its_own_scan() -> None:
    """One phase falls silent and comes back."""
    normal = normal_state(ARRAYS.model)
    state: EstimatorState | None = None
    for phase in (0, 2, 0, 3):
        state, reason = reason_of(normal, state, silent_phase=phase)
        assert (f"no voltage measurement is in use on phase {phase}" in reason) is (phase > 0)
