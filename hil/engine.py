"""OpenDSS behind a typed face. The only module that imports `dss` (the package has no types)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dss import DSS as _DEFAULT_CONTEXT

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]


class EngineError(Exception):
    """OpenDSS refused a command or found no solution."""


@dataclass(frozen=True, kw_only=True)
class LoadRecord:
    """A load as the deck states it. Powers are drawn, at nominal voltage."""

    name: str
    bus: str
    phases: tuple[int, ...]
    p_w: float
    q_var: float


@dataclass(frozen=True, kw_only=True)
class RegulatorControl:
    """Local control of a regulator, from the deck's RegControl. Voltages on the 120 V base of its transformer."""

    transformer: str
    winding: int
    v_set_v: float
    v_band_v: float
    pt_ratio: float
    ct_primary_a: float
    drop_r_v: float
    drop_x_v: float
    tap_step_pu: float
    tap_low: int
    """Lowest position, in steps from neutral."""
    tap_high: int


@dataclass(frozen=True, kw_only=True)
class ElementRecord:
    """Terminals of a circuit element: bus and phases (grounded and neutral conductors left out)."""

    name: str
    terminals: tuple[tuple[str, tuple[int, ...]], ...]


def split_bus(text: str, *, phase_count: int) -> tuple[str, tuple[int, ...]]:
    """Bus and phases of an OpenDSS bus string such as ``35.1.2``; without dots the first `phase_count` phases."""
    bus, *nodes = text.lower().split(".")
    phases = tuple(int(node) for node in nodes[:phase_count] if int(node) != 0)
    return bus, phases or tuple(range(1, phase_count + 1))


