"""How a command ends: exit codes, and problems in words on stderr without a traceback."""

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


def finish(run: Callable[[], ExitCode]) -> NoReturn:
    """Run a command to its exit code and leave the process with it."""
    try:
        code = run()
    except InputError as refused:
        code = refuse(refused.problems)
    except AdapterError as failed:
        code = complain(str(failed))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`adms journal tail | head`): nobody is left to tell.
        sys.stderr.close()
        code = ExitCode.OK
    raise SystemExit(int(code))


def refuse(problems: Iterable[Problem]) -> ExitCode:
    """Print every problem on stderr, one a line."""
    for problem in problems:
        print(f"adms: {problem}", file=sys.stderr)
    return ExitCode.BAD_INPUT


def complain(message: str) -> ExitCode:
    """Print one failure of the edge on stderr."""
    print(f"adms: {message}", file=sys.stderr)
    return ExitCode.BAD_INPUT
