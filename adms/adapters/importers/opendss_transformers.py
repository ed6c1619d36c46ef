"""OpenDSS transformers, autotransformers and the regulator controls on them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.opendss_elements import CircuitReader, Conductors, element_id, number, numbers, positive
from adms.adapters.importers.opendss_lines import read_reliability
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Branch, BranchKind, TapChanger, TapPrimitive

_EXACT = 1e-11
_OF_RATING = 1e-6
"""Of its rated power: the engine puts a millionth of it from each winding to ground, and taps leave that alone. Less
than this is not worth a table."""
_ON_A_STEP = 1e-9


@dataclass(frozen=True, kw_only=True)
class TapControl:
    """A regulator control of the deck."""

    name: str
    winding: int
    """1-based, the one with the taps."""
    v_set_v: float | None
    """At the winding it regulates, V; None where it regulates something else."""
    v_band_v: float | None
    delay_s: float


def tap_controls(reader: CircuitReader) -> dict[ElementId, TapControl]:
    """By transformer id. What a control does beyond holding the voltage at its own winding goes into the notes."""
    circuit = reader.circuit
    controls = circuit.RegControls
    present = {element_id(name) for name in circuit.AllElementNames}
    found: dict[ElementId, TapControl] = {}
    for name in controls.AllNames if controls.Count else ():
        controls.Name = name
        circuit.SetActiveElement(f"regcontrol.{name}")
        element = circuit.ActiveCktElement
        if not element.Enabled:
            reader.note(f"regcontrol.{name}", "disabled in the deck")
            continue
        target = str(element.Properties("Transformer").Val).lower()
        owner = next(e for kind in ("transformer", "autotrans") if (e := element_id(f"{kind}.{target}")) in present)
        if owner in found:
            reader.note(f"regcontrol.{name}", f"{owner} follows {found[owner].name} already: not carried over")
            continue
        ratio = float(controls.PTratio)
        winding = int(controls.TapWinding)
        elsewhere = ""
        if controls.MonitoredBus:
            elsewhere = f"regulates bus {controls.MonitoredBus}"
        elif int(controls.Winding) != winding:
            elsewhere = f"moves the taps of winding {winding} by the voltage of winding {int(controls.Winding)}"
        if elsewhere:
            reader.note(f"regcontrol.{name}", f"{elsewhere}: its setting is not carried over")
        if controls.ForwardR or controls.ForwardX:
            text = f"line-drop compensation R={controls.ForwardR:g} V X={controls.ForwardX:g} V not carried over"
            reader.note(f"regcontrol.{name}", text)
        if controls.IsReversible:
            reader.note(f"regcontrol.{name}", "settings for reverse power not carried over")
        found[owner] = TapControl(
            name=f"regcontrol.{name}",
            winding=winding,
            v_set_v=None if elsewhere else float(controls.ForwardVreg) * ratio,
            v_band_v=None if elsewhere else float(controls.ForwardBand) * ratio,
            delay_s=float(controls.Delay),
        )
    return found


def read_transformer(dss: Any, reader: CircuitReader, name: str, *, control: TapControl | None) -> tuple[Branch, ...]:
    """A transformer at its taps as they stand, or a regulator with its taps apart.

    Args:
        dss: the engine.
        reader: the active element is the transformer.
        name: of the transformer.
        control: the regulator control on it, if any.
    """
    conductors = reader.conductors()
    if not conductors.kept:
        reader.note(name, "all its conductors are grounded: left out")
        return ()
    element = reader.circuit.ActiveCktElement
    y = reader.primitive_siemens(conductors)
    kva = numbers(element.Properties("kVAs").Val)
    reliability = read_reliability(element, name.lower().partition(".")[0])
    taps = None
    if control is not None and element_id(name) in reader.opened.conductors:
        reader.note(control.name, "its transformer is open in part: taps carried as fixed")
    elif control is not None:
        y, taps = _taps_apart(dss, reader, name, conductors, control)
    return (
        Branch(
            id=element_id(name),
            kind=BranchKind.TRANSFORMER if taps is None else BranchKind.REGULATOR,
            terminals=conductors.kept,
            y_primitive_siemens=as_matrix(y),
            rating_va=positive(kva[0] * 1e3),
            taps=taps,
            failure_rate_per_year=reliability.failure_rate_per_year,
            repair_h=reliability.repair_h,
        ),
    )


def _taps_apart(
    dss: Any, reader: CircuitReader, name: str, conductors: Conductors, control: TapControl
) -> tuple[ComplexArray, TapChanger]:
    """The primitive at the neutral tap and the tap changer; a table of primitives where the taps do more than scale
    the rows of one terminal, or do not stand on a step."""
    circuit = reader.circuit
    circuit.SetActiveElement(name)
    element = circuit.ActiveCktElement
    dss.Text.Command = f"{name}.wdg={control.winding}"
    rating_va = numbers(element.Properties("kVAs").Val)[0] * 1e3
    tap, lowest, highest = (number(element, field) for field in ("Tap", "MinTap", "MaxTap"))
    step = (highest - lowest) / max(int(number(element, "NumTaps")), 1)
    delta = str(element.Properties("Conn").Val).lower().startswith("d")
    position = round((tap - 1.0) / step)
    first = min(math.ceil((lowest - 1.0) / step - _ON_A_STEP), position)
    last = max(math.floor((highest - 1.0) / step + _ON_A_STEP), position)
    # The engine moves taps by steps from where they stand.
    ratio_of = {k: tap + (k - position) * step for k in range(first, last + 1)}
    on_a_step = abs(ratio_of[position] - (1.0 + position * step)) <= _ON_A_STEP
    by_ratio = {tap: reader.primitive_siemens(conductors)}

    def primitive(ratio: float) -> ComplexArray:
        if ratio not in by_ratio:
            dss.Text.Command = f"{name}.wdg={control.winding}"
            dss.Text.Command = f"{name}.tap={ratio!r}"
            dss.YMatrix.BuildYMatrixD(0, 0)
            circuit.SetActiveElement(name)
            by_ratio[ratio] = reader.primitive_siemens(conductors)
        return by_ratio[ratio]

    terminal = _terminal(conductors, control.winding - 1)
    neutral = by_ratio[tap]
    tables: tuple[TapPrimitive, ...] = ()
    if terminal is not None:
        scale = _scale(conductors, terminal, tap)
        neutral = by_ratio[tap] * np.outer(scale, scale)
    if (
        terminal is None
        or not on_a_step
        or not _scales(reader, conductors, terminal, neutral, primitive, ratio_of, rating_va)
    ):
        reader.note(name, "its taps do more than scale a winding's rows: carried as a table of primitives")
        tables = tuple(
            TapPrimitive(position=k, y_primitive_siemens=as_matrix(primitive(ratio))) for k, ratio in ratio_of.items()
        )
        neutral = primitive(ratio_of[0]) if 0 in ratio_of else by_ratio[tap]
    if len(by_ratio) > 1:
        dss.Text.Command = f"{name}.wdg={control.winding}"
        dss.Text.Command = f"{name}.tap={tap!r}"
        dss.YMatrix.BuildYMatrixD(0, 0)
    if delta and control.v_set_v is not None:
        reader.note(control.name, "regulates a phase-to-phase voltage: its setting is not carried over")
    held = control.v_set_v if not delta else None
    changer = TapChanger(
        terminal=terminal or 0,
        step_pu=step,
        min_position=first,
        max_position=last,
        normal_position=position,
        v_set_v=held,
        v_band_v=control.v_band_v if held is not None else None,
        delay_s=control.delay_s,
        primitives=tables,
    )
    return neutral, changer


def _terminal(conductors: Conductors, winding: int) -> int | None:
    """Place of a winding among the kept terminals; None where it has none of its own."""
    live = [index for index, terminal in enumerate(conductors.terminals) if any(n is not None for n in terminal)]
    if winding not in live or len(live) != len(conductors.kept):
        return None
    place = live.index(winding)
    own = {node for node in conductors.terminals[winding] if node is not None}
    return place if own == set(conductors.kept[place]) else None


def _scale(conductors: Conductors, terminal: int, ratio: float) -> ComplexArray:
    counts = [len(nodes) for nodes in conductors.kept]
    scale = np.ones(sum(counts), dtype=np.complex128)
    start = sum(counts[:terminal])
    scale[start : start + counts[terminal]] = ratio
    return scale


def _scales(
    reader: CircuitReader,
    conductors: Conductors,
    terminal: int,
    neutral: ComplexArray,
    primitive: Callable[[float], ComplexArray],
    ratio_of: dict[int, float],
    rating_va: float,
) -> bool:
    """True where the engine's primitives at both ends of the range are the neutral one with scaled rows."""
    base = np.array([reader.v_base_v[node.bus] for nodes in conductors.kept for node in nodes])
    for ratio in (ratio_of[min(ratio_of)], ratio_of[max(ratio_of)]):
        scale = _scale(conductors, terminal, ratio)
        off = np.abs(primitive(ratio) * np.outer(scale, scale) - neutral)
        if (off * np.outer(base, base)).max() > _OF_RATING * rating_va and off.max() > _EXACT * np.abs(neutral).max():
            return False
    return True
