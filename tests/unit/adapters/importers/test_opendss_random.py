"""Feeders that nobody chose, against the engine."""

from pathlib import Path

import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.errors import InputError
from tests.unit.adapters.importers.against_engine import agreement
from tests.unit.adapters.importers.random_deck import RandomDeck

SEEDS = sorted(set(range(40)) - {18, 27})
"""Of these two the engine finds no solution: a load whose power jumps at its limit goes to and fro."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_feeder_is_the_engines(tmp_path: Path, seed: int) -> None:
    deck = tmp_path / "deck.dss"
    deck.write_text(RandomDeck(seed).text)
    found = agreement(deck)
    assert found.missing == frozenset()
    assert found.difference_pu < 1e-6, found.worst


@pytest.mark.parametrize("seed", [18, 27])
def test_a_deck_that_the_engine_does_not_solve_is_refused(tmp_path: Path, seed: int) -> None:
    deck = tmp_path / "deck.dss"
    deck.write_text(RandomDeck(seed).text)
    with pytest.raises(InputError, match="the engine does not solve this deck"):
        import_opendss(deck)
