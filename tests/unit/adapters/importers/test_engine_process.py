"""Importers in a process of their own: what a deck does to the engine is said in words, and the next deck is read."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adms.adapters.importers.confinement import landlock_version
from adms.adapters.importers.engine_process import EngineProcess, Importer, _environment, import_apart
from adms.adapters.importers.opendss import import_opendss
from adms.core.errors import AdapterError, InputError

FEEDERS = Path(__file__).parents[3] / "cases" / "feeders"
GOOD = FEEDERS / "4Bus-YY-Bal" / "4Bus-YY-Bal.DSS"


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """One child for all, lost and started again on the way."""
    with EngineProcess() as process:
        yield process


def _deck(path: Path, *lines: str) -> Path:
    start = ("clear", "new circuit.c basekv=12.47 phases=3", "new line.l bus1=sourcebus bus2=b length=1 units=km")
    path.write_text("\n".join([*start, *lines, "set voltagebases=[12.47]", "calcvoltagebases", "solve"]) + "\n")
    return path


def test_a_deck_read_apart_gives_the_same_model(engine: EngineProcess) -> None:
    assert engine.read(Importer.OPENDSS, GOOD) == import_opendss(GOOD)


def test_a_deck_that_crashes_the_engine_is_refused_and_the_next_one_is_read(
    engine: EngineProcess, tmp_path: Path
) -> None:
    # A negative node makes the engine write outside its arrays: found among mutated decks.
    deck = _deck(tmp_path / "crash.dss", "new load.a bus1=b.-1 phases=1 kv=7.2 kw=10 conn=delta")
    with pytest.raises(InputError, match="crash"):
        engine.read(Importer.OPENDSS, deck)
    assert len(engine.read(Importer.OPENDSS, GOOD).buses) == 4


def test_nothing_is_left_of_a_child_that_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    deck = _deck(tmp_path / "crash.dss", "new load.a bus1=b.-1 phases=1 kv=7.2 kw=10 conn=delta")
    with EngineProcess() as process:
        with pytest.raises(InputError, match="crash"):
            process.read(Importer.OPENDSS, deck)
        assert list(temporary.iterdir()) == []
        process.read(Importer.OPENDSS, GOOD)
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


def test_a_confined_child_keeps_its_machine_code_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert import_apart(Importer.OPENDSS, GOOD).name
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert kept
    assert import_apart(Importer.OPENDSS, GOOD).name
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept


_FREE_COMMANDS = """
from adms.adapters.importers.engine_process import _serve
from adms.adapters.importers import opendss_deck
from adms.adapters.importers.opendss_deck import Command
def obeyed(self, path, *, depth=0):
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        yield Command(text=line, verb="other", where=str(number), quotable=True)
opendss_deck.DeckText.commands = obeyed
import os, sys
from pathlib import Path
_serve(Path(sys.argv[1]))
"""
"""A child whose filter of commands lets everything pass."""


@pytest.mark.skipif(not landlock_version(), reason="the kernel does not confine processes")
def test_what_slips_through_the_filter_can_neither_overwrite_a_file_nor_run_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSS_CAPI_ALLOW_DOSCMD", "1")
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    deck = _deck(tmp_path / "deck.dss")
    evil = [f"export voltages {precious}", f"save circuit dir={tmp_path / 'saved'}", f"doscmd touch {tmp_path / 'ran'}"]
    deck.write_text(deck.read_text() + "\n".join(evil) + "\n")
    before = sorted(tmp_path.iterdir())
    started = subprocess.Popen

    def free(command: list[str], **options: Any) -> Any:
        return started([*command[:2], "-c", _FREE_COMMANDS, command[-1]], **options)

    monkeypatch.setattr(subprocess, "Popen", free)
    with EngineProcess() as process:
        notes = process.read(Importer.OPENDSS, deck).notes
    assert precious.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == before
    # It was tried, and it is the deck's line that failed: lines 7 and 8 could not write, line 9 could not run.
    assert [number for number in ("7", "8") if any(note.startswith(f"{number}: ") for note in notes)] == ["7", "8"]


def test_what_lets_the_engine_run_programs_is_not_handed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DSS_CAPI_ALLOW_DOSCMD", "1")
    monkeypatch.setenv("DSS_CAPI_ALLOW_CHANGE_DIR", "1")
    monkeypatch.setenv("PYTHONPATH", "beside")
    environment = _environment("/place")
    assert not [name for name in environment if name.startswith("DSS_")]
    assert environment["PYTHONPATH"].split(os.pathsep)[1] == str(Path("beside").absolute())
    assert environment["TMPDIR"] == "/place"


def test_a_deck_that_does_not_end_is_refused_after_the_limit_and_the_next_one_is_read(
    engine: EngineProcess, tmp_path: Path
) -> None:
    # So many conductors keep the engine busy for good: found among mutated decks.
    deck = _deck(tmp_path / "endless.dss", "new linegeometry.g nconds=1e13 nphases=3")
    with pytest.raises(InputError, match=r"did not end within 1 s"):
        engine.read(Importer.OPENDSS, deck, limit_s=1.0)
    assert len(engine.read(Importer.OPENDSS, GOOD).buses) == 4


def test_what_the_importer_refuses_names_the_file_as_it_was_given(
    engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        engine.read(Importer.OPENDSS, Path("nowhere.dss"))
    assert [problem.element for problem in refused.value.problems] == ["nowhere.dss"]


def test_what_an_importer_did_not_foresee_is_said_in_words(
    engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Importer.OPENDSS, "_value_", "adms.adapters.importers.opendss:no_such_function")
    with pytest.raises(AdapterError, match="the importer failed: AttributeError"):
        engine.read(Importer.OPENDSS, GOOD)


def test_one_deck_can_be_read_in_a_child_that_is_gone_afterwards() -> None:
    assert import_apart(Importer.OPENDSS, GOOD).name == import_opendss(GOOD).name
