"""Reading TOML records: every problem is collected, and what could not be read stands in as nothing that matters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf, nan
from typing import Any

from adms.client import InputError, Problem


class Records:
    """What is wrong so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, element: str, field: str, value: object, message: str) -> None:
        """One more problem."""
        self.problems.append(Problem(element=element, field=field, value=str(value), message=message))

    def refuse(self) -> None:
        """Raises InputError where something is wrong."""
        if self.problems:
            raise InputError(self.problems)

    def unknown(self, element: str, entry: Mapping[str, Any], *, known: Collection[str]) -> None:
        """Keys that nobody reads."""
        for key in sorted(set(entry) - set(known)):
            self.wrong(element, key, entry[key], f"is not known here; known: {', '.join(sorted(known))}")

    def number(
        self,
        element: str,
        entry: Mapping[str, Any],
        key: str,
        *,
        above: float | None = None,
        least: float | None = None,
        below: float = inf,
    ) -> float:
        """A number greater than `above`, or not less than `least`, and less than `below`. It has to be there."""
        value = entry.get(key)
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else nan
        bound = (above is None or number > above) and (least is None or number >= least) and number < below
        if bound and number == number:
            return number
        limits = [
            f"greater than {above:g}" if above is not None else "",
            f"from {least:g} on" if least is not None else "",
        ]
        limits += [f"below {below:g}" if below < inf else ""]
        said = " and ".join(limit for limit in limits if limit)
        self.wrong(element, key, "" if value is None else value, f"needs a number {said}".strip())
        return 1.0 if below > 1.0 else below / 2

    def maybe(self, element: str, entry: Mapping[str, Any], key: str, *, least: float) -> float | None:
        """A number not less than `least`, or None where there is none."""
        return self.number(element, entry, key, least=least) if key in entry else None

    def word(self, element: str, entry: Mapping[str, Any], key: str, *, of: Collection[str]) -> str:
        """One of some words."""
        value = entry.get(key)
        if value in of:
            return str(value)
        self.wrong(element, key, "" if value is None else value, f"is none of {', '.join(of)}")
        return next(iter(of))

    def flag(self, element: str, entry: Mapping[str, Any], key: str) -> bool:
        """True or false; false where it is not there."""
        value = entry.get(key, False)
        if not isinstance(value, bool):
            self.wrong(element, key, value, "is neither true nor false")
        return value is True

    def table(self, element: str, entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """A table that has to be there."""
        value = entry.get(key)
        if isinstance(value, Mapping):
            return value
        self.wrong(element, key, "" if value is None else value, "needs a table")
        return {}
