"""power-grid-model's asymmetric estimator with three-phase networks of lines, transformers and grounded loads in it.

Each source of ours is an EMF behind an impedance: there a node of its own with a phasor sensor (our prior of the EMF)
and a line; what it delivers is the power at that line's far end. Sensors of magnitudes have no angle. Its Newton
estimator then minimises what ours does: see `estimation_peers_balanced`.
"""

import math
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.admittance import S_BASE_VA, as_matrix
from adms.grid.arrays import NetworkArrays
from adms.grid.model import CONSTANT_POWER, Branch, BranchKind, Bus, Load, NetworkModel, NodeRef, Source
from adms.grid.state import normal_state
from tests.benchmarks.estimation_peers import Metering, ScanValues
from tests.benchmarks.estimation_peers_runs import ModelEstimates, Update

PHASES = (1, 2, 3)
FEEDER_BUSES = 150
FEEDER_W = 2e6
V_BASE_V = 12_470.0 / math.sqrt(3.0)
LOW_V_BASE_V = 400.0 / math.sqrt(3.0)
TRANSFORMER = {"sn": 400e3, "uk": 0.06, "pk": 4e3, "clock": 11}
EMF_SIGMA_PU = 0.002
"""Of the phasor sensor at a source's EMF, which is 1 pu: of its magnitude and, in radian, of its angle."""
_ORDER = ("aa", "ba", "bb", "ca", "cb", "cc")
_PLACE = {"a": 0, "b": 1, "c": 2}


