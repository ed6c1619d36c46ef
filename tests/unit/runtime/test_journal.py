import sqlite3
from pathlib import Path

import pytest

from adms.core.errors import AdapterError
from adms.core.journal import EntryKind, JournalEntry
from adms.runtime.journal import Draft, Journal, verify_entries, verify_file
from tests.unit.runtime.feeders import at


def draft(number: int) -> Draft:
    return Draft(time=at(number), kind=EntryKind.OPERATOR, actor="op", body={"b": number, "a": [1.5, None]})


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.commit([draft(1), draft(2)])
    journal.commit([draft(3)])
    assert [entry.index for entry in journal.entries()] == [0, 1, 2]
    # Canonical JSON: sorted keys, no spaces (core.journal).
    assert journal.entries()[0].body == '{"a":[1.5,null],"b":1}'
    assert verify_file(journal.path).intact
    journal.close()
    again = Journal(tmp_path / "j")
    assert (again.size, again.last_time, again.problem) == (3, at(3), "")
    again.close()


def test_equal_drafts_give_byte_identical_files_of_entries(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / name) for name in "ab"]
    for journal in journals:
        journal.commit([draft(1), draft(2)])
    first, second = (journal.entries() for journal in journals)
    assert first == second
    for journal in journals:
        journal.close()


@pytest.mark.parametrize("statement", ["UPDATE entries SET actor = 'x'", "DELETE FROM entries"])
def test_the_file_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    journal = Journal(tmp_path / "j")
    journal.commit([draft(1)])
    journal.close()
    connection = sqlite3.connect(tmp_path / "j")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [("actor", "'x'"), ("body", "'{}'"), ("time", "'2026-07-01T12:00:09+00:00'"), ("kind", "'mode'")],
)
def test_a_changed_entry_is_found_and_the_journal_is_not_written_again(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.commit([draft(1), draft(2), draft(3)])
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER never_changed")
    connection.execute(f"UPDATE entries SET {column} = {value} WHERE idx = 1")
    connection.commit()
    connection.close()
    found = verify_file(path)
    assert (found.intact, found.entries, found.first_bad_index) == (False, 1, 1)
    seen: list[JournalEntry] = []
    damaged = Journal(path, replay=seen.append)
    assert damaged.read_only
    assert [entry.index for entry in seen] == [0], "the start reads back what verifies, in the same pass"
    with pytest.raises(AdapterError, match="read-only"):
        damaged.commit([draft(4)])
    assert len(damaged.entries()) == 3
    damaged.close()


def test_a_missing_entry_is_found() -> None:
    from adms.core.journal import GENESIS_HASH
    from adms.runtime.journal import chained

    entries = chained([draft(n) for n in range(4)], index=0, previous_hash=GENESIS_HASH)
    assert verify_entries(entries).intact
    found = verify_entries([*entries[:1], *entries[2:]])
    assert (found.intact, found.first_bad_index) == (False, 1)


def test_flipped_bytes_in_the_file_are_found(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.commit([draft(n) for n in range(200)])
    journal.close()
    content = bytearray(path.read_bytes())
    # Every page after the first two: rows live there.
    for offset in range(3 * 4096 + 2000, len(content), 4096):
        content[offset] ^= 0xFF
    path.write_bytes(content)
    damaged = Journal(path)
    assert damaged.read_only
    assert "does not verify" in damaged.problem or "malformed" in damaged.problem
    damaged.close()


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text("this is a letter, not a journal " * 300)
    before = path.read_bytes()
    journal = Journal(path)
    assert journal.read_only
    journal.close()
    assert path.read_bytes() == before


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.commit([draft(1)])
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = Draft(time=at(2), kind=EntryKind.PLAN, actor="op", body={"text": "x" * 100_000})
    with pytest.raises(AdapterError, match="full"):
        journal.commit([draft(2), big])
    assert "full" in journal.problem
    assert journal.size == 1
    # Room again: the chain goes on where it was.
    journal._connection.execute("PRAGMA max_page_count = 100000")
    journal.commit([draft(3)])
    assert journal.problem == ""
    assert verify_file(journal.path).entries == 2
    journal.close()
