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
_EUROPEAN_LV = ROOT / "feeders" / "european_lv"

FEEDERS = {
    "123-operated": FeederFiles(
        name="123-operated",
        deck=_IEEE123 / "IEEE123Master.dss",
        overlay=_IEEE123 / "123-operated.toml",
        coordinates=_IEEE123 / "BusCoords.dat",
        scenario=ROOT / "scenarios" / "demo.toml",
    ),
    "european-lv": FeederFiles(
        name="european-lv",
        deck=_EUROPEAN_LV / "Master.dss",
        overlay=_EUROPEAN_LV / "european-lv.toml",
        coordinates=_EUROPEAN_LV / "Buscoords.txt",
        scenario=ROOT / "scenarios" / "european_lv.toml",
    ),
}


def read_coordinates(path: Path) -> dict[str, tuple[float, float]]:
    """Drawing coordinates of buses (bus, x, y per line; `//` and `!` are comments), in drawing units."""
    places: dict[str, tuple[float, float]] = {}
    for line in path.read_text().splitlines():
        words = line.replace(",", " ").split()
        if len(words) >= 3 and not line.lstrip().startswith(("//", "!")):
            places[words[0].lower()] = (float(words[1]), float(words[2]))
    return places
