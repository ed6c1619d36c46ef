"""Picture of an estimate: voltages with what they are known to, and what the voltage meters said."""

from io import BytesIO
from pathlib import Path

import numpy as np

from adms.adapters.files import write_whole
from adms.adapters.measurements_rows import Measurements
from adms.cli.voltage_profile import COLOURS, bus_distances_m
from adms.core.estimate import Estimate, Use
from adms.core.ids import BusId
from adms.core.telemetry import FloatArray, PointKind
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import GridState

_BY_ORDER = "bus, in the order of the model"
_METERS = frozenset({PointKind.V_MAGNITUDE, PointKind.V_AVERAGE})
_MARKS = {Use.USED: ("o", "meter"), Use.REJECTED: ("X", "meter, rejected"), Use.NOT_USED: ("s", "meter, not used")}


def plot_estimate(
    arrays: NetworkArrays, grid: GridState, estimate: Estimate, *, measurements: Measurements, path: Path
) -> None:
    """Writes the picture, in the format of the file's ending: each node's voltage with two sigma either way, and the
    meters over it. Raises InputError where it cannot be written.

    Args:
        arrays: the network.
        grid: its positions.
        estimate: the picture of it.
        measurements: the rows that it was made from.
        path: where to.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    at, label = _places(arrays, grid)
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    v_pu = np.abs(estimate.v_phasor_pu)
    known = np.isfinite(v_pu) & (v_pu > 0.0) & np.isfinite(estimate.sigma_v_pu) & np.isfinite(at)
    phases = np.array([node.phase for node in arrays.nodes])
    for phase in sorted(set(phases.tolist())):
        rows = np.flatnonzero(known & (phases == phase))
        if not len(rows) or phase > 3:
            continue
        axes.errorbar(
            at[rows],
            v_pu[rows],
            yerr=2.0 * estimate.sigma_v_pu[rows],
            fmt=".",
            markersize=3,
            elinewidth=0.6,
            color=COLOURS[phase],
            label="balanced" if phase == 0 else f"phase {phase}",
        )
    for use, (mark, word) in _MARKS.items():
        places, values = _meters(arrays, estimate, measurements=measurements, use=use, at=at)
        if places:
            colour = "magenta" if use is Use.REJECTED else "black"
            filled = colour if use is Use.REJECTED else "none"
            axes.scatter(places, values, s=30, marker=mark, edgecolors=colour, facecolors=filled, label=word, zorder=3)
    for limit in sorted({*arrays.v_min_pu.tolist(), *arrays.v_max_pu.tolist()}):
        axes.axhline(limit, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xlabel(label)
    if label == _BY_ORDER:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("voltage, pu, with two sigma")
    axes.set_title(f"{arrays.model.name}: {estimate.grade.name.lower()}")
    axes.legend()
    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "adms"}):
        figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, drawn.getvalue())


def _places(arrays: NetworkArrays, grid: GridState) -> tuple[FloatArray, str]:
    """[node] where on the axis, NaN for nodes that no source reaches, and what the axis is: by distance, or by order
    where no length is known."""
    distance_m = bus_distances_m(arrays, grid)
    at = np.array([distance_m.get(node.bus, np.nan) / 1e3 for node in arrays.nodes])
    if np.nanmax(at, initial=0.0) > 0.0:
        return at, "distance from the source, km"
    order = {bus.id: float(place) for place, bus in enumerate(arrays.model.buses)}
    return np.array([order[node.bus] for node in arrays.nodes]), _BY_ORDER


def _meters(
    arrays: NetworkArrays, estimate: Estimate, *, measurements: Measurements, use: Use, at: FloatArray
) -> tuple[list[float], list[float]]:
    """(place on the axis, per unit) of voltage meters that were used so."""
    used = dict(zip(estimate.innovations.keys, estimate.innovations.use, strict=True))
    places, values = [], []
    for row in measurements.rows:
        node = arrays.node_idx.get(NodeRef(BusId(row.key.element), row.key.phase))
        if row.key.kind in _METERS and used.get(row.key) is use and node is not None:
            places.append(float(at[node]))
            values.append(row.value / float(arrays.v_base_v[node]))
    return places, values
