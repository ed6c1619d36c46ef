"""`adms journal`: from the file, also while no service runs, or from a running service."""

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from adms.cli.exits import ExitCode
from adms.core.errors import InputError, Problem
from adms.core.journal import JournalEntry


def verify(file: Path | None, *, endpoint: str, as_json: bool) -> ExitCode:
    """Print whether the chain holds and from where on it does not."""
    if file is None:
        from adms.cli.insight import verify_journal

        return verify_journal(endpoint, as_json=as_json)
    from adms.runtime.journal import verify_file

    _must_exist(file)
    found = verify_file(file)
    return say_verdict(
        intact=found.intact,
        entries=found.entries,
        first_bad_index=found.first_bad_index,
        reason=found.reason,
        as_json=as_json,
    )


def say_verdict(*, intact: bool, entries: int, first_bad_index: int | None, reason: str, as_json: bool) -> ExitCode:
    """Print a verdict; exit code 1 for a chain that does not hold."""
    if as_json:
        body = {"intact": intact, "entries": entries, "first_bad_index": first_bad_index, "reason": reason}
        print(json.dumps(body))
    elif intact:
        print(f"intact: {entries} entries")
    else:
        print(f"NOT intact: {reason}; the first {entries} entries verify")
    return ExitCode.OK if intact else ExitCode.FAILED


def tail(file: Path | None, *, endpoint: str, count: int, follow: bool, as_json: bool) -> ExitCode:
    """Print the newest entries, oldest first."""
    if file is None:
        from adms.cli.insight import tail_journal

        return tail_journal(endpoint, count=count, follow=follow, as_json=as_json)
    if follow:
        problem = Problem(
            element="command line", field="-f", value="", message="only a running service can be followed"
        )
        raise InputError([problem])
    show(_newest(file, count=count), as_json=as_json)
    return ExitCode.OK


def _newest(file: Path, *, count: int) -> list[JournalEntry]:
    import sqlite3
    from collections import deque

    from adms.runtime.journal import opened_read_only, read_entries

    _must_exist(file)
    try:
        with opened_read_only(file) as connection:
            return list(deque(read_entries(connection), maxlen=count))
    except (sqlite3.Error, ValueError) as error:
        problem = Problem(element=str(file), field="", value="", message=f"not a journal that can be read: {error}")
        raise InputError([problem]) from error


def _must_exist(file: Path) -> None:
    if not file.is_file():
        raise InputError([Problem(element=str(file), field="", value="", message="no such file")])


def show(entries: Iterable[JournalEntry], *, as_json: bool) -> None:
    """Print entries, one a line."""
    console = Console(highlight=False)
    for entry in entries:
        if as_json:
            body = {
                "index": entry.index,
                "time": entry.time.isoformat(),
                "kind": entry.kind.value,
                "actor": entry.actor,
                "body": json.loads(entry.body),
                "entry_hash": entry.entry_hash,
            }
            print(json.dumps(body), flush=True)
        else:
            line = f"{entry.index:>6} {entry.time:%H:%M:%S} {entry.kind.value:<11} {entry.actor:<12} {entry.body}"
            console.print(line, markup=False, no_wrap=True, overflow="ellipsis", crop=True)
