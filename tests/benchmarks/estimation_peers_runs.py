"""Running power-grid-model's estimators, symmetric and asymmetric."""

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.benchmarks.peers import milliseconds_of

NEWTON, LINEAR = "newton_raphson", "iterative_linear"
METHODS = (NEWTON, LINEAR)
"""Of its estimators: all there are."""
ITERATIONS = {NEWTON: 100, LINEAR: 10_000}
"""At most: enough for each to end where it ends by its tolerance."""

Update = dict[str, npt.NDArray[Any]]


class ModelEstimates:
    """What its models with sensors in them have in common. Whoever derives from it sets the rest."""

    symmetric = True
    method: str
    _pgm: Any
    _model: Any
    _tolerance: float
    _tables: dict[str, npt.NDArray[Any]]
    _next: int
    """Id of what comes next."""

    def _table(self, name: str, count: int) -> npt.NDArray[Any]:
        rows: npt.NDArray[Any] = self._pgm.initialize_array("input", name, count)
        rows["id"] = np.arange(self._next, self._next + count)
        self._next += count
        self._tables[name] = rows
        return rows

    def scan_once(self, update: Update, *, method: str = "") -> npt.NDArray[Any]:
        """One scan; only node results are asked for."""
        self._model.update(update_data=update)
        found = self._model.calculate_state_estimation(
            symmetric=self.symmetric,
            calculation_method=method or self.method,
            error_tolerance=self._tolerance,
            max_iterations=ITERATIONS[method or self.method],
            output_component_types={"node"},
        )
        return np.asarray(found["node"])

    def times(self, updates: list[Update], *, rounds: int = 3) -> dict[str, float]:
        """ms of each method that converges on all these scans."""
        errors: Any = import_module("power_grid_model.errors")
        found: dict[str, float] = {}
        for method in METHODS:
            try:
                taken = [
                    milliseconds_of(lambda u=u, m=method: self.scan_once(u, method=m), rounds=rounds)  # type: ignore[misc]
                    for u in updates
                ]
            except errors.PowerGridError as error:
                kind = "" if self.symmetric else "asymmetric "
                print(f"\npower-grid-model, {kind}{method}: {str(error).splitlines()[0]}")
                continue
            found[method] = float(np.median(taken))
        assert found, "none of its methods converges"
        return found
