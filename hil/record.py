"""What happened, scan by scan, and what the service said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hil.engine import FloatArray
from hil.overlay import DerEntry
from hil.plant.circuit import Node
from hil.plant.der import DerUnit
from hil.plant.events import PlantEvent
from hil.plant.fleet import Unit
from hil.plant.inverter import InverterUnit
from hil.plant.plant import Plant


@dataclass(frozen=True, kw_only=True)
class DerScan:
    """All DER at one scan; the columns run over `Trace.ders`. Powers are injections into the network."""

    p_w: FloatArray
    q_var: FloatArray
    leased: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """A lease was in force while the plant went on to this scan."""
    p_lease_w: FloatArray
    """What the lease asks for; NaN without one, and where it says nothing of it. As is the next."""
    q_lease_var: FloatArray
    p_low_w: FloatArray
    """Lowest injection that the resource allows, as is the next the highest."""
    p_high_w: FloatArray
    away: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Off by its own protection, or on its way back: it answers to no lease."""


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
    pv_w: list[float] = field(default_factory=list)
    """Injected by all PV that is not off by its own protection, or on its way back."""
    pv_available_w: list[float] = field(default_factory=list)
    """What the same PV could inject."""
    ders: tuple[DerEntry, ...] = ()
    """Those of the plant, from the first scan on."""
    der: list[DerScan] = field(default_factory=list)
    first_positions: Mapping[str, int] = field(default_factory=dict)
    """Of switches (1 closed) and taps at the first scan; `events` say how they moved."""
    unsolved: list[tuple[float, str]] = field(default_factory=list)
    """(time, why) of every step, between scans too, for which the plant found no solution: no truth there."""
    events: list[PlantEvent] = field(default_factory=list)

    def take(self, plant: Plant, *, in_fault: bool) -> None:
        """Add the plant's present state. Leases are those that the units hold: what a scan brings moves the next."""
        units = tuple(plant.ders.values())
        if not self.time_s:
            self.ders = tuple(unit.entry for unit in units)
            self.first_positions = {**{name: int(closed) for name, closed in plant.closed.items()}, **plant.taps}
        self.time_s.append(plant.time_s)
        self.v_pu.append(plant.v_pu)
        self.import_w.append(plant.import_w())
        self.losses_w.append(plant.circuit.engine.losses_w())
        self.customers_off.append(plant.customers_off())
        self.in_fault.append(in_fault)
        self.unsolved = list(plant.unsolved)
        self.battery_w.append(sum(unit.p_w for unit in units if unit.soc_frac is not None))
        running = [unit for unit in units if unit.entry.kind == "pv" and not _away(unit)]
        self.pv_w.append(sum(unit.p_w for unit in running))
        self.pv_available_w.append(sum(unit.available_w for unit in running))
        self.der.append(_look(units))

    def live_range(self, row: int) -> tuple[float, float]:
        """Lowest and highest voltage of the live nodes at a scan."""
        live = self.v_pu[row][self.v_pu[row] > DEAD_PU]
        return (float(live.min()), float(live.max())) if live.size else (float("nan"), float("nan"))


def _look(units: tuple[Unit, ...]) -> DerScan:
    return DerScan(
        p_w=np.array([unit.p_w for unit in units]),
        q_var=np.array([unit.q_var for unit in units]),
        leased=np.array([unit.leased for unit in units], dtype=np.bool_),
        p_lease_w=np.array([_asked(unit, unit.p_target_w) for unit in units]),
        q_lease_var=np.array([_asked(unit, unit.q_target_var) for unit in units]),
        p_low_w=np.array([_lowest_w(unit) for unit in units]),
        p_high_w=np.array([unit.available_w for unit in units]),
        away=np.array([_away(unit) for unit in units], dtype=np.bool_),
    )


def _away(unit: Unit) -> bool:
    match unit:
        case DerUnit():
            return unit.share_frac < 1.0
        case InverterUnit():
            return unit.ride.share_frac < 1.0
        case _:
            return unit.tripped


def _asked(unit: Unit, target: float | None) -> float:
    return target if unit.leased and target is not None else np.nan


def _lowest_w(unit: Unit) -> float:
    """A store that is full draws nothing."""
    entry = unit.entry
    if isinstance(unit, InverterUnit) and unit.battery is not None:
        return unit.battery.limits_w(1.0, p_min_w=entry.p_min_w, p_max_w=entry.p_max_w)[0]
    full = isinstance(unit, DerUnit) and unit.soc_frac is not None and unit.soc_frac >= 1.0
    return min(max(entry.p_min_w, 0.0) if full else entry.p_min_w, unit.available_w)


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


def move_of(event: PlantEvent) -> tuple[int, int]:
    """Positions before and after a move of a regulator or capacitor (`+1 -> +2`, `0 -> 1 steps`). Raises ValueError for
    an event that is none."""
    before, after = (int(part.removesuffix(" steps")) for part in event.text.split(" -> "))
    return before, after


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


def spans_s(trace: Trace) -> FloatArray:
    """How long each scan stands for: the time since the one before."""
    return np.diff(np.array([0.0, *trace.time_s]))


def customer_minutes(trace: Trace) -> float:
    """Customer minutes without supply."""
    return float((spans_s(trace) * np.array(trace.customers_off)).sum() / 60.0)
