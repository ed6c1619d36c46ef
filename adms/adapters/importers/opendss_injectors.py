"""OpenDSS loads, generating devices and whatever else draws or injects a current."""

import math
from dataclasses import replace

import numpy as np

from adms.adapters.importers.opendss_as_solved import MIN_VA, Pair, as_solved, clear_of_jumps, drawn_at, volts_at
from adms.adapters.importers.opendss_elements import CircuitReader, element_id, element_name, number
from adms.core.ids import ElementId
from adms.grid.model import CONSTANT_POWER, Der, DerKind, Load, NodeRef, OutsideRule, VoltageLaw

_CONSTANT_Z = VoltageLaw(z_frac=1.0)
_LAWS = {
    1: (CONSTANT_POWER, CONSTANT_POWER, OutsideRule.LAW),
    2: (_CONSTANT_Z, _CONSTANT_Z, OutsideRule.LAW),
    3: (CONSTANT_POWER, _CONSTANT_Z, OutsideRule.POWER),
    5: (VoltageLaw(i_frac=1.0), VoltageLaw(i_frac=1.0), OutsideRule.LAW),
    6: (CONSTANT_POWER, CONSTANT_POWER, OutsideRule.FIXED_Q),
    7: (CONSTANT_POWER, _CONSTANT_Z, OutsideRule.FIXED_Q),
}
_CVR, _ZIPV = 4, 8
_FIXED_Q_MODELS = (6, 7)
_VARIABLE = 0
_ADMITTANCE = 2
_REACTIVE_SHARE = 0.44
"""IEEE 1547-2018, category B."""
_VEHICLE = ("ev", "evse", "vehicle", "charger")


def pairs_of(terminal: tuple[NodeRef | None, ...], *, delta: bool, phases: int) -> list[tuple[int, Pair | None]]:
    """Single-phase parts of a shunt device as (conductor whose current is the part's, nodes); None where both ends are
    grounded. Wye: each phase to the last conductor (its neutral); delta: each phase to the next conductor, closed in a
    ring where there is no next one."""
    found: list[tuple[int, Pair | None]] = []
    for k in range(phases):
        fr = terminal[k]
        to = terminal[(k + 1) % len(terminal)] if delta else terminal[-1] if len(terminal) > phases else None
        if fr == to:
            found.append((k, None))
        elif fr is not None:
            found.append((k, (fr, to)))
        else:
            found.append((k, (to, None)) if to is not None else (k, None))
    return found


