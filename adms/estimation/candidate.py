"""What a row that is not in the estimator's matrix would add to it: its column, and its own variance.

For a row h with sigma the matrix would be bordered by

    c = (H_V, H_E, less the q of each deviation of a power times its q at the row)     and     -(sigma^2 + sum of q^2)

as in `adms.estimation.kernel.matrix`. Whole tables of candidates are looked at here, so this is vectors, not compiled.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, PointKey, PointTable
from adms.estimation.beliefs import matrix_columns
from adms.estimation.kernel.gradient import expected
from adms.estimation.kernel.matrix import input_direction
from adms.estimation.kinds.row import Form
from adms.estimation.kinds.stack import RowStack, rows_of
from adms.estimation.system import System
from adms.grid.arrays import BoolArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Borders:
    """Of rows, each as if it were the only one."""

    stack: RowStack
    """The rows [R]. Those that measure nothing that has a voltage are among them."""
    live: BoolArray
    """[R]"""
    power: ComplexArray
    """[R] apparent power that a row is a part of, S_BASE_VA; 0 where it is of no power."""
    near: sp.csc_matrix
    """[size, R] c, without the shares of far modes."""
    shares: sp.csr_matrix
    """[R, deviations] q at the row: of P of each injector, of Q, then of each mode."""
    far: sp.csr_matrix
    """[far modes, size] what the matrix lacks of them."""
    far_at: IntArray
    """[far modes] their places among the deviations."""

    @cached_property
    def far_shares(self) -> FloatArray:
        """[R, far modes]"""
        return np.asarray(self.shares[:, self.far_at].toarray(), dtype=np.float64)

    def columns(self, rows: IntArray) -> FloatArray:
        """[rows, size] c of some rows, far modes and all."""
        near = self.near[:, rows].toarray().T
        return np.asarray(near - self.far_shares[rows] @ self.far.toarray()) if len(self.far_at) else near


def borders(system: System, keys: tuple[PointKey, ...]) -> Borders:
    """The rows that points would give.

    Args:
        system: a matrix with the beliefs that its covariance is made with.
        keys: points; those that measure nothing in the network have no row.
    """
    problem = system.problem
    arrays = problem.layout.arrays
    stack = rows_of(arrays, PointTable(keys=keys))
    alive = np.zeros(len(arrays.injectors), dtype=np.bool_)
    alive[problem.factor.injectors] = True
    live = stack.live(solved=problem.factor.solved, injectors=alive)
    row, place, value, power = _of_phasors(system, stack)
    of_inputs = _Inputs(system, stack, live)
    power[of_inputs.row] = of_inputs.power
    near = sp.coo_matrix(
        (
            np.concatenate([value, of_inputs.value]),
            (np.concatenate([place, of_inputs.place]), np.concatenate([row, of_inputs.at_row])),
        ),
        shape=(problem.layout.size, stack.count),
    ).tocsc()
    modes = _modes(system)
    far = system.beliefs.far
    near = near - _near_modes(modes, of_inputs.shares, far=far, injectors=len(problem.injectors.fr))
    return Borders(
        stack=stack,
        live=live,
        power=power,
        near=sp.csc_matrix(near),
        shares=of_inputs.shares,
        far=sp.csr_matrix(modes[far]),
        far_at=2 * len(problem.injectors.fr) + far,
    )


def _of_phasors(system: System, stack: RowStack) -> tuple[IntArray, IntArray, FloatArray, ComplexArray]:
    """(row, place, value) of the derivatives of rows with respect to phasors, and [R] the power of a row's terms."""
    problem, x = system.problem, system.x
    layout = problem.layout
    owner = np.repeat(np.arange(stack.count), np.diff(stack.term_first))
    y = stack.admittances(layout.arrays, problem.grid)
    reached = np.append(problem.factor.solved, np.ones(layout.m, dtype=np.bool_))
    y = np.where(reached[stack.column], y, 0.0)
    place = np.concatenate([layout.node, layout.emf])[stack.column]
    current = y * layout.phasors(x, place)
    total = np.zeros(stack.count, dtype=np.complex128)
    form = stack.form[owner]
    metered = stack.at >= 0
    at = layout.node[np.where(metered, stack.at, 0)]
    v = np.where(metered, layout.phasors(x, at), 1.0)
    np.add.at(total, owner, np.where(form <= Form.ANGLE, current, v * np.conj(current)))
    phasor = np.where(total[owner] != 0.0, total[owner], 1.0)
    # A slope g says that a change of w adds Re(g dw) to the row.
    of_size, of_angle = y * np.conj(phasor) / np.abs(phasor), -1j * y / phasor
    of_flow = np.where(form == Form.ACTIVE, 1.0, 1.0j) * np.conj(v) * y
    slope = np.where(form == Form.SIZE, of_size, np.where(form == Form.ANGLE, of_angle, of_flow))
    turn = np.where(form == Form.ACTIVE, 1.0, -1.0j)
    of_voltage = np.where(metered & (form > Form.ANGLE), turn * np.conj(current), 0.0)
    row = np.tile(owner, 4)
    places = np.concatenate([place, place + 1, at, at + 1])
    value = np.concatenate([slope.real, -slope.imag, of_voltage.real, -of_voltage.imag])
    there = (value != 0.0) & (np.tile(form, 4) >= 0)
    is_power = stack.form > Form.ANGLE
    return row[there], places[there], value[there], np.where(is_power, total, 0.0)


