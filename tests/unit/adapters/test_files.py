"""Files are written whole or not at all."""

from pathlib import Path

import pytest

from adms.adapters.files import input_problems, read_text, write_whole
from adms.core.errors import InputError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match=r"model\.json: cannot be written: No space left"):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_rights_of_the_one_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    path, link = tmp_path / "model.json", tmp_path / "latest.json"
    path.write_text("old")
    link.symlink_to(path)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert path.read_text() == "new"


@pytest.mark.parametrize("name", [".", "no/model.json", "ring/x", "zero\0byte"])
def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / name, b"new")


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "o.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 1")
    assert read_text(path) == "name = 1"


def test_every_file_that_cannot_be_read_is_named_at_once_and_one_not_given_is_none(tmp_path: Path) -> None:
    good, empty, absent = tmp_path / "good.dss", tmp_path / "empty.dss", tmp_path / "absent.toml"
    good.write_text("clear")
    empty.touch()
    told = input_problems([good, None, empty, absent, tmp_path, Path("/dev/zero"), Path("a\0b")])
    assert [(Path(problem.element).name, problem.message) for problem in told] == [
        ("empty.dss", "is empty"),
        ("absent.toml", "no such file"),
        (tmp_path.name, "is a folder"),
        ("zero", "is no ordinary file"),
        ("a\0b", "no such file"),
    ]
