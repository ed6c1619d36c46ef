"""A pandapower net with measurements, and the same measurements as our telemetry.

Signs of pandapower's measurements, as its power flow shows them: P and Q at a bus are what loads draw there less what
generators give (shunts are part of the network), flows are into the branch at the named side. Several of one kind at
one bus would be taken as meters of the same power: here there is one.
"""

import copy
import warnings
from typing import Any

import numpy as np
import pandapower as pp
from pandapower.estimation import estimate as pandapower_estimate

from adms.adapters.importers.pandapower import import_pandapower
from adms.adapters.importers.pandapower_names import ids_of
from adms.core.estimate import ComplexArray, Estimate, Use
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.core.telemetry import PointKey, PointKind
from adms.estimation import LoadPrior
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import normal_state
from tests.benchmarks.estimation_peers import NOTHING_SHARED_POLICY
from tests.unit.estimation.scans import scan, snapshot

V_SIGMA_PU = 0.004
FRAC = 0.02
"""Sigma of powers and currents, of the value."""
SMALLEST_MW = 1e-3
"""Of powers: also what a bus of zero injection is measured to."""
_V_SHARE = _FLOW_SHARE = 0.3
_GIVING = {"load": 1.0, "storage": 1.0, "sgen": -1.0, "gen": -1.0}
_TOLERANCE = 1e-9


def with_metered_zero_loads(net: Any) -> Any:
    """The net with a load that draws nothing at each bus without an injection."""
    taken = {int(bus) for table in (*_GIVING, "ext_grid") for bus in net[table].bus}
    for bus in net.bus.index[net.bus.in_service]:
        if bus not in taken:
            pp.create_load(net, bus, 0.0, 0.0)
    return net


