"""Policies, telemetry tables and snapshots for the estimator's tests."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from adms.core.estimate import Estimate
from adms.core.ids import BusId, ElementId, SnapshotId
from adms.core.telemetry import FloatArray, PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, LoadPrior, estimate
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import GridState
from adms.powerflow import PowerFlow

POLICY = EstimationPolicy(
    load_factor_mean=1.0,
    load_sigma_frac=0.4,
    load_sigma_floor_va=100.0,
    load_scale_sigma_frac=0.3,
    phase_scale_sigma_frac=0.1,
    pv_sigma_frac=0.4,
    der_unbalance_frac=0.02,
    source_v_sigma_pu=0.01,
    source_angle_sigma_rad=1e-3,
    telemetry_max_age_s=10.0,
    alarm_probability=0.002,
    max_rejections=5,
    chi2_confidence=0.95,
    chi2_partial_ratio=1.3,
    sigma_solved_max_pu=0.02,
    sigma_unobservable_pu=0.2,
)


def voltage_keys(arrays: NetworkArrays, buses: Iterable[str]) -> list[PointKey]:
    """A voltage point for every node of some buses."""
    wanted = set(buses)
    return [PointKey(kind=PointKind.V_MAGNITUDE, element=n.bus, phase=n.phase) for n in arrays.nodes if n.bus in wanted]


def flow_keys(arrays: NetworkArrays, branches: Iterable[str], *, side: int = 0) -> list[PointKey]:
    """P and Q of every conductor at one end of some branches."""
    ends = [(b, n) for b in branches for n in arrays.branches[arrays.branch_idx[ElementId(b)]].terminals[side]]
    kinds = (PointKind.P_FLOW, PointKind.Q_FLOW)
    return [PointKey(kind=kind, element=b, side=side, phase=n.phase) for b, n in ends for kind in kinds]


def injection_keys(elements: Iterable[str]) -> list[PointKey]:
    """P and Q in all of DER, loads or sources."""
    kinds = (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    return [PointKey(kind=kind, element=e) for e in elements for kind in kinds]


def true_values(arrays: NetworkArrays, grid: GridState, *, flow: PowerFlow, keys: Iterable[PointKey]) -> FloatArray:
    """What perfect meters would say of a power flow, SI. Written without the estimator's measurement models."""
    out = []
    v = flow.v_phasor_pu
    source = {s.id: i for i, s in enumerate(arrays.model.sources)}
    for key in keys:
        if key.kind is PointKind.V_MAGNITUDE:
            node = arrays.node_idx[NodeRef(BusId(key.element), key.phase)]
            out.append(abs(v[node]) * arrays.v_base_v[node])
        elif key.kind in (PointKind.P_INJECTION, PointKind.Q_INJECTION):
            element = ElementId(key.element)
            if element in source:
                s = flow.s_source_va[source[element]]
            else:
                s = flow.s_injection_va[arrays.injector_rows[element]].sum()
            out.append(s.real if key.kind is PointKind.P_INJECTION else s.imag)
        else:
            index = arrays.branch_idx[ElementId(key.element)]
            terminals = arrays.branches[index].terminals
            place = [(side, n.phase) for side, t in enumerate(terminals) for n in t].index((key.side, key.phase))
            if key.kind is PointKind.I_MAGNITUDE:
                out.append(abs(arrays.branch_current_a(index, grid, v)[place]))
            else:
                s = arrays.branch_power_va(index, grid, v)[place]
                out.append(s.real if key.kind is PointKind.P_FLOW else s.imag)
    return np.array(out, dtype=np.float64)


def usual_sigma(arrays: NetworkArrays, keys: Iterable[PointKey], value: FloatArray) -> FloatArray:
    """0.4 % of nominal for voltages, 1 % of the value and at least 1 kW for powers, 1 % and 1 A for currents."""
    sigma = []
    for key, x in zip(keys, value, strict=True):
        if key.kind is PointKind.V_MAGNITUDE:
            sigma.append(0.004 * arrays.v_base_v[arrays.node_idx[NodeRef(BusId(key.element), key.phase)]])
        else:
            sigma.append(max(0.01 * abs(x), 1.0 if key.kind is PointKind.I_MAGNITUDE else 1000.0))
    return np.array(sigma)


def snapshot(
    arrays: NetworkArrays, keys: Iterable[PointKey], *, value: FloatArray, sigma: FloatArray
) -> TelemetrySnapshot:
    """All points good and fresh."""
    table = PointTable(keys=tuple(keys))
    return TelemetrySnapshot(
        snapshot_id=SnapshotId("scan"),
        cut_time=datetime(2026, 1, 1, tzinfo=UTC),
        model_version=arrays.version,
        table=table,
        value=value.copy(),
        sigma=sigma.copy(),
        age_s=np.zeros(len(value)),
        quality=np.full(len(value), int(Quality.GOOD), dtype=np.int64),
    )


def scan(
    taken: TelemetrySnapshot,
    arrays: NetworkArrays,
    *,
    grid: GridState,
    prior: LoadPrior,
    policy: EstimationPolicy = POLICY,
    state: EstimatorState | None = None,
    unknown: frozenset[ElementId] = frozenset(),
) -> tuple[EstimatorState, Estimate]:
    """One scan that has to succeed."""
    after, got = estimate(taken, arrays=arrays, grid=grid, unknown=unknown, prior=prior, policy=policy, state=state)
    assert isinstance(got, Estimate), got.reason
    assert after is not None
    return after, got
