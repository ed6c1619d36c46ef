"""Which local controls a feeder has, and what they read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hil.engine import CapacitorControl, ComplexArray
from hil.plant.circuit import Circuit, Node
from hil.plant.local import LocalCapacitor, LocalRegulator

DISCHARGE_S = 300.0
"""Of a capacitor that the overlay controls, before it closes again (VV5)."""


class LocalControls:
    """The regulators of the overlay's tap changers, with their overlay's delay, and its capacitors: by the overlay's
    voltage control, else by the deck's CapControl, else by nothing."""

    def __init__(self, circuit: Circuit, *, rows: Mapping[Node, int]) -> None:
        """`rows`: where a node stands in the engine's voltages."""
        self._circuit = circuit
        self._rows = rows
        overlay = circuit.overlay
        self.regulators = {
            entry.id: LocalRegulator(control=circuit.regulators[entry.id], delay_s=entry.delay_s)
            for entry in overlay.tap_changers
        }
        asked = {entry.id for entry in overlay.capacitors if entry.v_on_pu is None or entry.v_off_pu is None}
        deck = {control.capacitor: control for control in circuit.engine.capacitor_controls(asked)}
        self.capacitors: dict[str, LocalCapacitor] = {}
        for entry in overlay.capacitors:
            if entry.v_on_pu is not None and entry.v_off_pu is not None:
                base_v = circuit.engine.base_v(circuit.engine.element(entry.id).terminals[0][0])
                control = CapacitorControl(
                    capacitor=entry.id,
                    kind="voltage",
                    element=entry.id,
                    side=0,
                    on=entry.v_on_pu * base_v,
                    off=entry.v_off_pu * base_v,
                    pt_ratio=1.0,
                    ct_ratio=1.0,
                    delay_on_s=entry.delay_s,
                    delay_off_s=entry.delay_s,
                    dead_time_s=DISCHARGE_S,
                    v_min_v=None,
                    v_max_v=None,
                )
                self.capacitors[entry.id] = LocalCapacitor(control=control)
            elif entry.id in deck:
                self.capacitors[entry.id] = LocalCapacitor(control=deck[entry.id])

    def reset(self, device: str) -> None:
        """Start a device's delay again: somebody supervises it."""
        if device in self.regulators:
            self.regulators[device].reset()
        elif device in self.capacitors:
            self.capacitors[device].reset()

    def opened(self, capacitor: str, *, now: float) -> None:
        """Steps of a capacitor have just been taken out, by whomever."""
        if capacitor in self.capacitors:
            self.capacitors[capacitor].opened_at = now

    def tap_wanted(self, regulator: str, *, v_phasor_v: ComplexArray) -> int:
        """Taps a regulator wants without any delay, signed. `v_phasor_v`: the engine's voltages."""
        return self.regulators[regulator].wanted(**self._winding(regulator, v_phasor_v))

    def tap_step(self, regulator: str, *, dt_s: float, v_phasor_v: ComplexArray) -> int:
        """Tap to move now (-1, 0, 1)."""
        return self.regulators[regulator].step(dt_s, **self._winding(regulator, v_phasor_v))

    def capacitor_step(self, capacitor: str, *, now: float, v_phasor_v: ComplexArray, steps: int) -> int:
        """Steps to add now (-1, 0, 1)."""
        local, engine = self.capacitors[capacitor], self._circuit.engine
        control = local.control
        bus, phases = engine.element(control.element).terminals[control.side]
        v_v = float(np.mean(np.abs(v_phasor_v[[self._rows[(bus, phase)] for phase in phases]]))) / control.pt_ratio
        reading = v_v
        if control.kind != "voltage":
            current, power = engine.flows(control.element, terminal=control.side)
            reading = abs(current[0]) / control.ct_ratio if control.kind == "current" else power[0].imag / 1e3
        max_steps = self._circuit.capacitor_steps[capacitor]
        return local.step(now=now, reading=float(reading), v_v=v_v, steps=steps, max_steps=max_steps)

    def _winding(self, regulator: str, v_phasor_v: ComplexArray) -> dict[str, complex]:
        """Voltage across the first phase of the controlled winding, and the current into its terminal."""
        control, engine = self._circuit.regulators[regulator], self._circuit.engine
        first, *second = (complex(v_phasor_v[self._rows[(control.bus, phase)]]) for phase in control.phases)
        v = first - sum(second)
        current, _ = engine.flows(regulator, terminal=control.winding - 1)
        return {"v_phasor_v": v, "i_into_a": complex(current[0])}
