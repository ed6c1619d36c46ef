"""Voltage meters that contradict the switch positions: no voltage where a path of closed branches leads to a source,
or a voltage where none does.

A wrong position, a blown fuse and a failed voltage transformer look like this. Such a reading is no measurement of the
network as believed: least squares would bend the whole picture towards it. It is a statement about the belief, and the
picture says so.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import IntArray, PointTable, Quality, TelemetrySnapshot
from adms.estimation.layout import Layout
from adms.estimation.policy import EstimationPolicy
from adms.estimation.voltage import LARGEST_V_PU, LEAST_V_PU, voltage_points
from adms.grid.arrays import BoolArray


@dataclass(frozen=True, kw_only=True, eq=False)
class VoltageWitnesses:
    """Every voltage point of the table and what the switches say of its node."""

    table_rows: IntArray
    """[points]"""
    nodes: IntArray
    """[points] node indices of the whole network."""
    live: BoolArray
    """[points]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradictions:
    """Of one scan."""

    table_rows: IntArray
    """[points]"""
    nodes: IntArray
    """[points] node indices of the whole network."""
    live: BoolArray
    """[points] True where the switches say live and the meter says dead."""


def voltage_witnesses(layout: Layout, table: PointTable) -> VoltageWitnesses:
    """The voltage points of a table on the network in one grid state."""
    rows, nodes = voltage_points(layout, table)
    return VoltageWitnesses(table_rows=rows, nodes=nodes, live=layout.energised[nodes])


def contradictions_of(
    snapshot: TelemetrySnapshot, *, layout: Layout, witnesses: VoltageWitnesses, policy: EstimationPolicy
) -> Contradictions:
    """Good and fresh voltage meters that contradict the switches. A meter needs no sigma to say "dead".

    Args:
        snapshot: the telemetry of one instant.
        layout: the live part of the network.
        witnesses: the voltage points of the snapshot's table.
        policy: says what is stale.
    """
    rows = witnesses.table_rows
    value = snapshot.value[rows]
    heard = (
        (snapshot.quality[rows] == Quality.GOOD)
        & (snapshot.age_s[rows] <= policy.telemetry_max_age_s)
        & np.isfinite(value)
    )
    size = np.abs(np.where(heard, value, 0.0)) / layout.arrays.v_base_v[witnesses.nodes]
    says_dead = size <= LEAST_V_PU
    says_live = ~says_dead & (size < LARGEST_V_PU)
    at = np.flatnonzero(heard & np.where(witnesses.live, says_dead, says_live))
    return Contradictions(table_rows=rows[at], nodes=witnesses.nodes[at], live=witnesses.live[at])
