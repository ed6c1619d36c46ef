"""Telemetry as a value: points, their quality, and the frozen snapshot of one instant."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from adms.core.ids import ElementId, ModelVersion, SnapshotId

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class PointKind(StrEnum):
    """What a point measures. The unit is part of the kind; signs as in `PointKey`."""

    V_MAGNITUDE = "v_magnitude_v"
    """Phase-to-ground voltage magnitude at a bus, V."""
    V_LINE = "v_line_v"
    """Phase-to-phase voltage magnitude at a bus, V; `phase` is 12, 23 or 31."""
    V_ANGLE = "v_angle_rad"
    """Angle of the phase-to-ground voltage at a bus, as a phasor measurement unit gives it, rad."""
    V_AVERAGE = "v_average_v"
    """Mean of V_MAGNITUDE over the interval of a meter, V."""
    P_FLOW = "p_flow_w"
    """Active power into a branch at `side`, W."""
    Q_FLOW = "q_flow_var"
    I_MAGNITUDE = "i_magnitude_a"
    """Magnitude of the current into a branch at `side`, A."""
    I_ANGLE = "i_angle_rad"
    """Its angle, as a phasor measurement unit gives it, rad."""
    P_INJECTION = "p_injection_w"
    """Active power injected into the network by a DER, load or source, or by all of them at a bus, W (a load that draws
    is negative)."""
    Q_INJECTION = "q_injection_var"
    P_AVERAGE = "p_average_w"
    """Mean of P_INJECTION over the interval of a meter (energy over time), W. Age is from its end."""
    Q_AVERAGE = "q_average_var"
    SWITCH_CLOSED = "switch_closed"
    """1 closed, 0 open."""
    TAP_POSITION = "tap_position"
    """Steps from neutral, signed."""
    CAPACITOR_STEPS = "capacitor_steps"
    """Steps switched in."""
    FAULT_INDICATOR = "fault_indicator"
    """1 when fault current passed since the last reset (latched), else 0."""
    LOCKOUT = "lockout"
    """1 while a protective device is locked out, else 0."""
    REMOTE = "remote"
    """1 when the device accepts remote commands, 0 in local."""
    SOC = "soc_frac"
    P_AVAILABLE = "p_available_w"
    """What a DER could inject now, W."""


WEIGHED_KINDS = frozenset(
    {
        PointKind.V_MAGNITUDE,
        PointKind.V_LINE,
        PointKind.V_ANGLE,
        PointKind.V_AVERAGE,
        PointKind.P_FLOW,
        PointKind.Q_FLOW,
        PointKind.I_MAGNITUDE,
        PointKind.I_ANGLE,
        PointKind.P_INJECTION,
        PointKind.Q_INJECTION,
        PointKind.P_AVERAGE,
        PointKind.Q_AVERAGE,
    }
)
"""Kinds that an estimator weighs, so that they need a sigma."""


class Quality(IntEnum):
    """How far a value can be trusted. Only GOOD is used for decisions; a value that never came is MISSING."""

    GOOD = 1
    SUSPECT = 2
    STALE = 3
    INVALID = 4
    MISSING = 5


@dataclass(frozen=True, kw_only=True, order=True)
class PointKey:
    """Which quantity of which element. Branch flows are positive into the branch at the named side; node and
    device powers are injections, positive into the network."""

    kind: PointKind
    element: str
    """Bus id for voltages, element id otherwise."""
    side: int = 0
    """Terminal of a branch: 0 is `fr`, 1 is `to`."""
    phase: int = 0
    """1, 2, 3; 12, 23, 31 between two of them; 0 where the point belongs to no one phase (positions, totals)."""


@dataclass(frozen=True, kw_only=True)
class PointTable:
    """The points known to the service, in a fixed order."""

    keys: tuple[PointKey, ...]

    @cached_property
    def row(self) -> dict[PointKey, int]:
        """Row of each point."""
        return {key: i for i, key in enumerate(self.keys)}

    def rows_of(self, kind: PointKind) -> tuple[int, ...]:
        """Rows of every point of one kind, in order."""
        return tuple(i for i, key in enumerate(self.keys) if key.kind is kind)


@dataclass(frozen=True, kw_only=True)
class ProtectionEvent:
    """A protection record reported by a field device, kept for the decisions of later rounds."""

    element: ElementId
    time: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class TelemetrySnapshot:
    """Everything known at one instant. Columns run over `table.keys`."""

    snapshot_id: SnapshotId
    cut_time: datetime
    model_version: ModelVersion
    table: PointTable
    value: FloatArray
    """SI value; NaN where missing. Never zero for "not known"."""
    sigma: FloatArray
    """Standard deviation of the meter, same unit; NaN where not applicable."""
    age_s: FloatArray
    """Seconds since the value was measured; inf where missing."""
    quality: IntArray
    """`Quality` as integers."""
    events: tuple[ProtectionEvent, ...] = field(default=())

    def good(self, key: PointKey, *, max_age_s: float) -> float | None:
        """Value of a point if it is GOOD and no older than `max_age_s`, else None."""
        row = self.table.row.get(key)
        if row is None or self.quality[row] != Quality.GOOD or not self.age_s[row] <= max_age_s:
            return None
        value = float(self.value[row])
        return value if np.isfinite(value) else None
