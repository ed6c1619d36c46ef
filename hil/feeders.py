"""Feeders that come with the bench: deck, overlay, drawing coordinates, scenario."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class FeederFiles:
    """Where a feeder's files are."""

    name: str
    deck: Path
    overlay: Path
    coordinates: Path
    scenario: Path


_IEEE123 = ROOT / "feeders" / "ieee123"

FEEDERS = {
    "123-operated": FeederFiles(
        name="123-operated",
        deck=_IEEE123 / "IEEE123Master.dss",
        overlay=_IEEE123 / "123-operated.toml",
        coordinates=_IEEE123 / "BusCoords.dat",
        scenario=ROOT / "scenarios" / "demo.toml",
    )
}


def read_coordinates(path: Path) -> dict[str, tuple[float, float]]:
    """Drawing coordinates of buses (bus, x, y per line), in drawing units."""
    places: dict[str, tuple[float, float]] = {}
    for line in path.read_text().splitlines():
        words = line.replace(",", " ").split()
        if len(words) >= 3:
            places[words[0].lower()] = (float(words[1]), float(words[2]))
    return places
