"""The yardstick for the estimate: a power flow at the prior loads, with true switches, taps and capacitors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hil.engine import FloatArray
from hil.plant.circuit import Circuit, Node


class PseudoFlow:
    """OpenDSS at the loads that the service is told to expect, on a circuit of its own. DER at their true power, as
    telemetry tells it."""

    def __init__(self, circuit: Circuit, *, mean_frac: float) -> None:
        self._circuit = circuit
        self._base = circuit.engine.node_bases()
        circuit.engine.set_loads(
            np.array([mean_frac * complex(load.p_w, load.q_var) for load in circuit.loads], dtype=np.complex128)
        )
        self._closed: dict[str, bool] = {}
        self._row = {node: i for i, node in enumerate(circuit.engine.node_names())}

    def rows(self, nodes: tuple[Node, ...]) -> npt.NDArray[np.int64]:
        """Where nodes of another circuit of the same feeder are among this one's."""
        return np.array([self._row[node] for node in nodes], dtype=np.int64)

    def solve(
        self,
        *,
        closed: Mapping[str, bool],
        taps: Mapping[str, int],
        capacitors: Mapping[str, int],
        der_va: Mapping[str, complex],
    ) -> FloatArray:
        """Voltage magnitudes over the circuit's nodes, per unit; NaN where OpenDSS found no solution."""
        engine = self._circuit.engine
        for switch, position in closed.items():
            if self._closed.get(switch) != position:
                engine.set_switch(self._circuit.element(switch), closed=position)
                self._closed[switch] = position
        for regulator, tap in taps.items():
            self._circuit.set_tap(regulator, position=tap)
        for capacitor, steps in capacitors.items():
            self._circuit.set_capacitor(capacitor, steps=steps)
        for der, power in der_va.items():
            engine.set_generator(der.split(".", 1)[1], s_injection_va=power)
        if not engine.solve():
            return np.full(len(self._base), np.nan)
        return np.asarray(np.abs(engine.voltages()) / self._base, dtype=np.float64)
