"""pandapower loads of every kind. They have no voltage limits: the law holds at any voltage.

pandapower lays the mean voltage dependence of the loads at a bus over everything that draws or injects there. So that
the network is the one that it solves, a load's law here has the share of that which makes the sum at its bus the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.core.ids import BusId, ElementId
from adms.grid.model import CONSTANT_POWER, Load, NodeRef, VoltageLaw

V_HIGH_PU = 10.0
"""No limit."""
SQRT_3 = 3.0**0.5
Pairs = tuple[tuple[NodeRef, NodeRef | None], ...]
PHASE_LETTERS = ("a", "b", "c")


def pairs_at(reader: NetReader, bus: BusId, *, delta: bool = False) -> Pairs:
    """Single-phase parts between the phases and ground, or in a ring from phase to phase."""
    nodes = reader.nodes(bus)
    if delta and not reader.balanced:
        return tuple(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    return tuple((node, None) for node in nodes)


def is_delta(row: dict[str, Any]) -> bool:
    """Connection of a load or generator."""
    return text(row.get("type")).lower() == "delta"


def load_between(
    reader: NetReader,
    element: ElementId,
    pairs: Pairs,
    *,
    s_va: complex,
    law: VoltageLaw = CONSTANT_POWER,
    q_law: VoltageLaw | None = None,
) -> Load:
    """A load without voltage limits."""
    across = SQRT_3 if pairs[0][1] is not None else 1.0
    return Load(
        id=element,
        pairs=pairs,
        p_w=s_va.real,
        q_var=s_va.imag,
        v_nominal_v=reader.v_base_v(pairs[0][0].bus) * across,
        law=law,
        q_law=q_law,
        v_low_pu=0.0,
        v_high_pu=V_HIGH_PU,
        v_floor_pu=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class _Shares:
    """Of constant impedance and constant current, of P and of Q."""

    z_p: float
    i_p: float
    z_q: float
    i_q: float

    def laws(self, *, of_p: float = 1.0, of_q: float = 1.0) -> tuple[VoltageLaw, VoltageLaw | None]:
        """Laws of P and Q with the shares so many times as large; None for Q where it is that of P."""
        p = VoltageLaw(z_frac=self.z_p * of_p, i_frac=self.i_p * of_p, p_frac=1.0 - (self.z_p + self.i_p) * of_p)
        q = VoltageLaw(z_frac=self.z_q * of_q, i_frac=self.i_q * of_q, p_frac=1.0 - (self.z_q + self.i_q) * of_q)
        return p, None if q == p else q


def _shares_of(row: dict[str, Any]) -> _Shares:
    z_p, i_p, z_q, i_q = (
        (number(row.get(f"const_{law}_{part}_percent")) or 0.0) / 100.0 for part in ("p", "q") for law in ("z", "i")
    )
    return _Shares(z_p=z_p, i_p=i_p, z_q=z_q, i_q=i_q)


def read_loads(reader: NetReader) -> Iterator[Load]:
    """The table of loads."""
    rows = list(reader.rows("load"))
    at_bus = _BusTotals(reader, rows) if reader.balanced else None
    for _, element, row in rows:
        s_va = 1e6 * complex(row["p_mw"], row["q_mvar"]) * float(row["scaling"])
        own = _shares_of(row)
        law, q_law = own.laws()
        if at_bus is not None and at_bus.depends:
            law, q_law = at_bus.laws(row["bus"])
            if (law, q_law) != own.laws():
                reader.note(
                    element, "voltage dependence as pandapower has it: the mean of its bus, over all that is there"
                )
        pairs = pairs_at(reader, reader.bus_id[row["bus"]], delta=is_delta(row))
        yield load_between(reader, element, pairs, s_va=s_va, law=law, q_law=q_law)


class _BusTotals:
    """What pandapower adds up at the buses that its closed switches make one."""

    def __init__(self, reader: NetReader, rows: list[tuple[int, ElementId, dict[str, Any]]]) -> None:
        shares = [_shares_of(row) for _, _, row in rows]
        self.depends = any(share != _Shares(z_p=0.0, i_p=0.0, z_q=0.0, i_q=0.0) for share in shares)
        self._group = _fused(reader)
        self._shares: dict[int, _Shares] = {}
        self._loads: dict[int, complex] = {}
        self._all: dict[int, complex] = {}
        if not self.depends:
            return
        of_bus: dict[int, list[_Shares]] = {}
        for share, (_, _, row) in zip(shares, rows, strict=True):
            of_bus.setdefault(row["bus"], []).append(share)
            group = self._group.get(row["bus"], row["bus"])
            s = complex(row["p_mw"], row["q_mvar"]) * float(row["scaling"])
            self._loads[group] = self._loads.get(group, 0j) + s
            self._all[group] = self._all.get(group, 0j) + s
        for bus, members in of_bus.items():  # of several buses made one, pandapower keeps the last it comes to
            mean = np.mean([[m.z_p, m.i_p, m.z_q, m.i_q] for m in members], axis=0).tolist()
            self._shares[self._group.get(bus, bus)] = _Shares(
                **dict(zip(("z_p", "i_p", "z_q", "i_q"), mean, strict=True))
            )
        for bus, s in _other_draws(reader):
            group = self._group.get(bus, bus)
            self._all[group] = self._all.get(group, 0j) + s

    def laws(self, bus: int) -> tuple[VoltageLaw, VoltageLaw | None]:
        """Of the loads at a bus."""
        group = self._group.get(bus, bus)
        loads, everything = self._loads[group], self._all[group]
        of_p = everything.real / loads.real if loads.real else 1.0
        of_q = everything.imag / loads.imag if loads.imag else 1.0
        return self._shares[group].laws(of_p=of_p, of_q=of_q)


def _fused(reader: NetReader) -> dict[int, int]:
    """One bus of each group that closed switches without impedance join, for every bus of the group."""
    above: dict[int, int] = {}

    def top(bus: int) -> int:
        while above.get(bus, bus) != bus:
            bus = above[bus]
        return bus

    for row in reader.net.switch.to_dict("records"):
        joins = row["et"] == "b" and row["closed"] and not (number(row.get("z_ohm")) or 0.0) > 0.0
        if joins and row["bus"] in reader.bus_id and row["element"] in reader.bus_id:
            above[top(row["bus"])] = top(row["element"])
    return {bus: top(bus) for bus in list(above)}


def _other_draws(reader: NetReader) -> Iterator[tuple[int, complex]]:
    """(bus, MVA drawn) of what else pandapower adds to a bus's load."""
    for table, sign in (("sgen", -1.0), ("storage", 1.0), ("motor", 1.0), ("ward", 1.0), ("xward", 1.0)):
        for row in reader.net[table].to_dict("records"):
            if row["in_service"] and row["bus"] in reader.bus_id:
                if table == "motor":
                    yield row["bus"], motor_mva(row)
                elif table.endswith("ward"):
                    yield row["bus"], complex(row["ps_mw"], row["qs_mvar"])
                else:
                    yield row["bus"], sign * complex(row["p_mw"], row["q_mvar"]) * float(row["scaling"])
    for table, sign in (("asymmetric_load", 1.0), ("asymmetric_sgen", -1.0)):
        for row in reader.net[table].to_dict("records"):
            if row["in_service"] and row["bus"] in reader.bus_id:
                yield row["bus"], sign * sum(phase_mva(row))


