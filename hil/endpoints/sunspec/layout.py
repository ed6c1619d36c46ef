"""Where each point of a SunSpec model stands, from the model definitions that pysunspec2 carries (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sunspec2.device import get_model_def


@dataclass(frozen=True, kw_only=True)
class PointPlace:
    """One point of a model."""

    name: str
    """Path inside the model, groups numbered from 1: `W`, `PFWInj.PF`, `Crv[1].Pt[2].V`."""
    kind: str
    """SunSpec type: uint16, int32, enum16, sunssf, string, pad, ..."""
    offset: int
    """Registers from the model's ID register."""
    size: int
    """Registers."""
    scale: str | int
    """Name of the scale factor point of the model, a fixed exponent, or 0."""
    writable: bool
    symbols: frozenset[int]
    """Numbers that an enumeration permits; of a bit field, its bits."""
    together: str
    """Path of the sync group that has to be written as one; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A model with its repeating groups laid out."""

    model_id: int
    points: tuple[PointPlace, ...]

    @property
    def size(self) -> int:
        """Registers, with ID and L."""
        last = self.points[-1]
        return last.offset + last.size


@cache
def _definition(model_id: int) -> Mapping[str, Any]:
    definition: Mapping[str, Any] = get_model_def(model_id)
    return definition


def layout_of(model_id: int, *, counts: Mapping[str, int]) -> Layout:
    """Lays out a model. `counts`: how often groups repeat, by the name of the point that says so (`NCrv`, `NPt`).

    Raises KeyError where a count is missing.
    """
    points: list[PointPlace] = []
    _lay(_definition(model_id)["group"], counts=counts, prefix="", together="", into=points)
    return Layout(model_id=model_id, points=tuple(points))


def _lay(
    group: Mapping[str, Any], *, counts: Mapping[str, int], prefix: str, together: str, into: list[PointPlace]
) -> None:
    for point in group["points"]:
        offset = into[-1].offset + into[-1].size if into else 0
        into.append(
            PointPlace(
                name=prefix + point["name"],
                kind=point["type"],
                offset=offset,
                size=int(point["size"]),
                scale=point.get("sf", 0),
                writable=point.get("access") == "RW",
                symbols=frozenset(int(symbol["value"]) for symbol in point.get("symbols", ())),
                together=together,
            )
        )
    for inner in group.get("groups", ()):
        for name in _names(inner, counts=counts):
            path = f"{prefix}{name}"
            sync = path if inner.get("type") == "sync" else together
            _lay(inner, counts=counts, prefix=f"{path}.", together=sync, into=into)


def _names(group: Mapping[str, Any], *, counts: Mapping[str, int]) -> Iterator[str]:
    count = group.get("count")
    if count is None:
        yield group["name"]
        return
    repeats = count if isinstance(count, int) else counts[count]
    for number in range(1, repeats + 1):
        yield f"{group['name']}[{number}]"
