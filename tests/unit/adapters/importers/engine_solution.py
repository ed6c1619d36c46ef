"""OpenDSS's own solution of a deck, as the referee of the importer."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dss import DSS, DSSException


@dataclass(frozen=True, kw_only=True)
class EngineSolution:
    """Node voltages, V, by lower-case "bus.phase"."""

    v_phasor_v: dict[str, complex]
    controls: dict[str, float]
    """Tap ratio by "transformer.<name>"."""


def engine_solution(deck: Path, *, tolerance: float = 1e-10) -> EngineSolution:
    """Solves with controls until they rest, at most three times, then once more with them held."""
    with engine_context() as context:
        context.Text.Command = f'redirect "{deck}"'
        context.Text.Command = "set mode=snapshot maxiterations=200 maxcontroliter=200"
        circuit = context.ActiveCircuit
        for _ in range(3):
            with contextlib.suppress(DSSException):  # controls that do not settle
                circuit.Solution.Solve()
            if circuit.Solution.Converged and circuit.Solution.ControlActionsDone:
                break
        context.Text.Command = f"set controlmode=off tolerance={tolerance}"
        circuit.Solution.Solve()
        assert circuit.Solution.Converged
        packed: npt.NDArray[np.float64] = np.asarray(circuit.YNodeVarray)
        names = [name.lower() for name in circuit.YNodeOrder]
        controls = {}
        for control in circuit.RegControls.AllNames if circuit.RegControls.Count else ():
            circuit.RegControls.Name = control
            transformer = circuit.RegControls.Transformer
            if transformer.lower() not in circuit.Transformers.AllNames:  # on an autotransformer
                continue
            circuit.Transformers.Name = transformer
            circuit.Transformers.Wdg = circuit.RegControls.TapWinding
            controls[f"transformer.{transformer.lower()}"] = float(circuit.Transformers.Tap)
        return EngineSolution(
            v_phasor_v=dict(zip(names, (packed[0::2] + 1j * packed[1::2]).tolist(), strict=True)), controls=controls
        )


def engine_primitive(deck: Path, transformer: str, *, tap: float) -> npt.NDArray[np.complex128]:
    """Primitive admittance, S, of a one-phase grounded transformer with its second winding on a tap."""
    with engine_context() as context:
        for command in (
            f'redirect "{deck}"',
            "set controlmode=off",
            f"{transformer}.wdg=2",
            f"{transformer}.tap={tap}",
        ):
            context.Text.Command = command
        circuit = context.ActiveCircuit
        circuit.Solution.Solve()
        circuit.SetActiveElement(transformer)
        packed: npt.NDArray[np.float64] = np.asarray(circuit.ActiveCktElement.Yprim)
        full = (packed[0::2] + 1j * packed[1::2]).reshape((4, 4), order="F")
        # Conductors: phase and neutral of each winding; the neutrals are grounded.
        return np.asarray(full[np.ix_([0, 2], [0, 2])], dtype=np.complex128)


@contextlib.contextmanager
def engine_context() -> Iterator[Any]:
    """A context of its own that leaves the working folder alone."""
    context = DSS.NewContext()
    change_folder = DSS.AllowChangeDir
    DSS.AllowChangeDir = False
    try:
        yield context
    finally:
        context.ClearAll()
        DSS.AllowChangeDir = change_folder
