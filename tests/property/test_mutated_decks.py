"""Spoiled decks: each is imported or refused with its problems, whatever it does to the engine that reads it."""

import shutil
from pathlib import Path

import numpy as np

from adms.adapters.importers.engine_process import EngineProcess, Importer
from adms.core.errors import InputError
from tests.property.consequences import consequence, refusal, tally, watched
from tests.property.deck_mutations import spoiled_deck

SEED = 20_241
FEEDERS = Path(__file__).parents[1] / "cases" / "feeders"
DECKS = (
    "4Bus-DY-Bal/4Bus-DY-Bal.DSS", "4Bus-YD-Bal/4Bus-YD-Bal.DSS", "4Bus-YY-Bal/4Bus-YY-Bal.DSS",
    "4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss", "13Bus/IEEE13Nodeckt.dss",
)  # fmt: skip
LIMIT_S = 3.0


def test_no_spoiled_deck_does_more_than_be_imported_or_refused(tmp_path: Path, mutations: int) -> None:
    shutil.copytree(FEEDERS, tmp_path / "feeders")

    def follow(number: int) -> str:
        rng = np.random.default_rng([SEED, number])
        deck = tmp_path / "feeders" / DECKS[int(rng.integers(len(DECKS)))]
        text = spoiled_deck(deck.read_text(encoding="latin-1"), rng, name="spoiled.dss")
        path = deck.with_name("spoiled.dss")
        path.write_text(text, encoding="utf-8")
        return _what_follows(engine, path)

    with EngineProcess() as engine:
        counts, defects = tally(3 * mutations // 10, follow)
    print(f"\ndecks: {dict(counts)}, defects: {len(defects)}")
    assert not defects, "\n".join(defects[:40])
    assert counts["refused"] > 0
    assert counts["solved"] > 0


def _what_follows(engine: EngineProcess, path: Path) -> str:
    try:
        model = engine.read(Importer.OPENDSS, path, limit_s=LIMIT_S)
    except InputError as refused:
        return refusal(refused)
    with watched():
        return consequence(model)
