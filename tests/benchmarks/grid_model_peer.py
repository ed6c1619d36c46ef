"""power-grid-model on our networks: balanced ones, written as its components."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.admittance import S_BASE_VA
from adms.grid.arrays import NetworkArrays
from adms.grid.model import CONSTANT_POWER
from adms.grid.state import GridState, normal_state
from tests.benchmarks.peers import AGREE_PU, TOLERANCE_PU, milliseconds_of

EXACT_METHODS = ("newton_raphson", "iterative_current", "iterative_linear")
"""Those that solve constant powers to a tolerance; its other methods solve another problem."""
_SMALL_PU = 1e-12


@dataclass(kw_only=True)
class _Components:
    """Columns of power-grid-model's tables."""

    branch: list[tuple[int, int, float, float, float, float, float]]
    """(from, to, r ohm, x ohm, g S, b S, angle rad)"""
    shunt: dict[int, complex]
    """By node, S."""


class GridModelPeer:
    """power-grid-model with one of our balanced networks in it. Closed switches are joined to one node, as its users
    would, and those at the ends of lines become part of them: the smallest problem it can be given."""

    def __init__(self, arrays: NetworkArrays) -> None:
        pgm: Any = import_module("power_grid_model")
        assert all(load.law == CONSTANT_POWER and load.q_law is None for load in arrays.model.loads)
        self._arrays = arrays
        grid = normal_state(arrays.model)
        self._node = _joined(arrays, grid)
        self._compared = arrays.energised(grid)
        self._compared[list(_at_line_ends(arrays, grid))] = False  # within a line here, its end there
        u_rated = np.zeros(self._node.max() + 1)
        u_rated[self._node] = np.sqrt(3.0) * arrays.v_base_v
        self.node_count = len(u_rated)
        found = _components(arrays, grid, node=self._node, u_rated=u_rated)
        made: dict[str, npt.NDArray[Any]] = {}
        self._next = 0

        def table(name: str, count: int) -> npt.NDArray[Any]:
            rows: npt.NDArray[Any] = pgm.initialize_array("input", name, count)
            rows["id"] = np.arange(self._next, self._next + count)
            self._next += count
            made[name] = rows
            return rows

        table("node", len(u_rated))["u_rated"] = u_rated
        branch = table("generic_branch", len(found.branch))
        for field, column in zip(
            ("from_node", "to_node", "r1", "x1", "g1", "b1", "theta"), zip(*found.branch, strict=True), strict=True
        ):
            branch[field] = column
        branch["from_status"] = branch["to_status"] = 1
        branch["k"], branch["sn"] = 1.0, 1e6
        shunt = table("shunt", len(found.shunt))
        shunt["node"], shunt["status"] = list(found.shunt), 1
        shunt["g1"] = [y.real for y in found.shunt.values()]
        shunt["b1"] = [y.imag for y in found.shunt.values()]
        source = table("source", len(arrays.sources))
        for row, one in zip(source, arrays.sources, strict=True):
            y, emf = complex(one.y_pu[0, 0]), complex(one.emf_pu[0])
            row["node"], row["status"] = self._node[one.nodes[0]], 1
            row["u_ref"], row["u_ref_angle"] = abs(emf), np.angle(emf)
            z = 1.0 / y
            row["sk"], row["rx_ratio"] = S_BASE_VA / abs(z), z.real / z.imag
        load = table("sym_load", len(arrays.injectors))
        load["node"], load["status"], load["type"] = self._node[arrays.injector_fr], 1, 0
        self._loads = load["id"].copy()
        load["p_specified"] = load["q_specified"] = 0.0
        self._pgm = pgm
        self._tables = made
        self._model = pgm.PowerGridModel(made, system_frequency=arrays.model.frequency_hz)
        self.method = ""

    def update_of(self, s_nominal_va: ComplexArray) -> dict[str, npt.NDArray[Any]]:
        """Its update table for our injections [injector] or [injector, case]."""
        s = np.ascontiguousarray(-s_nominal_va.T)
        rows = self._pgm.initialize_array("update", "sym_load", s.shape if s.ndim == 2 else len(s))
        rows["id"] = self._loads
        rows["p_specified"], rows["q_specified"] = s.real, s.imag
        return {"sym_load": rows}

    def update_and_solve(self, update: dict[str, npt.NDArray[Any]], *, method: str = "") -> npt.NDArray[Any]:
        """One case; only node results are asked for."""
        self._model.update(update_data=update)
        found = self._model.calculate_power_flow(
            calculation_method=method or self.method,
            error_tolerance=TOLERANCE_PU,
            max_iterations=100,
            output_component_types={"node"},
        )
        return np.asarray(found["node"])

    def batch(self, update: dict[str, npt.NDArray[Any]], *, method: str = "") -> npt.NDArray[Any]:
        """Many cases, one thread."""
        found = self._model.calculate_power_flow(
            update_data=update,
            calculation_method=method or self.method,
            error_tolerance=TOLERANCE_PU,
            max_iterations=100,
            threading=-1,
            output_component_types={"node"},
        )
        return np.asarray(found["node"])

    def choose(self, run: Callable[[str], object]) -> dict[str, float]:
        """Takes the fastest exact method that converges; returns the ms of each that does."""
        taken = {}
        for method in EXACT_METHODS:
            try:
                run(method)
                taken[method] = milliseconds_of(lambda method=method: run(method), rounds=3)  # type: ignore[misc]
            except self._pgm.errors.PowerGridError:
                continue
        self.method = min(taken, key=lambda name: taken[name])
        return taken

    def agree(self, node: npt.NDArray[Any], v_phasor_pu: ComplexArray) -> None:
        """Its result and ours are the same network's."""
        theirs = node["u_pu"] * np.exp(1j * node["u_angle"])
        worst = float(np.abs(theirs[self._node] - v_phasor_pu)[self._compared].max())
        print(f"\n{self._arrays.node_count} nodes ({self.node_count} there), largest difference {worst:.1e} pu")
        assert worst < AGREE_PU


