"""Compilation of numerical inner loops to machine code, once a machine: the result is kept beside the source.

A compiled function takes and returns numbers and contiguous arrays only. It runs on one thread, without reordering of
floating-point sums, so that a result repeats bit for bit.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, compiled at its first call for the types that it is called with.

    Where no folder can keep the machine code (a read-only installation without a home), it is compiled again in every
    process.
    """
    try:
        made: Callable[P, R] = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        made = numba.njit(error_model="numpy")(function)
    return made
