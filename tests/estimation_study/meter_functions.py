"""What perfect meters read at a state of the network, and the slopes of that: the referee's own measurement functions.

Written from the definitions of the points alone (`PointKind`, `PointKey`), without `adms.estimation`. Every point is a
magnitude, an angle, P or Q of phasors that are linear in w = (V, E), or P or Q of injectors:

    |a|     d|a|   = Re(conj(a) / |a| da)
    arg a   darg a = Re(-j / a da)
    V conj(a)      dS = conj(a) dV + V conj(da)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind
from adms.grid.arrays import S_BASE_VA, BoolArray, NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import GridState

_ACTIVE = frozenset({PointKind.P_FLOW, PointKind.P_INJECTION, PointKind.P_AVERAGE})
_REACTIVE = frozenset({PointKind.Q_FLOW, PointKind.Q_INJECTION, PointKind.Q_AVERAGE})
_MAGNITUDES = frozenset({PointKind.V_MAGNITUDE, PointKind.V_LINE, PointKind.V_AVERAGE, PointKind.I_MAGNITUDE})
_ANGLES = frozenset({PointKind.V_ANGLE, PointKind.I_ANGLE})
_NODAL = frozenset({PointKind.V_MAGNITUDE, PointKind.V_AVERAGE, PointKind.V_ANGLE})


@dataclass(eq=False)
class _Rows:
    """Terms of the phasors, as they are found."""

    row: list[int] = field(default_factory=list)
    """[phasor] point that it belongs to."""
    node: list[int] = field(default_factory=list)
    """[phasor] node whose voltage it is multiplied by; 0 where none is."""
    at: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    factor: list[complex] = field(default_factory=list)

    def add(self, row: int, *, node: int, columns: Sequence[int], factors: Sequence[complex]) -> None:
        self.at += [len(self.row)] * len(columns)
        self.column += [int(c) for c in columns]
        self.factor += [complex(f) for f in factors]
        self.row.append(row)
        self.node.append(node)


class MeterFunctions:
    """h(V, E, S) in SI for a list of points, and its gradient."""

    def __init__(self, arrays: NetworkArrays, grid: GridState, *, keys: Sequence[PointKey]) -> None:
        self._arrays = arrays
        self._grid = grid
        self._network_y: sp.csr_matrix = arrays.admittance_pu(grid).tocsr()
        self._source_first = np.cumsum([0, *(len(s.nodes) for s in arrays.sources)])
        self.width = arrays.node_count + int(self._source_first[-1])
        rows = _Rows()
        injector_row: list[int] = []
        injector: list[int] = []
        for row, key in enumerate(keys):
            pairs = self._injectors(key)
            if pairs.size:
                injector_row += [row] * len(pairs)
                injector += pairs.tolist()
            else:
                self._phasors(rows, row, key)
        kinds = [key.kind for key in keys]
        self.is_angle: BoolArray = np.array([k in _ANGLES for k in kinds], dtype=np.bool_)
        self._magnitude = np.array([k in _MAGNITUDES for k in kinds], dtype=np.bool_)[rows.row]
        self._angle = self.is_angle[rows.row]
        self._reactive = np.array([k in _REACTIVE for k in kinds], dtype=np.bool_)
        count, phasors = len(keys), len(rows.row)
        self._node = np.array(rows.node, dtype=np.int64)
        self._phasor = sp.csr_matrix((rows.factor, (rows.at, rows.column)), shape=(phasors, self.width))
        self._voltage = sp.csr_matrix((np.ones(phasors), (np.arange(phasors), rows.node)), shape=(phasors, self.width))
        self._sum = sp.csr_matrix((np.ones(phasors), (rows.row, np.arange(phasors))), shape=(count, phasors))
        turn = np.where(self._reactive[injector_row], -1j, 1.0) * S_BASE_VA
        self._of_s = sp.csr_matrix((turn, (injector_row, injector)), shape=(count, len(arrays.injectors)))

    def _injectors(self, key: PointKey) -> IntArray:
        none = np.zeros(0, dtype=np.int64)
        if key.kind not in _ACTIVE | _REACTIVE:
            return none
        pairs = self._arrays.injector_rows.get(ElementId(key.element), none)
        if key.phase == 0 or len(pairs) < 2:
            return pairs
        phase = [self._arrays.nodes[int(i)].phase for i in self._arrays.injector_fr[pairs]]
        return np.asarray(pairs[np.array(phase) == key.phase])

    def _phasors(self, rows: _Rows, row: int, key: PointKey) -> None:
        arrays = self._arrays
        if key.kind in _NODAL:
            node = arrays.node_idx[NodeRef(BusId(key.element), key.phase)]
            scale = 1.0 if key.kind is PointKind.V_ANGLE else arrays.v_base_v[node]
            rows.add(row, node=0, columns=[node], factors=[scale])
        elif key.kind is PointKind.V_LINE:
            ends = [arrays.node_idx[NodeRef(BusId(key.element), int(p))] for p in str(key.phase)]
            base = arrays.v_base_v[ends]
            rows.add(row, node=0, columns=ends, factors=[base[0], -base[1]])
        elif ElementId(key.element) in arrays.branch_idx:
            self._branch_end(rows, row, key)
        elif key.element in [s.id for s in arrays.model.sources]:
            self._source(rows, row, key)
        else:
            for phase in next(b.phases for b in arrays.model.buses if b.id == key.element):
                if key.phase in (0, phase):
                    node = arrays.node_idx[NodeRef(BusId(key.element), phase)]
                    y = self._network_y[[node]].tocoo()
                    rows.add(row, node=node, columns=y.col.tolist(), factors=(S_BASE_VA * y.data).tolist())

    def _branch_end(self, rows: _Rows, row: int, key: PointKey) -> None:
        arrays = self._arrays
        index = arrays.branch_idx[ElementId(key.element)]
        terminals = arrays.branches[index].terminals
        nodes = arrays.branch_nodes[index]
        y = arrays.branch_admittance_pu(index, self._grid)
        first = sum(len(t) for t in terminals[: key.side])
        for place, end in enumerate(terminals[key.side], start=first):
            if key.phase in (0, end.phase):
                node = int(nodes[place])
                scale = S_BASE_VA if key.kind in _ACTIVE | _REACTIVE else arrays.current_base_a[node]
                rows.add(row, node=node, columns=nodes.tolist(), factors=(scale * y[place]).tolist())

    def _source(self, rows: _Rows, row: int, key: PointKey) -> None:
        arrays = self._arrays
        for source, model, first in zip(arrays.sources, arrays.model.sources, self._source_first, strict=False):
            for place, end in enumerate(model.nodes):
                if model.id == key.element and key.phase in (0, end.phase):
                    y = S_BASE_VA * source.y_pu[place]
                    emf = arrays.node_count + first + np.arange(len(y))
                    columns = [*emf.tolist(), *source.nodes.tolist()]
                    rows.add(row, node=int(source.nodes[place]), columns=columns, factors=[*y, *(-y)])

    def value(self, w: ComplexArray, *, s_pu: ComplexArray) -> FloatArray:
        """Readings.

        Args:
            w: [node + source node, ...] voltages and open-circuit voltages, per unit.
            s_pu: [injector, ...] powers injected, S_BASE_VA.

        Returns:
            [point, ...] SI.
        """
        a: ComplexArray = np.asarray(self._phasor @ w)
        of_phasor = np.where(_column(self._magnitude, a), np.abs(a), np.angle(a)).astype(np.complex128)
        is_power = ~(self._magnitude | self._angle)
        of_phasor[is_power] = w[self._node[is_power]] * np.conj(a[is_power])
        power: ComplexArray = np.asarray(self._sum @ of_phasor, dtype=np.complex128)
        out = np.where(_column(self._reactive, power), power.imag, power.real)
        return np.asarray(out + (self._of_s @ s_pu).real)

    def slopes(self, w: ComplexArray) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """(g, g_s) with dh = Re(g dw + g_s dS): [point, node + source node] and [point, injector], complex."""
        a: ComplexArray = np.asarray(self._phasor @ w)
        v = w[self._node]
        turn = np.where(self._sum.T @ self._reactive.astype(np.float64) > 0.0, -1j, 1.0)
        safe = np.where(a == 0.0, 1.0, a)
        of_a = np.where(self._magnitude, np.conj(a) / np.abs(safe), np.where(self._angle, -1j / safe, 0.0))
        is_power = ~(self._magnitude | self._angle)
        # Re(turn V conj(da)) = Re(conj(turn V) da)
        of_a = np.where(is_power, np.conj(turn * v), of_a)
        of_v = np.where(is_power, turn * np.conj(a), 0.0)
        g = self._sum @ (sp.diags(of_a) @ self._phasor + sp.diags(of_v) @ self._voltage)
        return sp.csr_matrix(g), self._of_s


def _column(mask: BoolArray, like: ComplexArray) -> BoolArray:
    return mask.reshape(-1, *(1,) * (like.ndim - 1))
