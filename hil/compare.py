"""Two runs side by side, from their records: with and without the service, or two versions of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite

from hil.against_idle import in_words
from hil.results import Better, CheckResult, Measure, Results, Standing

_ORDER = {Standing.BROKEN: 0, Standing.OPEN: 1, Standing.HELD: 2}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two runs."""

    label: str
    """What tells it from the other."""
    title: str
    verdict: str
    feeder: str
    seed: int
    command: str


@dataclass(frozen=True, kw_only=True)
class MeasureRow:
    """A figure of both."""

    key: str
    name: str
    unit: str
    digits: int
    a: float
    """NaN where that run has no such figure."""
    b: float
    difference: float
    """b less a; NaN where one is missing."""
    better: str
    """a, b, equal (they show the same digits), neither (no way is better), unknown (one is missing)."""


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """A limit of either."""

    name: str
    unit: str
    a: float
    b: float
    a_standing: Standing | None
    """None where that run has no such limit."""
    b_standing: Standing | None
    better: str
    """By how the limit came out: a, b, equal, unknown."""


@dataclass(frozen=True, kw_only=True)
class MoveRow:
    """Latched commands to one device."""

    device: str
    app: str
    a: int
    b: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between two runs. Differences are B less A."""

    a: Side
    b: Side
    measures: tuple[MeasureRow, ...]
    checks: tuple[CheckRow, ...]
    moves: tuple[MoveRow, ...]
    notes: tuple[str, ...]
    """What makes the two hard to compare."""

    @property
    def verdict(self) -> str:
        """One sentence."""
        a, b, same = (sum(row.better == word for row in self.measures) for word in ("a", "b", "equal"))
        limits = [sum(row.better == word for row in self.checks) for word in ("a", "b")]
        return (
            f"Of the figures with a better way, A ({self.a.label}) is better in {a}, B ({self.b.label}) in {b}, "
            f"{same} are equal; of the limits A comes out better in {limits[0]}, B in {limits[1]}."
        )


def compare(a: Results, b: Results) -> Comparison:
    """Compare two runs."""
    a_label, b_label = labels(a, b)
    return Comparison(
        a=_side(a, label=a_label),
        b=_side(b, label=b_label),
        measures=_measures(a, b),
        checks=_checks(a, b),
        moves=_moves(a, b),
        notes=_notes(a, b),
    )


def difference_text(row: MeasureRow) -> str:
    """The difference with its sign."""
    if row.difference != row.difference:
        return "–"
    return ("+" if row.difference > 0 else "") + in_words(row.difference, unit=row.unit, digits=row.digits)


def labels(a: Results, b: Results) -> tuple[str, str]:
    """What tells the two apart: the service, the scenario, versions, the seed; in that order."""
    if a.service != b.service:
        words = {True: "with the service", False: "without the service"}
        return words[a.service], words[b.service]
    if a.scenario != b.scenario:
        return a.scenario, b.scenario
    other = [name for name in a.versions if name in b.versions and a.versions[name] != b.versions[name]]
    if other:
        return f"{other[0]} {a.versions[other[0]]}", f"{other[0]} {b.versions[other[0]]}"
    if a.seed != b.seed:
        return f"seed {a.seed}", f"seed {b.seed}"
    return "first run", "second run"


def _side(run: Results, *, label: str) -> Side:
    return Side(
        label=label, title=run.title, verdict=run.verdict, feeder=run.feeder, seed=run.seed, command=run.command
    )


def _figures(run: Results) -> dict[str, Measure]:
    """The run's measures, and those that have no counterpart without the service."""
    found = {measure.key: measure for measure in run.measures}

    def add(key: str, name: str, value: float, *, unit: str, better: Better, digits: int) -> None:
        found[key] = Measure(
            key=key, name=name, unit=unit, value=value, idle=float("nan"), better=better, digits=digits
        )

    moves = float(len(run.moves) + run.moves_left_out)
    if run.service:
        add("moves", "Moves that the service asked for", moves, unit="", better=Better.LESS, digits=0)
        add("leases", "Leases to DER", float(run.lease_count), unit="", better=Better.NEITHER, digits=0)
    if run.estimate is not None:
        error, ratio = run.estimate.rms_error_pu, run.estimate.ratio
        add("estimate_error", "Rms error of the estimate", error, unit="pu", better=Better.LESS, digits=5)
        # Nearer to one is better, and neither less nor more.
        add("estimate_ratio", "Estimate error over its prediction", ratio, unit="", better=Better.NEITHER, digits=3)
    if run.cost:
        for currency in dict.fromkeys(line.currency for line in run.cost):
            total = sum(line.amount for line in run.cost if line.currency == currency)
            add(f"cost_{currency}", "Cost", total, unit=currency, better=Better.LESS, digits=2)
    latency_ms = run.measured.latency.p99_s * 1e3
    if isfinite(latency_ms):
        said = "Latency from sensor to actuator, 99 of 100"
        add("latency_p99", said, latency_ms, unit="ms", better=Better.LESS, digits=0)
    return found


