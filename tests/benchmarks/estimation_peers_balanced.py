"""power-grid-model's symmetric estimator with one of our balanced networks and meterings in it.

What it minimises (its own documentation, and `test_estimation_peers` against a plain least-squares):

* `newton_raphson`: sum of ((z - h) / sigma)^2 over |V|, P and Q, buses without load, generator and source held at zero
  injection exactly: our problem. Sensors of several loads at a bus add up, values and variances.
* `iterative_linear`: powers turned into currents with the last voltage (the metered one where there is a meter),
  residuals of complex numbers, and one variance p_sigma^2 + q_sigma^2 for a power, so that a power weighs half. It is
  given power sigmas smaller by sqrt(2), then the problems are the same but for the voltage in the weights and the
  slope of S / V: its end is near the optimum, not on it.

A source's own impedance and voltage play no part in either.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from adms.core.estimate import ComplexArray
from tests.benchmarks.estimation_peers import Metering, ScanValues
from tests.benchmarks.estimation_peers_runs import ModelEstimates, Update
from tests.benchmarks.grid_model_peer import GridModelPeer

_ROOT_3 = float(np.sqrt(3.0))


class BalancedEstimationPeer(ModelEstimates, GridModelPeer):
    """Its network as for the power flow, with a sensor for each of our meters and pseudo-measurements."""

    def __init__(self, meters: Metering, *, tolerance_pu: float, power_sigma_frac: float = 1.0) -> None:
        super().__init__(meters.arrays)
        arrays, tables = meters.arrays, self._tables
        self._tolerance = tolerance_pu
        self._v_base = _ROOT_3 * arrays.v_base_v[meters.v_node]
        v = self._table("sym_voltage_sensor", len(meters.v_node))
        v["measured_object"] = self._node[meters.v_node]
        v["u_sigma"] = meters.v_sigma_pu * self._v_base
        v["u_measured"], v["u_angle_measured"] = self._v_base, np.nan
        objects = np.concatenate([tables["source"]["id"], self._loads])
        sigma = np.concatenate([meters.source_sigma_va[:, 0], meters.pseudo_sigma_va]) * power_sigma_frac
        power = self._table("sym_power_sensor", len(objects))
        power["measured_object"] = objects
        terminal = self._pgm.MeasuredTerminalType
        power["measured_terminal_type"] = [terminal.source] * len(arrays.sources) + [terminal.load] * len(self._loads)
        power["p_sigma"] = power["q_sigma"] = sigma
        power["p_measured"] = power["q_measured"] = 0.0
        self._v_ids, self._power_ids = v["id"].copy(), power["id"].copy()
        self._model = self._pgm.PowerGridModel(tables, system_frequency=arrays.model.frequency_hz)

    def scan_of(self, values: ScanValues) -> Update:
        """Its update table for one scan, in its own signs: a load draws."""
        v = self._pgm.initialize_array("update", "sym_voltage_sensor", len(self._v_ids))
        v["id"], v["u_measured"] = self._v_ids, values.v_pu * self._v_base
        power = self._pgm.initialize_array("update", "sym_power_sensor", len(self._power_ids))
        s = np.concatenate([values.source_va[:, 0], -values.pseudo_va])
        power["id"], power["p_measured"], power["q_measured"] = self._power_ids, s.real, s.imag
        return {"sym_voltage_sensor": v, "sym_power_sensor": power}

    def difference_pu(self, node: npt.NDArray[Any], v_phasor_pu: ComplexArray) -> float:
        """Largest difference of phasors, both turned so that the first source's bus is at angle zero."""
        first = int(self._arrays.sources[0].nodes[0])
        theirs = (node["u_pu"] * np.exp(1j * node["u_angle"]))[self._node]
        return float(np.abs(_turned(theirs, first) - _turned(v_phasor_pu, first))[self._compared].max())


def _turned(v: ComplexArray, first: int) -> ComplexArray:
    return np.asarray(v * np.exp(-1j * np.angle(v[first])))
