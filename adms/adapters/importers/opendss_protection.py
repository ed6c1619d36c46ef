"""Fuses, reclosers, relays and switch controls of an OpenDSS deck, as gear of the lines that they open."""

from typing import Any

from adms.adapters.importers.opendss_elements import CircuitReader, element_id, number
from adms.core.ids import ElementId
from adms.grid.model import SwitchGear, SwitchKind

_CLASSES = ("recloser", "relay", "fuse", "swtcontrol")
"""What goes before where several stand on one line."""


def read_protection(reader: CircuitReader) -> dict[ElementId, SwitchGear]:
    """By line id. What the model has no place for (curves, other kinds of relay) goes into the notes."""
    circuit = reader.circuit
    names = [name for name in circuit.AllElementNames if name.lower().partition(".")[0] in _CLASSES]
    names.sort(key=lambda name: _CLASSES.index(name.lower().partition(".")[0]))
    found: dict[ElementId, SwitchGear] = {}
    owner: dict[ElementId, str] = {}
    for name in names:
        circuit.SetActiveElement(name)
        element = circuit.ActiveCktElement
        if not element.Enabled:
            reader.note(name, "disabled in the deck")
            continue
        line = element_id(str(element.Properties("SwitchedObj").Val))
        if not line.startswith("line."):
            reader.note(name, f"switches {line or 'nothing'}: not carried over")
        elif line in found:
            reader.note(name, f"{line} has {owner[line]} already: not carried over")
        else:
            found[line] = _gear(reader, name, element)
            owner[line] = name.lower()
    return found


def _gear(reader: CircuitReader, name: str, element: Any) -> SwitchGear:
    kind = name.lower().partition(".")[0]
    if kind == "swtcontrol":
        return SwitchGear(
            kind=SwitchKind.LOAD_BREAK, normally_closed=True, remote=False, travel_s=max(number(element, "Delay"), 1.0)
        )
    if kind == "fuse":
        amps, curve = number(element, "RatedCurrent"), str(element.Properties("FuseCurve").Val)
        reader.note(
            name, f"rated {amps:g} A on curve {curve}: its curve is not carried over, nor that poles melt alone"
        )
        return SwitchGear(kind=SwitchKind.FUSE, normally_closed=True, remote=False)
    phase, ground = _pickup(element, "PhaseTrip"), _pickup(element, "GroundTrip")
    shots = max(int(number(element, "Shots")) - 1, 0)
    if kind == "relay":
        relay = str(element.Properties("Type").Val).lower()
        if not relay.startswith("cur"):
            reader.note(name, f"a relay of type {relay}: carried as a breaker that does not trip by itself")
            return SwitchGear(kind=SwitchKind.BREAKER, normally_closed=True, remote=False)
    if phase is not None or ground is not None:
        reader.note(name, "its time-current curves are not carried over: it trips after its fixed delay")
    return SwitchGear(
        kind=SwitchKind.RECLOSER if kind == "recloser" else SwitchKind.BREAKER,
        normally_closed=True,
        remote=False,
        pickup_a=phase,
        ground_pickup_a=ground,
        reclose_shots=shots,
        trip_delay_s=None if phase is None and ground is None else max(number(element, "Delay"), 0.0),
    )


def _pickup(element: Any, name: str) -> float | None:
    """None where the deck leaves the engine's own 1 A, which stands for multiples on a curve."""
    amps = number(element, name)
    return amps if amps > 0.0 and amps != 1.0 else None
