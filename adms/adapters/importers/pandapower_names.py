"""What every pandapower element has: an id, nodes, and a place for notes."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_net import switched_element
from adms.core.ids import BusId, ElementId
from adms.grid.model import Bus, NodeRef

V_LIMITS_PU = (0.9, 1.1)
"""EN 50160: where the net gives no limits."""


def text(value: Any) -> str:
    """A cell as text: empty where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in ("nan", "<NA>", "None"):
        return ""
    return str(value).strip()


def number(value: Any) -> float | None:
    """A cell as a finite number; None where it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def ids_of(frame: Any, kind: str) -> dict[int, str]:
    """Id of each row, by its index: its name in lower case, with the index where two have the same, or the index
    where it has none. `kind` stands before it but for buses."""
    prefix = f"{kind}." if kind else ""
    names = [text(name).lower() for name in frame["name"]] if "name" in frame else [""] * len(frame)
    count = Counter(names)
    taken = {name for name in names if name and count[name] == 1}
    found: dict[int, str] = {}
    for index, name in zip(frame.index, names, strict=True):
        own = (
            name
            if name and count[name] == 1
            else (f"{name}_{index}" if name else f"{index}" if kind else f"bus_{index}")
        )
        while own in taken and own != name:
            own += f"_{index}"
        taken.add(own)
        found[index] = prefix + own
    return found


@dataclass
class NetReader:
    """A net being read, and what could not be carried over."""

    net: Any
    phases: tuple[int, ...]
    """(0,) or (1, 2, 3)."""
    notes: list[str] = field(default_factory=list)
    buses: dict[BusId, Bus] = field(default_factory=dict)
    """In the net's order, then those that switches and open ends add."""
    bus_id: dict[int, BusId] = field(default_factory=dict)
    """Of the buses in service."""
    _ids: dict[str, dict[int, str]] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """One node a bus."""
        return self.phases == (0,)

    def note(self, element: str, message: str) -> None:
        """Remembers something about an element."""
        self.notes.append(f"{element}: {message}")

    def element_id(self, table: str, index: int) -> ElementId:
        """Id of a row."""
        if table not in self._ids:
            self._ids[table] = ids_of(self.net[table], table)
        return ElementId(self._ids[table][index])

    def rows(self, table: str, *, buses: Sequence[str] = ("bus",)) -> Iterator[tuple[int, ElementId, dict[str, Any]]]:
        """(position, id, row) of what stands at a bus in service; the others are noted."""
        frame = self.net.get(table)
        if frame is None:
            return
        for position, (index, row) in enumerate(zip(frame.index, frame.to_dict("records"), strict=True)):
            element = self.element_id(table, index)
            if not any(row[bus] in self.bus_id for bus in buses):
                self.note(element, "left out with its bus, which is out of service")
            else:
                yield position, element, {**row, "index": index}

    def drop_what_is_out_of_service(self, tables: Iterable[str]) -> None:
        """Takes it out of the net, with the switches that stand at it; pandapower would look at its numbers."""
        for table in tables:
            frame = self.net.get(table)
            if frame is None or not len(frame):
                continue
            kept = frame.in_service.astype(bool)
            for index in frame.index[~kept]:
                self.note(self.element_id(table, index), "out of service, left out")
            self.net[table] = frame[kept].copy()
        frame = self.net.switch
        stands = [
            (place := switched_element(et)) is None or element in self.net[place[0]].index
            for et, element in zip(frame.et, frame.element, strict=True)
        ]
        for index, kept in zip(frame.index, stands, strict=True):
            name = self.element_id("switch", index)
            if not kept:
                self.note(name, "left out with what it stands at, which is out of service")
        self.net["switch"] = frame.loc[np.array(stands, dtype=np.bool_)].copy()

    def nodes(self, bus: BusId) -> tuple[NodeRef, ...]:
        """Nodes of a bus."""
        return tuple(NodeRef(bus, phase) for phase in self.phases)

    def v_base_v(self, bus: BusId) -> float:
        """Phase to ground."""
        return self.buses[bus].v_base_v

    def add_bus(self, name: str, *, like: Bus) -> BusId:
        """A new bus with what another one has."""
        fresh = name
        while fresh in self.buses:
            fresh += "_"
        bus = BusId(fresh)
        self.buses[bus] = Bus(
            id=bus,
            phases=self.phases,
            v_base_v=like.v_base_v,
            v_min_pu=like.v_min_pu,
            v_max_pu=like.v_max_pu,
            v_emergency_min_pu=like.v_emergency_min_pu,
            v_emergency_max_pu=like.v_emergency_max_pu,
            x_m=like.x_m,
            y_m=like.y_m,
            zone=like.zone,
        )
        return bus

    def read_buses(self) -> None:
        """All buses in service."""
        ids = ids_of(self.net.bus, "")
        for index, row in zip(self.net.bus.index, self.net.bus.to_dict("records"), strict=True):
            if not row["in_service"]:
                self.note(f"bus.{ids[index]}", "out of service, left out")
                continue
            bus = BusId(ids[index])
            low, high = number(row.get("min_vm_pu")), number(row.get("max_vm_pu"))
            if low is None or high is None or not 0.0 < low < high:
                low, high = V_LIMITS_PU
            x, y = _place(row.get("geo"))
            self.bus_id[index] = bus
            self.buses[bus] = Bus(
                id=bus,
                phases=self.phases,
                v_base_v=float(row["vn_kv"]) * 1e3 / math.sqrt(3.0),
                v_min_pu=low,
                v_max_pu=high,
                v_emergency_min_pu=min(low, V_LIMITS_PU[0]),
                v_emergency_max_pu=max(high, V_LIMITS_PU[1]),
                x_m=x,
                y_m=y,
                zone=text(row.get("zone")),
            )


def _place(geo: Any) -> tuple[float | None, float | None]:
    """Coordinates of a GeoJSON point."""
    try:
        x, y = json.loads(geo)["coordinates"][:2]
        found = (float(x), float(y))
    except (TypeError, ValueError, KeyError, IndexError):
        return None, None
    return found if all(map(math.isfinite, found)) else (None, None)
