"""Telling a person at a terminal what takes so long. Nothing where the output goes elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def underway(what: str) -> Iterator[None]:
    """Shows what is being done, on stderr, for as long as it takes."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
