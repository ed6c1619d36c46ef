"""A process that can write below one folder only, and start no program, from a point on.

Linux lets any process restrict itself so (Landlock, from kernel 5.13; no privileges needed): whatever native code then
does, files elsewhere stay as they are. https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture that Python 3.11 runs on."""
_ASK_VERSION = 1
_BENEATH_A_PATH = 1
_SET_NO_NEW_PRIVILEGES = 38

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
"""Folders, files, devices, sockets, pipes, links."""
_REFER = 1 << 13
"""Moving between folders; from version 2. It is forbidden in any case where it is not named."""
_TRUNCATE = 1 << 14
"""From version 3."""


def landlock_version() -> int:
    """What the kernel offers; 0 where it offers nothing."""
    asked = _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    return max(asked, 0)


def confine(folder: Path) -> bool:
    """This thread, and what it starts, can write below `folder` and to /dev/null only, and run no program, for good.

    Returns whether the kernel does that; where it does not, nothing has changed.
    """
    version = landlock_version()
    if version < 1:
        return False
    writing = _WRITE_FILE | _REMOVE_AND_MAKE | (_REFER if version > 1 else 0) | (_TRUNCATE if version > 2 else 0)
    attributes = struct.pack("=Q", _EXECUTE | writing)
    rules = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        return (
            _allow(rules, folder, access=writing)
            and _allow(rules, Path(os.devnull), access=writing & (_WRITE_FILE | _TRUNCATE))
            and ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVILEGES, *(ctypes.c_ulong(given) for given in (1, 0, 0, 0))) == 0
            and _call(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0
        )
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, *, access: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", access, place)
        return _call(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_BENEATH_A_PATH), beneath, ctypes.c_uint32(0)) == 0
    finally:
        os.close(place)


def _call(number: int, *arguments: Any) -> int:
    """A system call; negative where it failed."""
    if sys.platform != "linux":
        return -1
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    return int(call(ctypes.c_long(number), *arguments))
