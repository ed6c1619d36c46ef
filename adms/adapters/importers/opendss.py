"""OpenDSS decks, read through the engine itself, so that every element has the primitive admittance that the engine
solves with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adms.adapters.importers.opendss_devices import read_capacitor, read_der, read_load, read_source
from adms.adapters.importers.opendss_elements import CircuitReader
from adms.adapters.importers.opendss_lines import read_line, read_other_branch, read_transformer, tap_controls
from adms.adapters.importers.overlay import apply_overlay
from adms.adapters.importers.overlay_schema import read_overlay
from adms.core.errors import AdapterError, InputError, Problem
from adms.core.ids import BusId
from adms.grid.model import Branch, Bus, Capacitor, Der, Load, NetworkModel, Source
from adms.grid.settled import settled
from adms.grid.validation import check

_SOLVES = 3
_BUILD_ALL_PRIMITIVES = 1
_METERING = ("monitor", "energymeter", "sensor")
_DER_CLASSES = ("generator", "pvsystem", "storage")


def import_opendss(deck: Path, *, overlay: Path | None = None) -> NetworkModel:
    """The network of an OpenDSS master file, with an overlay's additions.

    The deck is compiled in an engine context of its own and solved; where its controls leave taps and capacitors is
    their normal position. What is not carried over is listed element by element in `notes`.

    Raises InputError (deck or overlay missing or wrong, every problem of the overlay at once) and AdapterError (the
    engine is not installed).
    """
    missing = [
        Problem(element=str(path), field="", value="", message=f"no such {what} file")
        for path, what in ((deck, "deck"), (overlay, "overlay"))
        if path is not None and not path.is_file()
    ]
    if missing:
        raise InputError(missing)
    parsed = None if overlay is None else read_overlay(overlay)
    with _compiled(deck) as dss:
        _solve(dss, deck)
        model = _read(dss, deck)
    if parsed is not None:
        model = apply_overlay(model, parsed)
    model = settled(model)
    problems = check(model)
    if problems:
        raise InputError(problems)
    return model


@contextmanager
def _compiled(deck: Path) -> Iterator[Any]:
    """An engine context with the deck in it; the working folder and the engine's settings are as before afterwards."""
    try:
        from dss import DSS, DSSException
    except ImportError as error:
        message = "reading OpenDSS decks needs the engine: pip install 'adms-lite[hil]'"
        raise AdapterError(message, retryable=False) from error
    change_folder = bool(DSS.AllowChangeDir)
    DSS.AllowChangeDir = False
    context = DSS.NewContext()
    try:
        context.AllowForms = False
        context.AllowEditor = False
        try:
            context.Text.Command = f'redirect "{deck.resolve()}"'
            circuits = context.NumCircuits
        except DSSException as error:
            raise InputError([_deck_problem(deck, str(error))]) from error
        if not circuits:
            raise InputError([_deck_problem(deck, "the deck defines no circuit")])
        yield context
    finally:
        context.ClearAll()
        DSS.AllowChangeDir = change_folder


def _deck_problem(deck: Path, message: str) -> Problem:
    return Problem(element=str(deck), field="", value="", message=message)


def _solve(dss: Any, deck: Path) -> None:
    from dss import DSSException

    solution = dss.ActiveCircuit.Solution
    dss.Text.Command = "set mode=snapshot maxiterations=200 maxcontroliter=200"
    message = ""
    for _ in range(_SOLVES):
        try:
            solution.Solve()
        except DSSException as error:  # also raised where controls do not settle
            message = str(error)
        if solution.Converged and solution.ControlActionsDone:
            return
    if not solution.Converged:
        raise InputError([_deck_problem(deck, f"the engine does not solve this deck: {message or 'not converged'}")])


