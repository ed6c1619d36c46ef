"""One estimation problem for us and for another program: which meters there are, what they say from scan to scan, and
our side of it as the narrow call that is timed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from adms.core.estimate import ComplexArray, Estimate
from adms.core.ids import ElementId, SnapshotId
from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, LoadPrior, estimate
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import PowerFlow, solve_power_flow

V_SIGMA_PU = 0.004
SOURCE_SIGMA_FRAC = 0.01
PSEUDO_SIGMA_FRAC = 0.35
"""Of each load's apparent power, for P and for Q."""
SMALLEST_SIGMA_VA = 100.0
METERED_FRAC = 0.05
"""Of the buses that have a voltage meter."""
NEAR_PU = 1e-3
"""A quarter of a voltage meter's sigma: a method of a peer that stops further from the optimum has not converged."""

NOTHING_SHARED_POLICY = EstimationPolicy(
    load_factor_mean=1.0,
    load_sigma_frac=PSEUDO_SIGMA_FRAC,
    load_sigma_floor_va=SMALLEST_SIGMA_VA,
    load_scale_sigma_frac=1e-6,  # nothing that loads share: no peer can have it
    phase_scale_sigma_frac=1e-6,
    pv_sigma_frac=1e-6,
    der_unbalance_frac=1e-6,
    source_v_sigma_pu=100.0,
    source_angle_sigma_rad=1e-6,
    telemetry_max_age_s=10.0,
    alarm_probability=0.0,  # peers reject nothing
    max_rejections=0,
    chi2_confidence=0.95,
    chi2_partial_ratio=1.3,
    sigma_solved_max_pu=0.02,
    sigma_unobservable_pu=1.0,
)
"""A source of any magnitude whose angle is the reference."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Metering:
    """The meters of a problem."""

    arrays: NetworkArrays
    grid: GridState
    v_node: IntArray
    """[meter] node of each voltage meter."""
    v_sigma_pu: FloatArray
    """[meter]"""
    keys: tuple[PointKey, ...]
    """The voltage meters, then P and then Q of the sources (of each phase where there are three)."""
    sigma: FloatArray
    """[key] SI."""
    pseudo_sigma_va: FloatArray
    """[injector] of P and of Q."""
    source_sigma_va: FloatArray
    """[source, phase] of P and of Q."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanValues:
    """What is redrawn from scan to scan."""

    v_pu: FloatArray
    """[voltage meter]"""
    source_va: ComplexArray
    """[source, phase] power delivered; one phase where the network is balanced."""
    pseudo_va: ComplexArray
    """[injector] injected."""
    telemetry: FloatArray
    """[key] the same as points, SI."""
    truth_pu: ComplexArray
    """[node] what the meters looked at."""


def metering(arrays: NetworkArrays, grid: GridState, *, v_nodes: IntArray, source_phases: int = 1) -> Metering:
    """Voltage meters at some nodes, P and Q at every source, pseudo-measurements at every load and DER.

    Args:
        arrays: the network.
        grid: its state.
        v_nodes: which nodes have a voltage meter.
        source_phases: 1 of a balanced network, 3 where each phase of a source is metered.
    """
    keys = [
        PointKey(kind=PointKind.V_MAGNITUDE, element=arrays.nodes[i].bus, phase=arrays.nodes[i].phase)
        for i in v_nodes.tolist()
    ]
    total = abs(arrays.injector_s_nominal_va.sum())
    source_sigma = np.full((len(arrays.sources), source_phases), SOURCE_SIGMA_FRAC * total / source_phases)
    phases = (1, 2, 3) if source_phases == 3 else (0,)
    for kind in (PointKind.P_INJECTION, PointKind.Q_INJECTION):
        keys += [PointKey(kind=kind, element=s.id, phase=phase) for s in arrays.model.sources for phase in phases]
    v_sigma = np.full(len(v_nodes), V_SIGMA_PU)
    return Metering(
        arrays=arrays,
        grid=grid,
        v_node=v_nodes,
        v_sigma_pu=v_sigma,
        keys=tuple(keys),
        sigma=np.concatenate([v_sigma * arrays.v_base_v[v_nodes], source_sigma.ravel(), source_sigma.ravel()]),
        pseudo_sigma_va=np.maximum(PSEUDO_SIGMA_FRAC * np.abs(arrays.injector_s_nominal_va), SMALLEST_SIGMA_VA),
        source_sigma_va=source_sigma,
    )


def some_buses(arrays: NetworkArrays, grid: GridState, *, frac: float, seed: int) -> IntArray:
    """Nodes of a part of the live buses, and of those with a source: at least three buses."""
    live = arrays.energised(grid)
    buses = sorted({node.bus for node, fed in zip(arrays.nodes, live, strict=True) if fed})
    count = max(3, round(frac * len(buses)))
    chosen = set(np.random.default_rng(seed).choice(buses, size=count, replace=False).tolist())
    chosen |= {node.bus for source in arrays.model.sources for node in source.nodes}
    return np.array([i for i, node in enumerate(arrays.nodes) if node.bus in chosen], dtype=np.int64)