def three_phase_feeder(*, buses: int, seed: int, ties: int = 0, transformers: int = 0) -> NetworkModel:
    """A random tree of untransposed lines with unequal loads from phase to ground at about two buses in three.

    Made up: each line has its own phase impedances (0.3 + 0.6j ohm/km and a mutual 0.1 + 0.25j, up to 10 % off, some
    100 m) and hangs on one of the 40 buses before it in its feeder of up to 150; 2 MW at 0.95 a feeder; `ties` more
    lines close loops; at as many buses as there are `transformers` the load is behind one, Dyn11.
    """
    rng = np.random.default_rng(seed)
    names = [f"b{k}" for k in range(buses)]
    first = [(k - 1) // FEEDER_BUSES * FEEDER_BUSES + 1 for k in range(buses)]
    parent = [0 if k <= first[k] else int(rng.integers(max(first[k], k - 40), k)) for k in range(buses)]
    pairs = [(parent[k], k) for k in range(1, buses)]
    pairs += [(int(a), int(b)) for a, b in rng.integers(1, buses, (ties, 2)) if a != b]
    behind = set(rng.permutation(np.arange(1, buses))[:transformers].tolist())
    loads = []
    for k in range(1, buses):
        if k in behind or rng.random() < 0.65:
            p_w = FEEDER_W / (0.65 * min(FEEDER_BUSES, buses)) * rng.uniform(0.4, 1.6)
            loads.append(_load(k, f"lv{k}" if k in behind else names[k], p_w=p_w, low_voltage=k in behind))
    z_source = (0.05 + 0.4j) * min(1.0, FEEDER_BUSES / buses)
    return NetworkModel(
        name=f"{buses} three-phase buses",
        frequency_hz=50.0,
        buses=(*(_bus(name) for name in names), *(_bus(f"lv{k}", v_base_v=LOW_V_BASE_V) for k in sorted(behind))),
        sources=(
            Source(
                id=ElementId("source.head"),
                nodes=_nodes(names[0]),
                v_magnitude_pu=(1.0, 1.0, 1.0),
                v_angle_rad=(0.0, -2.0 * math.pi / 3.0, 2.0 * math.pi / 3.0),
                y_primitive_siemens=as_matrix(np.eye(3, dtype=np.complex128) / z_source),
            ),
        ),
        branches=tuple(
            _line(f"line.{n}", (names[a], names[b]), length_km=rng.uniform(0.05, 0.2), rng=rng)
            for n, (a, b) in enumerate(pairs)
        )
        + tuple(_transformer(f"transformer.{k}", (names[k], f"lv{k}")) for k in sorted(behind)),
        capacitors=(),
        loads=tuple(loads),
        ders=(),
    )


def _load(k: int, bus: str, *, p_w: float, low_voltage: bool) -> Load:
    return Load(
        id=ElementId(f"load.{k}"),
        pairs=tuple((node, None) for node in _nodes(bus)),
        p_w=p_w,
        q_var=p_w * math.tan(math.acos(0.95)),
        v_nominal_v=LOW_V_BASE_V if low_voltage else V_BASE_V,
        law=CONSTANT_POWER,
        v_low_pu=0.5,
        v_high_pu=1.5,
    )


def _bus(name: str, *, v_base_v: float = V_BASE_V) -> Bus:
    return Bus(
        id=BusId(name),
        phases=PHASES,
        v_base_v=v_base_v,
        v_min_pu=0.9,
        v_max_pu=1.1,
        v_emergency_min_pu=0.9,
        v_emergency_max_pu=1.1,
    )


def _nodes(name: str) -> tuple[NodeRef, ...]:
    return tuple(NodeRef(BusId(name), phase) for phase in PHASES)


def _line(name: str, ends: tuple[str, str], *, length_km: float, rng: np.random.Generator) -> Branch:
    z = np.full((3, 3), 0.1 + 0.25j) + np.eye(3) * (0.2 + 0.35j)
    off = 1.0 + 0.1 * rng.uniform(-1.0, 1.0, (3, 3))
    y = np.linalg.inv(z * (off + off.T) / 2.0 * length_km)
    return Branch(
        id=ElementId(name),
        kind=BranchKind.LINE,
        terminals=(_nodes(ends[0]), _nodes(ends[1])),
        y_primitive_siemens=as_matrix(np.asarray(np.block([[y, -y], [-y, y]]), dtype=np.complex128)),
    )


def _transformer(name: str, ends: tuple[str, str]) -> Branch:
    """Delta to grounded star, without magnetising: in the positive sequence a series element and 330 degrees, in the
    negative the other way round, in the zero sequence the same element from the star to ground."""
    rated = TRANSFORMER
    u = math.sqrt(3.0) * LOW_V_BASE_V
    z, r = rated["uk"] * u**2 / rated["sn"], rated["pk"] * u**2 / rated["sn"] ** 2
    y, ratio = 1.0 / complex(r, math.sqrt(z**2 - r**2)), V_BASE_V / LOW_V_BASE_V
    turn = np.exp(1j * math.radians(30.0 * rated["clock"]))
    a = np.exp(2j * math.pi / 3.0)
    sequences = np.array([[1.0, 1.0, 1.0], [1.0, a**2, a], [1.0, a, a**2]])
    back = np.linalg.inv(sequences)

    def phases(zero: complex, positive: complex, negative: complex) -> ComplexArray:
        return np.asarray(sequences @ np.diag([zero, positive, negative]) @ back)

    ff, tt = phases(0.0, y / ratio**2, y / ratio**2), phases(y, y, y)
    ft = phases(0.0, -y * turn / ratio, -y / turn / ratio)
    tf = phases(0.0, -y / turn / ratio, -y * turn / ratio)
    return Branch(
        id=ElementId(name),
        kind=BranchKind.TRANSFORMER,
        terminals=(_nodes(ends[0]), _nodes(ends[1])),
        y_primitive_siemens=as_matrix(np.asarray(np.block([[ff, ft], [tf, tt]]))),
    )


def three_phase_arrays(*, buses: int, seed: int, ties: int = 0, transformers: int = 0) -> NetworkArrays:
    """In solver order."""
    model = three_phase_feeder(buses=buses, seed=seed, ties=ties, transformers=transformers)
    return NetworkArrays(model, version=ModelVersion(model.name))


class ThreePhaseEstimationPeer(ModelEstimates):
    """Its model with a sensor for each of our meters and pseudo-measurements."""

    symmetric = False

    def __init__(self, meters: Metering, *, tolerance_pu: float, with_angles: bool = True) -> None:
        pgm: Any = import_module("power_grid_model")
        self._pgm, self._tolerance, self.method = pgm, tolerance_pu, ""
        arrays = meters.arrays
        self._arrays = arrays
        self._next = 0
        self._tables: dict[str, npt.NDArray[Any]] = {}
        bus_row = {bus.id: i for i, bus in enumerate(arrays.model.buses)}
        self._bus = np.array([bus_row[node.bus] for node in arrays.nodes])
        self._phase = np.array([node.phase - 1 for node in arrays.nodes])
        sources, buses = arrays.sources, len(bus_row)
        emf = buses + np.arange(len(sources))
        at_source = np.array([self._bus[s.nodes[0]] for s in sources])
        v_ll = math.sqrt(3.0) * np.array([bus.v_base_v for bus in arrays.model.buses])
        self.node_count = buses + len(sources)
        self._table("node", self.node_count)["u_rated"] = np.concatenate([v_ll, v_ll[at_source]])
        kinds = [branch.kind for branch in arrays.branches]
        at_lines = [i for i, kind in enumerate(kinds) if kind is BranchKind.LINE]
        z = [self._series_ohm(i) for i in at_lines]
        z += [self._ohm(s.y_pu, s.nodes) for s in sources]
        lines = self._table("asym_line", len(z))
        ends = [(self._bus[arrays.branch_nodes[i][0]], self._bus[arrays.branch_nodes[i][3]]) for i in at_lines]
        ends += [(int(a), int(b)) for a, b in zip(emf, at_source, strict=True)]
        lines["from_node"], lines["to_node"] = zip(*ends, strict=True)
        lines["from_status"] = lines["to_status"] = 1
        for at in _ORDER:
            entry = np.array([one[_PLACE[at[0]], _PLACE[at[1]]] for one in z])
            lines[f"r_{at}"], lines[f"x_{at}"] = entry.real, entry.imag
        lines["c0"] = lines["c1"] = 0.0
        self._transformers([i for i, kind in enumerate(kinds) if kind is BranchKind.TRANSFORMER])
        source = self._table("source", len(sources))
        source["node"], source["status"], source["u_ref"] = emf, 1, 1.0
        load = self._table("asym_load", len(arrays.model.loads))
        load["node"] = [self._bus[arrays.injector_fr[arrays.injector_rows[one.id][0]]] for one in arrays.model.loads]
        load["status"], load["type"] = 1, 0
        load["p_specified"] = load["q_specified"] = 0.0
        self._rows = np.array([arrays.injector_rows[one.id] for one in arrays.model.loads])
        self._sensors(meters, emf=emf, source_lines=lines["id"][-len(sources) :], with_angles=with_angles)
        self._model = pgm.PowerGridModel(self._tables, system_frequency=arrays.model.frequency_hz)

    def _transformers(self, at: list[int]) -> None:
        if not at:
            return
        rows = self._table("transformer", len(at))
        ends = [self._arrays.branch_nodes[i] for i in at]
        rows["from_node"], rows["to_node"] = [self._bus[n[0]] for n in ends], [self._bus[n[3]] for n in ends]
        rows["from_status"] = rows["to_status"] = 1
        rows["u1"], rows["u2"] = math.sqrt(3.0) * V_BASE_V, math.sqrt(3.0) * LOW_V_BASE_V
        for field, value in TRANSFORMER.items():
            rows[field] = value
        winding = self._pgm.WindingType
        rows["winding_from"], rows["winding_to"] = winding.delta, winding.wye_n
        for field in ("i0", "p0", "tap_side", "tap_pos", "tap_min", "tap_max", "tap_nom", "tap_size"):
            rows[field] = 0

    def _sensors(
        self, meters: Metering, *, emf: npt.NDArray[Any], source_lines: npt.NDArray[Any], with_angles: bool
    ) -> None:
        arrays = self._arrays
        self._meter_rows = meters.v_node.reshape(-1, 3)  # whole buses are metered
        assert (np.diff(self._bus[self._meter_rows], axis=1) == 0).all()
        assert (self._phase[self._meter_rows] == [0, 1, 2]).all()
        count = len(self._meter_rows)
        v = self._table("asym_voltage_sensor", count + len(emf))
        v["measured_object"] = np.concatenate([self._bus[self._meter_rows[:, 0]], emf])
        v_base = arrays.v_base_v[self._meter_rows[:, 0]]
        emf_base = np.array([arrays.v_base_v[s.nodes[0]] for s in arrays.sources])
        v["u_sigma"] = np.concatenate([meters.v_sigma_pu.reshape(-1, 3)[:, 0] * v_base, EMF_SIGMA_PU * emf_base])
        v["u_measured"], v["u_angle_measured"] = np.concatenate([v_base, emf_base])[:, None], np.nan
        if with_angles:
            v["u_angle_measured"][count:] = [np.angle(s.emf_pu) for s in arrays.sources]
        loads = self._tables["asym_load"]["id"]
        power = self._table("asym_power_sensor", len(source_lines) + len(loads))
        power["measured_object"] = np.concatenate([source_lines, loads])
        terminal = self._pgm.MeasuredTerminalType
        power["measured_terminal_type"] = [terminal.branch_to] * len(source_lines) + [terminal.load] * len(loads)
        power["p_sigma"] = power["q_sigma"] = np.concatenate(
            [meters.source_sigma_va, meters.pseudo_sigma_va[self._rows]]
        )
        power["p_measured"] = power["q_measured"] = 0.0
        self._v_ids, self._power_ids = v["id"][:count].copy(), power["id"].copy()

    def _ohm(self, y_pu: ComplexArray, nodes: npt.NDArray[np.int64]) -> ComplexArray:
        base = self._arrays.v_base_v[nodes]
        return np.asarray(np.linalg.inv(y_pu * S_BASE_VA / np.outer(base, base)))

    def _series_ohm(self, index: int) -> ComplexArray:
        y = self._arrays.branch_admittance_pu(index, normal_state(self._arrays.model))
        assert y.shape == (6, 6)
        assert abs(y[:3, :3] + y[:3, 3:]).max() < 1e-9 * abs(y).max()  # nothing but a series element
        return self._ohm(-y[:3, 3:], self._arrays.branch_nodes[index][:3])

    def scan_of(self, values: ScanValues) -> Update:
        """Its update table for one scan, in its own signs: a load draws, a flow is into the branch."""
        v = self._pgm.initialize_array("update", "asym_voltage_sensor", len(self._v_ids))
        v["id"] = self._v_ids
        v["u_measured"] = values.v_pu.reshape(-1, 3) * self._arrays.v_base_v[self._meter_rows]
        power = self._pgm.initialize_array("update", "asym_power_sensor", len(self._power_ids))
        s = np.concatenate([-values.source_va, -values.pseudo_va[self._rows]])
        power["id"], power["p_measured"], power["q_measured"] = self._power_ids, s.real, s.imag
        return {"asym_voltage_sensor": v, "asym_power_sensor": power}

    def difference_pu(self, node: npt.NDArray[Any], v_phasor_pu: ComplexArray) -> float:
        """Largest difference of phasors at the buses."""
        theirs = node["u_pu"] * np.exp(1j * node["u_angle"])
        return float(np.abs(theirs[self._bus, self._phase] - v_phasor_pu).max())
