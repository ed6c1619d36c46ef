"""Voltage meters that contradict the switch positions: no voltage where a path of closed branches leads to a source,
or a voltage where none does.

A wrong position, a blown fuse and a failed voltage transformer look like this. Such a reading is no measurement of the
network as believed: least squares would bend the whole picture towards it. It is a statement about the belief, and the
picture says so.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import IntArray, Quality, TelemetrySnapshot
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.estimation.readings import LARGEST_V_PU, LEAST_V_PU
from adms.grid.arrays import BoolArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradictions:
    """Of one scan."""

    rows: IntArray
    """[points] rows of the estimator."""
    nodes: IntArray
    """[points] node indices."""
    live: BoolArray
    """[points] True where the switches say live and the meter says dead."""


def contradictions_of(snapshot: TelemetrySnapshot, *, problem: Problem, policy: EstimationPolicy) -> Contradictions:
    """Good and fresh voltage meters that contradict the switches. A meter needs no sigma to say "dead".

    Args:
        snapshot: the telemetry of one instant.
        problem: the network in one state.
        policy: says what is stale.
    """
    rows, nodes, points, base, live = problem.witnesses
    value = snapshot.value[points]
    heard = (
        (snapshot.quality[points] == Quality.GOOD)
        & (snapshot.age_s[points] <= policy.telemetry_max_age_s)
        & np.isfinite(value)
    )
    size = np.abs(np.where(heard, value, 0.0)) / base
    says_dead = size <= LEAST_V_PU
    says_live = ~says_dead & (size < LARGEST_V_PU)
    at = np.flatnonzero(heard & np.where(live, says_dead, says_live))
    return Contradictions(rows=rows[at], nodes=nodes[at], live=live[at])
