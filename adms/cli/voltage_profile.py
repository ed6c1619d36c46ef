"""Picture of a power flow: voltage over the distance from the source, phase by phase."""

from collections import deque
from io import BytesIO
from pathlib import Path

from adms.adapters.files import write_whole
from adms.core.ids import BusId
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import PowerFlow

COLOURS = {0: "black", 1: "tab:red", 2: "tab:green", 3: "tab:blue"}
"""Of each phase."""


def bus_distances_m(arrays: NetworkArrays, grid: GridState) -> dict[BusId, float]:
    """Length of line between each bus and the source that it is reached from first, over closed branches; branches of
    unknown length have none. Buses that no source reaches are left out."""
    near: dict[BusId, list[tuple[BusId, float]]] = {}
    for branch in arrays.branches:
        if branch.switch is not None and not grid.closed[branch.id]:
            continue
        ends = [terminal[0].bus for terminal in branch.terminals]
        for other in ends[1:]:
            near.setdefault(ends[0], []).append((other, branch.length_m or 0.0))
            near.setdefault(other, []).append((ends[0], branch.length_m or 0.0))
    distance_m = {node.bus: 0.0 for source in arrays.model.sources for node in source.nodes}
    waiting = deque(distance_m)
    while waiting:
        bus = waiting.popleft()
        for other, length_m in near.get(bus, ()):
            if other not in distance_m:
                distance_m[other] = distance_m[bus] + length_m
                waiting.append(other)
    return distance_m


def plot_profile(arrays: NetworkArrays, grid: GridState, flow: PowerFlow, *, path: Path) -> None:
    """Writes the picture, in the format of the file's ending. Raises InputError where it cannot be written."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    distance_m = bus_distances_m(arrays, grid)
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    v_pu = flow.v_magnitude_pu
    for phase in sorted({node.phase for node in arrays.nodes}):
        rows = [
            row
            for row, node in enumerate(arrays.nodes)
            if node.phase == phase and flow.energised[row] and node.bus in distance_m
        ]
        if not rows or phase > 3:
            continue
        at_km = [distance_m[arrays.nodes[row].bus] / 1e3 for row in rows]
        label = "balanced" if phase == 0 else f"phase {phase}"
        axes.plot(at_km, v_pu[rows], ".", markersize=3, color=COLOURS[phase], label=label)
    for limit in sorted({*arrays.v_min_pu.tolist(), *arrays.v_max_pu.tolist()}):
        axes.axhline(limit, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xlabel("distance from the source, km")
    axes.set_ylabel("voltage, pu")
    axes.set_title(arrays.model.name)
    axes.legend()
    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "adms"}):
        figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, drawn.getvalue())
