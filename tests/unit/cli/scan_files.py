"""Files for the tests of `adms estimate`: a model, and what perfect meters say of its power flow."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from adms.adapters.model_file import save_model
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, PointKey
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.state import GridState, normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import flow_keys, injection_keys, true_values, usual_sigma, voltage_keys
from tests.unit.powerflow.networks import arrays_of

HEAD = "kind,element,phase,side,value,sigma,age_s"


def rows_of(keys: Iterable[PointKey], value: FloatArray, sigma: FloatArray) -> list[str]:
    """CSV rows of points, fresh, numbers as they are."""
    return [
        f"{key.kind.value},{key.element},{key.phase},{key.side},{float(x)!r},{float(s)!r},"
        for key, x, s in zip(keys, value, sigma, strict=True)
    ]


def four_bus_keys(arrays: NetworkArrays) -> list[PointKey]:
    """Voltages at the head and the far end, flows at the head, one load: lines 2 to 15 of a file."""
    return [
        *voltage_keys(arrays, ("1", "3")),
        *flow_keys(arrays, ("line.l12",)),
        *injection_keys(("load.l4",)),
    ]


def solved(model: NetworkModel, *, grid: GridState | None = None, s_va: ComplexArray | None = None) -> PowerFlow:
    """The power flow that the meters are read from, to rounding."""
    arrays = arrays_of(model)
    s = arrays.injector_s_nominal_va if s_va is None else s_va
    flow = solve_power_flow(arrays, grid or normal_state(model), s_nominal_va=s, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    return flow


def perfect_rows(model: NetworkModel, flow: PowerFlow, *, grid: GridState | None = None) -> list[str]:
    """Rows of `four_bus_keys` without noise."""
    arrays = arrays_of(model)
    keys = four_bus_keys(arrays)
    value = true_values(arrays, grid or normal_state(model), flow=flow, keys=keys)
    return rows_of(keys, value, np.asarray(usual_sigma(arrays, keys, value)))


def written(folder: Path, model: NetworkModel, rows: Sequence[str]) -> tuple[Path, Path]:
    """(model file, measurement file)."""
    save_model(model, folder / "model.json")
    (folder / "m.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return folder / "model.json", folder / "m.csv"