class MeasuredNet:
    """Noisy measurements of a net's power flow: P and Q where something draws or gives, some voltages, some flows."""

    def __init__(self, net: Any, *, seed: int, currents: bool = False) -> None:
        self._rng = np.random.default_rng(seed)
        self._net = copy.deepcopy(net)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pp.runpp(self._net, calculate_voltage_angles=True, tolerance_mva=1e-9)
        model = import_pandapower(net, three_phase=False)
        self.arrays = NetworkArrays(model, version=ModelVersion("net"))
        self._keys: list[PointKey] = []
        self._value: list[float] = []
        self._sigma: list[float] = []
        self._bus_ids = ids_of(self._net.bus, "")
        self._slack = [int(bus) for bus in self._net.ext_grid.bus[self._net.ext_grid.in_service]]
        self._slack += [int(bus) for bus in self._net.gen.bus[self._net.gen.slack & self._net.gen.in_service]]
        self._live = [bus for bus in self._net.bus.index if np.isfinite(self._net.res_bus.vm_pu[bus])]
        self._voltages()
        self._injections()
        for table, sides in (("line", ("from", "to")), ("trafo", ("hv", "lv"))):
            self._flows(table, sides)
        if currents:
            self._currents()

    def _add(
        self, kind: str, table: str, index: int, key: PointKey, *, value: float, sigma: float, unit: float
    ) -> None:
        """One measurement there and here; `unit` is our SI value for one of theirs."""
        side = None if table == "bus" else {"line": ("from", "to"), "trafo": ("hv", "lv")}[table][key.side]
        noisy = value + sigma * self._rng.standard_normal()
        pp.create_measurement(self._net, kind, table, noisy, sigma, index, side=side)
        self._keys.append(key)
        self._value.append(noisy * unit)
        self._sigma.append(sigma * abs(unit))

    def _voltages(self) -> None:
        for bus in self._live:
            if bus in self._slack or self._rng.random() < _V_SHARE:
                key = PointKey(kind=PointKind.V_MAGNITUDE, element=self._bus_ids[bus])
                base = 1e3 * float(self._net.bus.vn_kv[bus]) / np.sqrt(3.0)
                value = float(self._net.res_bus.vm_pu[bus])
                self._add("v", "bus", bus, key, value=value, sigma=V_SIGMA_PU, unit=base)

    def _injections(self) -> None:
        at: dict[str, list[ElementId]] = {}
        for injector in self.arrays.injectors:
            at.setdefault(self.arrays.nodes[injector.fr].bus, []).append(injector.element)
        drawn: dict[int, complex] = {}
        for table, sign in _GIVING.items():
            result = self._net[f"res_{table}"]
            for index, row in self._net[table].iterrows():
                bus = int(row.bus)
                if row.in_service and bus in self._live and bus not in self._slack:
                    s = sign * complex(result.p_mw[index], result.q_mvar[index])
                    drawn[bus] = drawn.get(bus, 0j) + s
        for bus, s in drawn.items():
            name = self._bus_ids[bus]
            element = at[name][0] if len(at[name]) == 1 else name
            for letter, kind, x in (("p", PointKind.P_INJECTION, s.real), ("q", PointKind.Q_INJECTION, s.imag)):
                key = PointKey(kind=kind, element=element)
                self._add(letter, "bus", bus, key, value=x, sigma=max(FRAC * abs(x), SMALLEST_MW), unit=-1e6)

    def _flows(self, table: str, sides: tuple[str, str]) -> None:
        ids = ids_of(self._net[table], table)
        for index in self._net[table].index[self._net[table].in_service]:
            if self._rng.random() < _FLOW_SHARE:
                side = int(self._rng.integers(2))
                result = self._net[f"res_{table}"]
                for letter, kind, unit in (("p", PointKind.P_FLOW, "mw"), ("q", PointKind.Q_FLOW, "mvar")):
                    x = float(result.at[index, f"{letter}_{sides[side]}_{unit}"])
                    key = PointKey(kind=kind, element=ids[index], side=side)
                    self._add(letter, table, index, key, value=x, sigma=max(FRAC * abs(x), SMALLEST_MW), unit=1e6)

    def _currents(self) -> None:
        ids = ids_of(self._net.line, "line")
        for index in self._net.line.index[self._net.line.in_service]:
            x = float(self._net.res_line.i_from_ka[index])
            if x > 1e-3 and self._rng.random() < _FLOW_SHARE:
                key = PointKey(kind=PointKind.I_MAGNITUDE, element=ids[index], side=0)
                self._add("i", "line", index, key, value=x, sigma=FRAC * x, unit=1e3)

    def their_phasors(self, algorithm: str) -> dict[NodeRef, complex]:
        """Of the buses that it gives, by one of pandapower's algorithms started at the power flow."""
        exact = algorithm == "wls_with_zero_constraint"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pandapower_estimate(
                self._net,
                algorithm=algorithm,
                init="results",
                tolerance=_TOLERANCE,
                zero_injection="zero_pwr_bus" if exact else None,
            )
        assert found if isinstance(found, bool) else found["success"]
        result = self._net.res_bus_est
        phasors = result.vm_pu * np.exp(1j * np.deg2rad(result.va_degree))
        return {NodeRef(BusId(self._bus_ids[bus]), 0): complex(phasors[bus]) for bus in self._live}

    def ours(self) -> Estimate:
        """Nothing is known about any injection but what is measured, nor about the source but its angle."""
        count = len(self.arrays.injectors)
        nothing = np.full(count, np.inf)
        prior = LoadPrior(s_nominal_va=np.zeros(count, dtype=np.complex128), sigma_p_va=nothing, sigma_q_va=nothing)
        taken = snapshot(self.arrays, self._keys, value=np.array(self._value), sigma=np.array(self._sigma))
        _, got = scan(
            taken, self.arrays, grid=normal_state(self.arrays.model), prior=prior, policy=NOTHING_SHARED_POLICY
        )
        unused = [
            key for key, use in zip(got.innovations.keys, got.innovations.use, strict=True) if use is not Use.USED
        ]
        assert not unused
        return got

    def largest_difference_pu(self, theirs: dict[NodeRef, complex]) -> float:
        """Of phasors. pandapower holds the angle of the slack's bus, we that of its EMF: both are turned to the slack's
        bus."""
        v: ComplexArray = self.ours().v_phasor_pu
        slack = NodeRef(BusId(self._bus_ids[self._slack[0]]), 0)
        turn = (
            theirs[slack] / abs(theirs[slack]) / (v[self.arrays.node_idx[slack]] / abs(v[self.arrays.node_idx[slack]]))
        )
        return max(float(abs(v[self.arrays.node_idx[node]] * turn - u)) for node, u in theirs.items())
