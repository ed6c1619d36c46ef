"""Loads to expect: what is live as estimated now, what is dead as before the outage."""

from dataclasses import replace

import numpy as np

from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import FlisrState, LoadRecord
from adms.apps.view import RoundView
from adms.core.estimate import ComplexArray, Grade
from adms.estimation.prior import nominal_loads
from adms.grid.arrays import BoolArray
from adms.powerflow.factor import injector_is_live


def remember_loads(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> FlisrState:
    """Keeps the loads of a good round without an outage; the caller leaves it out while there is one."""
    picture = view.picture()
    if picture is None or picture.grade is Grade.FAILED or picture.model_version != view.arrays.version:
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


def expected_loads(view: RoundView, *, state: FlisrState) -> ComplexArray:
    """[injector] VA at nominal voltage, with DER of dead parts at zero (they have disconnected, SW15).

    Live loads as estimated now. Dead ones as before the outage; where that is not known (a restart), the model's load
    scaled as the live ones are. Without any estimate, the record; without that, the model's loads and no DER.
    """
    arrays = view.arrays
    live = injector_is_live(arrays, energised=arrays.energised(view.grid))
    picture = view.picture()
    usable = picture is not None and picture.grade is not Grade.FAILED and picture.model_version == arrays.version
    record = state.loads or state.newer_loads
    if usable and picture is not None:
        now = nominal_loads(picture, arrays)
        expected = now if record is None else np.where(live, now, record.s_nominal_va)
    else:
        expected = arrays.injector_s_nominal_va if record is None else record.s_nominal_va
    return np.asarray(np.where(arrays.injector_is_der & ~live, 0.0, expected))


def cold_load_factor(view: RoundView, *, state: FlisrState, policy: FlisrPolicy) -> float:
    """SW12: what load draws at pick-up over what it drew before. An outage of unknown length is a long one."""
    if state.outage_start is None:
        return policy.cold_load_factor
    long = (view.now - state.outage_start).total_seconds() >= policy.cold_load_after_s
    return policy.cold_load_factor if long else 1.0


def at_pick_up(view: RoundView, *, s_nominal_va: ComplexArray, picked_up: BoolArray, factor: float) -> ComplexArray:
    """Loads at the nodes that are picked up, times the cold-load factor; everything else as it is.

    Args:
        view: the round.
        s_nominal_va: [injector] expected loads.
        picked_up: [node].
        factor: cold-load factor.
    """
    arrays = view.arrays
    return np.where(picked_up[arrays.injector_fr] & ~arrays.injector_is_der, s_nominal_va * factor, s_nominal_va)
