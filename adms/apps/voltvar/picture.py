"""Which part of the feeder the estimate can carry decisions for, and how tight its voltage limits are there.

A PARTIAL picture is accepted. An electrical island in which any energised node or injection is unobservable is left
untouched as a whole, because no what-if in it can be proved; the other islands are worked on as usual.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from adms.apps.tightening import tightened_limits
from adms.apps.view import RoundView
from adms.core.commands import SwitchSetpoint
from adms.core.estimate import Estimate, SigmaSource
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import GROUND, BoolArray, NetworkArrays
from adms.grid.state import GridState, normal_state


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The estimate with its verdict for Volt/VAR. Columns over nodes."""

    estimate: Estimate
    watched: BoolArray
    """Energised, in an island that serves somebody and is observable throughout."""
    v_low_pu: FloatArray
    """Limits tightened by the estimate's uncertainty."""
    v_high_pu: FloatArray

    def with_reserve(self, reserve_pu: float) -> "Picture":
        """The same with limits further inside, by at most a quarter of what is left between them."""
        reserve = np.minimum(reserve_pu, (self.v_high_pu - self.v_low_pu) / 4.0)
        return replace(self, v_low_pu=self.v_low_pu + reserve, v_high_pu=self.v_high_pu - reserve)

    def violation_pu(self, v_magnitude_pu: FloatArray) -> float:
        """Sum over the watched nodes of the distance outside the tightened limits."""
        return float(outside_pu(self, v_magnitude_pu).sum())

    def worst_outside_pu(self) -> float:
        """Largest distance of the estimate outside the tightened limits."""
        return float(outside_pu(self, np.abs(self.estimate.v_phasor_pu)).max(initial=0.0))


def outside_pu(picture: Picture, v_magnitude_pu: FloatArray) -> FloatArray:
    """[watched node] distance outside the tightened limits, 0 inside."""
    v = v_magnitude_pu[picture.watched]
    above = v - picture.v_high_pu[picture.watched]
    below = picture.v_low_pu[picture.watched] - v
    return np.maximum(0.0, np.maximum(above, below))


def islands(arrays: NetworkArrays, grid: GridState) -> IntArray:
    """[node] label of its island, all conductors of a closed branch together: mutual coupling joins them electrically,
    and a what-if with one of them unknown proves nothing about the others."""
    closed = [
        nodes
        for branch, nodes in zip(arrays.branches, arrays.branch_nodes, strict=True)
        if branch.switch is None or grid.closed[branch.id]
    ]
    fr = np.concatenate([np.full(len(nodes), nodes[0]) for nodes in closed])
    adjacency = sp.csr_matrix((np.ones(len(fr)), (fr, np.concatenate(closed))), shape=(arrays.node_count,) * 2)
    return np.asarray(sp.csgraph.connected_components(adjacency, directed=False)[1], dtype=np.int64)


def picture_of(view: RoundView, *, sigma_margin: float) -> Picture | str:
    """The usable part of the round's estimate, or why there is none."""
    estimate = view.picture()
    if estimate is None:
        return "no estimate this round"
    if not estimate.grade.trusted:
        return f"estimate is {estimate.grade.name}: {estimate.reason}"
    arrays = view.arrays
    if estimate.model_version != arrays.version:
        return "the estimate is of another model version"
    label = islands(arrays, view.grid)
    energised = arrays.energised(view.grid)
    magnitude = np.abs(estimate.v_phasor_pu)
    unknown = ~np.isfinite(magnitude) | ~np.isfinite(estimate.sigma_v_pu)
    unseen = energised & (unknown | (estimate.sigma_source == SigmaSource.UNOBSERVABLE))
    lost = ~np.isfinite(estimate.s_injection_va)
    unseen[arrays.injector_fr[lost & energised[arrays.injector_fr]]] = True
    has_to = lost & (arrays.injector_to != GROUND)
    unseen[arrays.injector_to[has_to & energised[arrays.injector_to]]] = True
    untouched = np.isin(label, np.unique(label[unseen]))
    # A neighbour's bus behind an open tie serves nobody here, and nothing of ours moves its voltage.
    serving = np.isin(label, np.unique(label[arrays.injector_fr]))
    watched = energised & serving & ~untouched & (magnitude > 0.0)
    if not watched.any():
        return "no island of the feeder is observable throughout"
    v_low_pu, v_high_pu = tightened_limits(
        arrays, sigma_v_pu=np.where(watched, estimate.sigma_v_pu, 0.0), sigma_margin=sigma_margin
    )
    return Picture(estimate=estimate, watched=np.asarray(watched), v_low_pu=v_low_pu, v_high_pu=v_high_pu)


def unsettled(view: RoundView) -> str:
    """Why no device may move for economy: an outage, a switching sequence, an unknown switch. Empty where none."""
    switching = sorted(d for d, command in view.outstanding.items() if isinstance(command.setpoint, SwitchSetpoint))
    if switching:
        return f"switching is under way at {switching[0]}"
    unknown = sorted(view.unknown_positions & view.grid.closed.keys())
    if unknown:
        return f"position of {unknown[0]} is unknown"
    normally = view.arrays.energised(normal_state(view.arrays.model))
    dead = normally & ~view.arrays.energised(view.grid)
    if dead.any():
        return f"{int(dead.sum())} nodes are without supply"
    return ""