def motor_mva(row: dict[str, Any]) -> complex:
    """What a motor draws: its mechanical power over its efficiency, at its power factor."""
    p = float(row["pn_mech_mw"]) / (float(row["efficiency_percent"]) / 100.0)
    p *= float(row["loading_percent"]) / 100.0 * float(row["scaling"])
    cos_phi = float(row["cos_phi"])
    return complex(p, abs(p) * (1.0 - min(cos_phi, 1.0) ** 2) ** 0.5 / cos_phi)


def phase_mva(row: dict[str, Any]) -> list[complex]:
    """Powers of the three phases of an asymmetric element."""
    scaling = float(row["scaling"])
    return [complex(row[f"p_{phase}_mw"], row[f"q_{phase}_mvar"]) * scaling for phase in PHASE_LETTERS]


def read_motors(reader: NetReader) -> Iterator[Load]:
    """Motors as pandapower's power flow has them: constant power."""
    for _, element, row in reader.rows("motor"):
        reader.note(element, "a motor, carried over as a load of constant power")
        yield load_between(reader, element, pairs_at(reader, reader.bus_id[row["bus"]]), s_va=1e6 * motor_mva(row))


def read_asymmetric_loads(reader: NetReader) -> Iterator[Load]:
    """One load for each phase that draws; of a balanced network their sum."""
    for _, element, row in reader.rows("asymmetric_load"):
        parts = phase_mva(row)
        pairs = pairs_at(reader, reader.bus_id[row["bus"]], delta=is_delta(row))
        if reader.balanced:
            reader.note(element, "carried over as the sum of its phases")
            yield load_between(reader, element, pairs, s_va=1e6 * sum(parts))
            continue
        for letter, s_mva, pair in zip(PHASE_LETTERS, parts, pairs, strict=True):
            if s_mva != 0.0:
                yield load_between(reader, ElementId(f"{element}_{letter}"), (pair,), s_va=1e6 * s_mva)


def read_wards(reader: NetReader, table: str) -> Iterator[Load]:
    """The constant-power part of wards and extended wards."""
    for _, element, row in reader.rows(table):
        s_va = 1e6 * complex(row["ps_mw"], row["qs_mvar"])
        if s_va != 0.0:
            yield load_between(reader, element, pairs_at(reader, reader.bus_id[row["bus"]]), s_va=s_va)
