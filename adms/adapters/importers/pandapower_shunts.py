"""pandapower shunts and the constant-impedance part of wards."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_loads import SQRT_3
from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Branch, BranchKind, Capacitor


def read_shunts(reader: NetReader) -> Iterator[Capacitor | Branch]:
    """Shunts: capacitors with their steps; reactors, resistors and those with a table as they stand."""
    for _, element, row in reader.rows("shunt"):
        bus = reader.bus_id[row["bus"]]
        v_ll_v = (number(row.get("vn_kv")) or reader.v_base_v(bus) * SQRT_3 / 1e3) * 1e3
        s_mva, step = complex(row["p_mw"], row["q_mvar"]), int(row["step"])
        tabled = text(row.get("step_dependency_table")) == "True"
        if tabled:
            s_mva = _tabled_mva(reader.net, row)
            reader.note(element, f"its table of steps is not carried over: held at step {step}")
        most = max(int(number(row.get("max_step")) or 1), step, 1)
        y_step = s_mva.conjugate() * 1e6 / v_ll_v**2
        if s_mva.imag < 0.0 and not tabled:
            yield Capacitor(
                id=element,
                nodes=reader.nodes(bus),
                y_step_siemens=as_matrix(_grounded(reader, y_step)),
                steps=most,
                normal_steps=max(step, 0),
                rating_var=-s_mva.imag * 1e6 * most,
            )
            continue
        if most > 1 and not tabled:
            reader.note(element, f"a reactor in steps is not carried over: held at step {step}")
        yield from _reactor(reader, element, bus, y_step * (1 if tabled else step))


def _tabled_mva(net: Any, row: dict[str, Any]) -> complex:
    table = net.shunt_characteristic_table
    found = table[(table.id_characteristic == row["id_characteristic_table"]) & (table.step == row["step"])]
    return complex(found.p_mw.iloc[-1], found.q_mvar.iloc[-1]) if len(found) else 0j


def _grounded(reader: NetReader, y_siemens: complex) -> ComplexArray:
    return np.asarray(y_siemens * np.eye(len(reader.phases)), dtype=np.complex128)


def _reactor(reader: NetReader, element: ElementId, bus: BusId, y_siemens: complex) -> Iterator[Branch]:
    if y_siemens == 0.0:
        reader.note(element, "left out: it has no admittance")
        return
    yield Branch(
        id=element,
        kind=BranchKind.REACTOR,
        terminals=(reader.nodes(bus),),
        y_primitive_siemens=as_matrix(_grounded(reader, y_siemens)),
    )


def read_ward_shunts(reader: NetReader, table: str) -> Iterator[Branch]:
    """The constant-impedance part of wards and extended wards."""
    for index, row in zip(reader.net[table].index, reader.net[table].to_dict("records"), strict=True):
        s_mva = complex(row["pz_mw"], row["qz_mvar"])
        if row["in_service"] and row["bus"] in reader.bus_id and s_mva != 0.0:
            bus = reader.bus_id[row["bus"]]
            y = s_mva.conjugate() * 1e6 / (3.0 * reader.v_base_v(bus) ** 2)
            yield from _reactor(reader, ElementId(f"{reader.element_id(table, index)}_z"), bus, y)
