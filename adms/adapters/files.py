"""Files that people name: read whole or refused in words, written whole or not at all."""

import os
import tempfile
from pathlib import Path

from adms.core.errors import InputError, Problem

SIZE_MAX_BYTES = 2 * 1024**3
"""Of a file that is read into memory: a hundred times a model of 100,000 nodes."""


def read_whole(path: Path) -> bytes:
    """The content of a file. Raises InputError: none there, a folder, a pipe, empty, too large, not readable."""
    try:
        if path.is_dir():
            raise InputError([_problem(path, "cannot be read: it is a folder")])
        if path.exists() and not path.is_file():
            raise InputError([_problem(path, "cannot be read: it is no ordinary file")])
        if path.stat().st_size > SIZE_MAX_BYTES:
            raise InputError([_problem(path, f"cannot be read: larger than {SIZE_MAX_BYTES // 1024**3} GiB")])
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
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
