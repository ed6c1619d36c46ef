"""Compilation of numerical inner loops to machine code, once an installation.

A compiled function takes and returns numbers and contiguous arrays only. It runs on one thread, without reordering of
floating-point sums, so that a result repeats bit for bit.

Numba keeps the machine code of a function for as long as the function's own file does not change, but code of functions
of other files is built into it. So the folder that keeps it is named after the content of all files with compiled
functions: what runs is always what the sources say. This module is the one place of the pure floors that touches files.
"""

import hashlib
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba
from numba.core import config

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = Path(__file__).parent.parent
_FLOORS = ("core", "grid", "block_ldu", "powerflow", "estimation")
_PREFIX = "machine-code-"
_SETTINGS = vars(config)
"""Of numba, process-wide; `CACHE_DIR` is also read from the environment (NUMBA_CACHE_DIR)."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, compiled at its first call for the types that it is called with.

    Where no folder can keep the machine code (a read-only installation without a home), it is compiled again in every
    process.
    """
    folder = _folder()
    if folder is None:
        return _njit(function, keep=False)
    before = _SETTINGS["CACHE_DIR"]
    _SETTINGS["CACHE_DIR"] = folder
    try:
        return _njit(function, keep=True)
    finally:
        _SETTINGS["CACHE_DIR"] = before


def _njit(function: Callable[P, R], *, keep: bool) -> Callable[P, R]:
    made: Callable[P, R] = numba.njit(cache=keep, error_model="numpy")(function)
    return made


@cache
def _folder() -> str | None:
    """Where machine code of the present sources is kept: where NUMBA_CACHE_DIR says, beside them, or in the home."""
    name = _PREFIX + _digest()
    beside = Path(__file__).parent / "__pycache__"
    chosen = _SETTINGS["CACHE_DIR"]
    for place in (Path(chosen),) if chosen else (beside, *_home()):
        folder = place / name
        if folder.is_dir():
            if _writable(folder):
                return str(folder)
            continue
        try:
            folder.mkdir(parents=True)
        except OSError:
            continue
        return str(folder)
    return None


def _home() -> list[Path]:
    try:
        return [Path.home() / ".cache" / "adms-lite"]
    except RuntimeError:  # nobody's home
        return []


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _digest() -> str:
    digest = hashlib.sha256()
    for floor in _FLOORS:
        for path in sorted((_PACKAGE / floor).glob("**/*.py")):
            content = path.read_bytes()
            if b"adms.core.compiled" in content:
                digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]
