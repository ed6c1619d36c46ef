"""`python -m hil.wiring.attached MODULE ...`: `python -m MODULE ...`, ended with the process that started it.

A step between fork and exec would do the same, but in a process that speaks gRPC it may crash or hang.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the module. Linux; elsewhere it may outlive a bench that is killed outright."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        return  # the bench was gone before this could be said
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
