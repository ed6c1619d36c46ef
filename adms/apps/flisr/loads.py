"""Loads to expect: what is live as estimated now, what is dead as before the outage."""

from dataclasses import replace

import numpy as np

from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import FlisrState, LoadRecord
from adms.apps.view import ExpectedState, RoundView
from adms.core.estimate import Estimate, Grade
from adms.estimation.prior import nominal_loads


def remember_loads(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> FlisrState:
    """Keeps the loads of a good round without an outage; the caller leaves it out while there is one."""
    picture = usable_picture(view)
    if picture is None:
        return state
    magnitude = np.abs(picture.v_phasor_pu)
    record = LoadRecord(
        time=view.now,
        s_nominal_va=nominal_loads(picture, view.arrays),
        v_magnitude_pu=np.where(magnitude > 0.0, magnitude, np.nan),
    )
    if state.newer_loads is None:
        return replace(state, newer_loads=record)
    if (view.now - state.newer_loads.time).total_seconds() < policy.load_lag_s:
        return state
    return replace(state, loads=state.newer_loads, newer_loads=record)


def expected_state(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> ExpectedState | None:
    """What planner and gate expect the network to carry; None without a usable estimate, for then nothing is restored.

    DER of dead parts count as zero (they have disconnected, SW15). Live injections as estimated now. Dead loads as
    before the outage; where that is not known (a restart), as the estimate has them: the model's load scaled as the
    live ones are.
    """
    arrays = view.arrays
    picture = usable_picture(view)
    if picture is None:
        return None
    live = arrays.injector_live(arrays.energised(view.grid))
    record = state.loads or state.newer_loads
    now = nominal_loads(picture, arrays)
    loads = now if record is None else np.where(live, now, record.s_nominal_va)
    return ExpectedState(
        s_nominal_va=np.asarray(np.where(arrays.injector_is_der & ~live, 0.0, loads)),
        cold_load_factor=cold_load_factor(view, state=state, policy=policy),
        v_before_pu=None if record is None else record.v_magnitude_pu,
    )


def usable_picture(view: RoundView) -> Estimate | None:
    """The estimate, where it says what the network carries."""
    picture = view.picture()
    if picture is None or picture.grade < Grade.PARTIAL or picture.model_version != view.arrays.version:
        return None
    return picture


def cold_load_factor(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> float:
    """SW12: what load draws at pick-up over what it drew before. An outage of unknown length is a long one."""
    if state.outage_start is None:
        return policy.cold_load_factor
    long = (view.now - state.outage_start).total_seconds() >= policy.cold_load_after_s
    return policy.cold_load_factor if long else 1.0
