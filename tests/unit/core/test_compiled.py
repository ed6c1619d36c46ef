"""Where machine code is kept: never where other sources left it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adms.core import compiled as module


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two files with compiled functions and one without; its own folder for machine code."""
    for name, text in (
        ("grid/law.py", "from adms.core.compiled import compiled\nX = 1\n"),
        ("powerflow/loop.py", "from adms.core.compiled import compiled\n"),
        ("grid/model.py", "Y = 1\n"),
    ):
        path = tmp_path / "adms" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "adms")
    monkeypatch.setitem(module._SETTINGS, "CACHE_DIR", str(tmp_path / "kept"))
    module._folder.cache_clear()
    yield tmp_path / "adms"
    module._folder.cache_clear()


def folder() -> str | None:
    """As a new process would find it."""
    module._folder.cache_clear()
    return module._folder()


def test_a_change_in_any_file_with_compiled_functions_changes_the_folder(package: Path) -> None:
    before = folder()
    assert before is not None
    assert Path(before).is_dir()
    assert folder() == before
    (package / "grid/law.py").write_text("from adms.core.compiled import compiled\nX = 2\n")
    assert folder() != before


def test_a_change_elsewhere_does_not(package: Path) -> None:
    before = folder()
    (package / "grid/model.py").write_text("Y = 2\n")
    assert folder() == before


def test_without_a_folder_it_compiles_all_the_same(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = package / "blocked"
    blocked.write_text("a file where a folder is wanted")
    monkeypatch.setitem(module._SETTINGS, "CACHE_DIR", str(blocked))
    assert folder() is None

    def double(x: float) -> float:
        return 2.0 * x

    assert module.compiled(double)(1.5) == 3.0


def test_the_folder_is_asked_for_numbas_other_users_too_only_while_decorating(package: Path) -> None:
    before = module._SETTINGS["CACHE_DIR"]
    module.compiled(folder)
    assert before == module._SETTINGS["CACHE_DIR"]
