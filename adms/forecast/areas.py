"""Parts of the network whose load is measured: what flows in over metered branches is what the loads in them take.

Cut at every branch whose flow the estimator used. A connected part without a source of its own, or whose sources are
metered, then has all its borders metered. The estimate's loads there, corrected by the residuals at the borders, are
what the meters alone say of them: losses and metered DER are the estimate's, and the expectation that the estimate also
rests on cancels, so that the filters are not taught their own forecast.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.estimate import Estimate, Use
from adms.core.ids import ElementId
from adms.core.telemetry import IntArray, PointKey, PointKind
from adms.grid.arrays import NetworkArrays
from adms.grid.components import components
from adms.grid.state import GridState

_FLOWS = {PointKind.P_FLOW: 0, PointKind.Q_FLOW: 1}
_INJECTIONS = {PointKind.P_INJECTION: 0, PointKind.Q_INJECTION: 1}
_LAST_PHASE = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class MeteredAreas:
    """Areas of one switching state and set of used points."""

    topology_version: str
    used: frozenset[PointKey]
    """Flow and injection points that the estimator used."""
    row_area: IntArray
    """[load row] number of its area, -1 where its area is not metered."""
    count: int
    """Number of areas, largest load first."""
    point: tuple[IntArray, IntArray]
    """[entry] of P and of Q: index in `Innovations.keys` of a border's point. Only areas all of whose borders have
    one."""
    area: tuple[IntArray, IntArray]
    """[entry] the area."""
    sign: tuple[IntArray, IntArray]
    """[entry] +1 where the point's power enters the area, -1 where it leaves."""
    whole: tuple[IntArray, IntArray]
    """[area] 1 where P, and where Q, is measured all around."""
    der_area: IntArray
    """[DER row] area of a DER without telemetry, -1 elsewhere."""


def used_points(estimate: Estimate) -> frozenset[PointKey]:
    """Flow and injection points that the estimate rests on."""
    seen = estimate.innovations
    kinds = _FLOWS.keys() | _INJECTIONS.keys()
    return frozenset(k for k, use in zip(seen.keys, seen.use, strict=True) if use is Use.USED and k.kind in kinds)


def metered_areas(
    estimate: Estimate, *, arrays: NetworkArrays, grid: GridState, used: frozenset[PointKey], areas_max: int
) -> MeteredAreas:
    """Find the areas.

    Args:
        estimate: with the innovations of `used`.
        arrays: the network.
        grid: its switches and taps, as the estimate took them.
        used: as `used_points` gives them.
        areas_max: only so many areas with the largest nominal load.

    Returns:
        The areas; none where nothing is metered.
    """
    index = {key: i for i, key in enumerate(estimate.innovations.keys)}
    cuts = _cuts(arrays, used)
    fr, to, owner = arrays.conductor_joints
    closed = np.array([b.switch is None or grid.closed[b.id] for b in arrays.branches], dtype=np.bool_)
    closed[list(cuts)] = False
    keep = closed[owner]
    part = _whole_buses(arrays, components(fr[keep], to[keep], size=arrays.node_count))
    count = int(part.max()) + 1 if len(part) else 0
    entries: list[tuple[int, int, int, int]] = []
    broken = np.zeros((2, count), dtype=np.bool_)
    for branch, side in cuts.items():
        ends = [arrays.node_idx[t[0]] for t in arrays.branches[branch].terminals]
        inside, others = int(part[ends[side]]), {int(part[e]) for i, e in enumerate(ends) if i != side}
        if len(others) != 1 or inside in others:
            # A loop closes around it, or it has three windings: what it carries into each part is not told apart.
            broken[:, sorted(others | {inside})] = True
            continue
        outside = others.pop()
        for quantity, kind in enumerate(_FLOWS):
            points = _flow_points(arrays, branch, side=side, kind=kind, used=used)
            if points is None:
                broken[quantity, [inside, outside]] = True
                continue
            entries += [(quantity, index[key], outside, 1) for key in points]
            entries += [(quantity, index[key], inside, -1) for key in points]
    for source, nodes in zip(arrays.model.sources, arrays.source_nodes, strict=True):
        here = int(part[nodes[0]])
        for quantity, kind in enumerate(_INJECTIONS):
            at_all = [k for k in used if k.kind is kind and k.element == source.id and k.phase == 0]
            broken[quantity, here] |= not at_all
            entries += [(quantity, index[key], here, 1) for key in at_all]
    return _ordered(arrays, part, entries, broken, used=used, version=estimate.topology_version, areas_max=areas_max)


