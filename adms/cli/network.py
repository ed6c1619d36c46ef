"""`adms import` and `adms schema`: model files without a service."""

import json
from pathlib import Path

from adms.adapters.files import input_problems
from adms.cli.exits import ExitCode
from adms.cli.extras import OPENDSS, PANDAPOWER, require
from adms.cli.notes import note_lines
from adms.cli.progress import underway
from adms.core.errors import InputError, Problem
from adms.grid.model import NetworkModel


def import_model(
    source: Path,
    *,
    overlay: Path | None,
    output: Path,
    as_json: bool,
    every_note: bool = False,
    three_phase: bool | None = None,
) -> ExitCode:
    """Import, write and say what came over."""
    from adms.grid.plausibility import oddities

    model, version = convert(source, overlay=overlay, output=output, three_phase=three_phase)
    counts = {
        "buses": len(model.buses),
        "nodes": sum(len(bus.phases) for bus in model.buses),
        "sources": len(model.sources),
        "branches": len(model.branches),
        "switches": sum(branch.switch is not None for branch in model.branches),
        "tap_changers": sum(branch.taps is not None for branch in model.branches),
        "capacitors": len(model.capacitors),
        "loads": len(model.loads),
        "ders": len(model.ders),
    }
    warnings = [str(problem) for problem in oddities(model)]
    if as_json:
        facts = {"model": str(output), "name": model.name, "schema_version": model.schema_version, "version": version}
        print(json.dumps({**facts, **counts, "notes": list(model.notes), "warnings": warnings}))
        return ExitCode.OK
    named = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    print(f"{output}: {model.name}, {named}")
    print(f"version {version}")
    for word, told in (("note", model.notes), ("warning", warnings)):
        for line in note_lines(told, word=word, every=every_note):
            print(line)
    return ExitCode.OK


def convert(
    source: Path, *, overlay: Path | None, output: Path, three_phase: bool | None = None
) -> tuple[NetworkModel, str]:
    """Import a network with its overlay and write the model file; raises InputError with every problem.

    Args:
        source: deck or net.
        overlay: what it lacks.
        output: the model file.
        three_phase: of a pandapower net, as in `import_pandapower`.
    """
    problems = input_problems([source, overlay])
    problems += _output_problems(output, inputs=(source, overlay))
    kind = source.suffix.lower()
    if kind not in (".dss", ".json"):
        message = "what is read are OpenDSS decks (.dss) and pandapower nets (.json)"
        problems.append(Problem(element=str(source), field="", value="", message=message))
    if kind == ".dss" and three_phase is not None:
        message = "a deck says itself which phases its elements have: this is for pandapower nets"
        given = "--three-phase" if three_phase else "--balanced"
        problems.append(Problem(element="command line", field=given, value="", message=message))
    if problems:
        raise InputError(problems)
    from adms.adapters.importers.engine_process import Importer, import_apart
    from adms.adapters.model_file import save_model

    if kind == ".dss":
        require(OPENDSS, purpose="reading an OpenDSS deck")
    else:
        require(PANDAPOWER, purpose="reading a pandapower net")
    with underway(f"reading {source.name}"):
        options = {} if three_phase is None else {"three_phase": three_phase}
        importer = Importer.OPENDSS if kind == ".dss" else Importer.PANDAPOWER
        model = import_apart(importer, source, overlay=overlay, options=options)
    with underway(f"writing {output.name}"):
        return model, save_model(model, output)


def _output_problems(output: Path, *, inputs: tuple[Path | None, ...]) -> list[Problem]:
    message = ""
    try:
        if not output.absolute().parent.is_dir():
            message = "its folder does not exist"
        elif output.is_dir():
            message = "is a folder"
        elif any(path is not None and path.exists() and output.exists() and path.samefile(output) for path in inputs):
            message = "would overwrite what is read"
        elif output.is_file() and not _is_model_file(output):
            message = "exists and is no model file: not overwritten"
    except (OSError, ValueError) as error:
        message = f"cannot be written: {(error.strerror if isinstance(error, OSError) else None) or error}"
    return [Problem(element=str(output), field="", value="", message=message)] if message else []


def _is_model_file(path: Path) -> bool:
    """Whether it is one, of whatever version, or empty."""
    content = path.read_bytes()
    try:
        read = json.loads(content) if content else {"schema_version": 0, "buses": []}
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and "schema_version" in read and isinstance(read.get("buses"), list)


def show_schema(name: str, *, output: Path | None) -> ExitCode:
    """Print or write the JSON Schema of one of the files."""
    from adms.adapters.files import write_whole
    from adms.adapters.schemas import SCHEMAS, schema_text

    if name not in SCHEMAS:
        message = f"there are {', '.join(SCHEMAS)}"
        raise InputError([Problem(element="command line", field="schema", value=name, message=message)])
    text = schema_text(SCHEMAS[name][1]())
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text.encode("utf-8"))
    return ExitCode.OK
