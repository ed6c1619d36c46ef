"""Spoiled model files: each loads or is refused with its problems, and what loads is solved or not with a reason.

`pytest tests/property/test_mutated_models.py tests/property/test_mutated_decks.py --mutations 10000` tries that many,
seven tenths of them model files.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.adapters.model_file import load_model, save_model
from adms.core.errors import InputError
from adms.grid.model import NetworkModel, TapChanger, TapPrimitive
from tests.property.consequences import DefectError, consequence, refusal, tally, watched
from tests.property.mutations import spoiled_model
from tests.unit.powerflow.networks import four_buses

SEED = 20_240
FEEDERS = Path(__file__).parents[1] / "cases" / "feeders"


def _tapped() -> NetworkModel:
    """The four buses, one line with a tap table of its own."""
    model = four_buses()
    first = model.branches[0]
    table = tuple(TapPrimitive(position=p, y_primitive_siemens=first.y_primitive_siemens) for p in (-1, 0, 1))
    taps = TapChanger(terminal=1, step_pu=0.01, min_position=-1, max_position=1, normal_position=0, primitives=table)
    return replace(model, branches=(replace(first, taps=taps), *model.branches[1:]))


@cache
def models() -> tuple[NetworkModel, ...]:
    """Small models with every kind of element among them."""
    decks = ("4Bus-DY-Bal/4Bus-DY-Bal.DSS", "4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss", "13Bus/IEEE13Nodeckt.dss")
    return (four_buses(), four_buses(tie_closed=True), _tapped(), *(import_opendss(FEEDERS / deck) for deck in decks))


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ...]:
    """The models as files have them."""
    path = tmp_path_factory.mktemp("models") / "model.json"
    found = []
    for model in models():
        save_model(model, path)
        found.append(json.loads(path.read_bytes()))
    return tuple(found)


def test_no_spoiled_model_file_does_more_than_load_or_be_refused(
    contents: tuple[dict[str, Any], ...], tmp_path: Path, mutations: int
) -> None:
    path = tmp_path / "model.json"
    assert {consequence(model) for model in models()} == {"solved"}  # and what is compiled is compiled

    def follow(number: int) -> str:
        rng = np.random.default_rng([SEED, number])
        path.write_bytes(spoiled_model(contents[int(rng.integers(len(contents)))], rng))
        with watched():
            return _what_follows(path)

    counts, defects = tally(7 * mutations // 10, follow)
    print(f"\nmodel files: {dict(counts)}, defects: {len(defects)}")
    assert not defects, "\n".join(defects[:40])
    assert counts["refused"] > 0
    assert counts["solved"] > 0


def _what_follows(path: Path) -> str:
    try:
        model, version = load_model(path)
    except InputError as refused:
        return refusal(refused)
    again = path.with_name("again.json")
    if save_model(model, again) != version:
        raise DefectError("written again it is another model")
    return consequence(model)
