"""Positions of everything that can be moved: switches, taps, capacitors. A value; topology and Y follow from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from adms.core.ids import ElementId
from adms.grid.model import NetworkModel


@dataclass(frozen=True, kw_only=True)
class GridState:
    """Every switch, tap changer and capacitor of a model has an entry."""

    closed: Mapping[ElementId, bool]
    tap_position: Mapping[ElementId, int]
    capacitor_steps: Mapping[ElementId, int]

    def with_switch(self, element: ElementId, *, closed: bool) -> "GridState":
        """The same with one switch moved."""
        return replace(self, closed={**self.closed, element: closed})

    def with_tap(self, element: ElementId, *, position: int) -> "GridState":
        """The same with one tap moved."""
        return replace(self, tap_position={**self.tap_position, element: position})

    def with_capacitor(self, element: ElementId, *, steps: int) -> "GridState":
        """The same with one capacitor switched."""
        return replace(self, capacitor_steps={**self.capacitor_steps, element: steps})

    @cached_property
    def topology_version(self) -> str:
        """Digest of the switch positions."""
        text = ",".join(f"{element}={int(closed)}" for element, closed in sorted(self.closed.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def normal_state(model: NetworkModel) -> GridState:
    """Switches, taps and capacitors at their normal positions."""
    return GridState(
        closed={b.id: b.switch.normally_closed for b in model.branches if b.switch is not None},
        tap_position={b.id: b.taps.normal_position for b in model.branches if b.taps is not None},
        capacitor_steps={c.id: c.normal_steps for c in model.capacitors},
    )


def switch_poles(model: NetworkModel) -> dict[str, tuple[ElementId, ...]]:
    """Everything that can be said to be opened or closed, and the branches that then move: each switch by its id, and
    a device whose poles are branches of their own by its group too."""
    poles: dict[str, list[ElementId]] = {}
    for branch in model.branches:
        if branch.switch is not None:
            for name in dict.fromkeys((branch.id, branch.switch.group or branch.id)):
                poles.setdefault(name, []).append(branch.id)
    return {name: tuple(branches) for name, branches in poles.items()}
