"""How a command ends: exit codes, and problems in words on stderr without a traceback."""

import errno
import os
import sys
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import NoReturn

from adms.core.errors import AdapterError, InputError, Problem


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    FAILED = 1
    """It ran, and what was to be shown did not hold: acceptance limits, a journal's chain, a power flow."""
    BAD_INPUT = 2
    """It could not run: configuration, files, endpoints, ports, missing extras."""
    INTERRUPTED = 130


_LOST = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""How writing to where the output goes fails."""


def finish(run: Callable[[], ExitCode]) -> NoReturn:
    """Run a command to its exit code and leave the process with it.

    What it prints has arrived then: a full disk or a reader that has gone (`| head`) is said, and is exit code 2.
    """
    try:
        code = run()
        sys.stdout.flush()
    except InputError as refused:
        code = refuse(refused.problems)
    except AdapterError as failed:
        code = complain(str(failed))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except OSError as lost:
        code = _output_lost(lost)
    raise SystemExit(int(code))


def to_the_end(program: Callable[[], None]) -> None:
    """Run a whole program, so that what is printed outside of `finish` (`--help`) also arrives or is missed."""
    try:
        try:
            program()
        finally:
            sys.stdout.flush()
    except OSError as lost:
        raise SystemExit(int(_output_lost(lost))) from None


def _output_lost(error: OSError) -> ExitCode:
    """Says so where the output could not be written; whatever else went wrong is raised again."""
    if error.filename is not None or error.errno not in _LOST:
        raise error
    # What is still to be written goes nowhere, or leaving the process would fail at it again.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
    return complain(f"the output could not be written whole: {error.strerror}")


def refuse(problems: Iterable[Problem]) -> ExitCode:
    """Print every problem on stderr, one a line."""
    for problem in problems:
        print(f"adms: {problem}", file=sys.stderr)
    return ExitCode.BAD_INPUT


def complain(message: str) -> ExitCode:
    """Print one failure of the edge on stderr."""
    print(f"adms: {message}", file=sys.stderr)
    return ExitCode.BAD_INPUT
