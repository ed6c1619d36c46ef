"""Many faults at once where little is wanted of each: its currents, and the voltages at a few nodes.

Faults share paths (a fault between phases 1 and 2 with and without ground, every kind at a bus), and of a path's column
only the rows are kept that somebody asks for. So the table of a whole feeder is one pass over its columns.
"""

from collections.abc import Sequence

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.powerflow.factor import NotSolved
from adms.powerflow.short_circuit_faults import FaultPaths
from adms.powerflow.short_circuit_network import FaultNetwork

_TOGETHER = 64
"""Columns solved at once."""

PathKey = tuple[tuple[int, ...], tuple[float, ...]]


def solve_columns(
    network: FaultNetwork, shapes: Sequence[FaultPaths], *, watched: Sequence[IntArray]
) -> list[tuple[ComplexArray, ComplexArray]] | NotSolved:
    """Currents of each fault and voltages during it, inverters left out.

    Args:
        network: before the faults.
        shapes: of the faults; all their nodes are energised.
        watched: [fault] node indices, energised, whose voltages are wanted.

    Returns:
        One (current along each path, per unit; voltage at each watched node, per unit) a fault, in order.
    """
    place = network.factor.row_of_node
    keys: dict[PathKey, int] = {}
    columns: list[list[int]] = []
    wanted: list[set[int]] = []
    for shape, watch in zip(shapes, watched, strict=True):
        own = []
        for path in shape.paths.T:
            used = path != 0.0
            key = (tuple(place[shape.nodes[used]].tolist()), tuple(path[used].tolist()))
            column = keys.setdefault(key, len(keys))
            if column == len(wanted):
                wanted.append(set())
            wanted[column].update(place[shape.nodes].tolist(), place[watch].tolist())
            own.append(column)
        columns.append(own)
    kept = _kept_rows(network, list(keys), wanted=wanted)
    if isinstance(kept, NotSolved):
        return kept
    out = []
    for shape, watch, own in zip(shapes, watched, columns, strict=True):
        at_fault = place[shape.nodes]
        inner = shape.paths.T @ _rows(kept, own, at_fault) + shape.resistance_pu
        along = np.linalg.solve(inner, shape.paths.T @ network.v_prefault_pu[at_fault])
        v = network.v_prefault_pu[place[watch]] - _rows(kept, own, place[watch]) @ along
        out.append((np.asarray(along), np.asarray(v)))
    return out


def _rows(kept: Sequence[dict[int, complex]], columns: Sequence[int], rows: IntArray) -> ComplexArray:
    return np.array([[kept[column][row] for column in columns] for row in rows.tolist()], dtype=np.complex128)


def _kept_rows(
    network: FaultNetwork, keys: Sequence[PathKey], *, wanted: Sequence[set[int]]
) -> list[dict[int, complex]] | NotSolved:
    kept: list[dict[int, complex]] = []
    for start in range(0, len(keys), _TOGETHER):
        part = keys[start : start + _TOGETHER]
        drawn = np.zeros((len(network.factor.live), len(part)), dtype=np.complex128)
        for column, (rows, values) in enumerate(part):
            drawn[list(rows), column] = values
        response = network.solve(drawn)
        if isinstance(response, NotSolved):
            return response
        for column in range(len(part)):
            rows_kept = sorted(wanted[start + column])
            kept.append(dict(zip(rows_kept, response[rows_kept, column].tolist(), strict=True)))
    return kept
