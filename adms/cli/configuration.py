"""`adms config`: a configuration of the service from the reference that comes with it, with some keys set."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from adms.cli.exits import ExitCode
from adms.core.errors import InputError, Problem

# Read as a file: the command line and the service do not import each other.
REFERENCE = "service/reference.toml"

Values = Mapping[tuple[str, str], Any]


def write_configuration(path: Path, *, settings: Sequence[str], additions: Sequence[Path]) -> ExitCode:
    """Write the reference with TABLE.KEY=VALUE set, and with the text of other TOML files behind it. Raises InputError
    with everything that is wrong."""
    problems: list[Problem] = []
    values: dict[tuple[str, str], Any] = {}
    for setting in settings:
        name, is_one, text = setting.partition("=")
        table, _, key = name.rpartition(".")
        if not is_one or not table:
            problems.append(_wrong("--set", setting, "must be TABLE.KEY=VALUE"))
            continue
        values[(table, key)] = _value(text)
    texts = []
    for addition in additions:
        try:
            texts.append(addition.read_text(encoding="utf-8"))
            tomllib.loads(texts[-1])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(_wrong("--add", str(addition), f"is no TOML file that can be read: {error}"))
    text = ""
    try:
        text = "\n".join([reference_with(values), *texts])
        tomllib.loads(text)
    except InputError as refused:
        problems += refused.problems
    except tomllib.TOMLDecodeError as error:
        problems.append(_wrong("--add", "", f"does not go with the reference: {error}"))
    if problems:
        raise InputError(problems)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError([_wrong("command line", str(path), f"cannot be written: {error.strerror}")]) from None
    return ExitCode.OK


def _wrong(field: str, value: str, message: str) -> Problem:
    return Problem(element="command line", field=field, value=value, message=message)


def _value(text: str) -> Any:
    """As TOML reads it; what it cannot read is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def reference_with(values: Values) -> str:
    """The reference configuration with the values of some keys replaced."""
    return with_values((files("adms") / REFERENCE).read_text(encoding="utf-8"), values)


def with_values(toml: str, values: Values) -> str:
    """TOML text with the values of some keys replaced and its comments kept. Raises InputError with every key that is
    not in it."""
    waiting = dict(values)
    table = ""
    lines: list[str] = []
    for line in toml.splitlines():
        header = re.match(r"\s*\[([\w.]+)\]", line)
        entry = re.match(r"\s*(\w+)\s*=", line)
        if header:
            table = header.group(1)
        elif entry and (table, entry.group(1)) in waiting:
            # A string, number, boolean or list of JSON is also one of TOML.
            line = f"{entry.group(1)} = {json.dumps(waiting.pop((table, entry.group(1))))}"
        lines.append(line)
    if waiting:
        raise InputError(
            Problem(element=f"[{of}]", field=key, value="", message="is not in the reference configuration")
            for of, key in waiting
        )
    return "\n".join(lines) + "\n"
