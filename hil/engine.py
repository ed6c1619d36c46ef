"""OpenDSS behind a typed face. The only module that imports `dss` (the package has no types)."""

from __future__ import annotations

from cmath import phase
from collections.abc import Container, Sequence
from math import degrees
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dss import DSS as _DEFAULT_CONTEXT

from hil.deck import CapacitorControl, ElementRecord, EngineError, LoadRecord, RegulatorControl, split_bus
from hil.deck_controls import capacitor_controls, regulator_controls

__all__ = [
    "CapacitorControl",
    "ComplexArray",
    "ElementRecord",
    "Engine",
    "EngineError",
    "FloatArray",
    "LoadRecord",
    "RegulatorControl",
    "split_bus",
]

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]


def _phasors(flat: FloatArray) -> ComplexArray:
    """Real and imaginary parts in turn as one read-only array."""
    phasors: ComplexArray = np.asarray(flat, dtype=np.float64).view(np.complex128)
    phasors.flags.writeable = False
    return phasors


class Engine:
    """One OpenDSS circuit in a context of its own."""

    def __init__(self) -> None:
        self._dss: Any = _DEFAULT_CONTEXT.NewContext()
        self._dss.AllowForms = False
        self._dss.AllowChangeDir = False
        # A set or a read of one number costs three times as much through the package's properties as through the
        # library below them, and a step makes thousands.
        api = self._dss._api_util
        self._lib: Any = api.lib_unpatched
        self._ctx: Any = api.ctx
        self._check = api._check_for_error
        self._floats = api.get_float64_gr_array
        self._forget()
        self.problem = ""
        """Why the last `solve` found no solution, in OpenDSS' own words where it has some."""

    def _forget(self) -> None:
        """After a command in words nothing that was remembered of the circuit holds."""
        self._elements: dict[str, ElementRecord] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._load_va: ComplexArray | None = None
        self._generator_va: dict[str, complex] = {}
        self._generator_index: dict[str, int] = {}
        self._v: ComplexArray | None = None
        self._flows: dict[str, tuple[ComplexArray, ComplexArray]] = {}

    @property
    def _circuit(self) -> Any:
        return self._dss.ActiveCircuit

    def compile(self, deck: Path) -> None:
        """Read a deck. Raises EngineError with OpenDSS' own words."""
        self.command(f'compile "{deck}"')

    def command(self, text: str) -> None:
        """Run one OpenDSS command. Raises EngineError with the command and OpenDSS' own words."""
        self._forget()
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
        self._v = None
        self._flows.clear()
        solution = self._circuit.Solution
        try:
            solution.Solve()
        except Exception as problem:  # dss raises one broad class of its own
            self.problem = f"{problem}"
        else:
            if not solution.Converged:
                self.problem = f"no convergence in {int(solution.Iterations)} iterations"
            elif not np.isfinite(self.voltages()).all():
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
        """Node voltages to ground, V, read-only: of the last solution, read out of OpenDSS once."""
        if self._v is None:
            self._lib.ctx_Circuit_Get_AllBusVolts_GR(self._ctx)
            self._check()
            self._v = _phasors(self._floats())
        return self._v

    def losses_w(self) -> float:
        """Active losses of the circuit, W."""
        return float(self._circuit.Losses[0])

    def flows(self, element: str, *, terminal: int) -> tuple[ComplexArray, ComplexArray]:
        """Currents (A) and powers (VA) into an element at a terminal (0 first), per conductor, read-only: those of the
        last solution, read out of OpenDSS once. Raises EngineError when there is none of that name."""
        known = self._flows.get(element)
        if known is None:
            self._select(element)
            self._lib.ctx_CktElement_Get_Currents_GR(self._ctx)
            currents = _phasors(self._floats())
            self._lib.ctx_CktElement_Get_Powers_GR(self._ctx)
            powers = _phasors(self._floats() * 1000.0)
            self._check()
            known = self._flows[element] = (currents, powers)
        count = self._places[element][1]
        window = slice(terminal * count, (terminal + 1) * count)
        return known[0][window], known[1][window]

    def _select(self, element: str) -> None:
        """Make an element the active one, by its number once that is known."""
        place = self._places.get(element)
        if place is not None:
            self._lib.ctx_Circuit_SetCktElementIndex(self._ctx, place[0])
            return
        index = int(self._circuit.SetActiveElement(element))
        if index < 0:
            raise EngineError(f"no element {element}")
        self._places[element] = index, int(self._circuit.ActiveCktElement.NumConductors)

    def element_names(self) -> tuple[str, ...]:
        """Full lower-case names of every circuit element that is enabled."""
        active = self._circuit.ActiveCktElement
        names = []
        for i, name in enumerate(self._circuit.AllElementNames):
            self._lib.ctx_Circuit_SetCktElementIndex(self._ctx, i)
            if active.Enabled:
                names.append(name.lower())
        return tuple(names)

    def element(self, name: str) -> ElementRecord:
        """Terminals of an element. Raises EngineError when there is none of that name."""
        known = self._elements.get(name)
        if known is None:
            if not self.has(name):
                raise EngineError(f"no element {name}")
            active = self._circuit.ActiveCktElement
            phase_count = int(active.NumPhases)
            known = self._elements[name] = ElementRecord(
                name=name, terminals=tuple(split_bus(bus, phase_count=phase_count) for bus in active.BusNames)
            )
        return known

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
        """Drawn power of every load at nominal voltage, VA, in the order of `loads`. Sets those that changed.

        Not OpenDSS' batch calls: they are as quick, but each marks its loads' admittances as new, and a solution that
        builds them again takes nearly twice as long (8500 nodes: 13.8 ms against 7.8)."""
        known = self._load_va
        changed = range(s_va.size) if known is None else np.flatnonzero(s_va != known).tolist()
        select, p, q, ctx = (
            self._lib.ctx_Loads_Set_idx,
            self._lib.ctx_Loads_Set_kW,
            self._lib.ctx_Loads_Set_kvar,
            self._ctx,
        )
        p_kw, q_kvar = (s_va.real / 1000.0).tolist(), (s_va.imag / 1000.0).tolist()
        for i in changed:
            select(ctx, i + 1)
            p(ctx, p_kw[i])
            q(ctx, q_kvar[i])
        self._check()
        self._load_va = s_va.copy()

    def set_generator(self, name: str, *, s_injection_va: complex) -> None:
        """Injected power of a generator (named without class), VA. Raises EngineError when there is none."""
        if self._generator_va.get(name) == s_injection_va:
            return
        index = self._generator_index.get(name)
        if index is None:
            generators = self._circuit.Generators
            if not self.has(f"generator.{name}"):
                raise EngineError(f"no element generator.{name}")
            generators.Name = name
            index = self._generator_index[name] = int(generators.idx)
        self._lib.ctx_Generators_Set_idx(self._ctx, index)
        self._lib.ctx_Generators_Set_kW(self._ctx, s_injection_va.real / 1000.0)
        self._lib.ctx_Generators_Set_kvar(self._ctx, s_injection_va.imag / 1000.0)
        self._check()
        self._generator_va[name] = s_injection_va

    def source_base_v(self, name: str) -> float:
        """Nominal phase-to-ground voltage of a source (named without class), V. Raises EngineError when there is
        none."""
        sources = self._source(name)
        across = 3**0.5 if int(sources.Phases) > 1 else 1.0
        return float(sources.BasekV) * 1000.0 / across

    def set_source(self, name: str, *, v_phasor_pu: complex) -> None:
        """Voltage of a source (named without class) behind its impedance: of its first phase, the others follow in
        positive sequence. Raises EngineError when there is none."""
        sources = self._source(name)
        sources.pu = abs(v_phasor_pu)
        sources.AngleDeg = degrees(phase(v_phasor_pu))

    def _source(self, name: str) -> Any:
        if not self.has(f"vsource.{name}"):
            raise EngineError(f"no element vsource.{name}")
        sources = self._circuit.Vsources
        sources.Name = name
        return sources

    def set_switch(self, element: str, *, closed: bool) -> None:
        """Close or open all poles at the first terminal of a line."""
        if not self.has(element):
            raise EngineError(f"no element {element}")
        active = self._circuit.ActiveCktElement
        if closed:
            active.Close(1, 0)
        else:
            active.Open(1, 0)

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
        """Local controls of the deck's regulators. Raises EngineError for one that does what the plant does not."""
        return regulator_controls(self._circuit)

    def capacitor_controls(self, capacitors: Container[str]) -> tuple[CapacitorControl, ...]:
        """Local controls that the deck gives these capacitors. Raises EngineError for one that does what the plant does
        not."""
        return capacitor_controls(self._circuit, capacitors=capacitors)
