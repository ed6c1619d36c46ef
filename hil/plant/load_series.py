"""Measured loads from a CSV file.

The first column is the time: `time_s` (feeder seconds) or `quarter_hours` (feeder quarter hours from 0). The others
are `<load> p_w` and, if known, `<load> q_var`: power drawn at nominal voltage. Without a column for Q a load keeps the
power factor of the deck.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import numpy as np

from adms.client import Problem
from hil.engine import FloatArray
from hil.plant.reading import raise_problems

CLOCKS = {"time_s": 1.0, "quarter_hours": 900.0}
QUANTITIES = ("p_w", "q_var")


@dataclass(frozen=True, kw_only=True)
class LoadSeries:
    """Power drawn by loads over time, linear between the rows."""

    time_s: FloatArray
    p_w: Mapping[str, FloatArray]
    q_var: Mapping[str, FloatArray]

    def at(self, load: str, *, time_s: float, deck_va: complex) -> complex:
        """What a load draws at nominal voltage, VA; `deck_va` lends its power factor where Q is not known."""
        p_w = float(np.interp(time_s, self.time_s, self.p_w[load]))
        if load in self.q_var:
            return complex(p_w, float(np.interp(time_s, self.time_s, self.q_var[load])))
        return complex(p_w, p_w * deck_va.imag / deck_va.real if deck_va.real else 0.0)


def read_load_series(path: Path, *, loads: Sequence[str] | None, duration_s: float | None) -> LoadSeries:
    """Read a file. `loads` are the names that the feeder has (None: not checked), `duration_s` how long the run is.
    Raises InputError with every problem: a missing or bad value is one, it is never taken for zero."""
    problems: list[Problem] = []

    def wrong(field: str, value: object, message: str) -> None:
        problems.append(Problem(element=path.name, field=field, value=f"{value}", message=message))

    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as problem:
        wrong("", "", f"cannot be read: {problem}")
        raise_problems(problems)
        raise
    header = [cell.strip() for cell in rows[0]] if rows else []
    clock = header[0] if header else ""
    if clock not in CLOCKS:
        wrong("line 1", clock, f"the first column must be {' or '.join(CLOCKS)}")
    columns: dict[tuple[str, str], int] = {}
    for place, cell in enumerate(header[1:], start=1):
        load, _, quantity = cell.lower().rpartition(" ")
        if quantity not in QUANTITIES or not load:
            wrong(f"column {place + 1}", cell, "must be '<load> p_w' or '<load> q_var'")
        elif loads is not None and load not in loads:
            wrong(f"column {place + 1}", load, "the feeder has no such load")
        elif (load, quantity) in columns:
            wrong(f"column {place + 1}", cell, "stands there twice")
        else:
            columns[load, quantity] = place
    for load, quantity in columns:
        if quantity == "q_var" and (load, "p_w") not in columns:
            wrong("line 1", load, "has q_var without p_w")
    table = np.full((max(len(rows) - 1, 0), len(header)), nan)
    for i, row in enumerate(rows[1:]):
        if len(row) != len(header):
            wrong(f"line {i + 2}", len(row), f"must have {len(header)} values")
            continue
        for j, cell in enumerate(row):
            table[i, j] = value = _number(cell)
            if not isfinite(value):
                wrong(f"line {i + 2}, {header[j]}", cell.strip(), "is missing or not a number")
    time_s = table[:, 0] * CLOCKS.get(clock, 1.0) if header else np.zeros(0)
    if len(rows) < 3:
        wrong("", len(rows) - 1, "must have two rows or more under the header")
    elif not (np.diff(time_s) > 0.0).all():
        wrong(clock, "", "times must grow from row to row")
    elif time_s[0] > 0.0:
        wrong(clock, time_s[0], "must begin at 0 or before")
    elif duration_s is not None and time_s[-1] < duration_s:
        wrong(clock, time_s[-1], f"ends before the run of {duration_s:g} s does")
    raise_problems(problems)
    return LoadSeries(
        time_s=np.asarray(time_s, dtype=np.float64),
        p_w={load: table[:, j] for (load, quantity), j in columns.items() if quantity == "p_w"},
        q_var={load: table[:, j] for (load, quantity), j in columns.items() if quantity == "q_var"},
    )


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return nan
