"""pandapower sources, generators, storage, and what it holds a voltage or a flow with."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_branches import BranchDraft
from adms.adapters.importers.pandapower_engine import over_phases
from adms.adapters.importers.pandapower_loads import PHASE_LETTERS, SQRT_3, Pairs, is_delta, pairs_at, phase_mva
from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import BranchKind, Der, DerKind, NodeRef, Source

_REACTIVE_SHARE = 0.44
"""IEEE 1547-2018, category B."""
_DROP_PU = 3e-9
"""Across the impedance that stands in for none, at the power of the whole network."""
_VOLTAGE_FACTOR = 1.1
"""c of IEC 60909 in the impedance of an external grid, as pandapower has it."""


def read_sources(reader: NetReader, *, solved: Any | None, s_total_va: float) -> Iterator[Source]:
    """External grids, and generators that are slacks: a voltage behind next to no impedance. In a three-phase net the
    negative and zero sequence have the impedances of the short-circuit data."""
    for _, element, row in reader.rows("ext_grid"):
        bus = reader.bus_id[row["bus"]]
        y = [_stiff(reader, bus, s_total_va)]
        if not reader.balanced:
            y1, y0 = short_circuit_siemens(row, v_base_v=reader.v_base_v(bus))
            y = [y0, y[0], y1]
        elif number(row.get("s_sc_max_mva")) is not None:
            reader.note(
                element, "its short-circuit power is not carried over: the source is as stiff as the power flow's"
            )
        yield _source(reader, element, bus, v_pu=float(row["vm_pu"]), angle_deg=float(row["va_degree"]), y=y)
    if solved is None:
        return
    for _, element, row in reader.rows("gen"):
        if row.get("slack"):
            bus = reader.bus_id[row["bus"]]
            angle = float(solved.res_bus.at[row["bus"], "va_degree"])
            reader.note(element, "a generator that is the slack, carried over as a source")
            y = [_stiff(reader, bus, s_total_va)] * (1 if reader.balanced else 3)
            yield _source(reader, element, bus, v_pu=float(row["vm_pu"]), angle_deg=angle, y=y)


def _stiff(reader: NetReader, bus: BusId, s_total_va: float) -> complex:
    return -1j * s_total_va / (3.0 * reader.v_base_v(bus) ** 2) / _DROP_PU


def short_circuit_siemens(row: dict[str, Any], *, v_base_v: float) -> tuple[complex, complex]:
    """Admittances of an external grid in the negative and the zero sequence, from its maximal short-circuit power."""
    z = _VOLTAGE_FACTOR * 3.0 * v_base_v**2 / (float(row["s_sc_max_mva"]) * 1e6)
    x = z / math.hypot(float(row["rx_max"]), 1.0)
    x0 = float(row["x0x_max"]) * x
    return 1.0 / complex(float(row["rx_max"]) * x, x), 1.0 / complex(float(row["r0x0_max"]) * x0, x0)


def _source(
    reader: NetReader, element: ElementId, bus: BusId, *, v_pu: float, angle_deg: float, y: Sequence[complex]
) -> Source:
    nodes = reader.nodes(bus)
    turn = [0.0 if reader.balanced else -2.0 * math.pi / 3.0 * place for place in range(len(nodes))]
    return Source(
        id=element,
        nodes=nodes,
        v_magnitude_pu=(v_pu,) * len(nodes),
        v_angle_rad=tuple(math.radians(angle_deg) + angle for angle in turn),
        y_primitive_siemens=as_matrix(over_phases(np.array(y, dtype=np.complex128)[:, None, None])),
    )


def der_between(
    reader: NetReader,
    element: ElementId,
    pairs: Pairs,
    *,
    s_va: complex,
    kind: DerKind = DerKind.GENERATOR,
    row: dict[str, Any] | None = None,
) -> Der | None:
    """A device that injects `s_va` now; None, and a note, where nothing says how large it is.

    Its rating is that of the row, or what it injects where that is more or there is none.
    """
    given = number((row or {}).get("sn_mva")) or 0.0
    s_max_va = max(given * 1e6, abs(s_va))
    if not s_max_va > 0.0:
        reader.note(element, "left out: it has neither power nor rating")
        return None
    store = kind is DerKind.BATTERY
    energy = number((row or {}).get("max_e_mwh")) if store else None
    x = number((row or {}).get("xdss_pu"))
    k = number((row or {}).get("k"))
    across = SQRT_3 if pairs[0][1] is not None else 1.0
    return Der(
        id=element,
        kind=kind,
        pairs=pairs,
        s_max_va=s_max_va,
        p_max_w=s_max_va,
        p_min_w=-s_max_va if store else min(0.0, s_va.real),
        q_max_var=min(s_max_va, max(_REACTIVE_SHARE * s_max_va, abs(s_va.imag))),
        v_nominal_v=reader.v_base_v(pairs[0][0].bus) * across,
        energy_wh=energy * 1e6 if energy is not None and energy > 0.0 else None,
        default_p_injection_w=0.0 if store else None,
        normal_p_injection_w=s_va.real,
        normal_q_injection_var=s_va.imag,
        fault_current_pu=k if k is not None and k >= 0.0 else None,
        x_subtransient_pu=x if x is not None and x > 0.0 else None,
    )


def read_static(reader: NetReader) -> Iterator[Der]:
    """Static generators and storage. pandapower counts what storage draws as positive."""
    for table, sign in (("sgen", 1.0), ("storage", -1.0)):
        for _, element, row in reader.rows(table):
            s_va = sign * 1e6 * complex(row["p_mw"], row["q_mvar"]) * float(row["scaling"])
            pairs = pairs_at(reader, reader.bus_id[row["bus"]], delta=is_delta(row))
            kind = DerKind.BATTERY if table == "storage" else _kind(row)
            der = der_between(reader, element, pairs, s_va=s_va, kind=kind, row=row)
            if der is not None:
                yield der
    for _, element, row in reader.rows("asymmetric_sgen"):
        parts = phase_mva(row)
        pairs = pairs_at(reader, reader.bus_id[row["bus"]], delta=is_delta(row))
        if reader.balanced:
            reader.note(element, "carried over as the sum of its phases")
            der = der_between(reader, element, pairs, s_va=1e6 * sum(parts), kind=_kind(row), row=row)
            if der is not None:
                yield der
            continue
        for letter, s_mva, pair in zip(PHASE_LETTERS, parts, pairs, strict=True):
            part = ElementId(f"{element}_{letter}")
            rating = {"sn_mva": row.get(f"sn_{letter}_mva")}
            if s_mva != 0.0:
                der = der_between(reader, part, (pair,), s_va=1e6 * s_mva, kind=_kind(row), row=rating)
                if der is not None:
                    yield der


def _kind(row: dict[str, Any]) -> DerKind:
    words = f"{text(row.get('type'))} {text(row.get('name'))}".lower()
    return DerKind.PV if "pv" in words.replace("_", " ").split() or "solar" in words else DerKind.GENERATOR


def read_controlled(reader: NetReader, solved: Any) -> Iterator[Der]:
    """What pandapower holds a voltage or a flow with, each as the power that it solves for it."""
    held = "its control is not carried over: held at the power that pandapower solves"
    for position, element, row in reader.rows("gen"):
        if not row.get("slack"):
            result = solved.res_gen.iloc[position]
            yield from _held(reader, element, row["bus"], complex(result.p_mw, result.q_mvar), held, row)
    for table in ("svc", "ssc", "vsc"):
        for position, element, row in reader.rows(table):
            result = solved[f"res_{table}"].iloc[position]
            s_mva = -complex(result.get("p_mw", 0.0), result.q_mvar)
            yield from _held(reader, element, row["bus"], s_mva, held, {})
    for position, element, row in reader.rows("dcline", buses=("from_bus", "to_bus")):
        result = solved.res_dcline.iloc[position]
        for side in ("from", "to"):
            s_mva = -complex(result[f"p_{side}_mw"], result[f"q_{side}_mvar"])
            if row[f"{side}_bus"] in reader.bus_id:
                yield from _held(reader, ElementId(f"{element}_{side}"), row[f"{side}_bus"], s_mva, held, {})


def _held(
    reader: NetReader, element: ElementId, bus: int, s_mva: complex, note: str, row: dict[str, Any]
) -> Iterator[Der]:
    if not (math.isfinite(s_mva.real) and math.isfinite(s_mva.imag)):
        reader.note(element, "left out: pandapower solves no power for it, its bus is dead")
        return
    der = der_between(reader, element, pairs_at(reader, reader.bus_id[bus]), s_va=1e6 * s_mva, row=row)
    if der is not None:
        reader.note(element, note)
        yield der


def read_ward_sources(reader: NetReader, y: ComplexArray, solved: Any) -> Iterator[tuple[BranchDraft, Der | None]]:
    """The voltage behind an impedance of extended wards: its branch, and its reactive power held at the solved one."""
    frame = reader.net.xward
    for position, (index, row) in enumerate(zip(frame.index, frame.to_dict("records"), strict=True)):
        if not row["in_service"] or row["bus"] not in reader.bus_id:
            continue
        element, bus = reader.element_id("xward", index), reader.bus_id[row["bus"]]
        inner = reader.add_bus(f"{element.partition('.')[2]}_source", like=reader.buses[bus])
        branch = BranchDraft(
            id=ElementId(f"{element}_source"),
            kind=BranchKind.REACTOR,
            ends=[bus, inner],
            y_siemens=over_phases(y[:, position]),
        )
        at = solved.res_bus.loc[row["bus"]]
        result = solved.res_xward.iloc[position]
        v = [
            magnitude * np.exp(1j * math.radians(angle))
            for magnitude, angle in ((at.vm_pu, at.va_degree), (result.vm_internal_pu, result.va_internal_degree))
        ]
        primitive = y[0 if reader.balanced else 1, position]
        s_va = 3.0 * reader.v_base_v(bus) ** 2 * v[1] * np.conj(primitive[1, 0] * v[0] + primitive[1, 1] * v[1])
        injection = complex(0.0, s_va.imag)
        pairs: Pairs = tuple((NodeRef(inner, phase), None) for phase in reader.phases)
        reader.note(
            element, "its voltage control is not carried over: held at the reactive power that pandapower solves"
        )
        yield branch, der_between(reader, ElementId(f"{element}_held"), pairs, s_va=injection)
