"""The imported model's power flow against the engine's own voltages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adms.adapters.importers.opendss import import_opendss
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import NotSolved, solve_power_flow
from tests.unit.adapters.importers.engine_solution import engine_solution


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two solutions are apart."""

    model: NetworkModel
    difference_pu: float
    """Of the worst node that both have."""
    worst: str
    missing: frozenset[str]
    """Nodes of the engine that the model does not have."""
    added: frozenset[str]
    """Nodes of the model that the engine does not have."""


def agreement(
    deck: Path, *, engine_tolerance: float = 1e-10, tolerance_pu: float = 1e-8, max_iterations: int = 200
) -> Agreement:
    """Imports and solves a deck in its normal state, and compares."""
    expected = engine_solution(deck, tolerance=engine_tolerance).v_phasor_v
    model = import_opendss(deck)
    arrays = NetworkArrays(model, version=ModelVersion("test"))
    found = solve_power_flow(
        arrays,
        normal_state(model),
        s_nominal_va=arrays.injector_s_nominal_va,
        tolerance_pu=tolerance_pu,
        max_iterations=max_iterations,
    )
    assert not isinstance(found, NotSolved), found.reason
    names = [f"{node.bus}.{node.phase}" for node in arrays.nodes]
    difference = {
        name: abs(v - expected[name] / base)
        for name, v, base in zip(names, found.v_phasor_pu, arrays.v_base_v, strict=True)
        if name in expected
    }
    worst = max(difference, key=lambda name: difference[name])
    assert np.isfinite(difference[worst])
    return Agreement(
        model=model,
        difference_pu=difference[worst],
        worst=worst,
        missing=frozenset(expected) - frozenset(names),
        added=frozenset(names) - frozenset(expected),
    )