def _read(dss: Any, deck: Path) -> NetworkModel:
    circuit = dss.ActiveCircuit
    reader = CircuitReader(circuit)
    controls = tap_controls(reader)
    normal = _close_everything(dss, circuit)
    buses = _buses(dss, reader, deck)
    sources: list[Source] = []
    branches: list[Branch] = []
    capacitors: list[Capacitor] = []
    loads: list[Load] = []
    ders: list[Der] = []
    for name in circuit.AllElementNames:
        circuit.SetActiveElement(name)
        kind, _, _ = name.lower().partition(".")
        if not circuit.ActiveCktElement.Enabled:
            reader.note(name, "disabled in the deck")
        elif kind == "vsource":
            sources.extend(read_source(reader, name))
        elif kind == "line":
            branches.append(read_line(reader, name, was_open=name in normal.open_lines))
        elif kind == "transformer":
            branches.append(read_transformer(reader, name, control=controls.get(name.lower())))
        elif kind in ("reactor", "autotrans", "gictransformer"):
            branches.append(read_other_branch(reader, name))
        elif kind == "capacitor":
            capacitor = read_capacitor(reader, name, normal_steps=normal.capacitor_steps.get(name.lower(), 0))
            if capacitor is None:
                branches.append(read_other_branch(reader, name))
            else:
                capacitors.append(capacitor)
        elif kind == "load":
            loads.append(read_load(reader, name))
        elif kind in _DER_CLASSES:
            ders.append(read_der(reader, name))
        elif kind != "regcontrol":
            reader.note(name, "not part of the model" if kind in _METERING else "not carried over")
    return NetworkModel(
        name=str(circuit.Name).lower(),
        frequency_hz=float(circuit.Solution.Frequency),
        buses=buses,
        sources=tuple(sources),
        branches=tuple(branches),
        capacitors=tuple(capacitors),
        loads=tuple(loads),
        ders=tuple(ders),
        notes=tuple(reader.notes),
    )


@dataclass(frozen=True, kw_only=True)
class _NormalPositions:
    """Where the deck leaves what can be moved."""

    open_lines: frozenset[str]
    capacitor_steps: dict[str, int]


def _close_everything(dss: Any, circuit: Any) -> _NormalPositions:
    """Closes lines and switches on all capacitor steps, so that primitives are those of the whole element."""
    open_lines = set()
    for name in circuit.AllElementNames:
        if not name.lower().startswith("line."):
            continue
        circuit.SetActiveElement(name)
        element = circuit.ActiveCktElement
        if element.Enabled and (element.IsOpen(1, 0) or element.IsOpen(2, 0)):
            open_lines.add(name)
            element.Close(1, 0)
            element.Close(2, 0)
    steps: dict[str, int] = {}
    capacitors = circuit.Capacitors
    for name in capacitors.AllNames if capacitors.Count else ():
        capacitors.Name = name
        states = [int(state) for state in capacitors.States]
        steps[f"capacitor.{name.lower()}"] = sum(states)
        if not all(states):
            capacitors.States = [1] * len(states)
    dss.YMatrix.BuildYMatrixD(_BUILD_ALL_PRIMITIVES, 0)
    return _NormalPositions(open_lines=frozenset(open_lines), capacitor_steps=steps)


def _buses(dss: Any, reader: CircuitReader, deck: Path) -> tuple[Bus, ...]:
    circuit = reader.circuit
    _read_coordinates(dss, reader, deck)
    settings = circuit.Settings
    limits = (settings.NormVminpu, settings.NormVmaxpu, settings.EmergVminpu, settings.EmergVmaxpu)
    buses, problems = [], []
    for index, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(index)
        bus = circuit.ActiveBus
        if not bus.kVBase:
            problems.append(
                Problem(
                    element=name,
                    field="kVBase",
                    value="0",
                    message="no voltage base: the deck needs Set VoltageBases and CalcVoltageBases",
                )
            )
        located = bool(bus.Coorddefined)
        phases = tuple(sorted(int(node) for node in bus.Nodes))
        reader.notes.extend(f"bus.{name}: node {phase} is a neutral conductor" for phase in phases if phase > 3)
        buses.append(
            Bus(
                id=BusId(name.lower()),
                phases=phases,
                v_base_v=float(bus.kVBase) * 1e3,
                v_min_pu=limits[0],
                v_max_pu=limits[1],
                v_emergency_min_pu=limits[2],
                v_emergency_max_pu=limits[3],
                x_m=float(bus.x) if located else None,
                y_m=float(bus.y) if located else None,
            )
        )
    if problems:
        raise InputError(problems)
    return tuple(buses)


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
        dss.Text.Command = f'buscoords "{beside[0].resolve()}"'
        reader.notes.append(f"coordinates read from {beside[0].name} beside the deck")
