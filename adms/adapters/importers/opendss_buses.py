"""OpenDSS buses: nodes, voltage bases, coordinates."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adms.adapters.importers.opendss_elements import CircuitReader, element_id, element_name, number
from adms.core.ids import BusId
from adms.grid.model import Bus
from adms.grid.validation_joints import V_RATIO_MAX

_DEAD_PU = 1e-3
_PHASES = 3
_SUPPLY = ("transformer", "vsource")
_DEVICES = ("load", "generator", "pvsystem", "storage", "capacitor")


def read_buses(dss: Any, reader: CircuitReader, deck: Path) -> Iterator[Bus]:
    """Every bus with a node. Its base goes into `reader.v_base_v` too; 0 where nothing in the deck tells."""
    circuit = reader.circuit
    _read_coordinates(dss, reader, deck)
    settings = circuit.Settings
    limits = (settings.NormVminpu, settings.NormVmaxpu, settings.EmergVminpu, settings.EmergVmaxpu)
    _read_bases(reader)
    for index, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(index)
        bus = circuit.ActiveBus
        located = bool(bus.Coorddefined)
        phases = tuple(sorted(int(node) for node in bus.Nodes))
        bus_id = BusId(name.lower())
        if not phases:
            reader.note(f"bus.{name}", "has no node: left out")
            continue
        reader.notes.extend(f"bus.{name}: node {phase} is a neutral conductor" for phase in phases if phase > _PHASES)
        yield Bus(
            id=bus_id,
            phases=phases,
            v_base_v=reader.v_base_v[bus_id],
            v_min_pu=limits[0],
            v_max_pu=limits[1],
            v_emergency_min_pu=limits[2],
            v_emergency_max_pu=limits[3],
            x_m=float(bus.x) if located else None,
            y_m=float(bus.y) if located else None,
        )


def _buses_of(element: Any) -> list[BusId]:
    return [BusId(str(name).partition(".")[0].lower()) for name in element.BusNames]


def _read_bases(reader: CircuitReader) -> None:
    """The engine's bases where it has one that its own solution bears out. A bus without a base gets that of the buses
    that lines join it to; else the nearest rated voltage to its solved one, else one that is rated there.

    The engine gives a bus that is dead while CalcVoltageBases runs an arbitrary base of its list.
    """
    circuit = reader.circuit
    base: dict[BusId, float] = {}
    for index, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(index)
        base[BusId(name.lower())] = float(circuit.ActiveBus.kVBase) * 1e3
    solved = dict.fromkeys(base, 0.0)
    for node, volts in reader.solved.v_phasor_v.items():
        if node.phase <= _PHASES:
            solved[node.bus] = max(solved.get(node.bus, 0.0), abs(volts))
    trusted = {bus for bus, volts in base.items() if volts > 0.0 and solved[bus] > _DEAD_PU * volts}
    doubtful = set(base) - trusted
    joined = _joined_by_lines(reader, base)
    agreed: dict[BusId, float] = {}
    for members in joined:
        heard = Counter(base[bus] for bus in members if bus in trusted)
        if heard:
            most = heard.most_common(1)[0][0]
            agreed.update(dict.fromkeys(members, most))
    rated: dict[BusId, list[float]] = {}
    supply: dict[BusId, list[float]] = {}
    if any(bus not in agreed for bus in doubtful):
        supply = _rated_v(reader, _SUPPLY)
        rated = {**_rated_v(reader, _DEVICES), **supply}
    every = sorted({volts for found in supply.values() for volts in found})
    for members in joined:
        if members[0] in agreed:
            continue
        here = Counter(volts for bus in members for volts in rated.get(bus, ()))
        live = max(solved[bus] for bus in members)
        if live > 1.0 and every:
            chosen = min(every, key=lambda volts: abs(math.log(volts / live)))
        else:
            given = max(base[bus] for bus in members)
            borne_out = any(given and max(volts, given) <= V_RATIO_MAX * min(volts, given) for volts in here)
            chosen = here.most_common(1)[0][0] if here and not borne_out else given
        agreed.update(dict.fromkeys(members, chosen))
    chosen_v = {bus: agreed[bus] if bus in doubtful else volts for bus, volts in base.items()}
    for members in _joined_by_lines(reader, base, switches_only=True):
        most = Counter(chosen_v[bus] for bus in members).most_common(1)[0][0]
        chosen_v.update(dict.fromkeys(members, most))
    for members in joined:
        found = [chosen_v[bus] for bus in members if chosen_v[bus] > 0.0]
        if found and max(found) > V_RATIO_MAX * min(found):
            chosen_v.update(dict.fromkeys(members, Counter(found).most_common(1)[0][0]))
    for bus in base:
        volts = chosen_v[bus]
        if volts != base[bus] and volts > 0.0:
            was = f"{base[bus]:.6g} V" if base[bus] else "none"
            reader.note(f"bus.{bus}", f"voltage base {volts:.6g} V to ground, in the deck {was}")
        reader.v_base_v[bus] = volts


def _joined_by_lines(
    reader: CircuitReader, buses: dict[BusId, float], *, switches_only: bool = False
) -> list[list[BusId]]:
    """Sets of buses of one voltage."""
    parent = {bus: bus for bus in buses}

    def root(bus: BusId) -> BusId:
        while parent[bus] != bus:
            parent[bus] = parent[parent[bus]]
            bus = parent[bus]
        return bus

    circuit = reader.circuit
    for name in circuit.AllElementNames:
        if name.lower().partition(".")[0] not in ("line", "reactor", "capacitor", "fault"):
            continue
        circuit.SetActiveElement(name)
        if circuit.ActiveCktElement.Enabled and (not switches_only or _is_switch(reader, name)):
            ends = [bus for bus in _buses_of(circuit.ActiveCktElement) if bus in parent]
            for other in ends[1:]:
                parent[root(other)] = root(ends[0])
    groups: dict[BusId, list[BusId]] = {}
    for bus in buses:
        groups.setdefault(root(bus), []).append(bus)
    return list(groups.values())


def _is_switch(reader: CircuitReader, name: str) -> bool:
    if element_id(name) in reader.opened.terminals:
        return True
    if not name.lower().startswith("line."):
        return False
    reader.circuit.Lines.Name = element_name(name)
    return bool(reader.circuit.Lines.IsSwitch) or bool(reader.circuit.ActiveCktElement.HasSwitchControl)


def _rated_v(reader: CircuitReader, kinds: tuple[str, ...]) -> dict[BusId, list[float]]:
    """Phase-to-ground voltages that elements of some classes are rated at, by bus."""
    circuit = reader.circuit
    found: dict[BusId, list[float]] = {}
    for name in circuit.AllElementNames:
        kind = name.lower().partition(".")[0]
        circuit.SetActiveElement(name)
        element = circuit.ActiveCktElement
        if kind not in kinds or not element.Enabled:
            continue
        buses, phases = _buses_of(element), int(element.NumPhases)
        if kind == "transformer":
            transformers = circuit.Transformers
            transformers.Name = element_name(name)
            for winding, bus in enumerate(buses, start=1):
                transformers.Wdg = winding
                to_ground = phases == 1 and not transformers.IsDelta
                found.setdefault(bus, []).append(_to_ground_v(float(transformers.kV), to_ground=to_ground))
        elif kind == "vsource":
            found.setdefault(buses[0], []).append(_to_ground_v(number(element, "basekV"), to_ground=phases == 1))
        else:
            delta = str(element.Properties("conn").Val).lower().startswith("d")
            to_ground = phases == 1 and not delta
            found.setdefault(buses[0], []).append(_to_ground_v(number(element, "kV"), to_ground=to_ground))
    return found


def _to_ground_v(kv: float, *, to_ground: bool) -> float:
    return round(kv * 1e3 / (1.0 if to_ground else math.sqrt(3.0)), 6)


def _read_coordinates(dss: Any, reader: CircuitReader, deck: Path) -> None:
    """Test feeders leave their coordinates in a file beside the master that the master does not read."""
    circuit = reader.circuit
    for index in range(circuit.NumBuses):
        circuit.SetActiveBusi(index)
        if circuit.ActiveBus.Coorddefined:
            return
    beside = sorted(
        path for path in deck.parent.iterdir() if "buscoord" in path.name.lower() or "busxy" in path.name.lower()
    )
    if len(beside) == 1:
        from dss import DSSException

        try:
            dss.Text.Command = f'buscoords "{beside[0].resolve()}"'
        except DSSException:
            reader.notes.append(f"coordinates in {beside[0].name} beside the deck cannot be read")
        else:
            reader.notes.append(f"coordinates read from {beside[0].name} beside the deck")
