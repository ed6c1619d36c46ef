"""What a unit measures at its terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from hil.engine import ComplexArray, FloatArray
from hil.overlay import DerEntry
from hil.plant.circuit import Node
from hil.plant.ride_through import Terminal


@dataclass(frozen=True, kw_only=True)
class Terminals:
    """Voltages of a feeder at one instant, as its units see them. A unit with a dead node sees none."""

    v_v: ComplexArray
    """Of every node to ground."""
    base_v: FloatArray
    row: Mapping[Node, int]
    live: frozenset[Node]
    f_hz: float | None

    def to_ground(self, entry: DerEntry) -> Terminal:
        """Phase to ground, whatever the connection."""
        return self._seen(entry, between_phases=False)

    def of(self, entry: DerEntry) -> Terminal:
        """Phase to phase where the unit is connected so, else phase to ground."""
        return self._seen(entry, between_phases=entry.connection == "delta" and len(entry.phases) > 1)

    def _seen(self, entry: DerEntry, *, between_phases: bool) -> Terminal:
        nodes = [(entry.bus, phase) for phase in entry.phases]
        if not all(node in self.live for node in nodes):
            return Terminal(v_low_pu=0.0, v_high_pu=0.0, v_mean_pu=0.0, f_hz=self.f_hz)
        rows = [self.row[node] for node in nodes]
        if between_phases:
            v_pu = [float(abs(self.v_v[i] - self.v_v[j]) / (3**0.5 * self.base_v[i])) for i, j in combinations(rows, 2)]
        else:
            v_pu = [float(abs(self.v_v[i]) / self.base_v[i]) for i in rows]
        return Terminal(v_low_pu=min(v_pu), v_high_pu=max(v_pu), v_mean_pu=sum(v_pu) / len(v_pu), f_hz=self.f_hz)
