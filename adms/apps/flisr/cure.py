"""Can Volt/VAR bring a restored part back inside its normal voltage limits?

Regulators and capacitors stand where the load before the outage put them, so a transfer may end outside the normal
limits although inside the emergency ones, with tap steps in hand. FLISR does not move them; it restores when it can
show a set of moves that ends inside all normal limits, and names them in the plan.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adms.apps.interlock.proof import Limits, voltage_limits
from adms.apps.interlock.usable import why_not_commandable
from adms.apps.view import RoundView
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray
from adms.grid.arrays import BoolArray
from adms.grid.state import GridState
from adms.powerflow import PowerFlow

_MARGIN_PU = 1e-3
"""The moves are chosen by superposition, which is not exact; a power flow has the last word."""


@dataclass(frozen=True, kw_only=True)
class _Mover:
    """One device, or a ganged group, that Volt/VAR can move."""

    devices: tuple[ElementId, ...]
    position: int
    lowest: int
    highest: int
    is_capacitor: bool

    def at(self, grid: GridState, position: int) -> GridState:
        """The grid with it there."""
        for device in self.devices:
            if self.is_capacitor:
                grid = grid.with_capacitor(device, steps=position)
            else:
                grid = grid.with_tap(device, position=position)
        return grid


def _movers(view: RoundView, *, nodes: BoolArray) -> list[_Mover]:
    arrays, grid = view.arrays, view.grid

    def usable(device: ElementId) -> bool:
        return why_not_commandable(view, device) is None

    groups: dict[str, list[ElementId]] = {}
    for branch, at in zip(arrays.branches, arrays.branch_nodes, strict=True):
        if branch.taps is not None and branch.taps.remote and usable(branch.id) and nodes[at].any():
            groups.setdefault(branch.taps.group or branch.id, []).append(branch.id)
    movers = []
    for devices in groups.values():
        taps = [arrays.branches[arrays.branch_idx[device]].taps for device in devices]
        position = grid.tap_position[devices[0]]
        stops = [(t.min_position, t.max_position) for t in taps if t is not None]
        if any(grid.tap_position[device] != position for device in devices):
            continue
        lowest, highest = max(low for low, _ in stops), min(high for _, high in stops)
        movers.append(
            _Mover(devices=tuple(devices), position=position, lowest=lowest, highest=highest, is_capacitor=False)
        )
    for capacitor, at in zip(arrays.model.capacitors, arrays.capacitor_nodes, strict=True):
        if capacitor.remote and usable(capacitor.id) and nodes[at].any():
            movers.append(
                _Mover(
                    devices=(capacitor.id,), position=grid.capacitor_steps[capacitor.id], lowest=0,
                    highest=capacitor.steps, is_capacitor=True,
                )
            )  # fmt: skip
    return movers


def cure_voltages(
    view: RoundView,
    grid: GridState,
    *,
    flow: PowerFlow,
    nodes: BoolArray,
    limits: Limits,
    solve: Callable[[GridState], PowerFlow | None],
    moves_max: int,
) -> tuple[GridState, tuple[tuple[ElementId, int], ...]] | None:
    """Moves of taps and capacitors that should bring the voltages of a part inside its limits.

    Args:
        view: the round: what Volt/VAR could command.
        grid: the restored state.
        flow: its power flow.
        nodes: [node] the part that is judged.
        limits: normal limits.
        solve: power flow of another grid state at the same loads; None where there is none or none is left to spend.
        moves_max: single steps in all.

    Returns:
        The state after the moves and (device, position) for each, or None where superposition finds no such moves.
        The caller proves the state.
    """
    movers = _movers(view, nodes=nodes)
    before = flow.v_magnitude_pu
    steps: list[FloatArray] = []
    for mover in movers:
        way = 1 if mover.position < mover.highest else -1
        moved = solve(mover.at(grid, mover.position + way))
        if moved is None:
            return None
        steps.append(np.where(flow.energised, moved.v_magnitude_pu - before, 0.0) * way)
    low, high = voltage_limits(view.arrays, limits)
    judged = nodes & flow.energised

    def excess(v_pu: FloatArray) -> float:
        outside = np.fmax(np.fmax(low + _MARGIN_PU - v_pu, v_pu - high + _MARGIN_PU), 0.0)
        return float(outside[judged].sum())

    position = [mover.position for mover in movers]
    v_pu, left = before, excess(before)
    for _ in range(moves_max):
        if left == 0.0:
            break
        trials = [
            (excess(v_pu + way * steps[i]), i, way)
            for i, mover in enumerate(movers)
            for way in (-1, 1)
            if mover.lowest <= position[i] + way <= mover.highest
        ]
        best = min(trials, default=None)
        if best is None or best[0] >= left:
            break
        left, i, way = best
        position[i] += way
        v_pu = v_pu + way * steps[i]
    moves: list[tuple[ElementId, int]] = []
    for mover, at in zip(movers, position, strict=True):
        if at != mover.position:
            grid = mover.at(grid, at)
            moves += [(device, at) for device in mover.devices]
    return (grid, tuple(moves)) if moves else None
