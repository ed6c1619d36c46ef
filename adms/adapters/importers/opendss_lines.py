"""OpenDSS lines, switches, transformers, regulators and reactors as branches."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.opendss_elements import CircuitReader, as_matrix, element_id, element_name
from adms.grid.model import Branch, BranchKind, SwitchGear, SwitchKind, TapChanger

_METRES = {1: 1609.344, 2: 304.8, 3: 1000.0, 4: 1.0, 5: 0.3048, 6: 0.0254, 7: 0.01, 8: 0.001}
"""Length units of the engine: mi, kft, km, m, ft, in, cm, mm; 0 is "not said"."""


@dataclass(frozen=True, kw_only=True)
class TapControl:
    """A regulator control of the deck."""

    name: str
    winding: int
    """1-based, the one with the taps."""
    v_set_v: float
    v_band_v: float
    delay_s: float


def tap_controls(reader: CircuitReader) -> dict[str, TapControl]:
    """By transformer id. What a control does beyond holding the voltage at its own winding goes into the notes."""
    controls = reader.circuit.RegControls
    found: dict[str, TapControl] = {}
    for name in controls.AllNames if controls.Count else ():
        controls.Name = name
        reader.circuit.SetActiveElement(f"regcontrol.{name}")
        if not reader.circuit.ActiveCktElement.Enabled:
            continue
        ratio = float(controls.PTratio)
        found[f"transformer.{controls.Transformer.lower()}"] = TapControl(
            name=f"regcontrol.{name}",
            winding=int(controls.TapWinding),
            v_set_v=float(controls.ForwardVreg) * ratio,
            v_band_v=float(controls.ForwardBand) * ratio,
            delay_s=float(controls.Delay),
        )
        if controls.ForwardR or controls.ForwardX:
            text = f"line-drop compensation R={controls.ForwardR:g} V X={controls.ForwardX:g} V not carried over"
            reader.note(f"regcontrol.{name}", text)
        if controls.IsReversible:
            reader.note(f"regcontrol.{name}", "settings for reverse power not carried over")
        if controls.MonitoredBus:
            reader.note(f"regcontrol.{name}", f"regulates bus {controls.MonitoredBus}: not carried over")
    return found


def read_line(reader: CircuitReader, name: str, *, was_open: bool) -> Branch:
    """A line, or a switch where the deck says so or leaves it open."""
    lines = reader.circuit.Lines
    lines.Name = element_name(name)
    element = reader.circuit.ActiveCktElement
    conductors = reader.conductors()
    switch = bool(lines.IsSwitch)
    if was_open and not switch:
        reader.note(name, "a line left open in the deck: carried as an isolator")
    gear = SwitchGear(
        kind=SwitchKind.LOAD_BREAK if switch else SwitchKind.ISOLATOR, normally_closed=not was_open, remote=False
    )
    metres = _METRES.get(int(lines.Units))
    length_m = None if switch or metres is None else float(lines.Length) * metres
    return Branch(
        id=element_id(name),
        kind=BranchKind.SWITCH if switch or was_open else BranchKind.LINE,
        terminals=conductors.kept,
        y_primitive_siemens=as_matrix(reader.primitive_siemens(conductors)),
        length_m=length_m,
        rating_a=_positive(element.NormalAmps),
        rating_emergency_a=_positive(element.EmergAmps),
        switch=gear if switch or was_open else None,
    )


def read_transformer(reader: CircuitReader, name: str, *, control: TapControl | None) -> Branch:
    """A transformer at its taps as they stand, or a regulator with its taps apart."""
    conductors = reader.conductors()
    y = reader.primitive_siemens(conductors)
    transformers = reader.circuit.Transformers
    transformers.Name = element_name(name)
    transformers.Wdg = 1
    rating_va = _positive(float(transformers.kVA) * 1e3)
    taps = None
    if control is not None and not (control.winding <= 2 and len(conductors.kept) == len(conductors.terminals)):
        reader.note(name, f"taps of winding {control.winding} carried as fixed")
        control = None
    if control is not None:
        terminal = control.winding - 1
        transformers.Wdg = control.winding
        taps = _tap_changer(reader, name, transformers, control)
        counts = [len(nodes) for nodes in conductors.kept]
        scale = np.ones(len(y))
        start = sum(counts[:terminal])
        scale[start : start + counts[terminal]] = float(transformers.Tap)
        y = y * np.outer(scale, scale)
    return Branch(
        id=element_id(name),
        kind=BranchKind.TRANSFORMER if taps is None else BranchKind.REGULATOR,
        terminals=conductors.kept,
        y_primitive_siemens=as_matrix(y),
        rating_va=rating_va,
        taps=taps,
    )


def _tap_changer(reader: CircuitReader, name: str, transformers: Any, control: TapControl) -> TapChanger:
    lowest, highest, tap = float(transformers.MinTap), float(transformers.MaxTap), float(transformers.Tap)
    step = (highest - lowest) / int(transformers.NumTaps)
    position = round((tap - 1.0) / step)
    if abs(1.0 + position * step - tap) > 1e-9:
        reader.note(name, f"tap {tap:.6f} is not on a step of {step:g}: carried as position {position}")
    wye = not transformers.IsDelta
    if not wye:
        reader.note(control.name, "regulates a phase-to-phase voltage: its setting is not carried over")
    return TapChanger(
        terminal=control.winding - 1,
        step_pu=step,
        min_position=math.ceil((lowest - 1.0) / step - 1e-9),
        max_position=math.floor((highest - 1.0) / step + 1e-9),
        normal_position=position,
        v_set_v=control.v_set_v if wye else None,
        v_band_v=control.v_band_v if wye else None,
        delay_s=control.delay_s,
    )


def read_other_branch(reader: CircuitReader, name: str) -> Branch:
    """Anything else of fixed admittance: reactors, series capacitors, autotransformers as they stand."""
    conductors = reader.conductors()
    reactor = name.lower().startswith("reactor.")
    if not reactor:
        reader.note(name, "carried as a branch of fixed admittance")
    return Branch(
        id=element_id(name),
        kind=BranchKind.TRANSFORMER if "trans" in name.lower().partition(".")[0] else BranchKind.REACTOR,
        terminals=conductors.kept,
        y_primitive_siemens=as_matrix(reader.primitive_siemens(conductors)),
    )


def _positive(value: float) -> float | None:
    return float(value) if value > 0.0 else None
