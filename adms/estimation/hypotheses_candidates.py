"""What could be wrong about the reported positions: one switch the other way, or one tap some steps off."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState, switch_poles


@dataclass(frozen=True, kw_only=True, order=True)
class Candidate:
    """One device that is not where it is reported."""

    device: str
    """A switch or tap changer by its id; a device whose poles are branches of their own by its group."""
    poles: tuple[ElementId, ...]
    """The branches that are wrong."""
    steps: int
    """How far the tap is from where it is reported; 0 of a switch."""

    @property
    def is_tap(self) -> bool:
        """True of a tap changer."""
        return self.steps != 0

    def in_words(self, grid: GridState) -> str:
        """What would be true, given the reported positions."""
        if self.is_tap:
            return f"{self.device} at {grid.tap_position[self.poles[0]] + self.steps}"
        return f"{self.device} {'open' if grid.closed[self.poles[0]] else 'closed'}"

    def applied(self, grid: GridState) -> GridState:
        """The positions if it is true."""
        for pole in self.poles:
            if self.is_tap:
                grid = grid.with_tap(pole, position=grid.tap_position[pole] + self.steps)
            else:
                grid = grid.with_switch(pole, closed=not grid.closed[pole])
        return grid


def candidates_of(arrays: NetworkArrays, grid: GridState, *, tap_steps: Iterable[int]) -> tuple[Candidate, ...]:
    """All that a scan can be explained by, in model order: switches, then tap changers.

    Left out are positions that a changer does not have, and switches between two dead ends: nothing would change.

    Args:
        arrays: the network in solver order.
        grid: positions as reported.
        tap_steps: how far a tap may be off.
    """
    live = arrays.energised(grid)
    found = []
    for device, poles in switch_poles(arrays.model).items():
        reached = np.concatenate([arrays.branch_nodes[arrays.branch_idx[pole]] for pole in poles])
        alike = len({grid.closed[pole] for pole in poles}) == 1
        if alike and live[reached].any():
            found.append(Candidate(device=device, poles=poles, steps=0))
    for device, poles in _changers(arrays).items():
        reached = np.concatenate([arrays.branch_nodes[arrays.branch_idx[pole]] for pole in poles])
        for steps in tap_steps:
            there = all(_has(arrays, pole, position=grid.tap_position[pole] + steps) for pole in poles)
            if there and live[reached].any():
                found.append(Candidate(device=device, poles=poles, steps=steps))
    return tuple(found)


def _changers(arrays: NetworkArrays) -> dict[str, tuple[ElementId, ...]]:
    """Tap changers, ganged ones together, and the branches that then move."""
    changers: dict[str, tuple[ElementId, ...]] = {}
    for index in arrays.tapped.tolist():
        branch = arrays.branches[index]
        assert branch.taps is not None
        name = branch.taps.group or str(branch.id)
        changers[name] = (*changers.get(name, ()), branch.id)
    return changers


def _has(arrays: NetworkArrays, changer: ElementId, *, position: int) -> bool:
    taps = arrays.branches[arrays.branch_idx[changer]].taps
    assert taps is not None
    return taps.min_position <= position <= taps.max_position