class Engine:
    """One OpenDSS circuit in a context of its own."""

    def __init__(self) -> None:
        self._dss: Any = _DEFAULT_CONTEXT.NewContext()
        self._dss.AllowForms = False
        self._dss.AllowChangeDir = False
        self.problem = ""
        """Why the last `solve` found no solution, in OpenDSS' own words where it has some."""

    @property
    def _circuit(self) -> Any:
        return self._dss.ActiveCircuit

    def compile(self, deck: Path) -> None:
        """Read a deck. Raises EngineError with OpenDSS' own words."""
        self.command(f'compile "{deck}"')

    def command(self, text: str) -> None:
        """Run one OpenDSS command. Raises EngineError with the command and OpenDSS' own words."""
        try:
            self._dss.Text.Command = text
        except Exception as problem:  # dss raises one broad class of its own
            raise EngineError(f"{text}: {problem}") from problem

    def has(self, element: str) -> bool:
        """Whether the circuit has an element of this full name."""
        return int(self._circuit.SetActiveElement(element)) >= 0

    def prepare(self) -> None:
        """Switch OpenDSS' own controls off: taps and capacitors are moved by the plant."""
        self.command("set controlmode=off")
        self.command("set maxiterations=200")
        self.command("set tolerance=1e-9")

    def solve(self) -> bool:
        """Solve the snapshot; False where OpenDSS did not converge, with the reason in `problem`."""
        self.problem = ""
        try:
            self._circuit.Solution.Solve()
        except Exception as problem:  # dss raises one broad class of its own
            self.problem = f"{problem}"
        else:
            if not self._circuit.Solution.Converged:
                self.problem = f"no convergence in {int(self._circuit.Solution.Iterations)} iterations"
            elif not np.isfinite(self._circuit.AllBusVolts).all():
                self.problem = "a voltage is not a number"
        return not self.problem

    def set_voltage_bases(self) -> None:
        """Give every bus the nearest of the deck's voltage bases."""
        bases = ", ".join(str(float(base)) for base in self._circuit.Settings.VoltageBases)
        self.command(f"set voltagebases=[{bases}]")
        self.command("calcvoltagebases")

    def base_v(self, bus: str) -> float:
        """Nominal phase-to-ground voltage of a bus, V. Raises EngineError where it has none."""
        known = int(self._circuit.SetActiveBus(bus)) >= 0
        base_v = float(self._circuit.ActiveBus.kVBase) * 1000.0 if known else 0.0
        if not base_v > 0.0:
            raise EngineError(f"bus {bus} has no voltage base")
        return base_v

    def node_names(self) -> tuple[tuple[str, int], ...]:
        """(bus, phase) of every node in the order of `voltages`."""
        names = (name.lower().rsplit(".", 1) for name in self._circuit.AllNodeNames)
        return tuple((bus, int(phase)) for bus, phase in names)

    def node_bases(self) -> FloatArray:
        """Nominal phase-to-ground voltage of every node, V."""
        base: dict[str, float] = {}
        for name in self._circuit.AllBusNames:
            self._circuit.SetActiveBus(name)
            base[name.lower()] = float(self._circuit.ActiveBus.kVBase) * 1000.0
        return np.array([base[bus] for bus, _ in self.node_names()], dtype=np.float64)

    def voltages(self) -> ComplexArray:
        """Node voltages to ground, V."""
        flat = np.asarray(self._circuit.AllBusVolts, dtype=np.float64)
        return np.asarray(flat[0::2] + 1j * flat[1::2], dtype=np.complex128)

    def losses_w(self) -> float:
        """Active losses of the circuit, W."""
        return float(self._circuit.Losses[0])

    def flows(self, element: str, *, terminal: int) -> tuple[ComplexArray, ComplexArray]:
        """Currents (A) and powers (VA) into an element at a terminal (0 first), per conductor."""
        if not self.has(element):
            raise EngineError(f"no element {element}")
        active = self._circuit.ActiveCktElement
        count = int(active.NumConductors)
        window = slice(terminal * count, (terminal + 1) * count)
        currents = np.asarray(active.Currents, dtype=np.float64)
        powers = np.asarray(active.Powers, dtype=np.float64) * 1000.0
        return (
            np.asarray((currents[0::2] + 1j * currents[1::2])[window], dtype=np.complex128),
            np.asarray((powers[0::2] + 1j * powers[1::2])[window], dtype=np.complex128),
        )

    def element_names(self) -> tuple[str, ...]:
        """Full lower-case names of every circuit element."""
        return tuple(name.lower() for name in self._circuit.AllElementNames)

    def element(self, name: str) -> ElementRecord:
        """Terminals of an element. Raises EngineError when there is none of that name."""
        if not self.has(name):
            raise EngineError(f"no element {name}")
        active = self._circuit.ActiveCktElement
        phase_count = int(active.NumPhases)
        return ElementRecord(
            name=name, terminals=tuple(split_bus(bus, phase_count=phase_count) for bus in active.BusNames)
        )

    def property_of(self, element: str, *, name: str) -> str:
        """A property of an element as OpenDSS prints it."""
        if not self.has(element):
            raise EngineError(f"no element {element}")
        return str(self._circuit.ActiveCktElement.Properties(name).Val)

    def loads(self) -> tuple[LoadRecord, ...]:
        """The deck's loads in OpenDSS' order, which `set_loads` follows."""
        records = []
        loads = self._circuit.Loads
        for i in range(1, int(loads.Count) + 1):
            loads.idx = i
            name, p_kw, q_kvar = f"load.{loads.Name.lower()}", float(loads.kW), float(loads.kvar)
            active = self._circuit.ActiveCktElement
            conductors = 1 if int(active.NumPhases) == 1 and not bool(loads.IsDelta) else max(2, int(active.NumPhases))
            bus, phases = split_bus(str(active.BusNames[0]), phase_count=conductors)
            records.append(LoadRecord(name=name, bus=bus, phases=phases, p_w=p_kw * 1000.0, q_var=q_kvar * 1000.0))
        return tuple(records)

    def daily_shape(self, load: str) -> tuple[FloatArray, float] | None:
        """The load shape that the deck gives a load (full name), daily or else yearly: its multipliers of P (of actual
        power: over the load's own) and their interval in s; None where it gives none. Shapes with times of their own
        are not read."""
        loads, shapes = self._circuit.Loads, self._circuit.LoadShapes
        loads.Name = load.split(".", 1)[1]
        name = str(loads.daily) or str(loads.Yearly)
        if not name:
            return None
        shapes.Name = name
        interval_s = float(shapes.HrInterval) * 3600.0
        if not interval_s > 0.0:
            return None
        values = np.array(shapes.Pmult, dtype=np.float64)
        return (values / float(loads.kW) if bool(shapes.UseActual) else values), interval_s

    def set_loads(self, s_va: ComplexArray) -> None:
        """Drawn power of every load at nominal voltage, VA, in the order of `loads`."""
        loads = self._circuit.Loads
        for i, s in enumerate(s_va, start=1):
            loads.idx = i
            loads.kW = float(s.real) / 1000.0
            loads.kvar = float(s.imag) / 1000.0

    def set_generator(self, name: str, *, s_injection_va: complex) -> None:
        """Injected power of a generator (named without class), VA."""
        generators = self._circuit.Generators
        generators.Name = name
        generators.kW = s_injection_va.real / 1000.0
        generators.kvar = s_injection_va.imag / 1000.0

    def set_switch(self, element: str, *, closed: bool) -> None:
        """Close or open all poles at the first terminal of a line."""
        if not self.has(element):
            raise EngineError(f"no element {element}")
        active = self._circuit.ActiveCktElement
        if closed:
            active.Close(1, 0)
        else:
            active.Open(1, 0)

    def _tap_range(self, transformer: str, *, winding: int) -> tuple[float, int, int]:
        """(step in pu, lowest position, highest position) of a winding."""
        transformers = self._circuit.Transformers
        transformers.Name = transformer
        transformers.Wdg = winding
        low, high = float(transformers.MinTap), float(transformers.MaxTap)
        step_pu = (high - low) / int(transformers.NumTaps)
        return step_pu, round((low - 1.0) / step_pu), round((high - 1.0) / step_pu)

    def set_tap(self, transformer: str, *, winding: int, position: int, step_pu: float) -> None:
        """Put a winding on a tap, steps from neutral."""
        transformers = self._circuit.Transformers
        transformers.Name = transformer
        transformers.Wdg = winding
        transformers.Tap = 1.0 + position * step_pu

    def set_capacitor(self, name: str, *, states: Sequence[int]) -> None:
        """Steps of a capacitor (named without class), 1 in and 0 out."""
        capacitors = self._circuit.Capacitors
        capacitors.Name = name
        capacitors.States = list(states)

    def regulator_controls(self) -> tuple[RegulatorControl, ...]:
        """Local controls of the deck's regulators."""
        controls = self._circuit.RegControls
        records = []
        for i in range(1, int(controls.Count) + 1):
            controls.idx = i
            name, winding = str(controls.Transformer).lower(), int(controls.Winding)
            step_pu, low, high = self._tap_range(name, winding=winding)
            records.append(
                RegulatorControl(
                    transformer=f"transformer.{name}",
                    winding=winding,
                    tap_step_pu=step_pu,
                    tap_low=low,
                    tap_high=high,
                    v_set_v=float(controls.ForwardVreg),
                    v_band_v=float(controls.ForwardBand),
                    pt_ratio=float(controls.PTratio),
                    ct_primary_a=float(controls.CTPrimary),
                    drop_r_v=float(controls.ForwardR),
                    drop_x_v=float(controls.ForwardX),
                )
            )
        return tuple(records)
