"""The record of everything that was decided: SQLite, WAL, synchronous=FULL, one transaction a group commit,
hash-chained, append-only by trigger. What the journal cannot record does not happen."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from adms.core.errors import AdapterError
from adms.core.journal import GENESIS_HASH, EntryKind, JournalEntry, entry_hash
from adms.ports.records import Verification
from adms.runtime.canonical import canonical
from adms.runtime.feed import Signal

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    idx INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, body TEXT NOT NULL,
    previous_hash TEXT NOT NULL, entry_hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""
COLUMNS = "idx, time, kind, actor, body, previous_hash, entry_hash"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An entry that waits for its place in the chain. `body` is made of JSON values."""

    time: datetime
    kind: EntryKind
    actor: str
    body: Any


class JournalWriter(Protocol):
    """What the round and the operator desk write to."""

    def commit(self, drafts: Iterable[Draft]) -> None:
        """Appends all or none and returns once they are on disk. Raises AdapterError where it cannot."""
        ...

    @property
    def problem(self) -> str:
        """Why nothing can be recorded; empty when all is well."""
        ...


def chained(drafts: Iterable[Draft], *, index: int, previous_hash: str) -> list[JournalEntry]:
    """Drafts as entries, the first at `index`."""
    entries: list[JournalEntry] = []
    for draft in drafts:
        body = canonical(draft.body)
        digest = entry_hash(
            index=index,
            time=draft.time,
            kind=draft.kind,
            actor=draft.actor,
            body=body,
            previous_hash=previous_hash,
        )
        entries.append(
            JournalEntry(
                index=index,
                time=draft.time,
                kind=draft.kind,
                actor=draft.actor,
                body=body,
                previous_hash=previous_hash,
                entry_hash=digest,
            )
        )
        index, previous_hash = index + 1, digest
    return entries


def verify_entries(entries: Iterable[JournalEntry]) -> Verification:
    """Recomputes the chain from its start. A chain that lost its newest entries still verifies: compare the count
    with what another place remembers."""
    index, previous = 0, GENESIS_HASH
    for entry in entries:
        expected = entry_hash(
            index=index,
            time=entry.time,
            kind=entry.kind,
            actor=entry.actor,
            body=entry.body,
            previous_hash=previous,
        )
        if entry.index != index:
            return Verification(intact=False, entries=index, first_bad_index=index, reason=f"entry {index} is missing")
        if entry.previous_hash != previous or entry.entry_hash != expected:
            return Verification(intact=False, entries=index, first_bad_index=index, reason=f"entry {index} was changed")
        index, previous = index + 1, entry.entry_hash
    return Verification(intact=True, entries=index)


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    index, time, kind, actor, body, previous_hash, digest = row
    return JournalEntry(
        index=index,
        time=datetime.fromisoformat(time),
        kind=EntryKind(kind),
        actor=actor,
        body=body,
        previous_hash=previous_hash,
        entry_hash=digest,
    )


def read_entries(connection: sqlite3.Connection, *, from_index: int = 0, limit: int = -1) -> Iterator[JournalEntry]:
    """Entries in order. Raises sqlite3.DatabaseError or ValueError where the file does not hold them."""
    query = f"SELECT {COLUMNS} FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?"
    for row in connection.execute(query, (from_index, limit)):
        yield _entry(row)


