"""pandapower's estimator with one of our meterings: shown beside, not asserted. It has no warm scans: every call builds
its matrices again, so that the time of its iterations alone is taken too."""

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_names import ids_of
from tests.benchmarks.estimation_peers import Metering, ScanValues

_SMALLEST_SIGMA_PU = 1e-5
"""That of its `wls`, which its `irwls` lacks."""


@dataclass(frozen=True, kw_only=True)
class PandapowerTime:
    """One call."""

    whole_ms: float
    inner_ms: float
    """Of its iterations."""
    converged: bool


class PandapowerEstimation:
    """A net with a table of measurements. What loads and generators of a bus give is one measurement, as pandapower
    means it; buses with none are rows of zero injection with its own sigma (1 kW)."""

    def __init__(self, net: Any, meters: Metering) -> None:
        self._net = net
        arrays = meters.arrays
        bus = {name: index for index, name in ids_of(net.bus, "").items()}
        self._v_kept = np.array([arrays.nodes[i].bus in bus for i in meters.v_node.tolist()])
        self._v_bus = [bus[arrays.nodes[i].bus] for i in meters.v_node[self._v_kept].tolist()]
        at = [arrays.nodes[int(i)].bus for i in arrays.injector_fr]
        at += [arrays.nodes[int(source.nodes[0])].bus for source in arrays.sources]
        self._s_bus, self._place = np.unique([bus[one] for one in at], return_inverse=True)
        variance = np.concatenate([meters.pseudo_sigma_va, meters.source_sigma_va[:, 0]]) ** 2.0
        self._s_sigma_mva = np.sqrt(np.bincount(self._place, variance)) / 1e6
        self._v_sigma = meters.v_sigma_pu[self._v_kept]

    def measure(self, values: ScanValues) -> None:
        """Writes one scan into its table, in its own signs: what a bus draws."""
        import pandas as pd

        s = np.concatenate([values.pseudo_va, values.source_va[:, 0]]) / 1e6
        v = values.v_pu[self._v_kept]
        count = len(self._s_bus)
        self._net["measurement"] = pd.DataFrame(
            {
                "name": None,
                "measurement_type": ["v"] * len(v) + ["p"] * count + ["q"] * count,
                "element_type": "bus",
                "element": np.concatenate([self._v_bus, self._s_bus, self._s_bus]).astype(np.int64),
                "value": np.concatenate([v, -np.bincount(self._place, s.real), -np.bincount(self._place, s.imag)]),
                "std_dev": np.concatenate([self._v_sigma, self._s_sigma_mva, self._s_sigma_mva]),
                "side": None,
            }
        )

    def estimate(self, *, tolerance_pu: float) -> PandapowerTime:
        """One call. Its `irwls` with `wls` weights is its WLS without the dense matrices for its bad-data test, which
        do not fit into memory at 10,000 buses."""
        from pandapower.estimation.state_estimation import StateEstimation

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimation = StateEstimation(self._net, tolerance_pu, 20, algorithm="irwls")
            solver, inner = estimation.solver, [0.0]
            own = solver.estimate

            def timed(eppci: Any, **keywords: Any) -> Any:
                eppci.r_cov[:] = np.maximum(eppci.r_cov, _SMALLEST_SIGMA_PU)
                start = time.perf_counter()
                found = own(eppci, **keywords)
                inner[0] = time.perf_counter() - start
                return found

            solver.estimate = timed
            start = time.perf_counter()
            estimation.estimate("results", "results", zero_injection="zero_pwr_bus", algorithm="irwls", estimator="wls")
            whole = time.perf_counter() - start
        return PandapowerTime(whole_ms=1e3 * whole, inner_ms=1e3 * inner[0], converged=bool(solver.successful))