def _measures(a: Results, b: Results) -> tuple[MeasureRow, ...]:
    mine, other = _figures(a), _figures(b)
    rows = []
    for key in dict.fromkeys((*mine, *other)):
        known = mine.get(key) or other[key]
        values = [side[key].value if key in side else float("nan") for side in (mine, other)]
        rows.append(
            MeasureRow(
                key=key,
                name=known.name,
                unit=known.unit,
                digits=known.digits,
                a=values[0],
                b=values[1],
                difference=values[1] - values[0],
                better=_better(values[0], values[1], way=known.better, digits=known.digits),
            )
        )
    return tuple(rows)


def _better(a: float, b: float, *, way: Better, digits: int) -> str:
    if not isfinite(a) or not isfinite(b):
        return "unknown"
    if way is Better.NEITHER:
        return "neither"
    if abs(a - b) < 0.5 * 10.0**-digits:
        return "equal"
    return "a" if (a < b) == (way is Better.LESS) else "b"


def _checks(a: Results, b: Results) -> tuple[CheckRow, ...]:
    mine, other = ({check.name: check for check in run.all_checks} for run in (a, b))
    rows = []
    for name in dict.fromkeys((*mine, *other)):
        first, second = mine.get(name), other.get(name)
        known = first or other[name]
        rows.append(
            CheckRow(
                name=name,
                unit=known.unit,
                a=first.value if first else float("nan"),
                b=second.value if second else float("nan"),
                a_standing=first.standing if first else None,
                b_standing=second.standing if second else None,
                better=_better_standing(first, second),
            )
        )
    return tuple(rows)


def _better_standing(a: CheckResult | None, b: CheckResult | None) -> str:
    if a is None or b is None or a.standing not in _ORDER or b.standing not in _ORDER:
        return "unknown"
    gap = _ORDER[b.standing] - _ORDER[a.standing]
    return "equal" if not gap else ("b" if gap > 0 else "a")


def _moves(a: Results, b: Results) -> tuple[MoveRow, ...]:
    counts = [Counter((move.device, move.app) for move in run.moves) for run in (a, b)]
    devices = sorted({*counts[0], *counts[1]}, key=lambda key: (-max(c[key] for c in counts), key))
    return tuple(
        MoveRow(device=device, app=app, a=counts[0][device, app], b=counts[1][device, app]) for device, app in devices
    )


def _notes(a: Results, b: Results) -> tuple[str, ...]:
    notes = []
    for what in ("feeder", "scenario", "seed", "duration_s", "scan_s"):
        first, second = getattr(a, what), getattr(b, what)
        if first != second and (first == first or second == second):
            why = ": loads, weather and noise differ by chance" if what == "seed" else ""
            notes.append(f"Not the same {what.removesuffix('_s')}: {first} and {second}{why}.")
    mine, other = ({check.name: check.limit for check in run.all_checks} for run in (a, b))
    notes += [
        f"Not the same limit of {name}: {mine[name]:g} and {other[name]:g}."
        for name in mine
        if name in other and isfinite(mine[name]) and isfinite(other[name]) and mine[name] != other[name]
    ]
    return tuple(notes)
