"""A pandapower net from a file or a caller: read, brought to the present format, and checked table by table."""

import copy
import json
import math
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

from adms.adapters.files import read_text
from adms.adapters.importers.pandapower_engine import engine_call
from adms.core.errors import AdapterError, InputError, Problem

_SAFE_CLASSES = frozenset(
    {
        ("pandapower.auxiliary", "pandapowerNet"),
        ("pandas", "DataFrame"), ("pandas.core.frame", "DataFrame"), ("pandas", "Series"),
        ("pandas.core.series", "Series"), ("geopandas.geodataframe", "GeoDataFrame"), ("geopandas", "GeoDataFrame"),
        ("networkx", "MultiGraph"), ("networkx.classes.multigraph", "MultiGraph"), ("numpy", "array"),
        ("numpy", "bool"), ("numpy", "bool_"),
        *(("builtins", name) for name in ("", "complex", "set", "frozenset", "tuple", "int", "float", "bool", "str")),
        *(("numpy", f"{kind}{bits}") for kind in ("int", "float", "complex") for bits in (8, 16, 32, 64, 128)),
    }
)  # fmt: skip
"""What a file may ask to be made: pandapower imports whatever module a file names and, depending on its version, calls
what stands in it (`pandas.read_pickle` runs anything). So the list is of names, not of packages."""
_SAFE_PARTS = ("pandapower.control.", "pandapower.timeseries.", "pandapower.protection.", "shapely.geometry.")
"""Modules that hold classes of plain attributes."""

_BUSES: Mapping[str, tuple[str, ...]] = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
    "impedance": ("from_bus", "to_bus"),
    "tcsc": ("from_bus", "to_bus"),
    "dcline": ("from_bus", "to_bus"),
    **dict.fromkeys(
        (
            "ext_grid", "load", "sgen", "storage", "gen", "motor", "shunt", "ward", "xward", "asymmetric_load",
            "asymmetric_sgen", "svc", "ssc", "vsc",
        ),
        ("bus",),
    ),
}  # fmt: skip
_OF_WINDINGS = (("sn", "mva"), ("vn", "kv"), ("vk", "percent"), ("vkr", "percent"))
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "line": ("length_km", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "g_us_per_km", "parallel"),
    "trafo": (
        "sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree",
        "parallel", "df",
    ),
    "trafo3w": (
        *(f"{name}_{side}_{unit}" for name, unit in _OF_WINDINGS for side in ("hv", "mv", "lv")),
        "pfe_kw", "i0_percent", "shift_mv_degree", "shift_lv_degree",
    ),
    "impedance": ("rft_pu", "xft_pu", "rtf_pu", "xtf_pu", "sn_mva"),
    "ext_grid": ("vm_pu", "va_degree"),
    "load": (
        "p_mw", "q_mvar", "scaling", "const_z_p_percent", "const_i_p_percent", "const_z_q_percent", "const_i_q_percent",
    ),
    "sgen": ("p_mw", "q_mvar", "scaling"),
    "storage": ("p_mw", "q_mvar", "scaling"),
    "gen": ("p_mw", "vm_pu", "scaling"),
    "motor": ("pn_mech_mw", "loading_percent", "cos_phi", "efficiency_percent", "scaling"),
    "shunt": ("p_mw", "q_mvar", "step"),
    "ward": ("ps_mw", "qs_mvar", "pz_mw", "qz_mvar"),
    "xward": ("ps_mw", "qs_mvar", "pz_mw", "qz_mvar", "r_ohm", "x_ohm", "vm_pu"),
    "asymmetric_load": ("p_a_mw", "q_a_mvar", "p_b_mw", "q_b_mvar", "p_c_mw", "q_c_mvar", "scaling"),
    "asymmetric_sgen": ("p_a_mw", "q_a_mvar", "p_b_mw", "q_b_mvar", "p_c_mw", "q_c_mvar", "scaling"),
}  # fmt: skip
_POSITIVE = frozenset(
    {
        "parallel",
        "df",
        "sn_mva",
        "vn_hv_kv",
        "vn_lv_kv",
        "vk_percent",
        "vm_pu",
        "length_km",
        "cos_phi",
        "efficiency_percent",
    }
    | {f"{name}_{side}_{unit}" for name, unit in (("sn", "mva"), ("vn", "kv")) for side in ("hv", "mv", "lv")}
)
_SWITCHED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "l": ("line", ("from_bus", "to_bus")),
    "t": ("trafo", ("hv_bus", "lv_bus")),
    "t3": ("trafo3w", ("hv_bus", "mv_bus", "lv_bus")),
}