class _Inputs:
    """What rows of powers of injectors add."""

    def __init__(self, system: System, stack: RowStack, live: BoolArray) -> None:
        problem, columns = system.problem, system.beliefs.columns
        injectors, count = problem.injectors, len(problem.injectors.fr)
        at_row: list[int] = []
        place: list[int] = []
        value: list[float] = []
        entries: list[tuple[int, int, float]] = []
        total: dict[int, complex] = {}
        of_mode: dict[int, list[tuple[int, complex]]] = {}
        for mode in range(len(columns.first) - 1):
            for e in range(columns.first[mode], columns.first[mode + 1]):
                of_mode.setdefault(int(columns.injector[e]), []).append((mode, complex(columns.share[e])))
        for row in np.flatnonzero(live & (np.diff(stack.input_first) > 0)).tolist():
            active = stack.form[row] == Form.ACTIVE
            for each in stack.inputs[stack.input_first[row] : stack.input_first[row + 1]].tolist():
                k = int(problem.row_of_injector[each])
                total[row] = total.get(row, 0j) + complex(system.s[k])
                deviation = float(np.sqrt(columns.variance_p[k] if active else columns.variance_q[k]))
                entries.append((row, k if active else count + k, -deviation))
                for mode, share in of_mode.get(k, []):
                    entries.append((row, 2 * count + mode, -(share.real if active else share.imag)))
                at, q = direction(system, k, deviation if active else 1j * deviation)
                law_at, slope = self._of_law(system, k, active=active)
                new = [*zip(at.tolist(), (deviation * q).tolist(), strict=True), *zip(law_at, slope, strict=True)]
                at_row += [row] * len(new)
                place += [one for one, _ in new]
                value += [one for _, one in new]
        self.row = np.array(list(total), dtype=np.int64)
        self.power = np.array(list(total.values()), dtype=np.complex128)
        self.at_row = np.array(at_row, dtype=np.int64)
        self.place = np.array(place, dtype=np.int64)
        self.value = np.array(value, dtype=np.float64)
        shape = (stack.count, 2 * len(injectors.fr) + len(columns.first) - 1)
        rows = np.array([row for row, _, _ in entries], dtype=np.int64)
        deviations = np.array([deviation for _, deviation, _ in entries], dtype=np.int64)
        values = np.array([share for _, _, share in entries], dtype=np.float64)
        self.shares = sp.coo_matrix((values, (rows, deviations)), shape=shape).tocsr()

    @staticmethod
    def _of_law(system: System, k: int, *, active: bool) -> tuple[list[int], list[float]]:
        """(places, derivatives) of a power that follows the voltage across it."""
        injectors, x = system.problem.injectors, system.x
        a, b, ratio = int(injectors.fr[k]), int(injectors.to[k]), float(injectors.ratio[k])
        d = complex(x[a], x[a + 1]) - (ratio * complex(x[b], x[b + 1]) if b >= 0 else 0j)
        square = abs(d) ** 2
        if injectors.lowest[k] <= square <= injectors.highest[k]:
            return [], []
        _, _, p, q = expected(complex(system.beliefs.columns.mean[k]), injectors.law[k], injectors.scale[k], square)
        along = (p if active else q) * d / abs(d)
        both = [a, a + 1], [along.real, along.imag]
        return both if b < 0 else ([*both[0], b, b + 1], [*both[1], -ratio * along.real, -ratio * along.imag])


def direction(system: System, k: int, share: complex) -> tuple[IntArray, FloatArray]:
    """(places, q) of a deviation that adds `share` to an injector."""
    problem = system.problem
    widest = 4 + int(problem.measured_first[k + 1] - problem.measured_first[k])
    at, q = np.zeros(widest, dtype=np.int64), np.zeros(widest)
    matrix = matrix_columns(problem, system.beliefs)
    count = input_direction(
        matrix, problem.injectors, problem.rows, system.inside, k, complex(share), system.x, at, q, 0
    )
    return at[:count], q[:count]


def _modes(system: System) -> sp.csr_matrix:
    """[modes, size] q of every shared deviation."""
    columns = system.beliefs.columns
    count = len(columns.first) - 1
    rows: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    places: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    values: list[FloatArray] = [np.zeros(0)]
    for mode in range(count):
        for e in range(columns.first[mode], columns.first[mode + 1]):
            at, q = direction(system, int(columns.injector[e]), complex(columns.share[e]))
            rows.append(np.full(len(at), mode))
            places.append(at)
            values.append(q)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(places)))
    return sp.coo_matrix(entries, shape=(count, system.problem.layout.size)).tocsr()


def _near_modes(modes: sp.csr_matrix, shares: sp.csr_matrix, *, far: IntArray, injectors: int) -> sp.csc_matrix:
    """[size, R] sum over the modes in the matrix of q times q at the row."""
    of_mode = shares[:, 2 * injectors :].tolil()
    of_mode[:, far] = 0.0
    return sp.csc_matrix((of_mode.tocsr() @ modes).T)
