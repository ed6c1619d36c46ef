"""What happened, scan by scan, and what the service said about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hil.engine import FloatArray
from hil.plant.circuit import Node
from hil.plant.events import PlantEvent
from hil.plant.plant import Plant


@dataclass(kw_only=True)
class Trace:
    """Truth over a run: one entry a scan."""

    nodes: tuple[Node, ...]
    time_s: list[float] = field(default_factory=list)
    v_pu: list[FloatArray] = field(default_factory=list)
    """Over `nodes`; 0 where dead."""
    import_w: list[float] = field(default_factory=list)
    losses_w: list[float] = field(default_factory=list)
    customers_off: list[int] = field(default_factory=list)
    in_fault: list[bool] = field(default_factory=list)
    """Protection was still working on the fault."""
    battery_w: list[float] = field(default_factory=list)
    unsolved: list[tuple[float, str]] = field(default_factory=list)
    """(time, why) of every step, between scans too, for which the plant found no solution: no truth there."""
    events: list[PlantEvent] = field(default_factory=list)

    def take(self, plant: Plant, *, in_fault: bool) -> None:
        """Add the plant's present state."""
        self.time_s.append(plant.time_s)
        self.v_pu.append(plant.v_pu)
        self.import_w.append(plant.import_w())
        self.losses_w.append(plant.circuit.engine.losses_w())
        self.customers_off.append(plant.customers_off())
        self.in_fault.append(in_fault)
        self.unsolved = list(plant.unsolved)
        self.battery_w.append(sum(unit.p_w for unit in plant.ders.values() if unit.soc_frac is not None))

    def live_range(self, row: int) -> tuple[float, float]:
        """Lowest and highest voltage of the live nodes at a scan."""
        live = self.v_pu[row][self.v_pu[row] > DEAD_PU]
        return (float(live.min()), float(live.max())) if live.size else (float("nan"), float("nan"))


DEAD_PU = 0.02
"""A node below this has no supply."""


@dataclass(frozen=True, kw_only=True)
class EstimateRow:
    """The service's picture of one round beside the truth at the same instant. Columns run over the trace's nodes;
    NaN where there is no estimate or the node is dead."""

    time_s: float
    grade: str
    v_pu: FloatArray
    sigma_pu: FloatArray
    truth_pu: FloatArray
    pseudo_pu: FloatArray
    """Of a power flow at the prior loads with true switches and taps."""


@dataclass(frozen=True, kw_only=True)
class EstimateScore:
    """Accuracy over a run."""

    rounds: int
    rms_error_pu: float
    predicted_pu: float
    """Root of the mean variance that the estimator states."""
    pseudo_rms_pu: float

    @property
    def ratio(self) -> float:
        """Error over what the estimator predicts; NaN without rounds."""
        return self.rms_error_pu / self.predicted_pu if self.predicted_pu else float("nan")

    @property
    def pseudo_ratio(self) -> float:
        """Error over that of the pseudo-load power flow."""
        return self.rms_error_pu / self.pseudo_rms_pu if self.pseudo_rms_pu else float("nan")


def score_estimates(rows: list[EstimateRow]) -> EstimateScore:
    """Pool every live node of every row."""
    error, variance, pseudo = [], [], []
    for row in rows:
        good = np.isfinite(row.v_pu) & np.isfinite(row.sigma_pu) & (row.truth_pu > DEAD_PU)
        error.append((row.v_pu - row.truth_pu)[good] ** 2)
        variance.append(row.sigma_pu[good] ** 2)
        pseudo.append((row.pseudo_pu - row.truth_pu)[good] ** 2)

    def root_mean(parts: list[FloatArray]) -> float:
        pooled = np.concatenate(parts) if parts else np.zeros(0)
        return float(np.sqrt(pooled.mean())) if pooled.size else float("nan")

    return EstimateScore(
        rounds=len(rows),
        rms_error_pu=root_mean(error),
        predicted_pu=root_mean(variance),
        pseudo_rms_pu=root_mean(pseudo),
    )


def voltage_ok_frac(trace: Trace, *, v_min_pu: float, v_max_pu: float) -> float:
    """Share of node-scans inside limits; dead nodes and the time of the fault are left out. NaN without any."""
    inside = total = 0
    for v_pu, in_fault in zip(trace.v_pu, trace.in_fault, strict=True):
        if in_fault:
            continue
        live = v_pu[v_pu > DEAD_PU]
        total += live.size
        inside += int(((live >= v_min_pu) & (live <= v_max_pu)).sum())
    return inside / total if total else float("nan")


def minute_means(trace: Trace, *, from_s: float, window_s: float = 60.0) -> list[tuple[float, float]]:
    """(end of window, mean import in W) of each whole window from a time on."""
    times, power = np.array(trace.time_s), np.array(trace.import_w)
    means = []
    start = from_s
    while times.size and start + window_s <= times[-1] + 1e-9:
        inside = (times > start + 1e-9) & (times <= start + window_s + 1e-9)
        means.append((start + window_s, float(power[inside].mean())))
        start += window_s
    return means


def customer_minutes(trace: Trace) -> float:
    """Customer minutes without supply."""
    times = np.array([0.0, *trace.time_s])
    return float((np.diff(times) * np.array(trace.customers_off)).sum() / 60.0)