def switched_element(et: object) -> tuple[str, tuple[str, ...]] | None:
    """Table and bus columns of what a switch of this type stands at; None of a switch between two buses."""
    return _SWITCHED.get(str(et))


def read_net(source: Any) -> Any:
    """A net that is ours to change.

    Args:
        source: path of a JSON file of `pandapower.to_json`, or a net.

    Raises InputError (no such file, no net, every problem of its tables at once) and AdapterError (pandapower is not
    installed).
    """
    try:
        import pandapower
    except ImportError as error:
        message = "reading pandapower nets needs pandapower: pip install pandapower"
        raise AdapterError(message, retryable=False) from error
    if isinstance(source, Path):
        net = _from_file(source, pandapower)
    elif isinstance(source, pandapower.pandapowerNet):
        net = copy.deepcopy(source)
    else:
        raise InputError(
            [Problem(element="net", field="", value=type(source).__name__, message="not a pandapower net")]
        )
    with engine_call("pandapower does not take this net"):
        pandapower.convert_format(net)
    problems = list(_problems(net))
    if problems:
        raise InputError(problems)
    return net


def _from_file(path: Path, pandapower: Any) -> Any:
    def refused(message: str) -> InputError:
        return InputError([Problem(element=str(path), field="", value="", message=message)])

    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(f"not readable as JSON: {error}") from error
    tables = content.get("_object", content) if isinstance(content, dict) else None
    if not isinstance(tables, dict) or "bus" not in tables:
        raise refused("not a pandapower net: it has no table of buses")
    foreign = sorted({name for name in _classes(content) if not _is_safe(*name)})
    if foreign:
        raise InputError(
            [
                Problem(
                    element=str(path), field="_module", value=f"{module}.{name}", message="no class of a net: not read"
                )
                for module, name in foreign
            ]
        )
    with engine_call("pandapower does not read this file"):
        net = pandapower.from_json_string(text)
    if not isinstance(net, pandapower.pandapowerNet):
        raise refused("not a pandapower net")
    return net


def _is_safe(module: str, name: str) -> bool:
    return (module, name) in _SAFE_CLASSES or (module.startswith(_SAFE_PARTS) and name[:1].isupper())


def _classes(value: Any) -> Iterable[tuple[str, str]]:
    """(module, class) of everything that a file asks pandapower to make; tables are JSON in strings in JSON. Every
    string that may be JSON is looked into: `_module` can be written with escapes."""
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if "_module" in part or "_class" in part:
                yield str(part.get("_module", "")) or "builtins", str(part.get("_class", ""))
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)
        elif isinstance(part, str) and part.lstrip()[:1] in ("{", "[", '"'):
            try:
                rest.append(json.loads(part))
            except (ValueError, RecursionError):
                continue


def _problems(net: Any) -> Iterable[Problem]:
    shapeless = [table for table in _frames() if table in net and not hasattr(net[table], "columns")]
    if shapeless:
        yield from (Problem(element=table, field="", value="", message="is no table") for table in shapeless)
        return
    absent = [
        Problem(element=table, field=name, value="", message="this column is missing")
        for table, names in (("bus", ("vn_kv", "in_service")), ("switch", ("bus", "element", "et", "closed", "z_ohm")))
        for name in names
        if table not in net or name not in net[table]
    ]
    if absent:
        yield from absent
        return
    for table, column in (("net", "f_hz"), ("net", "sn_mva")):
        if not _number(net.get(column)) or net[column] <= 0.0:
            yield Problem(element=table, field=column, value=str(net.get(column)), message="must be a positive number")
    if not len(net.bus):
        yield Problem(element="net", field="bus", value="", message="there are none")
    for table in ("bus", *_BUSES, "switch"):
        if table in net and not net[table].index.is_unique:
            yield Problem(element=table, field="index", value="", message="has an index twice")
    for index, kv in zip(net.bus.index, net.bus.vn_kv, strict=True):
        if not _number(kv) or kv <= 0.0:
            yield Problem(element=f"bus.{index}", field="vn_kv", value=str(kv), message="must be a positive number")
    known = set(net.bus.index)
    for table, columns in _BUSES.items():
        if table in net and len(net[table]):
            yield from _table_problems(net[table], table, bus_columns=columns, known=known)
    yield from _switch_problems(net, known)
    supplied = any(table in net and bool(net[table].in_service.any()) for table in ("ext_grid", "gen"))
    if not supplied:
        yield Problem(
            element="net", field="ext_grid", value="", message="there is none in service: nothing is energised"
        )


