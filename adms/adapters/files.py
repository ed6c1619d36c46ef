"""Files that people name: read whole or refused in words, written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from adms.core.errors import InputError, Problem

SIZE_MAX_BYTES = 2 * 1024**3
"""Of a file that is read into memory: a hundred times a model of 100,000 nodes."""


def input_problems(paths: Iterable[Path | None]) -> list[Problem]:
    """Why files cannot be read: none there, a folder, a pipe, empty, too large, not readable; at most one a file.

    Args:
        paths: the files; None is one that was not given, and no problem.
    """
    found = ((path, _unreadable(path)) for path in paths if path is not None)
    return [_problem(path, message) for path, message in found if message is not None]


def _unreadable(path: Path) -> str | None:
    try:
        if path.is_dir():
            return "is a folder"
        if not path.exists():
            return "no such file"
        if not path.is_file():
            return "is no ordinary file"
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return f"cannot be read: {_reason(error)}"
    if size > SIZE_MAX_BYTES:
        return f"is larger than {SIZE_MAX_BYTES // 1024**3} GiB"
    return None if size else "is empty"


def read_whole(path: Path) -> bytes:
    """The content of a file. Raises InputError: none there, a folder, a pipe, empty, too large, not readable."""
    problems = input_problems([path])
    if problems:
        raise InputError(problems)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError([_problem(path, f"cannot be read: {_reason(error)}")]) from error
    if not content.strip():
        raise InputError([_problem(path, "is empty")])
    return content


def read_text(path: Path) -> str:
    """The content of a UTF-8 file. Raises InputError as `read_whole`, and where it is not UTF-8."""
    content = read_whole(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError([not_utf8(path, error)]) from error


def not_utf8(path: Path, error: UnicodeDecodeError) -> Problem:
    """What to say of a file that is not text."""
    return _problem(path, f"is not UTF-8 text: byte 0x{error.object[error.start]:02x} at {error.start}")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file beside its place and moves it there, so that what stood there stays until the new one is whole.

    Raises InputError where it cannot be written; nothing is left behind then.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise InputError([_problem(path, "cannot be written: it is a folder")])
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a pipe or device, such as /dev/stdout
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise InputError([_problem(path, "cannot be written: it is write-protected")])
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name[:80]}.", delete=False) as draft:
            place = Path(draft.name)
            try:
                draft.write(content)
                draft.flush()
                os.fsync(draft.fileno())
                place.chmod(mode)
                place.replace(target)
            except BaseException:
                place.unlink(missing_ok=True)
                raise
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a ring
        raise InputError([_problem(path, f"cannot be written: {_reason(error)}")]) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _problem(path: Path, message: str) -> Problem:
    return Problem(element=str(path), field="", value="", message=message)
