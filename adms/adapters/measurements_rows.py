"""Rows of a measurement file as points of a network: kinds, places, numbers, and every complaint about them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from adms.adapters.measurements_plausible import Doubts, cannot_be
from adms.core.errors import InputError, Problem
from adms.core.ids import ModelVersion, SnapshotId
from adms.core.near import NameIndex, near_names
from adms.core.telemetry import PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.grid.model import NetworkModel
from adms.grid.points import CURRENTS, FLAGS, FLOWS, LINES, MEASURED, VOLTAGES, PointRules, plausible

INTERVAL_S = 900.0
"""Of an energy, where none is given."""
ENERGIES = {"energy_wh": PointKind.P_AVERAGE, "energy_varh": PointKind.Q_AVERAGE}
"""Turned into the means of these kinds."""
KINDS: dict[str, PointKind] = {kind.value: kind for kind in PointKind} | ENERGIES
POSITIONS = frozenset({PointKind.SWITCH_CLOSED, PointKind.TAP_POSITION, PointKind.CAPACITOR_STEPS})
"""Kinds that say which network it is, and are weighed by nobody."""
_SIDES = {"": 0, "fr": 0, "to": 1}
_S_PER_H = 3600.0
_NAMES_EXPLAINED = 50
"""Unknown names that near ones are looked for: a search through all names each."""
_SHOWN = 80
_TOTALS = MEASURED - VOLTAGES - CURRENTS
_WHOLE = re.compile(r"([0-9]{1,6})(?:\.0*)?")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row."""

    line: int
    """In the file, the first is 1."""
    key: PointKey
    value: float
    """SI, of the point's kind."""
    sigma: float
    """Same unit; NaN for positions and flags."""
    age_s: float


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The rows of a file, in its order, no point twice."""

    rows: tuple[Measurement, ...]
    warnings: tuple[str, ...] = ()
    """Rows that look like slips of unit or base, by line; they are among `rows`."""

    def snapshot(self, *, version: ModelVersion) -> TelemetrySnapshot:
        """The same as telemetry of one instant, all of it good. A file has no clock: only ages mean something.

        Args:
            version: of the model that the file was read for.
        """
        rows = self.rows
        return TelemetrySnapshot(
            snapshot_id=SnapshotId("measurements"),
            cut_time=datetime(1970, 1, 1, tzinfo=UTC),
            model_version=version,
            table=PointTable(keys=tuple(row.key for row in rows)),
            value=np.array([row.value for row in rows], dtype=np.float64),
            sigma=np.array([row.sigma for row in rows], dtype=np.float64),
            age_s=np.array([row.age_s for row in rows], dtype=np.float64),
            quality=np.full(len(rows), int(Quality.GOOD), dtype=np.int64),
        )


class RowReader:
    """Takes rows one after the other; `result` has them all or raises every complaint."""

    def __init__(self, model: NetworkModel, *, file: str) -> None:
        self.seen = 0
        """Rows so far, good or not."""
        self._file = file
        self._rules = PointRules(model)
        self._names: dict[PointKind | None, NameIndex] = {}
        self._explained: dict[tuple[str, PointKind | None], str] = {}
        self._limits: dict[tuple[PointKind, str], tuple[int, int]] = {}
        for branch in model.branches:
            if branch.taps is not None:
                limits = (branch.taps.min_position, branch.taps.max_position)
                self._limits[PointKind.TAP_POSITION, branch.id] = limits
        for capacitor in model.capacitors:
            self._limits[PointKind.CAPACITOR_STEPS, capacitor.id] = (0, capacitor.steps)
        self._first: dict[PointKey, int] = {}
        self._rows: list[Measurement] = []
        self._problems: list[Problem] = []
        self._doubts = Doubts(model)

    def result(self) -> Measurements:
        """All rows. Raises InputError with every problem."""
        if self._problems:
            raise InputError(self._problems)
        return Measurements(rows=tuple(self._rows), warnings=self._doubts.warnings())

    def refuse(self, line: int, message: str, *, given: str = "") -> None:
        """A row that cannot be read at all."""
        self.seen += 1
        self._wrong(line, message, given)

    def _wrong(self, line: int, message: str, given: object = "") -> None:
        # What a terminal would act on is shown as what it is.
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(given)[:_SHOWN])
        self._problems.append(Problem(element=f"{self._file} line {line}", field="", value=shown, message=message))

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """One row.

        Args:
            line: where it stands.
            cells: text by column, without spaces around it; empty or missing where nothing is given.
        """
        self.seen += 1
        before = len(self._problems)
        kind = self._kind(line, cells["kind"])
        scale = self._scale(line, cells)
        key = self._key(line, cells, kind)
        value = scale * self._value(line, cells["value"], key=key, kind=kind)
        sigma = scale * self._sigma(line, cells["sigma"], kind)
        if len(self._problems) == before and (math.isinf(value) or math.isinf(sigma) or sigma == 0.0):
            self._wrong(line, "over interval_s it is no finite power", cells.get("interval_s", ""))
        age_s = self._age(line, cells.get("age_s", ""))
        if kind is not None and len(self._problems) == before:
            reason = cannot_be(kind, value=value)
            if reason is not None:
                self._wrong(line, reason, cells["value"])
        if key is not None:
            self._once(line, key)
        if key is not None and len(self._problems) == before:
            self._doubts.look_at(line, key, value=value, sigma=sigma)
            self._rows.append(Measurement(line=line, key=key, value=value, sigma=sigma, age_s=age_s))

    def _once(self, line: int, key: PointKey) -> None:
        # All of a thing with one phase is that phase.
        if key.phase != 0 and key.kind in _TOTALS and self._rules.phases(key) == {key.phase}:
            key = replace(key, phase=0)
        first = self._first.setdefault(key, line)
        if first != line:
            message = f"the same point as in line {first}: give one value, or the mean of both by their sigmas"
            self._wrong(line, message, f"{key.kind.value} {key.element}")

    def _kind(self, line: int, text: str) -> PointKind | None:
        kind = KINDS.get(text.lower())
        if kind is None:
            near = near_names(text, known=KINDS, count=1) if text else ()
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_told_kinds())}"
            self._wrong(line, f"{'no such kind' if text else 'kind is missing'}; {hint}", text)
        return kind

    def _scale(self, line: int, cells: Mapping[str, str]) -> float:
        """From what stands in the row to SI of its kind."""
        text = cells.get("interval_s", "")
        interval_s = self._number(line, "interval_s", text) if text else INTERVAL_S
        if interval_s <= 0.0:
            self._wrong(line, "interval_s must be above zero: the seconds that the energy was counted over", text)
            return 1.0
        return _S_PER_H / interval_s if cells["kind"].lower() in ENERGIES else 1.0

    def _number(self, line: int, column: str, text: str) -> float:
        """NaN where it is none, and said so."""
        try:
            number = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            message = "is missing: give it, or leave the row out" if not text else "is not a finite number"
            if not text.isascii():
                message += " in the digits 0 to 9"
            self._wrong(line, f"{column} {message}", text)
            return math.nan
        return number

    def _value(self, line: int, text: str, *, key: PointKey | None, kind: PointKind | None) -> float:
        value = self._number(line, "value", text)
        if math.isnan(value) or kind is None:
            return value
        limits = self._limits.get((kind, key.element)) if key is not None else None
        if limits is not None and not (value == round(value) and limits[0] <= value <= limits[1]):
            self._wrong(line, f"value must be a whole number from {limits[0]} to {limits[1]}", text)
        elif not plausible(kind, value):
            self._wrong(line, f"value {_asked(kind)}", text)
        return value

    def _sigma(self, line: int, text: str, kind: PointKind | None) -> float:
        if kind is not None and kind not in MEASURED:
            return math.nan
        if not text:
            if kind is not None:
                self._wrong(line, "sigma is missing: the standard deviation of the meter, in the unit of the kind")
            return math.nan
        sigma = self._number(line, "sigma", text)
        if sigma <= 0.0:
            self._wrong(line, "sigma must be above zero: the standard deviation of the meter", text)
        return sigma

    def _age(self, line: int, text: str) -> float:
        if not text:
            return 0.0
        age_s = self._number(line, "age_s", text)
        if age_s < 0.0:
            self._wrong(line, "age_s must not be negative: seconds since the value was measured", text)
        return age_s

    def _key(self, line: int, cells: Mapping[str, str], kind: PointKind | None) -> PointKey | None:
        """The point, where all of it is clear and the network has it."""
        element = self._element(line, cells["element"], kind)
        side = self._side(line, cells.get("side", ""))
        phase = self._phase(line, cells["phase"])
        if kind is None or element is None or side is None or phase is None:
            return None
        key = PointKey(kind=kind, element=element, side=side, phase=phase)
        there = self._rules.phases(key)
        one_phase = kind in CURRENTS or (kind in VOLTAGES and kind is not PointKind.V_LINE)
        if not cells["phase"] and one_phase and len(there) == 1:
            key = PointKey(kind=kind, element=element, side=side, phase=next(iter(there)))
        problem = self._rules.problem(key, sigma=1.0 if kind in MEASURED else None)
        if problem is None:
            return key
        if problem.field == "side":
            hint = "0 or fr is its first terminal, 1 or to its second" if kind in FLOWS else "leave it out"
            self._wrong(line, f"side: {problem.message}; {hint}", cells.get("side", ""))
        else:
            self._wrong(line, f"phase: {_phases_told(kind, there)}", cells["phase"])
        return None

    def _side(self, line: int, text: str) -> int | None:
        side = _SIDES.get(text.lower(), _whole(text))
        if side is None or side < 0:
            self._wrong(line, "side must be 0 (fr) or 1 (to) of a branch, 2 of a third winding; else nothing", text)
            return None
        return side

    def _phase(self, line: int, text: str) -> int | None:
        phase = _whole(text) if text else 0
        if phase is None or phase < 0:
            self._wrong(line, "phase must be 1, 2 or 3; 12, 23 or 31 between two; 0 or nothing for all", text)
            return None
        return phase

    def _element(self, line: int, text: str, kind: PointKind | None) -> str | None:
        """The id that is meant: of an element or bus that has this kind of point."""
        if not text:
            self._wrong(line, "element is missing: the id of a bus or element of the model")
            return None
        matches = self._index(kind).matches(text)
        if len(matches) == 1:
            return matches[0]
        if len(matches) > 1:
            self._wrong(line, f"element names {len(matches)}: {', '.join(matches[:5])}", text)
            return None
        self._wrong(line, self._explain(text, kind), text)
        return None

    def _index(self, kind: PointKind | None) -> NameIndex:
        found = self._names.get(kind)
        if found is None:
            kinds = PointKind if kind is None else (kind,)
            found = NameIndex(sorted({name for each in kinds for name in self._rules.places(each)}))
            self._names[kind] = found
        return found

    def _explain(self, text: str, kind: PointKind | None) -> str:
        """Why a name is none of this kind's, once for each."""
        told = self._explained.get((text, kind))
        if told is not None:
            return told
        elsewhere = self._index(None).matches(text) if kind is not None else []
        if elsewhere and kind is not None:
            has = self._rules.kinds(elsewhere[0])
            named = ", ".join(each.value for each in PointKind if each in has)
            told = f"{elsewhere[0]} has no {kind.value}; it has {named}"
        elif len(self._explained) < _NAMES_EXPLAINED:
            near = near_names(text, known=self._index(kind).known)
            what = "bus" if kind in VOLTAGES else "branch" if kind in FLOWS else "element"
            told = f"no such {what}" + (f"; near: {', '.join(near)}" if near else "")
        else:
            return "no such element"
        self._explained[text, kind] = told
        return told


