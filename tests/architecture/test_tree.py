"""What is tracked: only what belongs, of a size that can be read, tied to no machine."""

import re
import subprocess
from pathlib import Path

import pytest

TOP = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "adms", "protos", "hil", "tests"}
LINE_LIMIT = 500
# Words that say nothing about what a module holds. "Bad data" is a term of the field.
TERMS = {"bad_data"}
UNSAID = {"manager", "managers", "handler", "handlers", "helper", "helpers", "util", "utils", "data", "info"}
MACHINE = re.compile(r"(?<![\w.$}/-])/(?:root|work|home/\w+|Users/\w+|opt/\w+)/")
# Joined here, so that this file does not find itself.
PRIVATE_HOST = re.compile(
    "|".join(("artifactory" + r"\.", "nexus" + r"\.", r"://10\.", r"://192\." + "168", "pkg" + r"\.dev"))
)
GENERATED = {"adms/wire"}
IGNORED = {".git", ".venv", "__pycache__", "build", "dist", "node_modules", "demo-out"}


def _files(root: Path) -> list[Path]:
    if (root / ".git").exists():
        run = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(run, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
        return [path for name in names if name and (path := root / name).is_file()]
    found = (path for path in root.rglob("*") if path.is_file())
    return [path for path in found if not _ignored(path.relative_to(root))]


def _ignored(path: Path) -> bool:
    cache = any(part in IGNORED or part.endswith((".egg-info", "_cache")) for part in path.parts)
    return cache or any(path.is_relative_to(folder) for folder in GENERATED)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="ignore")


@pytest.fixture(scope="module")
def tracked(project_root: Path) -> list[Path]:
    return _files(project_root)


def test_the_top_level_is_short(tracked: list[Path], project_root: Path) -> None:
    top = {path.relative_to(project_root).parts[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} <= TOP


def test_no_file_names_a_machine(tracked: list[Path], project_root: Path) -> None:
    found = [
        f"{path.relative_to(project_root)}: {match.group()}"
        for path in tracked
        if path != Path(__file__).resolve()
        for pattern in (MACHINE, PRIVATE_HOST)
        for match in pattern.finditer(_text(path))
    ]
    assert found == []


def test_modules_can_be_read_in_one_sitting(tracked: list[Path], project_root: Path) -> None:
    lengths = {path.relative_to(project_root).as_posix(): len(_text(path).splitlines()) for path in tracked}
    python = {name: lines for name, lines in lengths.items() if name.endswith(".py")}
    assert {name: lines for name, lines in python.items() if lines > LINE_LIMIT} == {}


def test_modules_are_named_for_what_they_hold(tracked: list[Path], project_root: Path) -> None:
    python = [path for path in tracked if path.suffix == ".py" and path.stem not in TERMS]
    assert [str(path.relative_to(project_root)) for path in python if UNSAID & set(path.stem.split("_"))] == []


def test_nothing_large_is_tracked(tracked: list[Path], project_root: Path) -> None:
    # 1 MB: the decks and their coordinates are the largest, at some 100 kB.
    assert [str(path.relative_to(project_root)) for path in tracked if path.stat().st_size > 1_000_000] == []
