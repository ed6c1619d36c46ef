"""Quantities in named groups, laid out one after the other."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Every field is a group; the layout follows their order."""

    def span(self, group: str) -> slice:
        """Where one group stands."""
        start = 0
        for f in fields(self):
            count = len(getattr(self, f.name))
            if f.name == group:
                return slice(start, start + count)
            start += count
        raise KeyError(group)

    @property
    def count(self) -> int:
        """Of all groups together."""
        return sum(len(getattr(self, f.name)) for f in fields(self))
