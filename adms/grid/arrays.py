"""The network in solver order, per unit: nodes, injectors, and the admittance matrix of any state.

Per unit: voltage on each node's own phase-to-ground base, power on `S_BASE_VA` per node, so that
y_pu = m * y_siemens * v_i * v_j / S_BASE_VA and i_pu = m * i_a * v_base / S_BASE_VA, where a node stands for m
conductors: one, and three at the single node of a balanced bus (phase 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.admittance import S_BASE_VA as S_BASE_VA
from adms.grid.admittance import AdmittanceEntries, per_unit
from adms.grid.components import components
from adms.grid.joints import branch_joints
from adms.grid.load_law import LAW_COLUMNS, law_row
from adms.grid.model import Branch, Der, Load, NetworkModel, NodeRef
from adms.grid.sources import SourceEquivalent
from adms.grid.state import GridState

GROUND = -1
_NO_INDEX = np.zeros(0, dtype=np.int64)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Injector:
    """One single-phase part of a load or DER, between two nodes or a node and ground."""

    element: ElementId
    fr: int
    to: int
    """Node index or GROUND."""
    is_der: bool


class NetworkArrays:
    """A model in solver order. Immutable once built; everything derived from a `GridState` is a method.

    Columns: `nodes` (index of every per-node array), `injectors` (loads in model order, pair by pair, then DER).
    """

    def __init__(self, model: NetworkModel, *, version: ModelVersion) -> None:
        self.model = model
        self.version = version
        self.nodes: tuple[NodeRef, ...] = tuple(NodeRef(b.id, phase) for b in model.buses for phase in b.phases)
        self.node_idx: dict[NodeRef, int] = {node: i for i, node in enumerate(self.nodes)}
        bus_of = {b.id: b for b in model.buses}
        column = [bus_of[node.bus] for node in self.nodes]
        self.v_base_v: FloatArray = np.array([b.v_base_v for b in column])
        self.conductors: FloatArray = np.array([3.0 if node.phase == 0 else 1.0 for node in self.nodes])
        """[node] how many conductors a node stands for: powers are those of all of them, currents of each."""
        self.v_min_pu: FloatArray = np.array([b.v_min_pu for b in column])
        self.v_max_pu: FloatArray = np.array([b.v_max_pu for b in column])
        self.v_emergency_min_pu: FloatArray = np.array([b.v_emergency_min_pu for b in column])
        self.v_emergency_max_pu: FloatArray = np.array([b.v_emergency_max_pu for b in column])
        self.branches: tuple[Branch, ...] = model.branches
        self.branch_idx: dict[ElementId, int] = {b.id: i for i, b in enumerate(model.branches)}
        self.branch_nodes: tuple[IntArray, ...] = tuple(
            self._indices([node for terminal in b.terminals for node in terminal]) for b in model.branches
        )
        """Per branch, node indices of its concatenated terminals."""
        self.capacitor_nodes: tuple[IntArray, ...] = tuple(self._indices(c.nodes) for c in model.capacitors)
        self.source_nodes: tuple[IntArray, ...] = tuple(self._indices(s.nodes) for s in model.sources)
        self._build_injectors()

    def _indices(self, nodes: Sequence[NodeRef]) -> IntArray:
        return np.array([self.node_idx[node] for node in nodes], dtype=np.int64)

    def _build_injectors(self) -> None:
        injectors: list[Injector] = []
        nominal: list[complex] = []
        v_nominal: list[float] = []
        laws: list[tuple[float, ...]] = []
        elements: list[Load | Der] = [*self.model.loads, *self.model.ders]
        for element in elements:
            law = law_row(element)
            for fr, to in element.pairs:
                injectors.append(
                    Injector(
                        element=element.id,
                        fr=self.node_idx[fr],
                        to=GROUND if to is None else self.node_idx[to],
                        is_der=isinstance(element, Der),
                    )
                )
                v_nominal.append(element.v_nominal_v)
                if isinstance(element, Load):
                    nominal.append(-complex(element.p_w, element.q_var) / len(element.pairs))
                else:
                    normal = complex(element.normal_p_injection_w, element.normal_q_injection_var)
                    nominal.append(normal / len(element.pairs))
                laws.append(law)
        self.injectors: tuple[Injector, ...] = tuple(injectors)
        self.injector_fr: IntArray = np.array([i.fr for i in injectors], dtype=np.int64)
        self.injector_to: IntArray = np.array([i.to for i in injectors], dtype=np.int64)
        self.injector_is_der: BoolArray = np.array([i.is_der for i in injectors], dtype=np.bool_)
        self.injector_s_nominal_va: ComplexArray = np.array(nominal, dtype=np.complex128)
        """[injector] injection at nominal voltage of the model's loads (negative: they draw) and DER."""
        self.injector_v_nominal_v: FloatArray = np.array(v_nominal)
        self.injector_law: FloatArray = np.array(laws).reshape(-1, LAW_COLUMNS)
        """[injector, LAW_COLUMNS] as in `adms.grid.load_law`."""
        rows: dict[ElementId, list[int]] = {}
        for i, injector in enumerate(injectors):
            rows.setdefault(injector.element, []).append(i)
        self.injector_rows: dict[ElementId, IntArray] = {e: np.array(r, dtype=np.int64) for e, r in rows.items()}

    @cached_property
    def phases_of(self) -> dict[BusId, tuple[int, ...]]:
        """Phases of each bus."""
        return {bus.id: tuple(bus.phases) for bus in self.model.buses}

    @cached_property
    def injectors_at(self) -> dict[BusId, tuple[int, ...]]:
        """Injector indices of each bus that has any."""
        found: dict[BusId, list[int]] = {}
        for k, fr in enumerate(self.injector_fr.tolist()):
            found.setdefault(self.nodes[fr].bus, []).append(k)
        return {bus: tuple(here) for bus, here in found.items()}

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @cached_property
    def incidence(self) -> sp.csr_matrix:
        """[node, injector]: per-unit node current = incidence @ (injector current in units of S_BASE_VA / 1 V base of
        the `fr` node). Entry +1 at `fr`; at `to` -(v_base_to / v_base_fr)."""
        count = len(self.injectors)
        has_to = self.injector_to != GROUND
        base = self.v_base_v
        row = np.concatenate([self.injector_fr, self.injector_to[has_to]])
        col = np.concatenate([np.arange(count), np.flatnonzero(has_to)])
        ratio = base[self.injector_to[has_to]] / base[self.injector_fr[has_to]]
        value = np.concatenate([np.ones(count), -ratio])
        return sp.csr_matrix((value, (row, col)), shape=(self.node_count, count))

    @cached_property
    def _admittance_base_v(self) -> FloatArray:
        """[node] so that y_pu = y_siemens * base_i * base_j / S_BASE_VA, of all conductors of a node."""
        return np.asarray(self.v_base_v * np.sqrt(self.conductors))

    @cached_property
    def current_base_a(self) -> FloatArray:
        """[node] amperes of each conductor for 1 per unit."""
        return np.asarray(S_BASE_VA / (self.conductors * self.v_base_v))

    @cached_property
    def entries(self) -> AdmittanceEntries:
        """What the admittance matrix can have."""
        nodes = (*self.branch_nodes, *self.capacitor_nodes)
        return AdmittanceEntries(self.branches, self.model.capacitors, nodes=nodes, base_v=self._admittance_base_v)

    def branch_admittance_pu(self, index: int, state: GridState) -> ComplexArray:
        """Primitive of one branch in a state, per unit over its concatenated terminals; zero where open."""
        branch = self.branches[index]
        if branch.switch is not None and not state.closed[branch.id]:
            size = len(self.branch_nodes[index])
            return np.zeros((size, size), dtype=np.complex128)
        return self.entries.branch(index, state)

    @cached_property
    def switches(self) -> IntArray:
        """Branch indices of the switches."""
        return np.array([i for i, b in enumerate(self.branches) if b.switch is not None], dtype=np.int64)

    @cached_property
    def tapped(self) -> IntArray:
        """Branch indices of the tap changers."""
        return np.array([i for i, b in enumerate(self.branches) if b.taps is not None], dtype=np.int64)

    def _switch_closed(self, state: GridState) -> BoolArray:
        """[switch + 1] positions in the order of `switches`; the last, that is index -1, is True: no switch."""
        return np.array([*(state.closed[self.branches[i].id] for i in self.switches), True], dtype=np.bool_)

    def admittance_pu(self, state: GridState) -> sp.csc_matrix:
        """Network admittance without loads and without sources, [node, node] per unit. An open branch has no entry."""
        entries = self.entries
        value = entries.values(state)
        there = value != 0.0
        size = self.node_count
        return sp.csc_matrix((value[there], (entries.row[there], entries.col[there])), shape=(size, size))

    @cached_property
    def sources(self) -> tuple[SourceEquivalent, ...]:
        """Norton equivalents, in model order."""
        return tuple(
            SourceEquivalent(
                nodes=nodes,
                emf_pu=np.array(source.v_magnitude_pu) * np.exp(1j * np.array(source.v_angle_rad)),
                y_pu=per_unit(source.y_primitive_siemens, self._admittance_base_v[nodes]),
            )
            for source, nodes in zip(self.model.sources, self.source_nodes, strict=True)
        )

    @cached_property
    def _source_norton_pu(self) -> tuple[sp.csc_matrix, ComplexArray]:
        size = self.node_count
        current = np.zeros(size, dtype=np.complex128)
        for source in self.sources:
            current[source.nodes] += source.y_pu @ source.emf_pu
        current.flags.writeable = False
        row = np.concatenate([_NO_INDEX, *(np.repeat(s.nodes, len(s.nodes)) for s in self.sources)])
        col = np.concatenate([_NO_INDEX, *(np.tile(s.nodes, len(s.nodes)) for s in self.sources)])
        value = np.concatenate([np.zeros(0, dtype=np.complex128), *(s.y_pu.ravel() for s in self.sources)])
        return sp.csc_matrix((value, (row, col)), shape=(size, size)), current

    def source_norton_pu(self) -> tuple[sp.csc_matrix, ComplexArray]:
        """(admittance of all sources [node, node], their Norton currents [node]), per unit. Shared: not to be written
        to."""
        return self._source_norton_pu

    @cached_property
    def injector_v_scale(self) -> FloatArray:
        """[injector] voltage over its own nominal one, for 1 per unit across it (base of its `fr` node)."""
        return np.asarray(self.v_base_v[self.injector_fr] / self.injector_v_nominal_v)

    def injector_live(self, energised: BoolArray) -> BoolArray:
        """[injector] True where every node of the injector is energised.

        Args:
            energised: [node].
        """
        grounded = self.injector_to == GROUND
        return np.asarray(energised[self.injector_fr] & (grounded | energised[self.injector_to]))

    def branch_power_va(self, index: int, state: GridState, v_phasor_pu: ComplexArray) -> ComplexArray:
        """Complex power into a branch at each of its concatenated terminal nodes, VA."""
        v = v_phasor_pu[self.branch_nodes[index]]
        return np.asarray(v * np.conj(self.branch_admittance_pu(index, state) @ v) * S_BASE_VA)

    def branch_current_a(self, index: int, state: GridState, v_phasor_pu: ComplexArray) -> ComplexArray:
        """Current phasors into a branch at each of its concatenated terminal nodes, A."""
        nodes = self.branch_nodes[index]
        current = self.branch_admittance_pu(index, state) @ v_phasor_pu[nodes]
        return np.asarray(current * self.current_base_a[nodes])

    @cached_property
    def conductor_joints(self) -> tuple[IntArray, IntArray, IntArray]:
        """(node, node, branch index), one entry for each way along which a closed branch carries a source's voltage.

        By `adms.grid.joints.branch_joints`.
        """
        fr: list[int] = []
        to: list[int] = []
        owner: list[int] = []
        for index, branch in enumerate(self.branches):
            for a, b in branch_joints(branch):
                fr.append(self.node_idx[a])
                to.append(self.node_idx[b])
                owner.append(index)
        return np.array(fr, dtype=np.int64), np.array(to, dtype=np.int64), np.array(owner, dtype=np.int64)

    @cached_property
    def _switch_of_branch(self) -> IntArray:
        """[branch] index in `switches`, -1 where it is none."""
        place = np.full(len(self.branches), -1, dtype=np.int64)
        place[self.switches] = np.arange(len(self.switches))
        return place

    def islands(self, state: GridState) -> IntArray:
        """[node] number of the conductor island that a node belongs to: what closed branches join."""
        fr, to, owner = self.conductor_joints
        shut = self._switch_closed(state)[self._switch_of_branch[owner]]
        return components(fr[shut], to[shut], size=self.node_count)

    def energised(self, state: GridState) -> BoolArray:
        """[node] True where a path of closed branches leads to a source, conductor by conductor."""
        island = self.islands(state)
        live = np.zeros(self.node_count, dtype=np.bool_)
        for nodes in self.source_nodes:
            live[island[nodes]] = True
        return live[island]
