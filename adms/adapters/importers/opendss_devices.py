"""OpenDSS sources, capacitors, loads and generating devices."""

import math
from typing import Any

from adms.adapters.importers.opendss_elements import CircuitReader, as_matrix, element_id, element_name, pairs
from adms.grid.model import Capacitor, Der, DerKind, Load, Source, VoltageLaw

_ZIP = {1: (0.0, 0.0, 1.0), 2: (1.0, 0.0, 0.0), 5: (0.0, 1.0, 0.0)}
_CVR = 4
_BY_EXPONENT = {0.0: (0.0, 0.0, 1.0), 1.0: (0.0, 1.0, 0.0), 2.0: (1.0, 0.0, 0.0)}
_ZIPV = 8
_REACTIVE_SHARE = 0.44
"""IEEE 1547-2018, category B."""


def read_source(reader: CircuitReader, name: str) -> tuple[Source, ...]:
    """A voltage source to ground; none where it stands between two buses."""
    element = reader.circuit.ActiveCktElement
    conductors = reader.conductors()
    if any(node is not None for node in conductors.terminals[1]):
        reader.note(name, "a source between two buses is not carried over")
        return ()
    y = reader.primitive_siemens(conductors)
    sources = reader.circuit.Vsources
    sources.Name = element_name(name)
    phases = int(sources.Phases)
    # The engine's own rule for basekV: phase-to-phase of a polyphase system, across the winding of a single-phase one.
    v_phase_v = float(sources.BasekV) * 1e3 * float(sources.pu)
    if phases > 1:
        v_phase_v /= 2.0 * math.sin(math.pi / phases)
    sequence = str(element.Properties("Sequence").Val).lower()
    step = {"pos": -1.0, "neg": 1.0, "zero": 0.0}.get(sequence[:3], -1.0) * 2.0 * math.pi / phases
    first = math.radians(float(sources.AngleDeg))
    nodes = conductors.kept[0]
    base = [_base_v(reader, node.bus) for node in nodes]
    return (
        Source(
            id=element_id(name),
            nodes=nodes,
            v_magnitude_pu=tuple(v_phase_v / v for v in base),
            v_angle_rad=tuple(first + step * index for index in range(len(nodes))),
            y_primitive_siemens=as_matrix(y),
        ),
    )


def _base_v(reader: CircuitReader, bus: str) -> float:
    reader.circuit.SetActiveBus(bus)
    return float(reader.circuit.ActiveBus.kVBase) * 1e3


def read_capacitor(reader: CircuitReader, name: str, *, normal_steps: int) -> Capacitor | None:
    """A shunt capacitor with all its steps switched on; None for a series capacitor."""
    conductors = reader.conductors()
    if len(conductors.kept) != 1:
        return None
    capacitors = reader.circuit.Capacitors
    capacitors.Name = element_name(name)
    steps = int(capacitors.NumSteps)
    sizes = _numbers(reader.circuit.ActiveCktElement.Properties("kvar").Val)
    if len(set(sizes)) > 1:
        reader.note(name, "steps of unequal size carried as equal ones")
    return Capacitor(
        id=element_id(name),
        nodes=conductors.kept[0],
        y_step_siemens=as_matrix(reader.primitive_siemens(conductors) / steps),
        steps=steps,
        normal_steps=normal_steps,
        rating_var=sum(sizes) * 1e3,
    )


def read_load(reader: CircuitReader, name: str) -> Load:
    """A load of any of the engine's models; those without a ZIP equivalent become constant power, with a note."""
    terminal = reader.conductors().terminals[0]
    loads = reader.circuit.Loads
    loads.Name = element_name(name)
    delta, phases, model = bool(loads.IsDelta), int(loads.Phases), int(loads.Model)
    shares = _ZIP.get(model, (0.0, 0.0, 1.0))
    if model == _ZIPV:
        z_p, i_p, p_p, z_q, i_q, p_q, v_cut = (float(x) for x in loads.ZIPV)
        shares = (z_p, i_p, p_p)
        if (z_q, i_q, p_q) != shares:
            reader.note(name, "reactive ZIP shares differ from the active ones: the active ones are used")
        if v_cut:
            reader.note(name, f"cut-off voltage {v_cut:g} pu not carried over")
    elif model == _CVR and float(loads.CVRwatts) in _BY_EXPONENT:
        shares = _BY_EXPONENT[float(loads.CVRwatts)]
        if loads.CVRvars != loads.CVRwatts:
            reader.note(name, f"exponent {loads.CVRvars:g} of reactive power carried as {loads.CVRwatts:g}")
    elif model not in _ZIP:
        reader.note(name, f"load model {model} carried as constant power")
    if terminal[-1] is not None and not delta and loads.Rneut >= 0.0:
        reader.note(name, "impedance from its neutral to ground not carried over")
    # Growth and shapes play no part in a snapshot; the multiplier of the deck does.
    fixed = int(loads.Status) == 1
    multiplier = 1.0 if fixed else float(reader.circuit.Solution.LoadMult)
    kv = float(loads.kV)
    return Load(
        id=element_id(name),
        pairs=pairs(terminal, delta=delta),
        p_w=float(loads.kW) * 1e3 * multiplier,
        q_var=float(loads.kvar) * 1e3 * multiplier,
        v_nominal_v=kv * 1e3 if delta or phases == 1 else kv * 1e3 / math.sqrt(3.0),
        law=VoltageLaw(z_frac=shares[0], i_frac=shares[1], p_frac=shares[2]),
        v_low_pu=float(loads.Vminpu),
        v_high_pu=float(loads.Vmaxpu),
        customers=int(loads.NumCust),
    )


def read_der(reader: CircuitReader, name: str) -> Der:
    """A generator, PV system or storage of the deck. Its controls and its output of the moment are not carried over."""
    terminal = reader.conductors().terminals[0]
    element = reader.circuit.ActiveCktElement
    kind = name.lower().partition(".")[0]
    delta = str(element.Properties("conn").Val).lower().startswith("d")
    phases = int(element.NumPhases)
    kv = float(element.Properties("kV").Val)
    s_max_va = _property(element, "kVA") * 1e3
    p_max_w, p_min_w, energy_wh, default_w = s_max_va, 0.0, None, None
    if kind == "generator":
        p_max_w = default_w = _property(element, "kW") * 1e3
    elif kind == "pvsystem":
        p_max_w = min(s_max_va, _property(element, "Pmpp") * 1e3)
    else:
        p_max_w = _property(element, "kWrated") * 1e3
        p_min_w, energy_wh, default_w = -p_max_w, _property(element, "kWhrated") * 1e3, 0.0
    reader.note(name, "output of the moment, curves and local controls not carried over")
    return Der(
        id=element_id(name),
        kind={"generator": DerKind.GENERATOR, "pvsystem": DerKind.PV, "storage": DerKind.BATTERY}[kind],
        pairs=pairs(terminal, delta=delta),
        s_max_va=max(s_max_va, p_max_w),
        p_max_w=p_max_w,
        p_min_w=p_min_w,
        q_max_var=_REACTIVE_SHARE * max(s_max_va, p_max_w),
        v_nominal_v=kv * 1e3 if delta or phases == 1 else kv * 1e3 / math.sqrt(3.0),
        energy_wh=energy_wh,
        default_p_injection_w=default_w,
    )


def _property(element: Any, name: str) -> float:
    return float(element.Properties(name).Val)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in str(text).strip("[]() ").replace(",", " ").split()]
