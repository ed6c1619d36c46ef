"""Spoiled pandapower files: each is imported or refused with its problems."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
from pandapower import networks

from adms.adapters.importers.engine_process import EngineProcess, Importer
from adms.core.errors import InputError
from tests.property.consequences import consequence, refusal, tally, watched
from tests.property.mutations import FACTORS, NUMBERS, Rng, pick, spoiled_bytes

SEED = 20_242
LIMIT_S = 20.0
_CELLS: tuple[Any, ...] = (None, True, "", "x", "l", "b", "t3", -1, 0, 10**6, "Dyn", "YNyn", [1, 2], {})
_CLASSES = (
    ("os", "system"),
    ("pandas", "read_pickle"),
    ("builtins", "eval"),
    ("numpy", "load"),
    ("pandas", "DataFrame"),
)


def _nets() -> list[dict[str, Any]]:
    made = (networks.example_simple(), networks.panda_four_load_branch(), networks.case9())
    return [json.loads(pandapower.to_json(net)) for net in made]


def _spoiled(content: dict[str, Any], rng: Rng) -> bytes:
    """A net's file with one to three cells, rows, columns or tables changed."""
    spoiled = json.loads(json.dumps(content))
    tables = spoiled["_object"]
    for _ in range(int(rng.integers(1, 4))):
        filled = [
            name
            for name, part in tables.items()
            if name != "more"
            and isinstance(part, dict)
            and part.get("_class") == "DataFrame"
            and json.loads(part["_object"])["data"]
        ]
        draw = rng.random()
        if draw < 0.05:
            del tables[pick(rng, list(tables))]
        elif draw < 0.1:
            tables[pick(rng, list(tables))] = pick(rng, (*_CELLS, *NUMBERS))
        elif draw < 0.13:
            module, name = pick(rng, _CLASSES)
            tables["more"] = {"_module": module, "_class": name, "_object": "x"}
        elif filled:
            name = pick(rng, filled)
            table = json.loads(tables[name]["_object"])
            _spoil_table(table, rng)
            tables[name]["_object"] = json.dumps(table)
    text = json.dumps(spoiled).encode()
    return spoiled_bytes(text, rng) if rng.random() < 0.1 else text


def _spoil_table(table: dict[str, list[Any]], rng: Rng) -> None:
    if not table["data"] or not table["columns"]:
        return
    row, column = int(rng.integers(len(table["data"]))), int(rng.integers(len(table["columns"])))
    draw = rng.random()
    if draw < 0.08:
        del table["data"][row], table["index"][row]
    elif draw < 0.14:
        table["data"].append(list(table["data"][row]))
        table["index"].append(table["index"][row] if rng.random() < 0.5 else 10_000)
    elif draw < 0.2:
        for line in table["data"]:
            del line[column]
        del table["columns"][column]
    else:
        value = table["data"][row][column]
        if isinstance(value, bool):
            table["data"][row][column] = not value
        elif isinstance(value, int | float) and draw < 0.6:
            table["data"][row][column] = value * pick(rng, FACTORS) if abs(value) < 1e90 else 0
        else:
            table["data"][row][column] = pick(rng, (*_CELLS, *NUMBERS))


def test_no_spoiled_net_does_more_than_be_imported_or_refused(tmp_path: Path, mutations: int) -> None:
    contents = _nets()
    path = tmp_path / "net.json"

    def follow(number: int) -> str:
        rng = np.random.default_rng([SEED, number])
        path.write_bytes(_spoiled(contents[int(rng.integers(len(contents)))], rng))
        return _what_follows(engine, path)

    with EngineProcess() as engine:
        for content in contents:
            path.write_text(json.dumps(content), encoding="utf-8")
            assert _what_follows(engine, path) == "solved"
        counts, defects = tally(mutations // 20, follow)
    print(f"\nnets: {dict(counts)}, defects: {len(defects)}")
    assert not defects, "\n".join(defects[:40])
    assert counts["refused"] > 0
    assert counts["solved"] > 0


def _what_follows(engine: EngineProcess, path: Path) -> str:
    try:
        model = engine.read(Importer.PANDAPOWER, path, limit_s=LIMIT_S)
    except InputError as refused:
        return refusal(refused)
    with watched():
        return consequence(model)
