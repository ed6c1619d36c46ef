"""OpenDSS's own solution of a deck, as the referee of the importer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from dss import DSS


@dataclass(frozen=True, kw_only=True)
class EngineSolution:
    """Node voltages, V, by lower-case "bus.phase"."""

    v_phasor_v: dict[str, complex]
    controls: dict[str, float]
    """Tap ratio by "transformer.<name>"."""


def engine_solution(deck: Path) -> EngineSolution:
    """Solves with controls until they rest, then once more with them held."""
    context = DSS.NewContext()
    text = context.Text
    change_folder = DSS.AllowChangeDir
    DSS.AllowChangeDir = False
    try:
        text.Command = f'redirect "{deck}"'
        text.Command = "set maxiterations=200 maxcontroliter=200 tolerance=1e-12"
        circuit = context.ActiveCircuit
        for _ in range(3):
            circuit.Solution.Solve()
        text.Command = "set controlmode=off"
        circuit.Solution.Solve()
        packed: npt.NDArray[np.float64] = np.asarray(circuit.YNodeVarray)
        names = [name.lower() for name in circuit.YNodeOrder]
        controls = {}
        for control in circuit.RegControls.AllNames if circuit.RegControls.Count else ():
            circuit.RegControls.Name = control
            transformer = circuit.RegControls.Transformer
            circuit.Transformers.Name = transformer
            circuit.Transformers.Wdg = circuit.RegControls.TapWinding
            controls[f"transformer.{transformer.lower()}"] = float(circuit.Transformers.Tap)
        return EngineSolution(
            v_phasor_v=dict(zip(names, (packed[0::2] + 1j * packed[1::2]).tolist(), strict=True)), controls=controls
        )
    finally:
        context.ClearAll()
        DSS.AllowChangeDir = change_folder


def engine_primitive(deck: Path, transformer: str, *, tap: float) -> npt.NDArray[np.complex128]:
    """Primitive admittance, S, of a one-phase grounded transformer with its second winding on a tap."""
    context = DSS.NewContext()
    change_folder = DSS.AllowChangeDir
    DSS.AllowChangeDir = False
    try:
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
    finally:
        context.ClearAll()
        DSS.AllowChangeDir = change_folder