def _whole_buses(arrays: NetworkArrays, part: IntArray) -> IntArray:
    """[node] with all phases of a bus in one part: flows are summed over phases."""
    first: dict[str, int] = {}
    fr = np.arange(arrays.node_count, dtype=np.int64)
    to = np.array([first.setdefault(node.bus, i) for i, node in enumerate(arrays.nodes)], dtype=np.int64)
    size = int(part.max()) + 1 if len(part) else 0
    return np.asarray(components(part[fr], part[to], size=size)[part])


def _cuts(arrays: NetworkArrays, used: frozenset[PointKey]) -> dict[int, int]:
    """Branch index to the side of its meter, where P of every conductor there is used."""
    found: dict[int, int] = {}
    for key in sorted(used):
        branch = arrays.branch_idx.get(ElementId(key.element))
        if key.kind is not PointKind.P_FLOW or branch is None or branch in found:
            continue
        if _flow_points(arrays, branch, side=key.side, kind=key.kind, used=used) is not None:
            found[branch] = key.side
    return found


def _flow_points(
    arrays: NetworkArrays, branch: int, *, side: int, kind: PointKind, used: frozenset[PointKey]
) -> list[PointKey] | None:
    """The points of all conductors of one end; None where one is missing."""
    element = arrays.branches[branch]
    terminals = element.terminals
    if side >= len(terminals) or len(terminals) < 2:
        return None
    total = PointKey(kind=kind, element=element.id, side=side)
    if total in used:
        return [total]
    # A neutral carries next to no power, and nobody meters it.
    phases = [node.phase for node in terminals[side] if node.phase <= _LAST_PHASE]
    keys = [PointKey(kind=kind, element=element.id, side=side, phase=phase) for phase in phases]
    return keys if keys and all(key in used for key in keys) else None


def _ordered(
    arrays: NetworkArrays,
    part: IntArray,
    entries: list[tuple[int, int, int, int]],
    broken: np.ndarray,
    *,
    used: frozenset[PointKey],
    version: str,
    areas_max: int,
) -> MeteredAreas:
    is_load = ~arrays.injector_is_der
    of_row = part[arrays.injector_fr]
    size = np.bincount(
        of_row[is_load], weights=np.abs(arrays.injector_s_nominal_va[is_load]), minlength=broken.shape[1]
    )
    chosen = [int(a) for a in np.argsort(-size, kind="stable")[:areas_max] if size[a] > 0.0 and not broken[0, a]]
    number = np.full(broken.shape[1], -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    measured = {k.element for k in used if k.kind is PointKind.P_INJECTION}
    asked = np.array([arrays.injectors[i].element in measured for i in np.flatnonzero(~is_load)], dtype=np.bool_)
    der = of_row[~is_load]
    point, area, sign = [], [], []
    for quantity in range(2):
        of = [e for e in entries if e[0] == quantity and number[e[2]] >= 0 and not broken[quantity, e[2]]]
        point.append(np.array([e[1] for e in of], dtype=np.int64))
        area.append(number[np.array([e[2] for e in of], dtype=np.int64)])
        sign.append(np.array([e[3] for e in of], dtype=np.int64))
    return MeteredAreas(
        topology_version=version,
        used=used,
        row_area=number[of_row[is_load]],
        count=len(chosen),
        point=(point[0], point[1]),
        area=(area[0], area[1]),
        sign=(sign[0], sign[1]),
        whole=(np.ones(len(chosen), dtype=np.int64), (~broken[1, chosen]).astype(np.int64)),
        der_area=np.where(asked, -1, number[der]) if len(der) else np.zeros(0, dtype=np.int64),
    )
