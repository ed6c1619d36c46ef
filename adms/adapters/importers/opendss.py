"""OpenDSS decks, read through the engine itself, so that every element has the primitive admittance that the engine
solves with."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adms.adapters.files import input_problems
from adms.adapters.importers.opendss_buses import read_buses
from adms.adapters.importers.opendss_deck import DeckText
from adms.adapters.importers.opendss_devices import capacitor_controls, read_capacitor, read_source
from adms.adapters.importers.opendss_elements import DER_CLASSES, FROZEN_CLASSES, CircuitReader, element_id
from adms.adapters.importers.opendss_injectors import read_der, read_frozen, read_load
from adms.adapters.importers.opendss_lines import read_line, read_other_branch
from adms.adapters.importers.opendss_neutrals import with_neutrals_joined
from adms.adapters.importers.opendss_protection import read_protection
from adms.adapters.importers.opendss_solution import close_what_is_open, node_names, read_solution, solve
from adms.adapters.importers.opendss_transformers import read_transformer, tap_controls
from adms.adapters.importers.overlay import apply_overlay
from adms.adapters.importers.overlay_schema import read_overlay
from adms.core.errors import AdapterError, InputError, Problem
from adms.grid.model import Branch, Capacitor, Der, Load, NetworkModel, Source
from adms.grid.settled import settled
from adms.grid.validation import check
from adms.grid.validation_joints import used_nodes

_METERING = frozenset(("monitor", "energymeter", "sensor", "fmonitor"))
_READ_ELSEWHERE = frozenset(("regcontrol", "capcontrol", "fuse", "recloser", "relay", "swtcontrol"))
_BUILDING = frozenset(
    [
        "",
        "new",
        "edit",
        "more",
        "m",
        "~",
        "select",
        "enable",
        "disable",
        "open",
        "close",
        "batchedit",
        "clear",
        "setkvbase",
        "reduce",
        "makeposseq",
        "rephase",
        "remove",
        "allocateloads",
        "var",
        "reconductor",
        "setloadandgenkv",
        "interpolate",
    ]
)
"""Commands that make the network: where one fails, the deck is refused. Solving, options and reports may fail."""
_BRANCH_CLASSES = frozenset(("reactor", "gictransformer", "fault"))


def import_opendss(deck: Path, *, overlay: Path | None = None) -> NetworkModel:
    """The network of an OpenDSS master file, with an overlay's additions.

    The deck is compiled in an engine context of its own and solved as a snapshot, whatever mode it asks for; where its
    controls leave taps and capacitors is their normal position, and what its DER then inject is their normal
    injection. Commands of the deck that write, show or run something are left out. What is not carried over is listed
    element by element in `notes`.

    Raises InputError (deck or overlay missing or wrong, every problem of the overlay at once) and AdapterError (the
    engine is not installed).
    """
    unreadable = input_problems([deck, overlay])
    if unreadable:
        raise InputError(unreadable)
    parsed = None if overlay is None else read_overlay(overlay, source=deck)
    with _compiled(deck) as (dss, notes):
        notes += solve(dss, deck)
        model = _read(dss, deck, notes=notes)
    if parsed is not None:
        model = apply_overlay(model, parsed)
    model = settled(model)
    problems = check(model)
    if problems:
        raise InputError(problems)
    return model


@contextmanager
def _compiled(deck: Path) -> Iterator[tuple[Any, list[str]]]:
    """An engine context with the deck in it, and what of the deck was left out; the working folder and the engine's
    settings are as before afterwards."""
    try:
        from dss import DSS, DSSException
    except ImportError as error:
        message = "reading OpenDSS decks needs the engine: pip install 'adms-lite[hil]'"
        raise AdapterError(message, retryable=False) from error
    change_folder, run_programs = bool(DSS.AllowChangeDir), bool(DSS.AllowDOScmd)
    DSS.AllowChangeDir = DSS.AllowDOScmd = False
    context = DSS.NewContext()
    try:
        context.AllowForms = False
        context.AllowEditor = False
        context.AllowDOScmd = False
        executive = context.Executive
        text = DeckText(
            commands_of_the_engine=[executive.Command(i + 1) for i in range(executive.NumCommands)],
            options_of_the_engine=[executive.Option(i + 1) for i in range(executive.NumOptions)],
        )
        with tempfile.TemporaryDirectory(prefix="adms-opendss-") as folder:
            # Whatever the engine might still write goes here.
            context.Text.Command = f'set datapath="{folder}"'
            for command in text.commands(deck.resolve()):
                try:
                    context.Text.Command = command.text
                except DSSException as error:
                    said = " ".join(str(error).split())
                    if not command.quotable:
                        said = f"the engine refuses it {said.partition(' ')[0]}"
                    if command.verb not in _BUILDING:  # the network is as it was
                        text.notes.append(f"{command.where}: {said}")
                    else:
                        text.problems.append(_problem(command.where, said))
                        break
            if not text.problems and not context.NumCircuits:
                text.problems.append(_problem(str(deck), "the deck defines no circuit"))
            if text.problems:
                raise InputError(text.problems)
            yield context, text.notes
    finally:
        context.ClearAll()
        DSS.AllowChangeDir, DSS.AllowDOScmd = change_folder, run_programs


def _problem(element: str, message: str) -> Problem:
    return Problem(element=element, field="", value="", message=message)


def _read(dss: Any, deck: Path, *, notes: list[str]) -> NetworkModel:
    circuit = dss.ActiveCircuit
    reader = CircuitReader(circuit=circuit, node_of_ref=node_names(circuit), notes=notes)
    reader.solved = read_solution(reader)
    reader.opened = close_what_is_open(dss, reader)
    buses = list(read_buses(dss, reader, deck))
    controls = tap_controls(reader)
    protection = read_protection(reader)
    switching = capacitor_controls(reader)
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
            line = read_line(reader, name, gear=protection.get(element_id(name)))
            branches.extend(line.branches)
            buses.extend(line.buses)
        elif kind in ("transformer", "autotrans"):
            branches.extend(read_transformer(dss, reader, name, control=controls.get(element_id(name))))
        elif kind in _BRANCH_CLASSES:
            branches.extend(read_other_branch(reader, name))
        elif kind == "capacitor":
            shunt = read_capacitor(dss, reader, name, control=switching.get(element_id(name)))
            capacitors.extend(shunt)
            if not shunt:
                circuit.SetActiveElement(name)
                branches.extend(read_other_branch(reader, name))
        elif kind == "load":
            loads.extend(read_load(reader, name))
        elif kind in DER_CLASSES:
            ders.extend(read_der(reader, name))
        elif kind in FROZEN_CLASSES:
            ders.extend(read_frozen(reader, name))
        elif kind not in _READ_ELSEWHERE:
            reader.note(name, "not part of the model" if kind in _METERING else "not carried over")
    model = NetworkModel(
        name=str(circuit.Name).lower(),
        frequency_hz=float(circuit.Solution.Frequency),
        buses=tuple(buses),
        sources=tuple(sources),
        branches=tuple(branches),
        capacitors=tuple(capacitors),
        loads=tuple(loads),
        ders=tuple(ders),
        notes=tuple(reader.notes),
    )
    _check_bases(model)
    return with_neutrals_joined(model)


def _check_bases(model: NetworkModel) -> None:
    """Raises InputError that names every bus in use whose voltage base nothing in the deck tells."""
    used = {node.bus for node in used_nodes(model)}
    problems = [
        Problem(
            element=bus.id,
            field="kVBase",
            value="0",
            message="no voltage base: the deck needs Set VoltageBases and CalcVoltageBases",
        )
        for bus in model.buses
        if bus.v_base_v <= 0.0 and bus.id in used
    ]
    if problems:
        raise InputError(problems)
