"""Which poles are closed, in the engine and in the topology at once."""

from __future__ import annotations

from hil.plant.circuit import Circuit, Node
from hil.plant.gear import Action


class Switchgear:
    """Positions of every switch of the overlay, and of the poles that opened by themselves."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self.closed = {switch.id: switch.normally_closed for switch in circuit.overlay.switches}
        """False only where every pole is open. Read it; `set_switch` and `set_poles` write it."""
        self.open_poles: dict[str, frozenset[int]] = {}
        """Open phases of switches that are closed in others, and of lines with a fuse that blew."""
        self._live: frozenset[Node] = frozenset()
        self._live_for: tuple[bool, ...] | None = None

    @property
    def live(self) -> frozenset[Node]:
        """Nodes with a path to a source."""
        key = tuple(self.closed.values())
        if key != self._live_for:
            self._live_for = key
            self._live = self._circuit.topology.energised(self.closed, open_poles=self.open_poles)
        return self._live

    def closed_phases(self, element: str) -> frozenset[int]:
        """Phases whose pole is closed."""
        if not self.closed.get(element, True):
            return frozenset()
        return self._circuit.topology.phases_of(element) - self.open_poles.get(element, frozenset())

    def set_switch(self, switch: str, *, closed: bool) -> None:
        """All poles at once."""
        self._live_for = None
        self.closed[switch] = closed
        self.open_poles.pop(switch, None)
        self._circuit.engine.set_switch(self._circuit.element(switch), closed=closed)

    def needed(self, action: Action) -> tuple[frozenset[int], bool]:
        """Phases whose pole really moves, and whether that leaves all poles in one position, where the element is a
        switch."""
        every = self._circuit.topology.phases_of(action.element)
        before = self.closed_phases(action.element)
        after = before | action.phases if action.closed else before - action.phases
        return before ^ after, action.element in self.closed and after in (frozenset(), every)

    def set_poles(self, element: str, *, phases: frozenset[int], closed: bool) -> None:
        """Some poles of a switch, or of a line."""
        self._live_for = None
        every = self._circuit.topology.phases_of(element)
        before = self.closed_phases(element)
        after = before | phases if closed else before - phases
        for phase in sorted(before ^ after):
            self._circuit.set_pole(element, phase=phase, closed=closed)
        if element in self.closed:
            self.closed[element] = bool(after)
        if after == every or (element in self.closed and not after):
            self.open_poles.pop(element, None)
        else:
            self.open_poles[element] = every - after
