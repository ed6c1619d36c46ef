"""What a day's estimates are compared with: power flows on what is believed, and the information matrix."""

import numpy as np

from adms.core.estimate import ComplexArray, Estimate, Use
from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind, TelemetrySnapshot
from adms.estimation import LoadPrior
from adms.grid.state import GridState
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow
from tests.estimation_study.day_feeders import DayFeeder
from tests.estimation_study.referee import Referee

_INJECTIONS = (PointKind.P_INJECTION, PointKind.Q_INJECTION)


class Flows:
    """Power flows on what is believed."""

    def __init__(self, feeder: DayFeeder) -> None:
        """Of one feeder."""
        self._feeder = feeder
        self._head = [i for i, n in enumerate(feeder.arrays.nodes) if n.bus == feeder.head_bus]
        self._factor: Factor | None = None
        self._grid: GridState | None = None

    def _solved(self, s: ComplexArray, *, grid: GridState) -> FloatArray:
        if self._grid is not grid:
            made = factorise(self._feeder.arrays, grid)
            assert isinstance(made, Factor)
            self._factor, self._grid = made, grid
        flow = solve_power_flow(self._feeder.arrays, grid, s_nominal_va=s, factor=self._factor)
        assert isinstance(flow, PowerFlow)
        return flow.v_magnitude_pu

    def alone(self, prior: LoadPrior, *, grid: GridState) -> FloatArray:
        """[node] of the expected powers."""
        return self._solved(prior.s_nominal_va, grid=grid)

    def told(self, prior: LoadPrior, snap: TelemetrySnapshot, *, grid: GridState) -> FloatArray:
        """[node] with measured DER, and scaled phase by phase to the measured voltage of the head."""
        arrays, s = self._feeder.arrays, prior.s_nominal_va.copy()
        for der in arrays.model.ders:
            rows = arrays.injector_rows[der.id]
            p, q = (self._value(snap, PointKey(kind=kind, element=der.id)) for kind in _INJECTIONS)
            if np.isfinite(p) and np.isfinite(q):
                s[rows] = complex(p, q) / len(rows)
        v = self._solved(s, grid=grid)
        ratio = np.ones(len(v))
        phase = np.array([n.phase for n in arrays.nodes])
        for node in self._head:
            key = PointKey(kind=PointKind.V_MAGNITUDE, element=self._feeder.head_bus, phase=int(phase[node]))
            measured = self._value(snap, key) / arrays.v_base_v[node]
            if np.isfinite(measured):
                ratio[phase == phase[node]] = measured / v[node]
        return v * ratio

    @staticmethod
    def _value(snap: TelemetrySnapshot, key: PointKey) -> float:
        row = snap.table.row.get(key)
        return np.nan if row is None else float(snap.value[row])


def information_bound(
    feeder: DayFeeder,
    snap: TelemetrySnapshot,
    got: Estimate,
    *,
    prior: LoadPrior,
    grid: GridState,
    nodes: IntArray,
) -> float:
    """rms over the nodes of the information matrix's sigma, by the referee, for the points that were used."""
    seen = got.innovations
    keys = tuple(k for k, use in zip(seen.keys, seen.use, strict=True) if use is Use.USED)
    rows = [snap.table.row[k] for k in keys]
    referee = Referee(
        feeder.arrays,
        grid,
        keys=keys,
        sigma=snap.sigma[rows],
        prior=prior,
        source_v_sigma_pu=feeder.policy.source_v_sigma_pu,
        source_angle_sigma_rad=feeder.policy.source_angle_sigma_rad,
    )
    best = referee.solve(snap.value[rows], v_start_pu=got.v_phasor_pu, tolerance_pu=1e-9)
    return float(np.sqrt(np.mean(referee.sigma_v_pu(best.state, nodes=nodes) ** 2)))
