"""What one round saw, in a few numbers for people, metrics and the live store. Pure."""

import numpy as np

from adms.apps.view import RoundView
from adms.core.commands import App
from adms.core.estimate import Estimate, Grade, NotEstimated, SigmaSource
from adms.core.modes import Mode
from adms.grid.arrays import NetworkArrays
from adms.ports.records import RoundSummary
from adms.runtime.cycle import CycleResult


def summarise(
    result: CycleResult, *, number: int, mode: Mode, notes: tuple[tuple[App | None, str], ...]
) -> RoundSummary:
    """The summary of a round, durations still zero."""
    view = result.view
    picture = view.picture()
    low, high = (None, None) if picture is None else _extremes(picture)
    v_pu = np.empty(0) if picture is None else np.abs(picture.v_phasor_pu)
    return RoundSummary(
        round=number,
        time=view.now,
        mode=mode,
        grade=Grade.FAILED if picture is None else picture.grade,
        grade_reason=view.estimate.reason,
        v_min_pu=None if low is None else float(v_pu[low]),
        v_min_node=_node_name(view.arrays, low),
        v_max_pu=None if high is None else float(v_pu[high]),
        v_max_node=_node_name(view.arrays, high),
        losses_w=None if picture is None else picture.losses_w,
        interface_import_w=None if picture is None else _interface_import_w(picture, view.arrays),
        interface_import_max_w=_import_max_w(view),
        sigma_mean_pu=None if picture is None else _sigma_mean_pu(picture),
        estimate_s=0.0,
        round_s=0.0,
        notes=(*result.notes, *notes),
        commands=result.commands,
        refusals=result.refused,
    )


def live_values(summary: RoundSummary, *, estimate: Estimate | NotEstimated, arrays: NetworkArrays) -> dict[str, float]:
    """Numbers for the live store, by name with the unit in it; what is not known is left out."""
    named = {
        "v_min_pu": summary.v_min_pu,
        "v_max_pu": summary.v_max_pu,
        "losses_w": summary.losses_w,
        "interface_import_w": summary.interface_import_w,
        "interface_import_max_w": summary.interface_import_max_w,
        "sigma_mean_pu": summary.sigma_mean_pu,
    }
    values = {name: value for name, value in named.items() if value is not None}
    if isinstance(estimate, Estimate):
        v_pu = np.abs(estimate.v_phasor_pu)
        for node, v in zip(arrays.nodes, v_pu, strict=True):
            if np.isfinite(v):
                values[f"v_pu/{node.bus}.{node.phase}"] = float(v)
    return values


def _extremes(picture: Estimate) -> tuple[int | None, int | None]:
    """Nodes of the lowest and highest voltage among those that are alive and observed."""
    v_pu = np.abs(picture.v_phasor_pu)
    live = np.flatnonzero((picture.sigma_source != SigmaSource.DEAD) & np.isfinite(v_pu))
    if not len(live):
        return None, None
    return int(live[np.argmin(v_pu[live])]), int(live[np.argmax(v_pu[live])])


def _node_name(arrays: NetworkArrays, node: int | None) -> str:
    return "" if node is None else f"{arrays.nodes[node].bus}.{arrays.nodes[node].phase}"


def _interface_import_w(picture: Estimate, arrays: NetworkArrays) -> float | None:
    rows = [i for i, source in enumerate(arrays.model.sources) if source.interface]
    return float(picture.s_source_va[rows].real.sum()) if rows else None


def _import_max_w(view: RoundView) -> float | None:
    active = [
        limit.import_max_w
        for limit in view.interface_limits
        if limit.start <= view.now and limit.import_max_w is not None
    ]
    return min(active, default=None)


def _sigma_mean_pu(picture: Estimate) -> float | None:
    sigma = picture.sigma_v_pu[(picture.sigma_source != SigmaSource.DEAD) & np.isfinite(picture.sigma_v_pu)]
    return float(sigma.mean()) if len(sigma) else None
