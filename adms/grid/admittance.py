"""Every entry that the admittance matrix of a network can have, element by element, and their values in a state."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.model import Branch, BranchKind, Capacitor, ComplexMatrix
from adms.grid.state import GridState

S_BASE_VA = 1e6
_SERIES = (BranchKind.LINE, BranchKind.SWITCH)
_NO_INDEX = np.zeros(0, dtype=np.int64)


def dense(matrix: ComplexMatrix) -> ComplexArray:
    """The matrix as numpy, [n, n]."""
    return np.array(matrix.re, dtype=np.float64) + 1j * np.array(matrix.im, dtype=np.float64)


def as_matrix(y: ComplexArray) -> ComplexMatrix:
    """The matrix as the model writes it."""
    return ComplexMatrix(
        re=tuple(map(tuple, y.real.tolist())),
        im=tuple(map(tuple, y.imag.tolist())),
    )


def per_unit(y: ComplexMatrix, base_v: FloatArray) -> ComplexArray:
    """An admittance in siemens per unit of `S_BASE_VA`, [n, n]. `base_v` [n] is the voltage base of each of its nodes,
    times the root of the conductors that the node stands for."""
    return np.asarray(dense(y) * np.outer(base_v, base_v) / S_BASE_VA)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ratio:
    """A tap changer that scales its winding."""

    element: ElementId
    place: slice
    power: FloatArray
    """How many of an entry's row and column are at the tapped winding."""
    step_pu: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """A tap changer with a primitive for every position."""

    element: ElementId
    place: slice
    first: int
    """Position of the table's first row."""
    y_pu: ComplexArray
    """[position, entry]"""


class AdmittanceEntries:
    """Entries at (`row`, `col`), one for each pair of an element's conductors, in the order branches, capacitors."""

    def __init__(
        self,
        branches: tuple[Branch, ...],
        capacitors: tuple[Capacitor, ...],
        *,
        nodes: tuple[IntArray, ...],
        base_v: FloatArray,
    ) -> None:
        """`nodes` of each branch's concatenated terminals, then of each capacitor; `base_v` [node] as in `per_unit`."""
        matrices = [*(b.y_primitive_siemens for b in branches), *(c.y_step_siemens for c in capacitors)]
        y_pu = [per_unit(y, base_v[at]) for y, at in zip(matrices, nodes, strict=True)]
        start = np.concatenate([[0], np.cumsum([y.size for y in y_pu])]).astype(np.int64).tolist()
        place = [slice(a, b) for a, b in pairwise(start)]
        self.row: IntArray = np.concatenate([_NO_INDEX, *(np.repeat(at, len(at)) for at in nodes)])
        self.col: IntArray = np.concatenate([_NO_INDEX, *(np.tile(at, len(at)) for at in nodes)])
        self._neutral: ComplexArray = np.concatenate([np.zeros(0, dtype=np.complex128), *(y.ravel() for y in y_pu)])
        self._place = place
        self.near, self.far = self._mates(branches, start)
        """Entries (a, near end) and (a, far end) of the same conductor of a line or switch: the current into it follows
        from the difference of the two voltages, and what the entries add up to."""
        self._width = [len(at) for at in nodes]
        self._switches = [(b.id, place[i]) for i, b in enumerate(branches) if b.switch is not None]
        self._capacitors = [(c.id, place[len(branches) + i]) for i, c in enumerate(capacitors)]
        self._ratios: list[_Ratio] = []
        self._tables: list[_Table] = []
        self._tap_of: dict[int, _Ratio | _Table] = {}
        for i, branch in enumerate(branches):
            if branch.taps is not None:
                self._add_taps(branch, i, base_v=base_v[nodes[i]])

    @staticmethod
    def _mates(branches: tuple[Branch, ...], start: list[int]) -> tuple[IntArray, IntArray]:
        near: list[IntArray] = []
        far: list[IntArray] = []
        for index, branch in enumerate(branches):
            if branch.kind not in _SERIES or len(branch.terminals) != 2:
                continue
            width = len(branch.terminals[0])
            if len(branch.terminals[1]) == width:
                row, conductor = np.divmod(np.arange(2 * width * width), width)
                near.append(start[index] + row * 2 * width + conductor)
                far.append(near[-1] + width)
        return np.concatenate([_NO_INDEX, *near]), np.concatenate([_NO_INDEX, *far])

    def _add_taps(self, branch: Branch, index: int, *, base_v: FloatArray) -> None:
        taps = branch.taps
        assert taps is not None
        place = self._place[index]
        if taps.primitives:
            rows = [per_unit(p.y_primitive_siemens, base_v).ravel() for p in taps.primitives]
            table = _Table(element=branch.id, place=place, first=taps.min_position, y_pu=np.array(rows))
            self._tables.append(table)
            self._tap_of[index] = table
            return
        at_winding = np.zeros(self._width[index])
        start = sum(len(t) for t in branch.terminals[: taps.terminal])
        at_winding[start : start + len(branch.terminals[taps.terminal])] = 1.0
        power = np.add.outer(at_winding, at_winding).ravel()
        ratio = _Ratio(element=branch.id, place=place, power=power, step_pu=taps.step_pu)
        self._ratios.append(ratio)
        self._tap_of[index] = ratio

    def values(self, state: GridState) -> ComplexArray:
        """[entry] per unit; 0 where a switch is open or no capacitor step is on."""
        value = self._neutral.copy()
        for ratio in self._ratios:
            value[ratio.place] *= (1.0 + state.tap_position[ratio.element] * ratio.step_pu) ** -ratio.power
        for table in self._tables:
            value[table.place] = table.y_pu[state.tap_position[table.element] - table.first]
        for element, place in self._capacitors:
            value[place] *= state.capacitor_steps[element]
        for element, place in self._switches:
            if not state.closed[element]:
                value[place] = 0.0
        return value

    def branch(self, index: int, state: GridState) -> ComplexArray:
        """Primitive of one closed branch in a state, over its concatenated terminals."""
        width = self._width[index]
        tap = self._tap_of.get(index)
        value = self._neutral[self._place[index]]
        if isinstance(tap, _Ratio):
            value = value * (1.0 + state.tap_position[tap.element] * tap.step_pu) ** -tap.power
        elif tap is not None:
            value = tap.y_pu[state.tap_position[tap.element] - tap.first]
        return np.array(value.reshape(width, width))
