"""pandapower nets, with the admittances that pandapower itself solves with.

A net is balanced, one node of phase 0 a bus, unless it has asymmetric elements and all the zero-sequence data that
`pandapower.runpp_3ph` needs: then it has phases 1, 2, 3.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adms.adapters.files import input_problems
from adms.adapters.importers.overlay import apply_overlay
from adms.adapters.importers.overlay_schema import read_overlay
from adms.adapters.importers.pandapower_branches import (
    BranchDraft,
    read_impedances,
    read_lines,
    read_series_compensators,
)
from adms.adapters.importers.pandapower_devices import (
    read_controlled,
    read_sources,
    read_static,
    read_ward_sources,
)
from adms.adapters.importers.pandapower_engine import (
    BALANCED,
    SEQUENCES,
    primitives_siemens,
    solve,
    study_net,
)
from adms.adapters.importers.pandapower_loads import (
    motor_mva,
    phase_mva,
    read_asymmetric_loads,
    read_loads,
    read_motors,
    read_wards,
)
from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.adapters.importers.pandapower_net import read_net
from adms.adapters.importers.pandapower_shunts import read_shunts, read_ward_shunts
from adms.adapters.importers.pandapower_switches import read_switches
from adms.adapters.importers.pandapower_transformers import read_transformers
from adms.core.errors import InputError, Problem
from adms.grid.model import Branch, Capacitor, Der, NetworkModel
from adms.grid.settled import settled
from adms.grid.validation import check

_CONTROLLED = ("gen", "xward", "tcsc", "dcline", "svc", "ssc", "vsc")
_ELEMENTS = (
    "line", "trafo", "trafo3w", "impedance", "ext_grid", "load", "sgen", "storage", "motor", "shunt", "ward",
    "asymmetric_load", "asymmetric_sgen", *_CONTROLLED,
)  # fmt: skip
_CARRIED = frozenset({*_ELEMENTS, "bus", "switch", "trafo_characteristic_table", "shunt_characteristic_table"})
_ASYMMETRIC = ("asymmetric_load", "asymmetric_sgen")
_ZERO_SEQUENCE = {
    "line": ("r0_ohm_per_km", "x0_ohm_per_km", "c0_nf_per_km"),
    "trafo": ("vk0_percent", "vkr0_percent", "mag0_percent", "mag0_rx", "si0_hv_partial"),
    "ext_grid": ("s_sc_max_mva", "rx_max", "x0x_max", "r0x0_max"),
    "impedance": ("rft0_pu", "xft0_pu", "rtf0_pu", "xtf0_pu", "gf0_pu", "bf0_pu", "gt0_pu", "bt0_pu"),
}
_UNGROUNDED = frozenset({"yy", "yd", "dy", "dd"})
_GROUNDED = frozenset({"ynyn", "dyn", "yzn"})
_S_SMALLEST_VA = 1e3


def import_pandapower(source: Any, *, overlay: Path | None = None, three_phase: bool | None = None) -> NetworkModel:
    """The network of a pandapower net, with an overlay's additions.

    What pandapower controls (generators, extended wards, converters) is held at what it solves for it; tap changers,
    switches and steps stand where the net has them, which is their normal position. Everything not carried over is
    listed element by element in `notes`. A net given is not changed.

    Args:
        source: path of a JSON file written by `pandapower.to_json`, or a `pandapowerNet`.
        overlay: path of an overlay file, as for every importer.
        three_phase: True for phases 1, 2, 3, False for a balanced network; None: as the net asks for.

    Raises InputError (file, net or overlay missing or wrong, every problem at once) and AdapterError (pandapower is not
    installed).
    """
    file = source if isinstance(source, Path) else None
    unreadable = input_problems([file, overlay])
    if unreadable:
        raise InputError(unreadable)
    parsed = None if overlay is None else read_overlay(overlay, source=file)
    net = read_net(source)
    name = text(net.get("name")).lower() or ("pandapower" if file is None else file.stem.lower())
    model = _read(net, name=name, three_phase=three_phase)
    if parsed is not None:
        model = apply_overlay(model, parsed)
    model = settled(model)
    problems = check(model)
    if problems:
        raise InputError(problems)
    return model


def _read(net: Any, *, name: str, three_phase: bool | None) -> NetworkModel:
    asymmetric = any(bool(net[table].in_service.any()) for table in _ASYMMETRIC)
    gaps = _zero_sequence_gaps(net) if three_phase or (three_phase is None and asymmetric) else ()
    if three_phase and gaps:
        raise InputError(gaps)
    phases = (1, 2, 3) if three_phase or (three_phase is None and asymmetric and not gaps) else (0,)
    reader = NetReader(net=net, phases=phases)
    if gaps:
        reader.note(
            "net", f"balanced, as there is not all data of the zero sequence: {'; '.join(map(str, gaps))}"[:400]
        )
    return _carried(reader, name=name)


def _carried(reader: NetReader, *, name: str) -> NetworkModel:
    net = reader.net
    reader.drop_what_is_out_of_service(_ELEMENTS)
    sequences = BALANCED if reader.balanced else SEQUENCES
    study = study_net(net)
    y = primitives_siemens(study, sequences=sequences)
    controlled = any(table in net and len(net[table]) for table in _CONTROLLED)
    solved = solve(net) if controlled else None
    s_total_va = max(_S_SMALLEST_VA, sum(_powers_va(net)))
    reader.read_buses()
    drafts: dict[tuple[str, int], BranchDraft] = {}
    if "line" in y:
        drafts.update((("line", index), draft) for index, draft in read_lines(reader, y["line"]).items())
    for table in ("trafo", "trafo3w"):
        if table in y:
            found = read_transformers(reader, table, study=study, y=y[table], sequences=sequences)
            drafts.update(((table, index), draft) for index, draft in found.items())
    alone = list(read_impedances(reader, y["impedance"])) if "impedance" in y else []
    ders: list[Der] = list(read_static(reader))
    if solved is not None:
        alone += read_series_compensators(reader, solved)
        ders += read_controlled(reader, solved)
        for draft, der in read_ward_sources(reader, y["xward"], solved) if "xward" in y else ():
            alone.append(draft)
            ders += [der] if der is not None else []
    drafts.update((("alone", place), draft) for place, draft in enumerate(alone))
    switches = read_switches(reader, drafts, s_total_va=s_total_va)
    shunts = [*read_shunts(reader), *read_ward_shunts(reader, "ward"), *read_ward_shunts(reader, "xward")]
    loads = [*read_loads(reader), *read_asymmetric_loads(reader), *read_motors(reader)]
    loads += [*read_wards(reader, "ward"), *read_wards(reader, "xward")]
    sources = tuple(read_sources(reader, solved=solved, s_total_va=s_total_va))
    _note_the_rest(reader)
    return NetworkModel(
        name=name,
        frequency_hz=float(net.f_hz),
        buses=tuple(reader.buses.values()),
        sources=sources,
        branches=(
            *(draft.finished(reader) for draft in drafts.values()),
            *switches,
            *(shunt for shunt in shunts if isinstance(shunt, Branch)),
        ),
        capacitors=tuple(shunt for shunt in shunts if isinstance(shunt, Capacitor)),
        loads=tuple(loads),
        ders=tuple(ders),
        notes=tuple(dict.fromkeys(reader.notes)),
    )


def _powers_va(net: Any) -> Iterator[float]:
    """Of everything that draws or injects."""
    for table in ("load", "sgen", "storage", "gen"):
        for row in net[table].to_dict("records"):
            yield 1e6 * abs(complex(row["p_mw"], number(row.get("q_mvar")) or 0.0)) * abs(float(row["scaling"]))
    for table in _ASYMMETRIC:
        for row in net[table].to_dict("records"):
            yield 1e6 * sum(map(abs, phase_mva(row)))
    for row in net.motor.to_dict("records"):
        yield 1e6 * abs(motor_mva(row))
    for table in ("ward", "xward"):
        for row in net[table].to_dict("records"):
            yield 1e6 * (abs(complex(row["ps_mw"], row["qs_mvar"])) + abs(complex(row["pz_mw"], row["qz_mvar"])))
    for row in net.shunt.to_dict("records"):
        yield 1e6 * abs(complex(row["p_mw"], row["q_mvar"]))


def _zero_sequence_gaps(net: Any) -> tuple[Problem, ...]:
    """What is missing of the data of a three-phase network."""
    found = []

    def add(element: str, field: str, value: object, message: str) -> None:
        found.append(Problem(element=element, field=field, value=str(value), message=message))

    for table in ("trafo3w", "xward", "tcsc", "svc", "ssc", "vsc", "dcline", "gen"):
        for index in net[table].index[net[table].in_service.astype(bool)] if table in net else ():
            add(f"{table}.{index}", "", "", "pandapower has no three-phase model of it")
    for table, columns in _ZERO_SEQUENCE.items():
        frame = net[table]
        for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
            for column in columns if row["in_service"] else ():
                if number(row.get(column)) is None:
                    add(f"{table}.{index}", column, row.get(column), "is missing, and a three-phase network needs it")
            if table == "trafo" and row["in_service"]:
                group = text(row.get("vector_group")).lower()
                if group not in _UNGROUNDED | _GROUNDED:
                    add(f"trafo.{index}", "vector_group", group, "pandapower's three-phase power flow does not have it")
    return tuple(found)


def _note_the_rest(reader: NetReader) -> None:
    """Names what no other part of the importer looks at."""
    for table, frame in reader.net.items():
        if table.startswith(("_", "res_")) or table in _CARRIED:
            continue
        if hasattr(frame, "columns"):
            for index in frame.index:
                reader.note(reader.element_id(table, index), "not part of the model")
        elif isinstance(frame, dict) and frame and table not in ("std_types", "user_pf_options"):
            reader.note(str(table), f"not part of the model ({len(frame)} entries)")
    switches = len(reader.net.switch)
    if switches:
        reader.note("switch", f"nothing is said of remote operation: all {switches} are taken to be operated by hand")
