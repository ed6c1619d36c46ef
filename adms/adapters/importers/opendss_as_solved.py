"""What an OpenDSS element draws at the engine's solution, and elements with the nominal powers that give it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from adms.adapters.importers.opendss_elements import CircuitReader
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.grid.load_law import at_nominal, at_voltage, law_row
from adms.grid.model import Der, Load, NodeRef
from adms.grid.validation_range import injector_range_problems

Pair = tuple[NodeRef, NodeRef | None]
Injector = TypeVar("Injector", Load, Der)

_AGREES = 1e-8
_CLEAR_PU = 2e-3
"""More than a jump of one load's power moves its own voltage."""
MIN_VA = 1e-3
"""Nothing, in the numerics of a feeder."""


def drawn_at(reader: CircuitReader, element: ElementId) -> dict[NodeRef, complex]:
    """Power that the active element draws at each of its nodes at the engine's solution, VA."""
    flat = [node for terminal in reader.conductors().terminals for node in terminal]
    drawn: dict[NodeRef, complex] = {}
    for node, amps in zip(flat, reader.solved.currents_a[element].tolist(), strict=True):
        if node is not None:
            drawn[node] = drawn.get(node, 0.0) + volts_at(reader, node) * amps.conjugate()
    return drawn


def volts_at(reader: CircuitReader, node: NodeRef | None) -> complex:
    """Of a node at the engine's solution; 0 of ground."""
    return 0.0 if node is None else reader.solved.v_phasor_v.get(node, 0.0)


def clear_of_jumps(reader: CircuitReader, load: Load) -> Load:
    """The load with limits at which its power jumps moved off voltages of the engine's solution just inside them.

    So near a jump both sides of it can be a solution (draws more: the voltage is within; draws less: it is beyond),
    and which one an iteration ends at is chance.
    """
    if not load.v_nominal_v > 0.0 or any(injector_range_problems(load)):
        return load
    ratio = [abs(volts_at(reader, fr) - volts_at(reader, to)) / load.v_nominal_v for fr, to in load.pairs]
    highest, lowest = max(ratio), min(ratio)
    high, low = highest + _CLEAR_PU, lowest - _CLEAR_PU
    if highest <= load.v_high_pu < high and _jumps_at(load, load.v_high_pu, beyond=math.inf):
        reader.note(load.id, f"stands at its upper limit, where its power jumps: carried as {high:.5g} pu")
        load = replace(load, v_high_pu=high)
    if low < load.v_low_pu <= lowest and low > load.v_floor_pu and _jumps_at(load, load.v_low_pu, beyond=0.0):
        reader.note(load.id, f"stands at its lower limit, where its power jumps: carried as {low:.5g} pu")
        load = replace(load, v_low_pu=low)
    return load


def _jumps_at(load: Load, v_pu: float, *, beyond: float) -> bool:
    law = np.array([law_row(load)] * 2)
    nominal = np.array([1 + 1j] * 2, dtype=np.complex128)
    within, outside = at_voltage(nominal, np.array([v_pu, np.nextafter(v_pu, beyond)]), law).tolist()
    return bool(abs(outside - within) > _AGREES * abs(within))