def draws(meters: Metering, *, count: int, seed: int) -> list[ScanValues]:
    """Scans of a load that wanders: true powers with 20 % common and 15 % own deviation, each solved, metered with the
    meters' noise, and pseudo-measurements that are redrawn around the model's powers with 5 %."""
    arrays, rng = meters.arrays, np.random.default_rng(seed)
    s = arrays.injector_s_nominal_va
    found = []
    for _ in range(count):
        truth_s = s * rng.uniform(0.8, 1.1) * (1.0 + 0.15 * rng.standard_normal(len(s)))
        flow = solve_power_flow(arrays, meters.grid, s_nominal_va=truth_s, tolerance_pu=1e-9)
        assert isinstance(flow, PowerFlow), flow
        v = np.abs(flow.v_phasor_pu[meters.v_node]) + meters.v_sigma_pu * rng.standard_normal(len(meters.v_node))
        delivered = _delivered_va(meters, flow)
        noise = rng.standard_normal(delivered.shape) + 1j * rng.standard_normal(delivered.shape)
        delivered = delivered + meters.source_sigma_va * noise
        found.append(
            ScanValues(
                v_pu=v,
                source_va=delivered,
                pseudo_va=s * (1.0 + 0.05 * rng.standard_normal(len(s))),
                telemetry=np.concatenate(
                    [v * arrays.v_base_v[meters.v_node], delivered.real.ravel(), delivered.imag.ravel()]
                ),
                truth_pu=flow.v_phasor_pu,
            )
        )
    return found


def _delivered_va(meters: Metering, flow: PowerFlow) -> ComplexArray:
    """[source, phase] into the network, by each phase's own voltage and current."""
    arrays = meters.arrays
    if meters.source_sigma_va.shape[1] == 1:
        return np.asarray(flow.s_source_va)[:, None]
    rows = []
    for source in arrays.sources:
        v = flow.v_phasor_pu[source.nodes]
        rows.append(v * np.conj(source.y_pu @ (source.emf_pu - v)) * 1e6)
    return np.array(rows)


class OurScans:
    """Our estimator with one metering: `scan_once` is what is timed."""

    def __init__(self, meters: Metering, *, policy: EstimationPolicy) -> None:
        arrays = meters.arrays
        count = len(meters.keys)
        self._arrays, self._grid, self._policy = arrays, meters.grid, policy
        self._snapshot = TelemetrySnapshot(
            snapshot_id=SnapshotId("scan"),
            cut_time=datetime(2026, 1, 1, tzinfo=UTC),
            model_version=arrays.version,
            table=PointTable(keys=meters.keys),
            value=np.full(count, np.nan),
            sigma=meters.sigma,
            age_s=np.zeros(count),
            quality=np.full(count, int(Quality.GOOD), dtype=np.int64),
        )
        sigma = meters.pseudo_sigma_va
        self._prior = LoadPrior(s_nominal_va=arrays.injector_s_nominal_va, sigma_p_va=sigma, sigma_q_va=sigma)
        self._unknown: frozenset[ElementId] = frozenset()

    def scan_once(self, state: EstimatorState | None, values: ScanValues) -> tuple[EstimatorState | None, Estimate]:
        """One scan with everything redrawn: telemetry and pseudo-measurements."""
        state, got = estimate(
            replace(self._snapshot, value=values.telemetry),
            arrays=self._arrays,
            grid=self._grid,
            unknown=self._unknown,
            prior=replace(self._prior, s_nominal_va=values.pseudo_va),
            policy=self._policy,
            state=state,
        )
        assert isinstance(got, Estimate), got.reason
        return state, got


class EstimationPeer(Protocol):
    """What the comparisons ask of another program's model."""

    method: str

    def scan_once(self, update: dict[str, npt.NDArray[Any]], *, method: str = "") -> npt.NDArray[Any]:
        """One update and one estimation."""

    def difference_pu(self, node: npt.NDArray[Any], v_phasor_pu: ComplexArray) -> float:
        """Largest difference of phasors."""


def choose_method(
    peer: EstimationPeer,
    times_ms: dict[str, float],
    *,
    update: dict[str, npt.NDArray[Any]],
    optimum_pu: ComplexArray,
) -> None:
    """Takes the fastest method that ends near the optimum. One that shrinks its steps slowly can stop by its own
    tolerance while it is far away; where none comes near, the fastest is taken all the same."""
    off = {name: peer.difference_pu(peer.scan_once(update, method=name), optimum_pu) for name in times_ms}
    for name, ms in times_ms.items():
        print(f"  power-grid-model, {name}: {ms:.3f} ms, {off[name]:.1e} pu from the optimum")
    near = [name for name in times_ms if off[name] < NEAR_PU] or list(times_ms)
    peer.method = min(near, key=lambda name: times_ms[name])
