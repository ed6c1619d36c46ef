"""Columns that nobody can change any more, so that what was worked out from them can be kept."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adms.core.errors import InputError, Problem


def fix_columns(record: object, *, element: str, columns: Mapping[str, type[np.generic]]) -> None:
    """Puts read-only copies in the place of a frozen record's columns, of one dimension and the types named. A column
    that is such a copy already stays. For `__post_init__`.

    Args:
        record: whose columns.
        element: what to call it in a complaint.
        columns: type by name of the field.

    Raises:
        InputError: with every column that cannot be one of its type without loss (complex as real, fractions as
            integers), or has not one dimension.
    """
    problems = []
    for name, wanted in columns.items():
        given = getattr(record, name)
        if isinstance(given, np.ndarray) and given.dtype == wanted and given.ndim == 1:
            # A view would not do: who has the array that it is of can still change it.
            if given.flags.writeable or given.base is not None:
                object.__setattr__(record, name, _locked(given.copy()))
            continue
        try:
            found = np.asarray(given)
            if found.ndim != 1:
                raise ValueError(f"has {found.ndim} dimensions, not one")
            made = found.astype(wanted, casting="unsafe" if found.size == 0 else "same_kind")
        except (TypeError, ValueError) as error:
            problems.append(Problem(element=element, field=name, value=type(given).__name__, message=str(error)))
        else:
            object.__setattr__(record, name, _locked(made))
    if problems:
        raise InputError(problems)


def _locked(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    column.setflags(write=False)
    return column
