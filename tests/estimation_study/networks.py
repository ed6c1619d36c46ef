"""Feeders of the estimator's study: which deck, and where a utility has its head meters."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adms.adapters.importers.opendss import import_opendss
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState, normal_state

_ROOT = Path(__file__).resolve().parents[2]
_FEEDERS = _ROOT / "tests" / "cases" / "feeders"
_IEEE123 = _ROOT / "hil" / "feeders" / "ieee123"


@dataclass(frozen=True, kw_only=True)
class Deck:
    """Where a feeder is and where its head is metered."""

    path: Path
    overlay: Path | None
    head_branch: str
    """P and Q are metered at its first end, phase by phase, and the voltage at that end's bus."""
    loading: float = 1.0
    """Expected loads over the deck's. Less than 1 where the deck is so close to voltage collapse that some draws would
    have no power flow."""


def _deck(path: str, head_branch: str, *, loading: float = 1.0) -> Deck:
    return Deck(path=_FEEDERS / path, overlay=None, head_branch=head_branch, loading=loading)


def _four(path: str, head_branch: str = "line.line1") -> Deck:
    return _deck(path, head_branch, loading=0.6)


DECKS = {
    "13": _deck("13Bus/IEEE13Nodeckt.dss", "line.650632"),
    "34": _deck("34Bus/ieee34Mod1.dss", "line.l1"),
    "37": _deck("37Bus/ieee37.dss", "line.l35"),
    "123": Deck(
        path=_IEEE123 / "IEEE123Master.dss",
        overlay=_IEEE123 / "123-operated.toml",
        head_branch="line.l115",
    ),
    "4bus_dy": _four("4Bus-DY-Bal/4Bus-DY-Bal.DSS"),
    "4bus_grdyd": _four("4Bus-GrdYD-Bal/4Bus-GrdYD-Bal.DSS"),
    "4bus_oyod": _four("4Bus-OYOD-Bal/4Bus-OYOD-Bal.DSS"),
    "4bus_oyod_unbalanced": _four("4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss", "line.l1"),
    "4bus_yd": _four("4Bus-YD-Bal/4Bus-YD-Bal.DSS"),
    "4bus_yy": _four("4Bus-YY-Bal/4Bus-YY-Bal.DSS"),
    "european_lv": _deck("../../../hil/feeders/european_lv/Master.dss", "line.line1"),
    "8500": _deck("8500-Node/Master.dss", "line.hvmv_sub_connector", loading=0.8),
}
"""123 is the operated variant: DER, neighbouring sources behind open ties, sectionalising switches."""


@cache
def arrays_of(name: str) -> NetworkArrays:
    """A feeder in solver order."""
    deck = DECKS[name]
    return NetworkArrays(import_opendss(deck.path, overlay=deck.overlay), version=ModelVersion(name))


@cache
def grid_of(name: str) -> GridState:
    """Its normal positions."""
    return normal_state(arrays_of(name).model)
