"""What the measurements of an estimate determine and check, and which one more would help, as JSON objects."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from adms.adapters.measurements_rows import Measurements
from adms.core.estimate import Estimate, SigmaSource
from adms.core.telemetry import IntArray, PointKind
from adms.estimation import EstimationPolicy, EstimatorState
from adms.estimation.criticality import MOST_ROWS, Criticality, criticality_alone, criticality_noticed
from adms.estimation.islands import observable_islands
from adms.estimation.placement import Objective, Suggestion, suggest_sensors, suggestion_in_words
from adms.grid.arrays import BoolArray, NetworkArrays


def observability(
    got: Estimate,
    arrays: NetworkArrays,
    *,
    state: EstimatorState,
    measurements: Measurements,
    policy: EstimationPolicy,
) -> dict[str, Any]:
    """Which nodes what holds, and which measurements check one another, by their lines.

    Args:
        got: the estimate.
        arrays: its network.
        state: that it left.
        measurements: its rows.
        policy: of the estimate.
    """
    determined = state.observed.determined
    lost = got.sigma_source == SigmaSource.UNOBSERVABLE
    dead = got.sigma_source == SigmaSource.DEAD
    groups: dict[str, BoolArray] = {
        "determined": determined & ~lost & ~dead,
        "held_by_pseudo_measurements": ~determined & ~lost & ~dead,
        "not_held": lost,
        "dead": dead,
    }
    names = [f"{node.bus}.{node.phase}" for node in arrays.nodes]
    island = observable_islands(state.observed, policy=policy)
    alone = criticality_alone(state.observed)
    return {
        **{word: [names[i] for i in np.flatnonzero(rows)] for word, rows in groups.items()},
        "islands": [[names[i] for i in rows] for rows in _groups(island)],
        **_critical(criticality_noticed(state), measurements),
        "by_telemetry_alone": None if alone is None else _critical(alone, measurements),
    }


def _groups(island: IntArray) -> list[list[int]]:
    order = np.argsort(island, kind="stable")
    order = order[island[order] >= 0]
    return [each.tolist() for each in np.split(order, np.flatnonzero(np.diff(island[order])) + 1) if len(each)]


def _critical(found: Criticality, measurements: Measurements) -> dict[str, Any]:
    """Lines of critical measurements and of each critical set; null where there were too many rows for sets."""

    def lines(table_rows: Iterable[int]) -> list[int]:
        return [measurements.rows[row].line for row in table_rows]

    sets = [{"lines": lines(each.table_rows), "pairwise": each.pairwise, "why": each.why} for each in found.sets]
    return {"critical_measurements": lines(found.table_rows), "critical_sets": sets if found.complete else None}


def suggestions(state: EstimatorState, *, count: int, objective: Objective) -> list[dict[str, Any]]:
    """The sensors that would help most, each as the only one. Of both ends of a branch the better one is named: they
    see much the same.

    Args:
        state: that an estimate left.
        count: at most so many.
        objective: what is to get better.
    """
    first: dict[object, Suggestion] = {}
    for each in suggest_sensors(state, count=2 * count, objective=objective):
        key = each.sensor.keys[0]
        first.setdefault(key.element if key.kind is PointKind.P_FLOW else key, each)
    return [_suggestion(each) for each in list(first.values())[:count]]


def _suggestion(each: Suggestion) -> dict[str, Any]:
    before, after = each.before, each.after
    points = [
        {"kind": key.kind.value, "element": key.element, "phase": str(key.phase), "side": key.side, "sigma": sigma}
        for key, sigma in zip(each.sensor.keys, each.sensor.sigma, strict=True)
    ]
    return {
        "words": suggestion_in_words(each),
        "points": points,
        "mean_sigma_pu": [before.sigma_mean_pu, after.sigma_mean_pu],
        "worst_sigma_pu": [before.sigma_worst_pu, after.sigma_worst_pu],
        "not_held": [before.unobservable, after.unobservable],
        "critical": [before.critical, after.critical],
    }


def print_observability(seen: dict[str, Any]) -> None:
    """A summary of the JSON object of `observability`."""
    print(
        f"nodes: {len(seen['determined'])} determined by telemetry, {len(seen['held_by_pseudo_measurements'])} held by "
        f"pseudo-measurements, {len(seen['not_held'])} not held by anything, {len(seen['dead'])} not energised"
    )
    if seen["islands"]:
        sizes = [len(each) for each in seen["islands"]]
        shown = ", ".join(map(str, sizes[:5])) + (", ..." if len(sizes) > 5 else "")
        print(f"observable islands: {len(sizes)}, of {shown} nodes")
    for found, by in ((seen, ""), (seen["by_telemetry_alone"], " by telemetry alone")):
        if found is None:
            continue
        print(f"critical{by}: {_lines(found['critical_measurements'])}")
        if found["critical_sets"] is None:
            print(f"critical sets{by}: not looked for among more than {MOST_ROWS} measurements")
        elif found["critical_sets"]:
            pairs = [f"({', '.join(map(str, each['lines']))})" for each in found["critical_sets"][:5]]
            more = f" and {len(found['critical_sets']) - 5} more" if len(found["critical_sets"]) > 5 else ""
            print(f"critical sets{by}: lines {', '.join(pairs)}{more}")


def _lines(lines: list[int]) -> str:
    if not lines:
        return "no measurement"
    return f"{len(lines)}, lines {', '.join(map(str, lines[:10]))}{', ...' if len(lines) > 10 else ''}"