@contextlib.contextmanager
def opened_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """The journal of a service that may be running, for reading."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def verify_file(path: Path) -> Verification:
    """Verifies the journal in a file."""
    try:
        with opened_read_only(path) as connection:
            return _verify(connection)
    except sqlite3.Error as error:
        return Verification(intact=False, entries=0, first_bad_index=0, reason=f"{path}: {error}")


def _verify(connection: sqlite3.Connection, *, replay: Callable[[JournalEntry], None] | None = None) -> Verification:
    count = 0

    def counted() -> Iterator[JournalEntry]:
        nonlocal count
        for entry in read_entries(connection):
            yield entry
            # Only an entry that has verified gets here.
            count += 1
            if replay is not None:
                replay(entry)

    try:
        return verify_entries(counted())
    except (sqlite3.Error, ValueError, TypeError) as error:
        return Verification(
            intact=False, entries=count, first_bad_index=count, reason=f"entry {count} cannot be read: {error}"
        )


class Journal:
    """One writer. A journal that does not verify at start is never written: the service runs, observes and says so
    (S7)."""

    def __init__(self, path: Path, *, replay: Callable[[JournalEntry], None] | None = None) -> None:
        """Opens and verifies a journal in one pass, which hands each entry that verifies to `replay`. Raises
        AdapterError where there is no file to open and none can be made."""
        self.path = path
        self.grew = Signal()
        """Notified after every commit."""
        self._problem = ""
        self._read_only = False
        self._stale_tail = False
        self._next_index = 0
        self._last_hash = GENESIS_HASH
        self._last_time: datetime | None = None
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise AdapterError(f"{path}: the journal cannot be opened: {error}", retryable=False) from error
        try:
            self._prepare(replay)
        except sqlite3.Error as error:
            self.lock(f"{path}: {error}")

    def _prepare(self, replay: Callable[[JournalEntry], None] | None) -> None:
        existed = self.path.stat().st_size > 0
        if existed:
            found = Verification(intact=True, entries=0)
            if self._has_table():
                found = _verify(self._connection, replay=replay)
            if not found.intact:
                self.lock(f"{self.path} does not verify: {found.reason}")
                return
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(SCHEMA)
        self._read_tail()

    def _has_table(self) -> bool:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'entries'"
        return bool(self._connection.execute(query).fetchone()[0])

    def lock(self, problem: str) -> None:
        """Forbids writing from here on."""
        self._problem = problem
        self._read_only = True

    def _read_tail(self) -> None:
        row = self._connection.execute(f"SELECT {COLUMNS} FROM entries ORDER BY idx DESC LIMIT 1").fetchone()
        if row is not None:
            last = _entry(row)
            self._next_index, self._last_hash, self._last_time = last.index + 1, last.entry_hash, last.time
        else:
            self._next_index, self._last_hash = 0, GENESIS_HASH
        self._stale_tail = False

    @property
    def problem(self) -> str:
        """Why nothing can be recorded; empty when all is well."""
        return self._problem

    @property
    def read_only(self) -> bool:
        """True where the file did not verify at start."""
        return self._read_only

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._next_index

    @property
    def last_time(self) -> datetime | None:
        """Time of the newest entry."""
        return self._last_time

    def commit(self, drafts: Iterable[Draft]) -> None:
        """Appends all or none and returns once they are on disk. Raises AdapterError, not retryable where the
        journal is read-only."""
        if self._read_only:
            raise AdapterError(f"journal is read-only: {self._problem}", retryable=False)
        try:
            if self._stale_tail:
                # Whether the failed transaction reached the disk is unknown until read.
                self._read_tail()
            entries = chained(drafts, index=self._next_index, previous_hash=self._last_hash)
            if entries:
                self._insert(entries)
        except sqlite3.Error as error:
            self._stale_tail = True
            self._problem = f"{self.path}: {error}"
            raise AdapterError(f"journal cannot record: {self._problem}", retryable=True) from error
        self._problem = ""
        if entries:
            last = entries[-1]
            self._next_index, self._last_hash, self._last_time = last.index + 1, last.entry_hash, last.time
            self.grew.notify()

    def _insert(self, entries: list[JournalEntry]) -> None:
        rows = [
            (e.index, e.time.isoformat(), e.kind.value, e.actor, e.body, e.previous_hash, e.entry_hash) for e in entries
        ]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def entries(self, *, from_index: int = 0, limit: int = -1) -> list[JournalEntry]:
        """Entries in order; those that can be read, where the file is damaged."""
        found: list[JournalEntry] = []
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError):
            # extend would lose what was read before the damage.
            for entry in read_entries(self._connection, from_index=from_index, limit=limit):
                found.append(entry)  # noqa: PERF402
        return found

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