def read_load(reader: CircuitReader, name: str) -> tuple[Load, ...]:
    """A load of any of the engine's models; several where its parts do not draw alike."""
    terminal = reader.conductors().terminals[0]
    loads = reader.circuit.Loads
    loads.Name = element_name(name)
    delta, phases, model = bool(loads.IsDelta), int(loads.Phases), int(loads.Model)
    v_cut = 0.0
    if int(reader.circuit.Solution.LoadModel) == _ADMITTANCE:
        law, q_law, outside = _CONSTANT_Z, _CONSTANT_Z, OutsideRule.LAW
    elif model == _ZIPV:
        z_p, i_p, p_p, z_q, i_q, p_q, v_cut = (float(x) for x in loads.ZIPV)
        law, q_law = (VoltageLaw(z_frac=z, i_frac=i, p_frac=p) for z, i, p in ((z_p, i_p, p_p), (z_q, i_q, p_q)))
        outside = OutsideRule.LAW
    elif model == _CVR:
        law, q_law = _power_of(float(loads.CVRwatts)), _power_of(float(loads.CVRvars))
        outside = OutsideRule.POWER
    else:
        if model not in _LAWS:
            reader.note(name, f"load model {model} carried as constant power")
        law, q_law, outside = _LAWS.get(model, _LAWS[1])
    # Growth and shapes play no part in a snapshot; the multiplier of the deck does.
    multiplier = float(reader.circuit.Solution.LoadMult) if int(loads.Status) == _VARIABLE else 1.0
    q_multiplier = 1.0 if model in _FIXED_Q_MODELS else multiplier
    kv = float(loads.kV)
    shape = str(loads.Yearly or loads.daily or loads.duty or "")
    shares = sum(law_part for law_part in (law.z_frac, law.i_frac, law.p_frac, law.e_frac))
    q_shares = sum(law_part for law_part in (q_law.z_frac, q_law.i_frac, q_law.p_frac, q_law.e_frac))
    parts = pairs_of(terminal, delta=delta, phases=phases)
    load = Load(
        id=element_id(name),
        pairs=tuple(pair for _, pair in parts if pair is not None),
        p_w=float(loads.kW) * 1e3 * multiplier * shares * _live(parts),
        q_var=float(loads.kvar) * 1e3 * q_multiplier * q_shares * _live(parts),
        v_nominal_v=_nominal_v(kv, delta=delta, phases=phases),
        law=_of_one(law, shares),
        q_law=None if q_law == law else _of_one(q_law, q_shares),
        v_low_pu=float(loads.Vminpu),
        v_high_pu=float(loads.Vmaxpu),
        v_floor_pu=number(reader.circuit.ActiveCktElement, "VLowpu"),
        outside=outside,
        v_cut_pu=max(v_cut, 0.0),
        load_class="" if shape.lower() == "default" else shape.lower(),
        customers=int(loads.NumCust),
    )
    if not load.pairs:
        reader.note(name, "both its ends are grounded: left out")
        return ()

    def with_power(part: Load, s_w: complex) -> Load:
        return replace(part, p_w=-s_w.real, q_var=-s_w.imag)

    def frozen(part: Load) -> Load:
        return replace(part, law=CONSTANT_POWER, q_law=None, v_low_pu=0.0, v_high_pu=1e3, v_floor_pu=0.0, v_cut_pu=0.0)

    if any(to is not None and to not in reader.solved.held for _, to in load.pairs):
        return _to_ground(reader, frozen(load))
    load = clear_of_jumps(reader, load)
    nominal = np.full(len(load.pairs), -complex(load.p_w, load.q_var) / len(load.pairs))
    return as_solved(reader, load, parts, delta=delta, nominal=nominal, with_power=with_power, frozen=frozen)


def _to_ground(reader: CircuitReader, load: Load) -> tuple[Load, ...]:
    """A load whose neutral nothing else stands on: what each of its phases draws, at the engine's solution."""
    found = [
        replace(
            load,
            id=ElementId(f"{load.id}.{k + 1}"),
            pairs=((node, None),),
            p_w=power.real,
            q_var=power.imag,
            v_nominal_v=reader.v_base_v[node.bus],
            customers=load.customers if k == 0 else 0,
        )
        for k, (node, power) in enumerate(drawn_at(reader, load.id).items())
        if node in reader.solved.held
    ]
    reader.note(load.id, "its neutral is held by nothing: carried as the power that each phase draws at the solution")
    return tuple(found)


def _power_of(exponent: float) -> VoltageLaw:
    named = {0.0: CONSTANT_POWER, 1.0: VoltageLaw(i_frac=1.0), 2.0: _CONSTANT_Z}
    return named.get(exponent, VoltageLaw(e_frac=1.0, exponent=exponent))


def _of_one(law: VoltageLaw, total: float) -> VoltageLaw:
    """Shares that add up to 1."""
    if abs(total - 1.0) < 1e-12 or total == 0.0:
        return law if total else CONSTANT_POWER
    return replace(law, z_frac=law.z_frac / total, i_frac=law.i_frac / total, p_frac=law.p_frac / total)


def _live(parts: list[tuple[int, Pair | None]]) -> float:
    return sum(pair is not None for _, pair in parts) / len(parts)


def _nominal_v(kv: float, *, delta: bool, phases: int) -> float:
    """Across one part: the engine takes kV as phase-to-phase for two and three phases."""
    return kv * 1e3 / math.sqrt(3.0) if not delta and phases in (2, 3) else kv * 1e3