def _frames() -> Iterable[str]:
    """Everything that is a table in a net of pandapower's own, but for results."""
    import pandapower

    for name, part in pandapower.create_empty_network().items():
        if hasattr(part, "columns") and not name.startswith(("_", "res_")):
            yield name


def _table_problems(frame: Any, table: str, *, bus_columns: tuple[str, ...], known: set[Any]) -> Iterable[Problem]:
    missing = [name for name in (*bus_columns, *_NUMBERS.get(table, ()), "in_service") if name not in frame]
    for name in missing:
        yield Problem(element=table, field=name, value="", message="this column is missing")
    if "in_service" in missing:
        return
    for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
        for name in bus_columns:
            if name in row and not _is_among(row[name], known):
                yield Problem(element=f"{table}.{index}", field=name, value=str(row[name]), message="unknown bus")
        if not row["in_service"]:
            continue
        for name in _NUMBERS.get(table, ()):
            value = row.get(name)
            if name in missing or (name in _POSITIVE and _number(value) and value > 0.0):
                continue
            if not _number(value):
                yield Problem(
                    element=f"{table}.{index}", field=name, value=str(value), message="is not a finite number"
                )
            elif name in _POSITIVE:
                yield Problem(element=f"{table}.{index}", field=name, value=str(value), message="must be positive")
        yield from _row_problems(row, f"{table}.{index}", table)


def _row_problems(row: Mapping[str, Any], element: str, table: str) -> Iterable[Problem]:
    def zero(*names: str) -> bool:
        return all(_number(row.get(name)) and row[name] == 0.0 for name in names)

    for pair in (("r_ohm_per_km", "x_ohm_per_km"), ("rft_pu", "xft_pu"), ("rtf_pu", "xtf_pu")):
        if pair[0] in row and zero(*pair):
            yield Problem(element=element, field=pair[1], value="0", message="has no impedance at all")
    if table == "xward" and zero("r_ohm", "x_ohm"):
        yield Problem(element=element, field="x_ohm", value="0", message="has no impedance at all")
    if table == "load":
        for part in ("p", "q"):
            shares = [row.get(f"const_{law}_{part}_percent") for law in ("z", "i")]
            if all(_number(share) for share in shares) and not sum(map(float, shares)) <= 100.0 + 1e-9:  # type: ignore[arg-type]
                yield Problem(
                    element=element, field=f"const_z_{part}_percent", value=str(shares), message="shares beyond 100 %"
                )


def _switch_problems(net: Any, known: set[Any]) -> Iterable[Problem]:
    ends = {
        table: dict(zip(net[table].index, zip(*(net[table][column] for column in columns), strict=True), strict=True))
        for table, columns in _SWITCHED.values()
        if all(column in net[table] for column in columns)
    }
    frame = net.switch
    for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
        element = f"switch.{index}"
        if not _is_among(row["bus"], known):
            yield Problem(element=element, field="bus", value=str(row["bus"]), message="unknown bus")
        place = switched_element(row["et"])
        if place is None and row["et"] != "b":
            yield Problem(element=element, field="et", value=str(row["et"]), message="must be b, l, t or t3")
        elif place is None and not _is_among(row["element"], known):
            yield Problem(element=element, field="element", value=str(row["element"]), message="unknown bus")
        elif place is not None and place[0] in ends:
            at = ends[place[0]].get(row["element"]) if isinstance(row["element"], Hashable) else None
            if at is None:
                yield Problem(
                    element=element, field="element", value=str(row["element"]), message=f"no such {place[0]}"
                )
            elif row["bus"] not in at:
                yield Problem(
                    element=element, field="bus", value=str(row["bus"]), message=f"is no end of this {place[0]}"
                )


def _is_among(value: Any, known: set[Any]) -> bool:
    return isinstance(value, Hashable) and value in known


def _number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False