def _at_line_ends(arrays: NetworkArrays, grid: GridState) -> dict[int, int]:
    """Closed switch at a node where nothing but it and the end of one line is: {node: branch index of the switch}."""
    around: dict[int, list[int]] = {}
    for index, nodes in enumerate(arrays.branch_nodes):
        branch = arrays.branches[index]
        if branch.switch is None or grid.closed[branch.id]:
            for node in nodes.tolist():
                around.setdefault(node, []).append(index)
    taken = {*arrays.injector_fr.tolist(), *np.concatenate([*arrays.source_nodes, *arrays.capacitor_nodes]).tolist()}
    found = {}
    for node, at in around.items():
        switches = [index for index in at if arrays.branches[index].switch is not None]
        if node not in taken and len(at) == 2 and len(switches) == 1:
            found[node] = switches[0]
    return found


def _with_switches(
    arrays: NetworkArrays, grid: GridState, index: int, *, at_ends: dict[int, int]
) -> npt.NDArray[np.complex128]:
    """Primitive of a line with the switches at its ends, seen from behind them."""
    y = arrays.branch_admittance_pu(index, grid)
    for place, node in enumerate(arrays.branch_nodes[index].tolist()):
        if node in at_ends:
            switch = arrays.branch_admittance_pu(at_ends[node], grid)[0, 0]
            other = 1 - place
            inside = y[place, place] + switch
            after = np.empty_like(y)
            after[place, place] = switch * y[place, place] / inside
            after[place, other] = y[place, other] * switch / inside
            after[other, place] = y[other, place] * switch / inside
            after[other, other] = y[other, other] - y[other, place] * y[place, other] / inside
            y = after
    return y


def _joined(arrays: NetworkArrays, grid: GridState) -> IntArray:
    """[node] number of the node in power-grid-model."""
    ends = [arrays.branch_nodes[i] for i in arrays.switches if grid.closed[arrays.branches[int(i)].id]]
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    size = arrays.node_count
    graph = sp.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _components(
    arrays: NetworkArrays, grid: GridState, *, node: IntArray, u_rated: npt.NDArray[np.float64]
) -> _Components:
    """Any two-ended primitive [[a, b], [c, d]] per unit as a series element of angle (arg b - arg c) / 2 (of the two
    the one with a positive resistance), a shunt that both ends have, and what is left at each."""
    found = _Components(branch=[], shunt={})
    at_ends = _at_line_ends(arrays, grid)
    for index, branch in enumerate(arrays.branches):
        if branch.switch is not None:
            continue
        ends = arrays.branch_nodes[index]
        assert len(ends) == 2
        fr, to = int(node[ends[0]]), int(node[ends[1]])
        if fr == to:
            continue
        (a, b), (c, d) = _with_switches(arrays, grid, index, at_ends=at_ends)
        angle = float(np.angle(b * np.conj(c))) / 2.0
        if (b * np.exp(-1j * angle)).real > 0.0:  # half a turn further the same ends have a series element that takes
            angle += np.pi
        y = -b * np.exp(-1j * angle)
        base = S_BASE_VA / u_rated[to] ** 2
        both = a - y if abs((a - y) - (d - y)) < _SMALL_PU * abs(y) else 0.0
        for end, left in ((fr, a - y - both), (to, d - y - both)):
            if left:
                found.shunt[end] = found.shunt.get(end, 0.0) + left * S_BASE_VA / u_rated[end] ** 2
        z, around = 1.0 / (y * base), 2.0 * both * base
        found.branch.append((fr, to, z.real, z.imag, around.real, around.imag, angle))
    for index, capacitor in enumerate(arrays.model.capacitors):
        end = int(node[arrays.capacitor_nodes[index][0]])
        y = complex(capacitor.y_step_siemens.re[0][0], capacitor.y_step_siemens.im[0][0])
        found.shunt[end] = found.shunt.get(end, 0.0) + y * grid.capacitor_steps[capacitor.id]
    return found
