"""What no passive element is: a negative conductance, a negative reactance of a line, no admittance at all.

The conductance part of a passive element's primitive is positive semidefinite, so that none of its diagonal entries is
negative; of a line with positive definite reactance the susceptance between its ends is negative definite in the same
way. Many matrices at once, as a feeder has thousands.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.errors import Problem
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.grid.model import Branch, BranchKind, ComplexMatrix, NetworkModel

_ROUNDING = 1e-9
"""Of the largest entry of a primitive: what Kron reduction and text formats leave of a zero."""
_STRICT = (BranchKind.LINE, BranchKind.SWITCH)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Primitives of one size, on top of each other."""

    rows: tuple[int, ...]
    """Of the sequence that they come from."""
    y_siemens: ComplexArray
    """[matrix, node, node]"""


def stacked(matrices: Sequence[ComplexMatrix], *, sizes: Sequence[int]) -> Iterable[Stack]:
    """Finite square matrices of the given sizes, grouped by size; the others are left out, and are problems of their
    own."""
    groups: dict[int, list[int]] = {}
    for row, (matrix, size) in enumerate(zip(matrices, sizes, strict=True)):
        parts = (matrix.re, matrix.im)
        if size and all(len(part) == size and all(len(line) == size for line in part) for part in parts):
            groups.setdefault(size, []).append(row)
    for rows in groups.values():
        with np.errstate(invalid="ignore"):  # infinite entries are told of elsewhere
            y = np.array([matrices[k].re for k in rows]) + 1j * np.array([matrices[k].im for k in rows])
        sound = np.isfinite(y).all(axis=(1, 2))
        if sound.any():
            yield Stack(rows=tuple(np.array(rows)[sound].tolist()), y_siemens=y[sound])


def is_active_line(branch: Branch) -> bool:
    """True where a branch's impedance is none that a line has. Its primitive must be of the right size."""
    return any(True for _ in _branch_problems((branch,)))


def passive_problems(model: NetworkModel) -> tuple[Problem, ...]:
    """Every element whose impedance is not positive."""
    found = list(_branch_problems(model.branches))
    sizes = [len(source.nodes) for source in model.sources]
    for stack in stacked([source.y_primitive_siemens for source in model.sources], sizes=sizes):
        for row, y in zip(stack.rows, stack.y_siemens, strict=True):
            own = np.diagonal(y)
            if (np.abs(own) == 0.0).any():
                found.append(_problem(model.sources[row].id, "", "a source without an admittance feeds nothing"))
            elif (own.real < -_ROUNDING * np.abs(y).max()).any():
                found.append(_problem(model.sources[row].id, own.real.min(), "its impedance is negative"))
    return tuple(found)


def _branch_problems(branches: Sequence[Branch]) -> Iterable[Problem]:
    sizes = [sum(len(terminal) for terminal in branch.terminals) for branch in branches]
    for stack in stacked([branch.y_primitive_siemens for branch in branches], sizes=sizes):
        y = stack.y_siemens
        scale = np.abs(y).max(axis=(1, 2))
        own = np.diagonal(y, axis1=1, axis2=2)
        negative = own.real.min(axis=1) < -_ROUNDING * scale
        # A star's leg may have one negative part; both at once are an element with its sign turned round.
        turned = ((own.real < -_ROUNDING * scale[:, None]) & (own.imag > _ROUNDING * scale[:, None])).any(axis=1)
        capacitive = _series_susceptance(y).max(axis=1, initial=-math.inf) > _ROUNDING * scale
        for place, row in enumerate(stack.rows):
            branch = branches[row]
            strict = branch.kind in _STRICT
            two_ends = len(branch.terminals) == 2 and len(branch.terminals[0]) == len(branch.terminals[1])
            if scale[place] == 0.0:
                yield _problem(branch.id, "", "has no admittance at all: it joins nothing")
            elif (negative if strict else turned)[place]:
                value = own[place].real.min()
                yield _problem(branch.id, value, "its resistance is not positive: negative conductance at a terminal")
            elif branch.kind is BranchKind.LINE and two_ends and capacitive[place]:
                yield _problem(branch.id, "", "its reactance is not positive: no line is a series capacitor")


def _series_susceptance(y: ComplexArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[matrix, conductor] imaginary part of the admittance that joins the two ends of each conductor."""
    half = y.shape[1] // 2
    return np.asarray(-np.diagonal(y[:, :half, half : 2 * half], axis1=1, axis2=2).imag)


def _problem(element: ElementId, value: object, message: str) -> Problem:
    given = f"{value:.6g} S" if isinstance(value, float) else str(value)
    return Problem(element=element, field="y_primitive_siemens", value=given, message=message)
