"""Measurements of one instant from a CSV file, for an estimate without a service.

`adms/schemas/measurements.md` documents the file. This module takes it apart into lines and cells;
`adms.adapters.measurements_rows` says what a row means in a network.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from adms.adapters.files import input_problems, read_text
from adms.adapters.measurements_rows import Measurements, RowReader
from adms.core.errors import InputError, Problem
from adms.core.near import near_names
from adms.grid.model import NetworkModel

SIZE_MAX_BYTES = 128 * 1024**2
"""Some two million rows: ten for each node of the largest network."""
REQUIRED = ("kind", "element", "phase", "value", "sigma")
OPTIONAL = ("side", "age_s", "interval_s", "note")
_ALSO = {"age": "age_s", "interval": "interval_s"}
_LINE_END = re.compile(r"\r\n|\n|\r")
_AFTER_QUOTE = re.compile(r'"[ \t]+(?=,|$)')
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 80
LINE_MAX = 10_000
"""Characters of a row, a long remark included."""


def read_measurements(path: Path, *, model: NetworkModel) -> Measurements:
    """The measurements in a file, as points of a network.

    Args:
        path: the file.
        model: what they are measured in.

    Raises:
        InputError: with every problem of the file, each with its line.
    """
    problems = input_problems([path])
    if not problems and path.stat().st_size > SIZE_MAX_BYTES:
        problems.append(_whole(path, f"is larger than {SIZE_MAX_BYTES // 1024**2} MiB: is it measurements?"))
    if problems:
        raise InputError(problems)
    text = read_text(path)
    if "\0" in text:
        raise InputError([_whole(path, "is not a text file: it has zero bytes")])
    lines = _lines(text)
    first = next(lines, None)
    if first is None:
        raise InputError([_whole(path, f"is empty: its first row names the columns, {', '.join(REQUIRED)}")])
    if len(first[1]) > LINE_MAX:
        raise InputError([_whole(path, f"begins with a row of {len(first[1])} characters: is it measurements?")])
    columns = _columns(path, line=first[0], text=first[1])
    reader = RowReader(model, file=path.name)
    for number, line in lines:
        if len(line) > LINE_MAX:
            reader.refuse(number, f"has {len(line)} characters, {LINE_MAX} at most: is it one row?", given=line)
            continue
        cells = _cells(line)
        if isinstance(cells, str):
            reader.refuse(number, cells)
        elif any(cells):
            _read(reader, number, cells, columns=columns)
    if not reader.seen:
        raise InputError([_whole(path, "has no measurement: only the row that names the columns")])
    return reader.result()


def _read(reader: RowReader, number: int, cells: list[str], *, columns: tuple[str, ...]) -> None:
    beyond = [cell for cell in cells[len(columns) :] if cell]
    if beyond:
        message = (
            f"has {len(cells)} cells for {len(columns)} columns: decimals are written with a point, and a text with a "
            "comma in it stands in double quotes"
        )
        reader.refuse(number, message, given=",".join(cells))
        return
    padded = cells + [""] * (len(columns) - len(cells))
    reader.take(number, dict(zip(columns, padded, strict=False)))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, text) of every line that is neither blank nor a comment. A row is one line: a quote that is not closed
    spoils its own line and no other."""
    for number, line in enumerate(_LINE_END.split(text), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _cells(line: str) -> list[str] | str:
    """Cells of one line without the spaces around them, or what is wrong with its quotes."""
    last = ""
    for attempt in (line, _AFTER_QUOTE.sub('"', line)):
        try:
            rows = list(csv.reader([attempt], strict=True, skipinitialspace=True))
        except csv.Error as error:
            last = str(error)
        else:
            return [cell.strip() for cell in rows[0]]
    return f"its double quotes do not match ({last}): a quote within quotes is written twice"


def _columns(path: Path, *, line: int, text: str) -> tuple[str, ...]:
    """Names of the columns, as in `REQUIRED` and `OPTIONAL`. Raises InputError with everything wrong with them."""
    cells = _cells(text)
    where = f"{path.name} line {line}"
    if isinstance(cells, str):
        raise InputError([Problem(element=where, field="", value=text[:_SHOWN], message=cells)])
    while cells and not cells[-1]:
        cells.pop()
    names = tuple(_ALSO.get(cell.lower(), cell.lower()) for cell in cells)
    known = (*REQUIRED, *OPTIONAL)
    problems: list[Problem] = []

    def wrong(message: str, given: str = "") -> None:
        problems.append(Problem(element=where, field="", value=given[:_SHOWN], message=message))

    if not set(names) & set(known):
        other = next((word for sign, word in _OTHER_DELIMITERS.items() if sign in text), "")
        hint = f"cells are separated by commas, not by {other}; " if other else ""
        wrong(f"{hint}the first row names the columns: {', '.join(REQUIRED)}, where wanted {', '.join(OPTIONAL)}", text)
        raise InputError(problems)
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        wrong(f"there is no column {', '.join(missing)}")
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        wrong(f"the column {name or 'without a name'} stands {names.count(name)} times", name)
    for name in dict.fromkeys(names):
        if name not in known:
            near = near_names(name, known=known, count=1)
            hint = f"did you mean {near[0]}?" if near else "a remark goes into the column note"
            wrong(f"there is no such column; {hint}", name)
    if problems:
        raise InputError(problems)
    return names


def _whole(path: Path, message: str) -> Problem:
    return Problem(element=str(path), field="", value="", message=message)