def read_der(reader: CircuitReader, name: str) -> tuple[Der, ...]:
    """A generator, PV system or storage of the deck, with what it injects at the engine's solution; several where its
    parts do not inject alike."""
    terminal = reader.conductors().terminals[0]
    element = reader.circuit.ActiveCktElement
    kind = name.lower().partition(".")[0]
    delta = str(element.Properties("conn").Val).lower().startswith("d")
    phases = int(element.NumPhases)
    model = int(number(element, "model"))
    s_max_va = number(element, "kVA") * 1e3
    default_w, p_min_w, energy_wh = None, 0.0, None
    der_kind, subtransient = DerKind.PV, None
    if kind == "generator":
        p_max_w = default_w = number(element, "kW") * 1e3
        der_kind, subtransient = DerKind.GENERATOR, number(element, "Xdpp")
    elif kind == "pvsystem":
        p_max_w = min(s_max_va, number(element, "Pmpp") * 1e3)
    else:
        p_max_w = number(element, "kWrated") * 1e3
        p_min_w, energy_wh, default_w = -p_max_w, number(element, "kWhrated") * 1e3, 0.0
        named = element_name(name).lower()
        der_kind = DerKind.EV if any(part in _VEHICLE for part in _words(named)) else DerKind.BATTERY
    follows = "its controls, curves and schedules are not carried over"
    reader.note(name, f"injects what it does at the engine's solution; {follows}")
    parts = pairs_of(terminal, delta=delta, phases=phases)
    pairs = tuple(pair for _, pair in parts if pair is not None)
    if not pairs:
        reader.note(name, "both its ends are grounded: left out")
        return ()
    if any(to is not None and to not in reader.solved.held for _, to in pairs):
        return read_frozen(reader, name)
    s_max_va = max(s_max_va, p_max_w, 1.0)
    limited = not (kind == "generator" and model == 3) and model != 2
    der = Der(
        id=element_id(name),
        kind=der_kind,
        pairs=pairs,
        s_max_va=s_max_va,
        p_max_w=p_max_w,
        p_min_w=p_min_w,
        q_max_var=_REACTIVE_SHARE * s_max_va,
        v_nominal_v=_nominal_v(number(element, "kV"), delta=delta, phases=phases),
        energy_wh=energy_wh or None,
        default_p_injection_w=default_w,
        v_low_pu=number(element, "Vminpu") if limited else 0.0,
        v_high_pu=number(element, "Vmaxpu") if limited else None,
        x_subtransient_pu=subtransient,
    )
    if model not in (1, 3):
        reader.note(name, f"its model {model} is carried as constant power")
    current = reader.solved.currents_a[der.id]
    total = -sum(
        volts * np.conj(amps)
        for volts, amps in zip((volts_at(reader, node) for node in terminal), current, strict=False)
    )
    nominal = np.full(len(pairs), total / len(pairs))

    def with_power(part: Der, s_w: complex) -> Der:
        return replace(part, normal_p_injection_w=s_w.real, normal_q_injection_var=s_w.imag)

    def frozen(part: Der) -> Der:
        return replace(part, v_low_pu=0.0, v_high_pu=None)

    der = with_power(der, complex(total))
    return as_solved(reader, der, parts, delta=delta, nominal=nominal, with_power=with_power, frozen=frozen)


def _words(name: str) -> list[str]:
    return "".join(letter if letter.isalpha() else " " for letter in name).split()


def read_frozen(reader: CircuitReader, name: str) -> tuple[Der, ...]:
    """Any other element that draws or injects a current: constant power at each node, as the engine has it."""
    if element_id(name) not in reader.solved.currents_a:
        reader.note(name, "not carried over")
        return ()
    found = []
    for node, power in drawn_at(reader, element_id(name)).items():
        injected = -power
        if abs(injected) < MIN_VA:
            continue
        found.append(
            Der(
                id=ElementId(f"{element_id(name)}.{node.bus}.{node.phase}"),
                kind=DerKind.GENERATOR,
                pairs=((node, None),),
                s_max_va=abs(injected),
                p_max_w=max(injected.real, 0.0),
                p_min_w=min(injected.real, 0.0),
                q_max_var=abs(injected.imag),
                v_nominal_v=reader.v_base_v[node.bus],
                default_p_injection_w=injected.real,
                default_q_injection_var=injected.imag,
                normal_p_injection_w=injected.real,
                normal_q_injection_var=injected.imag,
            )
        )
    reader.note(name, "carried as the constant power that it has at each node at the engine's solution")
    return tuple(found)
