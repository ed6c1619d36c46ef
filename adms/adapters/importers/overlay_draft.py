"""A model while an overlay changes it: elements by name, and the problems found so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from adms.core.errors import Problem
from adms.core.ids import BusId, ElementId
from adms.core.near import NotFound, find_name
from adms.grid.model import Branch, Bus, Capacitor, Der, Load, NetworkModel, NodeRef, Source
from adms.grid.pairs import NoNodes, nodes_at

Key = TypeVar("Key", bound=str)
Element = TypeVar("Element")
_SUGGESTED_MAX = 20
"""Looking for near names among thousands takes a while; the first unknown ones show what is wrong."""


@dataclass
class Draft:
    """The model while it is being changed."""

    buses: dict[BusId, Bus]
    sources: dict[ElementId, Source]
    branches: dict[ElementId, Branch]
    capacitors: dict[ElementId, Capacitor]
    loads: dict[ElementId, Load]
    ders: dict[ElementId, Der]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _suggested: int = 0

    @classmethod
    def of(cls, model: NetworkModel) -> "Draft":
        """Begins with a model."""
        return cls(
            buses={bus.id: bus for bus in model.buses},
            sources={source.id: source for source in model.sources},
            branches={branch.id: branch for branch in model.branches},
            capacitors={capacitor.id: capacitor for capacitor in model.capacitors},
            loads={load.id: load for load in model.loads},
            ders={der.id: der for der in model.ders},
        )

    def problem(self, element: str, field_name: str, value: object, message: str) -> None:
        """Notes what is wrong."""
        self.problems.append(Problem(element=element, field=field_name, value=str(value), message=message))

    def take_id(self, element: str) -> ElementId:
        """The id of a new element; a problem where it stands already."""
        taken = ElementId(element)
        if any(taken in part for part in (self.sources, self.branches, self.capacitors, self.loads, self.ders)):
            self.problem(element, "id", element, "this id is taken")
        return taken

    def find(self, part: Mapping[Key, Element], name: str, *, what: str, where: str, field_name: str) -> Element | None:
        """What a name means: an id, in any case, or the part after the dot where only one element is called so. None,
        and a problem noted, where there is none."""
        if name in part:
            return part[name]  # type: ignore[index]
        if self._suggested >= _SUGGESTED_MAX:
            found: str | NotFound = NotFound(message=f"no such {what}")
        else:
            found = find_name(name, known=part, what=what)
        if not isinstance(found, NotFound):
            return part[found]  # type: ignore[index]
        self._suggested += 1
        self.problem(where, field_name, name, found.message)
        return None

    def nodes(self, element: str, bus: str, phases: tuple[int, ...] | None) -> tuple[NodeRef, ...]:
        """Nodes at a bus, all of its phases 0 to 3 where none are given; empty, and a problem noted, where it does not
        have them."""
        found = self.find(self.buses, bus, what="bus", where=element, field_name="bus")
        if found is None:
            return ()
        nodes = nodes_at(found, phases)
        if isinstance(nodes, NoNodes):
            self.problem(element, "phases", list(nodes.phases), nodes.message)
            return ()
        return nodes