def as_solved(
    reader: CircuitReader,
    element: Injector,
    parts: list[tuple[int, Pair | None]],
    *,
    delta: bool,
    nominal: ComplexArray,
    with_power: Callable[[Injector, complex], Injector],
    frozen: Callable[[Injector], Injector],
) -> tuple[Injector, ...]:
    """The element where its law gives what the engine has at its solution; else with nominal powers that do so, and
    one element a part where these differ."""
    if not (element.v_nominal_v > 0.0 and np.isfinite(nominal).all()) or any(injector_range_problems(element)):
        return (element,)  # validation says what is wrong with it
    amps = reader.solved.currents_a[element.id]
    pairs = element.pairs
    across = np.array([volts_at(reader, fr) - volts_at(reader, to) for fr, to in pairs])
    ratio = np.abs(across) / element.v_nominal_v
    law = np.tile(np.array(law_row(element)), (len(pairs), 1))
    expected = at_voltage(nominal, ratio, law)
    # The engine's current flows into a conductor; one whose phase end is grounded has its pair the other way round.
    if not delta or len(pairs) == 1:
        drawn = np.array([amps[k] for k, pair in parts if pair is not None])
        found = -across * np.conj(drawn * _sense(reader, parts))
        if np.abs(found - expected).max() <= max(_AGREES * float(np.abs(found).max()), MIN_VA):
            return (element,)
    else:
        by_node: dict[NodeRef, complex] = {}
        safe = np.where(across == 0.0, 1.0, across)
        for (fr, to), flowing in zip(pairs, np.conj(-expected / safe), strict=True):
            by_node[fr] = by_node.get(fr, 0.0) + flowing
            if to is not None:
                by_node[to] = by_node.get(to, 0.0) - flowing
        measured: dict[NodeRef, complex] = {}
        terminal = reader.conductors().terminals[0]
        for node, flowing in zip(terminal, amps, strict=False):
            if node is not None:
                measured[node] = measured.get(node, 0.0) + flowing
        off = max(abs(by_node.get(node, 0.0) - flowing) for node, flowing in measured.items())
        if off <= max(_AGREES * float(np.abs(amps).max()), MIN_VA / element.v_nominal_v):
            return (element,)
        # Currents of a delta without one that goes round: the least that agree with the engine's.
        nodes = list(measured)
        incidence = np.zeros((len(nodes), len(pairs)))
        for column, (fr, to) in enumerate(pairs):
            incidence[nodes.index(fr), column] += 1.0
            if to is not None:
                incidence[nodes.index(to), column] -= 1.0
        flow = np.linalg.lstsq(incidence.astype(np.complex128), np.array(list(measured.values())), rcond=None)[0]
        found = -across * np.conj(flow)
    new = at_nominal(found, ratio, law)
    again = at_voltage(new, ratio, law)
    if np.abs(again - found).max() > max(_AGREES * float(np.abs(found).max()), MIN_VA):
        element, new = frozen(element), found
        reader.note(element.id, "carried as the constant power that it has at the engine's solution")
    elif isinstance(element, Load):
        reader.note(element.id, "its power is scaled to what it draws at the engine's solution")
    if np.abs(new - new.mean()).max() <= max(_AGREES * float(np.abs(new).max()), MIN_VA):
        return (with_power(element, complex(new.sum())),)
    reader.note(element.id, "its phases do not draw alike at the engine's solution: carried as one element each")
    return tuple(
        _part(element, k, pair, complex(s), with_power) for k, (pair, s) in enumerate(zip(pairs, new, strict=True))
    )


def _part(
    element: Injector, k: int, pair: Pair, s_w: complex, with_power: Callable[[Injector, complex], Injector]
) -> Injector:
    part: Any = replace(element, id=ElementId(f"{element.id}.{k + 1}"), pairs=(pair,))
    count = len(element.pairs)
    if isinstance(part, Der):
        part = replace(
            part,
            s_max_va=part.s_max_va / count,
            p_max_w=part.p_max_w / count,
            p_min_w=part.p_min_w / count,
            q_max_var=part.q_max_var / count,
            energy_wh=None if part.energy_wh is None else part.energy_wh / count,
            default_p_injection_w=None if part.default_p_injection_w is None else part.default_p_injection_w / count,
        )
    elif k > 0:
        part = replace(part, customers=0)
    made: Injector = with_power(part, s_w)
    return made


def _sense(reader: CircuitReader, parts: list[tuple[int, Pair | None]]) -> ComplexArray:
    """-1 for a part whose first conductor is grounded."""
    terminal = reader.conductors().terminals[0]
    return np.array([1.0 if terminal[k] is not None else -1.0 for k, pair in parts if pair is not None])
