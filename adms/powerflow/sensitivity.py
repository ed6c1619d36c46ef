"""How a solved power flow answers to small changes, from the factor that solved it.

Voltages, branch flows, source power and losses against injected power, taps, capacitor steps and source voltage. The
answer of all loads and DER to their own voltage is included. Where a law has a kink at its limit, the slope is that of
the inner side. Few inputs are carried forwards to all outputs, few outputs backwards to all inputs
(`adms.powerflow.sensitivity_linearised`); both ways give the same numbers.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray
from adms.powerflow.factor import Factor
from adms.powerflow.sensitivity_inputs import InputGroup, Inputs, drive_of
from adms.powerflow.sensitivity_linearised import linearise
from adms.powerflow.sensitivity_outputs import OutputGroup, Outputs, rows_of
from adms.powerflow.solve import PowerFlow

_COLUMNS = 16
"""Columns carried at once: what stays in the cache, and bounds the memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VoltageResponse:
    """Change of every voltage by each input."""

    inputs: Inputs
    v_phasor: ComplexArray
    """[node, column] pu per W, var, step or pu; 0 at dead nodes; NaN in columns that did not converge."""
    v_magnitude: FloatArray
    """[node, column] likewise, of the magnitudes."""
    converged: BoolArray
    """[column]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivities:
    """Change of each output by each input."""

    inputs: Inputs
    outputs: Outputs
    value: FloatArray
    """[row of outputs, column of inputs] in the outputs' units per W, var, step or pu; NaN where not converged."""
    converged: BoolArray
    """[row, column]"""

    def part(self, *, of: OutputGroup, to: InputGroup) -> FloatArray:
        """[row, column] of one group of outputs by one group of inputs."""
        return self.value[self.outputs.span(of), self.inputs.span(to)]


def voltage_response(
    factor: Factor, flow: PowerFlow, *, inputs: Inputs, tolerance: float = 1e-8, max_iterations: int = 60
) -> VoltageResponse:
    """Voltage phasors' and magnitudes' changes.

    Args:
        factor: of the grid state of `flow`.
        flow: the state around which.
        inputs: what moves.
        tolerance: relative, of each column's estimated error.
        max_iterations: of the contraction, and as many again of GMRES where it does not contract.

    Raises InputError with everything in `inputs` that the network does not have.
    """
    linearised = linearise(factor, flow)
    drive = drive_of(linearised, inputs)
    phasor = np.zeros((factor.arrays.node_count, inputs.count), dtype=np.complex128)
    converged = np.zeros(inputs.count, dtype=np.bool_)
    for start in range(0, inputs.count, _COLUMNS):
        part = slice(start, start + _COLUMNS)
        current = drive.current_pu[:, part].toarray()
        phasor[factor.live, part], converged[part] = linearised.forward(
            current, tolerance=tolerance, max_iterations=max_iterations
        )
    magnitude = np.zeros(phasor.shape)
    magnitude[factor.live] = (np.conj(linearised.v_pu / np.abs(linearised.v_pu))[:, None] * phasor[factor.live]).real
    return VoltageResponse(inputs=inputs, v_phasor=phasor, v_magnitude=magnitude, converged=converged)


def sensitivities(
    factor: Factor,
    flow: PowerFlow,
    *,
    inputs: Inputs,
    outputs: Outputs,
    tolerance: float = 1e-8,
    max_iterations: int = 60,
) -> Sensitivities:
    """Change of each output by each input, as many solves as the fewer of the two; arguments and errors as
    `voltage_response`."""
    linearised = linearise(factor, flow)
    drive = drive_of(linearised, inputs)
    rows = rows_of(linearised, outputs, drive=drive)
    value = rows.direct.copy()
    converged = np.zeros(value.shape, dtype=np.bool_)
    if inputs.count <= outputs.count:
        read = rows.gradient.conj().T.tocsr()
        for start in range(0, inputs.count, _COLUMNS):
            part = slice(start, start + _COLUMNS)
            current = drive.current_pu[:, part].toarray()
            dv, good = linearised.forward(current, tolerance=tolerance, max_iterations=max_iterations)
            value[:, part] += (read @ dv).real
            value[:, part][:, ~good] = np.nan
            converged[:, part] = good
    else:
        push = drive.current_pu.conj().T.tocsr()
        for start in range(0, outputs.count, _COLUMNS):
            part = slice(start, start + _COLUMNS)
            gradient = rows.gradient[:, part].toarray()
            one, good = linearised.backward(gradient, tolerance=tolerance, max_iterations=max_iterations)
            value[part] += (push @ one).real.T
            value[part][~good] = np.nan
            converged[part] = good[:, None]
    return Sensitivities(inputs=inputs, outputs=outputs, value=value, converged=converged)


def voltage_sensitivity(
    factor: Factor, flow: PowerFlow, *, rows: IntArray, tolerance: float = 1e-6, max_iterations: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Change of voltage magnitudes per unit of nominal power injected.

    Args:
        factor: of the grid state of `flow`.
        flow: the state around which.
        rows: [k] injector indices. A dead injector has column 0.
        tolerance: relative, of each column's estimated error.
        max_iterations: as in `voltage_response`.

    Returns:
        (d|v|/dP [node, k] pu per W, d|v|/dQ [node, k] pu per var); 0 at dead nodes, NaN in columns that did not
        converge.
    """
    inputs = Inputs(p_injectors=rows, q_injectors=rows)
    response = voltage_response(factor, flow, inputs=inputs, tolerance=tolerance, max_iterations=max_iterations)
    return (
        response.v_magnitude[:, inputs.span("p_injectors")],
        response.v_magnitude[:, inputs.span("q_injectors")],
    )
