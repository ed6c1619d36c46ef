"""Inverter Q: linear programs on the sensitivities, one after the other, each step accepted on an exact power flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy.sparse as sp

from adms.apps.interlock import why_not_commandable
from adms.apps.linear_program import LinearProgram, Optimum, minimise
from adms.apps.view import RoundView
from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.study import Score, Sensitivity, Study
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.grid.model import Der, DerKind
from adms.grid.state import GridState

VAR_PER_COLUMN = 1e3
"""Columns of the program are kvar and its costs kW: numbers near one."""
TRUST_START = 0.5
TRUST_MIN = 0.02
"""Share of each inverter's range that one program may move; halved where the power flow disagrees."""


@dataclass(frozen=True, kw_only=True)
class ReactiveControl:
    """A DER whose Q may be set."""

    der: ElementId
    q_limit_var: float
    """Largest injection and absorption beside the P that it may have."""
    deadband_var: float


def q_limit_var(view: RoundView, der: Der, *, picture: Picture, policy: VoltVarPolicy) -> float:
    """sqrt(S^2 - P^2) and q_max (DE1), with P the largest that the DER may have while the setpoint stands.

    PV: what is available, or its largest where that is not known. Batteries: the present P and a headroom; their
    largest as soon as an interface limit is announced, because limits go before Volt/VAR. Others: their largest.
    """
    present_w = abs(float(picture.estimate.s_injection_va[view.arrays.injector_rows[der.id]].real.sum()))
    largest_w = max(abs(der.p_max_w), abs(der.p_min_w))
    max_age_s = policy.interlock.telemetry_max_age_s
    measured_w = view.snapshot.good(PointKey(kind=PointKind.P_INJECTION, element=der.id), max_age_s=max_age_s)
    if measured_w is None:
        # The interlock takes the largest too (DE1): a smaller reserve would plan what it refuses.
        present_w = largest_w
    match der.kind:
        case DerKind.PV:
            key = PointKey(kind=PointKind.P_AVAILABLE, element=der.id)
            available_w = view.snapshot.good(key, max_age_s=max_age_s)
            reserved_w = largest_w if available_w is None else max(present_w, available_w)
        case DerKind.BATTERY:
            announced = any(limit.end is None or limit.end > view.now for limit in view.interface_limits)
            headroom_w = policy.battery_p_headroom_frac * der.s_max_va
            reserved_w = largest_w if announced else present_w + headroom_w
        case DerKind.EV | DerKind.GENERATOR:
            reserved_w = max(largest_w, present_w)
    room = der.s_max_va**2 - min(reserved_w, der.s_max_va) ** 2
    return min(der.q_max_var, sqrt(max(0.0, room)))


def reactive_controls(view: RoundView, *, picture: Picture, policy: VoltVarPolicy) -> tuple[ReactiveControl, ...]:
    """DER whose Q may be set this round, in order of their ids."""
    found = []
    for der in sorted(view.arrays.model.ders, key=lambda d: d.id):
        nodes = [view.arrays.node_idx[node] for pair in der.pairs for node in pair if node is not None]
        if der.q_max_var <= 0.0 or not picture.watched[nodes].all() or why_not_commandable(view, der.id) is not None:
            continue
        found.append(
            ReactiveControl(
                der=der.id,
                q_limit_var=q_limit_var(view, der, picture=picture, policy=policy),
                deadband_var=policy.reactive_deadband_frac * der.s_max_va,
            )
        )
    return tuple(found)


def best_reactive(
    study: Study,
    grid: GridState,
    controls: tuple[ReactiveControl, ...],
    *,
    start: Mapping[ElementId, float],
    picture: Picture,
    policy: VoltVarPolicy,
) -> tuple[Mapping[ElementId, float], Score] | None:
    """Q of every control that lowers the objective most, and its score; `start` where nothing is better.
    `start` must lie inside the limits.

    Returns None where the start itself has no power flow.
    """
    flow = study.flow(grid, q=start)
    if flow is None:
        return None
    score = study.score(flow)
    ders = tuple(control.der for control in controls)
    limit = np.array([control.q_limit_var for control in controls])
    q = np.array([start[der] for der in ders])
    trust = TRUST_START
    gradient: Sensitivity | None = None
    for _ in range(policy.reactive_iterations_max):
        if trust < TRUST_MIN or study.exhausted or not ders:
            break
        gradient = gradient or study.sensitivity(grid, flow, ders=ders)
        step = (
            None if gradient is None else _step(gradient, q=q, limit=limit, trust=trust, picture=picture, policy=policy)
        )
        if step is None:
            break
        trial = study.flow(grid, q={**start, **dict(zip(ders, q + step, strict=True))})
        if trial is not None and study.score(trial).objective_w < score.objective_w:
            q, flow, score, gradient = q + step, trial, study.score(trial), None
        else:
            trust /= 2.0
    small = np.abs(q - np.array([start[der] for der in ders])) < np.array([c.deadband_var for c in controls])
    kept = {**start, **{der: float(value) for der, value, skip in zip(ders, q, small, strict=True) if not skip}}
    final = study.evaluate(grid, q=kept)
    base = study.evaluate(grid, q=start)
    if final is None or base is None or final.objective_w >= base.objective_w:
        return None if base is None else (dict(start), base)
    return kept, final


def _step(
    gradient: Sensitivity,
    *,
    q: FloatArray,
    limit: FloatArray,
    trust: float,
    picture: Picture,
    policy: VoltVarPolicy,
) -> FloatArray | None:
    """One linear program: change of Q [inverter] in var, or None where HiGHS gives no optimum.

    min  dlosses/dq x + weight (above + below)   over x in the trust region and above, below >= 0
    s.t. v + dv/dq x - above <= v_high,  v + dv/dq x + below >= v_low   at every node that the region can bring there.
    """
    count = len(q)
    lower = np.maximum(-limit - q, -2.0 * trust * limit)
    upper = np.minimum(limit - q, 2.0 * trust * limit)
    reach = gradient.dv_dq * VAR_PER_COLUMN
    x_low, x_high = lower / VAR_PER_COLUMN, upper / VAR_PER_COLUMN
    rise = np.maximum(reach * x_low, reach * x_high).sum(axis=1)
    fall = np.minimum(reach * x_low, reach * x_high).sum(axis=1)
    high = np.flatnonzero(picture.watched & (gradient.v_pu + rise > picture.v_high_pu))
    low = np.flatnonzero(picture.watched & (gradient.v_pu + fall < picture.v_low_pu))
    above = np.hstack([reach[high], -np.eye(len(high)), np.zeros((len(high), len(low)))])
    below = np.hstack([reach[low], np.zeros((len(low), len(high))), np.eye(len(low))])
    slack = len(high) + len(low)
    free = np.full(slack, np.inf)
    weight = np.full(slack, policy.violation_weight_w_per_pu / 1e3)
    answer = minimise(
        LinearProgram(
            cost=np.concatenate([gradient.dlosses_dq * VAR_PER_COLUMN / 1e3, weight]),
            lower=np.concatenate([x_low, np.zeros(slack)]),
            upper=np.concatenate([x_high, free]),
            rows=sp.csr_matrix(np.vstack([above, below])),
            row_lower=np.concatenate([-free[: len(high)], (picture.v_low_pu - gradient.v_pu)[low]]),
            row_upper=np.concatenate([(picture.v_high_pu - gradient.v_pu)[high], free[: len(low)]]),
        )
    )
    if not isinstance(answer, Optimum):
        return None
    return np.asarray(answer.x[:count] * VAR_PER_COLUMN)
