"""A recording of telemetry: CSV with a header, one value a row.

Columns `time_s, kind, element, side, phase, value` and, where known, `sigma, quality`. `time_s` starts anywhere and
never runs backwards; rows of one time are one frame. `kind` is a word of the API's points, e.g. `v_magnitude_v`.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from adms.client import InputError, Point, PointKind, Problem, Quality

REQUIRED = ("time_s", "kind", "element", "side", "phase", "value")
OPTIONAL = ("sigma", "quality")
PROBLEMS_LISTED_MAX = 20


@dataclass(frozen=True, kw_only=True)
class RecordedFrame:
    """Values of one instant, by place in the recording's points."""

    time_s: float
    value: Mapping[int, float]
    quality: Mapping[int, Quality]
    """Of the values that are not GOOD."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A whole recording."""

    points: tuple[Point, ...]
    frames: tuple[RecordedFrame, ...]


@dataclass(frozen=True, kw_only=True)
class _Row:
    where: str
    """File and line."""
    time_s: float
    key: tuple[PointKind, str, int, int]
    value: float
    sigma: float | None
    quality: Quality


def read_recording(path: Path) -> Recording:
    """Read a recording. Raises InputError with every problem, by line (the first ones of very many)."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            absent = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if absent:
                columns = Problem(element=f"{path}:1", field=", ".join(absent), value="", message="column is missing")
                raise InputError([columns])
            read = [_row(cells, where=f"{path}:{line}") for line, cells in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            [Problem(element=str(path), field="", value="", message=f"cannot be read: {error}")]
        ) from error
    rows = [row for row, _ in read if row is not None]
    problems = [problem for _, found in read for problem in found]
    problems += [
        Problem(element=after.where, field="time_s", value=str(after.time_s), message="runs backwards")
        for before, after in pairwise(rows)
        if after.time_s < before.time_s
    ]
    if not rows and not problems:
        problems.append(Problem(element=str(path), field="", value="", message="holds no values"))
    if problems:
        more = len(problems) - PROBLEMS_LISTED_MAX
        listed = problems[:PROBLEMS_LISTED_MAX]
        if more > 0:
            listed.append(Problem(element=str(path), field="", value="", message=f"and {more} more problems"))
        raise InputError(listed)
    return _recording(rows)


def _row(cells: Mapping[str, str | None], *, where: str) -> tuple[_Row | None, list[Problem]]:
    """A row, or what is wrong with it."""
    problems: list[Problem] = []

    def text(name: str, otherwise: str = "") -> str:
        return (cells.get(name) or "").strip().lower() or otherwise

    def wrong(name: str, message: str) -> None:
        problems.append(Problem(element=where, field=name, value=text(name), message=message))

    def number(name: str, otherwise: str = "") -> float:
        try:
            value = float(text(name, otherwise))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            wrong(name, "is not a number")
            return 0.0
        return value

    if text("kind") not in set(PointKind):
        wrong("kind", f"must be one of {', '.join(PointKind)}")
    if not text("element"):
        wrong("element", "is empty")
    qualities = {quality.name.lower(): quality for quality in Quality}
    if text("quality", "good") not in qualities:
        wrong("quality", f"must be one of {', '.join(qualities)}")
    time_s, value = number("time_s"), number("value")
    side, phase = int(number("side", "0")), int(number("phase", "0"))
    sigma = number("sigma", "0") if text("sigma") else None
    if problems:
        return None, problems
    row = _Row(
        where=where,
        time_s=time_s,
        key=(PointKind(text("kind")), text("element"), side, phase),
        value=value,
        sigma=sigma,
        quality=qualities[text("quality", "good")],
    )
    return row, problems


def _recording(rows: list[_Row]) -> Recording:
    place: dict[tuple[PointKind, str, int, int], int] = {}
    sigma: dict[int, float | None] = {}
    for row in rows:
        index = place.setdefault(row.key, len(place))
        sigma.setdefault(index, row.sigma)
    points = tuple(
        Point(kind=kind, element=element, side=side, phase=phase, sigma=sigma[index])
        for (kind, element, side, phase), index in place.items()
    )
    return Recording(points=points, frames=tuple(_frames(rows, place)))


def _frames(rows: list[_Row], place: Mapping[tuple[PointKind, str, int, int], int]) -> Iterator[RecordedFrame]:
    for time_s, group in groupby(rows, key=lambda row: row.time_s):
        members = list(group)
        yield RecordedFrame(
            time_s=time_s,
            value={place[row.key]: row.value for row in members},
            quality={place[row.key]: row.quality for row in members if row.quality is not Quality.GOOD},
        )
