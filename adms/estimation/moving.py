"""Which rows are aged how: found once for a model and a table of points."""

from dataclasses import dataclass, field

import numpy as np

from adms.core.telemetry import IntArray, PointKey, PointKind, PointTable
from adms.estimation.ageing import interval_covariance_ratio, interval_mean_ratio
from adms.estimation.kernel.ageing import AgeingRows
from adms.estimation.kinds.stack import RowStack
from adms.estimation.policy import AgeingPolicy
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.points import VOLTAGE_SIZES, VOLTAGES

AVERAGES = frozenset({PointKind.P_AVERAGE, PointKind.Q_AVERAGE, PointKind.V_AVERAGE})
_REACTIVE = frozenset({PointKind.Q_FLOW, PointKind.Q_INJECTION, PointKind.Q_AVERAGE})
_OTHER = {
    PointKind.P_FLOW: PointKind.Q_FLOW,
    PointKind.Q_FLOW: PointKind.P_FLOW,
    PointKind.P_INJECTION: PointKind.Q_INJECTION,
    PointKind.Q_INJECTION: PointKind.P_INJECTION,
    PointKind.P_AVERAGE: PointKind.Q_AVERAGE,
    PointKind.Q_AVERAGE: PointKind.P_AVERAGE,
    PointKind.I_ANGLE: PointKind.I_MAGNITUDE,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class MovingRows:
    """What does not change from scan to scan, of a table's rows on a network."""

    average: BoolArray
    """[M] means over intervals."""
    voltage: BoolArray
    """[M] sizes and angles."""
    voltage_size: BoolArray
    """[M]"""
    current_size: BoolArray
    """[M]"""
    angle: BoolArray
    """[M] of currents."""
    carried: BoolArray
    """[M] powers of loads and DER alone."""
    reactive: BoolArray
    """[M]"""
    partner: IntArray
    """[M] row of the other part of a power, of the size of an angle's current; its own where there is none."""
    owner: IntArray
    """[input] row."""
    of_der: BoolArray
    """[M] all inputs are of DER."""
    load: BoolArray
    """[injector]"""
    by_policy: dict[AgeingPolicy, AgeingRows] = field(default_factory=dict)
    """What a policy makes of them, kept."""

    def laws(self, how: AgeingPolicy) -> AgeingRows:
        """What does not depend on ages."""
        if how not in self.by_policy:
            interval = np.where(self.average, how.average_interval_s, 0.0)
            tau = np.where(self.voltage, how.v_tau_s, np.where(self.of_der, how.der_tau_s, how.load_tau_s))
            self.by_policy[how] = AgeingRows(
                voltage=self.voltage,
                angle=self.angle,
                carried=self.carried,
                reactive=self.reactive,
                partner=self.partner,
                interval=interval > 0.0,
                tau_s=tau,
                mean_ratio=interval_mean_ratio(interval, tau_s=tau),
                end_ratio=interval_covariance_ratio(interval, age_s=0.0, tau_s=tau),
            )
        return self.by_policy[how]


def moving_rows(rows: RowStack, *, arrays: NetworkArrays, table: PointTable) -> MovingRows:
    """Sorts the rows of a table."""
    keys = [table.keys[r] for r in rows.table_rows]
    place = {key: i for i, key in enumerate(keys)}

    def other(key: PointKey) -> int:
        kind = _OTHER.get(key.kind, key.kind)
        twin = PointKey(kind=kind, element=key.element, side=key.side, phase=key.phase)
        return place.get(twin, place[key])

    owner = np.repeat(np.arange(rows.count), np.diff(rows.input_first))
    has_terms = np.diff(rows.term_first) > 0
    has_inputs = np.diff(rows.input_first) > 0
    load = ~arrays.injector_is_der
    loads = np.bincount(owner, weights=load[rows.inputs], minlength=rows.count)
    return MovingRows(
        average=np.array([key.kind in AVERAGES for key in keys], dtype=np.bool_),
        voltage=np.array([key.kind in VOLTAGES for key in keys], dtype=np.bool_),
        voltage_size=np.array([key.kind in VOLTAGE_SIZES for key in keys], dtype=np.bool_),
        current_size=np.array([key.kind is PointKind.I_MAGNITUDE for key in keys], dtype=np.bool_),
        angle=np.array([key.kind is PointKind.I_ANGLE for key in keys], dtype=np.bool_),
        carried=has_inputs & ~has_terms,
        reactive=np.array([key.kind in _REACTIVE for key in keys], dtype=np.bool_),
        partner=np.array([other(key) for key in keys], dtype=np.int64),
        owner=owner.astype(np.int64),
        of_der=has_inputs & (loads == 0.0),
        load=load,
    )
