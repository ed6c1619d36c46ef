"""TOML tables read key by key: everything wrong is found in one go, and what nobody asked for is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import inf, isfinite, nan

from adms.client import InputError, Problem

NO_DEFAULT = object()


class Table:
    """One table. Readers take its keys; `end` reports those that nobody took.

    After a problem a reader gives NaN, an empty text or None, so that reading goes on; `raise_problems` ends it."""

    def __init__(self, content: object, *, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = problems
        self._taken: set[str] = set()
        self._content: Mapping[str, object] = {}
        if isinstance(content, Mapping):
            self._content = content
        else:
            self.wrong("", "", "must be a table")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the table as it was given."""
        return tuple(self._content)

    def wrong(self, field: str, value: object, message: str) -> None:
        """Record a problem with a key of this table."""
        self.problems.append(Problem(element=self.name, field=field, value=f"{value}", message=message))

    def take(self, key: str, *, default: object = NO_DEFAULT) -> object:
        """The value as TOML gave it; a problem and None where it is missing and has no default."""
        self._taken.add(key)
        if key in self._content:
            return self._content[key]
        if default is NO_DEFAULT:
            self.wrong(key, "", "is missing")
            return None
        return default

    def number(self, key: str, *, low: float = -inf, high: float = inf, default: object = NO_DEFAULT) -> float:
        """A finite number from `low` to `high`."""
        given = self.take(key, default=default)
        return nan if given is None else self._as_number(key, given, low=low, high=high)

    def positive(self, key: str, *, default: object = NO_DEFAULT) -> float:
        """A finite number above zero."""
        value = self.number(key, default=default)
        if value <= 0.0:
            self.wrong(key, value, "must be above 0")
        return value

    def optional(self, key: str, *, low: float = -inf, high: float = inf) -> float | None:
        """A number, or None where the key is absent."""
        return self.number(key, low=low, high=high) if key in self._content else None

    def _as_number(self, key: str, given: object, *, low: float, high: float) -> float:
        if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given):
            self.wrong(key, given, "must be a finite number")
            return nan
        if not low <= given <= high:
            self.wrong(key, given, f"must be {_span(low, high)}")
            return nan
        return float(given)

    def numbers(
        self, key: str, *, count: int | None = None, low: float = -inf, high: float = inf, default: object = NO_DEFAULT
    ) -> tuple[float, ...]:
        """A list of numbers, `count` of them where that is given."""
        given = self.take(key, default=default)
        if given is None:
            return ()
        if not isinstance(given, Sequence) or isinstance(given, str) or (count is not None and len(given) != count):
            self.wrong(key, given, f"must be a list of {count if count is not None else ''} numbers".replace("  ", " "))
            return ()
        return tuple(self._as_number(key, value, low=low, high=high) for value in given)

    def course(
        self, key: str, *, low: float = -inf, high: float = inf, of: str = "time_s"
    ) -> tuple[tuple[float, float], ...]:
        """A list of (x, value) with growing x, which is called `of`; empty where the key is absent."""
        given = self.take(key, default=())
        if not isinstance(given, Sequence) or isinstance(given, str):
            self.wrong(key, given, f"must be a list of [{of}, value]")
            return ()
        points = []
        for pair in given:
            if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
                self.wrong(key, pair, f"must be [{of}, value]")
                continue
            x = self._as_number(key, pair[0], low=-inf, high=inf)
            points.append((x, self._as_number(key, pair[1], low=low, high=high)))
        if any(after[0] <= before[0] for before, after in pairwise(points)):
            self.wrong(key, [x for x, _ in points], f"{of} must grow")
        return tuple(points)

    def whole(self, key: str, *, low: int, high: int | None = None, default: object = NO_DEFAULT) -> int:
        """A whole number; `low` after a problem."""
        given = self.take(key, default=default)
        if given is None:
            return low
        if isinstance(given, bool) or not isinstance(given, int):
            self.wrong(key, given, "must be a whole number")
            return low
        if given < low or (high is not None and given > high):
            self.wrong(key, given, f"must be {_span(low, inf if high is None else high)}")
            return low
        return given

    def text(self, key: str, *, among: Collection[str] | None = None, default: object = NO_DEFAULT) -> str:
        """A text, one of `among` where that is given."""
        given = self.take(key, default=default)
        if given is None:
            return ""
        if not isinstance(given, str) or not given:
            self.wrong(key, given, "must be a text")
            return ""
        if among is not None and given not in among:
            self.wrong(key, given, f"must be one of {', '.join(sorted(among))}")
            return ""
        return given

    def texts(self, key: str, *, default: object = NO_DEFAULT) -> tuple[str, ...]:
        """A list of texts."""
        given = self.take(key, default=default)
        if given is None:
            return ()
        if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(t, str) for t in given):
            self.wrong(key, given, "must be a list of texts")
            return ()
        return tuple(f"{text}" for text in given)

    def flag(self, key: str, *, default: object = NO_DEFAULT) -> bool:
        """True or false."""
        given = self.take(key, default=default)
        if given is not None and not isinstance(given, bool):
            self.wrong(key, given, "must be true or false")
        return given is True

    def moment(self, key: str) -> datetime | None:
        """A date and time with its offset from UTC."""
        given = self.take(key)
        if isinstance(given, datetime) and given.tzinfo is not None:
            return given
        if given is not None:
            self.wrong(key, given, "must be a date and time with an offset, such as 2026-07-01T00:00:00-06:00")
        return None

    def table(self, key: str) -> Table | None:
        """A table within this one; None where it is absent."""
        given = self.take(key, default=None)
        return None if given is None else Table(given, name=f"{self.name}.{key}", problems=self.problems)

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables within this one."""
        return tables_of(self.take(key, default=()), name=f"{self.name}.{key}", problems=self.problems)

    def end(self) -> None:
        """Refuse every key that nobody took."""
        for key in self._content:
            if key not in self._taken:
                self.wrong(key, self._content[key], "is not known here")


def tables_of(content: object, *, name: str, problems: list[Problem]) -> tuple[Table, ...]:
    """The tables of a TOML array of tables, named by their place or their `id`."""
    if isinstance(content, str) or not isinstance(content, Sequence):
        problems.append(Problem(element=name, field="", value=f"{content}", message="must be a list of tables"))
        return ()
    found = []
    for i, entry in enumerate(content, start=1):
        known = entry.get("id") if isinstance(entry, Mapping) else None
        found.append(Table(entry, name=f"{name} {known or i}", problems=problems))
    return tuple(found)


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise InputError with every problem, if there is one."""
    if problems:
        raise InputError(problems)


def _span(low: float, high: float) -> str:
    if low == -inf:
        return f"at most {high:g}"
    return f"at least {low:g}" if high == inf else f"from {low:g} to {high:g}"