def _whole(text: str) -> int | None:
    """A whole number, also as tables with gaps write it: 1.0."""
    found = _WHOLE.fullmatch(text)
    return int(found[1]) if found else None


def _told_kinds() -> list[str]:
    return [word for word, kind in KINDS.items() if kind in MEASURED or kind in POSITIONS]


def _asked(kind: PointKind) -> str:
    """What a value of a kind has to be."""
    if kind in FLAGS:
        return "must be 1 or 0"
    if kind in (PointKind.TAP_POSITION, PointKind.CAPACITOR_STEPS):
        return "must be a whole number of steps"
    if kind is PointKind.SOC:
        return "must be from 0 to 1"
    return "must not be negative: it is a magnitude"


def _phases_told(kind: PointKind, there: frozenset[int]) -> str:
    named = ", ".join(str(phase) for phase in sorted(there))
    if kind is PointKind.V_LINE:
        between = [str(pair) for pair, phases in LINES.items() if phases <= there]
        if between:
            return f"a voltage between two phases has 12, 23 or 31; there are {', '.join(between)}"
        return "there are no two phases here: a voltage to ground is v_magnitude_v"
    if kind not in MEASURED:
        return "a position belongs to no one phase: leave it out"
    if kind in CURRENTS or kind in VOLTAGES:
        return f"there are {named} here; name one"
    return f"there are {named} here; 0 or nothing is all of them"
