"""What pandapower makes of its tables: primitives of every branch, tap by tap, and the state that it solves.

The admittances are read from pandapower's own branch table (r, x, g, b, ratio and shift per unit, in rows for lines,
transformers, the three legs of three-winding transformers, impedances and inner branches of extended wards), so that
every element is what pandapower solves with. Nothing here changes the caller's net: all of it works on copies.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray

BALANCED: tuple[int | None, ...] = (None,)
SEQUENCES: tuple[int | None, ...] = (0, 1, 2)
_A = np.exp(2j * np.pi / 3.0)
_TO_PHASES = np.array([[1.0, 1.0, 1.0], [1.0, _A**2, _A], [1.0, _A, _A**2]])
"""Phase values from those of zero, positive and negative sequence (Fortescue 1918)."""
_ACTIVE = (
    "gen",
    "sgen",
    "load",
    "storage",
    "motor",
    "asymmetric_load",
    "asymmetric_sgen",
    "shunt",
    "ward",
    "measurement",
)
_FACTS = (
    "svc",
    "ssc",
    "vsc",
    "tcsc",
    "dcline",
    "vsc_stacked",
    "vsc_bipolar",
    "bus_dc",
    "line_dc",
    "source_dc",
    "load_dc",
)
_SOLVES_MVA = (1e-10, 1e-8)
_STEPS = 50


@contextmanager
def engine_call(what: str) -> Iterator[None]:
    """pandapower at work: its warnings are about its own tables and not for our caller, and whatever it raises about
    the net is bad input."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # pandapower raises whatever a wrong table leads to
        message = f"{what}: {str(error) or type(error).__name__}"
        raise InputError([Problem(element="net", field="", value="", message=message)]) from error


def study_net(net: Any) -> Any:
    """A copy with every branch in service and no switch, so that the branch table has the whole element."""
    study = copy.deepcopy(net)
    study["switch"] = study.switch.iloc[:0].copy()
    for table in (*_ACTIVE, *_FACTS):
        if table in study:
            study[table] = study[table].iloc[:0].copy()
    for table in ("bus", "line", "trafo", "trafo3w", "impedance", "xward", "ext_grid"):
        study[table]["in_service"] = True
    for table in ("trafo", "trafo3w"):
        _own_characteristics(study, table)
    return study


def _own_characteristics(study: Any, table: str) -> None:
    """Each transformer on a tap table of its own: pandapower mixes up two that share one at different positions."""
    frame, known = study[table], study.get("trafo_characteristic_table")
    if known is None or not len(known) or "tap_dependency_table" not in frame or "id_characteristic_table" not in frame:
        return
    import pandas as pd

    parts, ids = [known], frame["id_characteristic_table"].astype(object).to_numpy().copy()
    free = int(known["id_characteristic"].max()) + 1
    for row, (follows, old) in enumerate(zip(frame["tap_dependency_table"], ids, strict=True)):
        if pd.notna(follows) and bool(follows) and pd.notna(old):
            part = known[known["id_characteristic"] == old].copy()
            part["id_characteristic"] = free
            ids[row] = free
            parts.append(part)
            free += 1
    study["trafo_characteristic_table"] = pd.concat(parts, ignore_index=True)
    frame["id_characteristic_table"] = pd.array(ids, dtype="Int64")


def primitives_siemens(study: Any, *, sequences: Sequence[int | None]) -> dict[str, ComplexArray]:
    """Primitives of every branch of a study net.

    Args:
        study: from `study_net`.
        sequences: `BALANCED` or `SEQUENCES`.

    Returns:
        For each table of branches [sequence, row, terminal, terminal], siemens of one phase. Terminals of a
        three-winding transformer are hv, mv, lv, its star eliminated; those of an extended ward its bus and its source.
    """
    found = [_one_sequence(study, sequence=sequence) for sequence in sequences]
    return {table: np.array([part[table] for part in found]) for table in found[0]}


def _one_sequence(study: Any, *, sequence: int | None) -> dict[str, ComplexArray]:
    with engine_call("pandapower does not take this net's branches"):
        ppc = _tables(study, sequence=sequence)
    from pandapower.pypower.idx_bus import BASE_KV, BS, GS

    per_phase = 1.0 if sequence is None else 3.0
    found = {}
    for table, (start, end) in study["_pd2ppc_lookups"]["branch"].items():
        found[table] = _siemens(ppc, slice(start, end), scale=per_phase * 1e6 * ppc["baseMVA"])
    if "trafo3w" in found:
        lookup = study["_pd2ppc_lookups"]
        star = lookup["bus"][lookup["aux"]["trafo3w"]]
        at_star = (ppc["bus"][star, GS] + 1j * ppc["bus"][star, BS]) * 1e6 / (ppc["bus"][star, BASE_KV] * 1e3) ** 2
        found["trafo3w"] = _without_star(found["trafo3w"], at_star)
    return found


def _tables(study: Any, *, sequence: int | None) -> Mapping[str, Any]:
    """pandapower's own bus and branch tables, per unit; where its elements are in them goes into the study net."""
    from pandapower.auxiliary import _add_ppc_options, _select_is_elements_numba
    from pandapower.build_branch import _build_branch_ppc
    from pandapower.build_bus import _build_bus_ppc, _calc_shunts_and_add_on_ppc
    from pandapower.pd2ppc import _init_ppc
    from pandapower.pd2ppc_zero import _build_branch_ppc_zero

    given = study.get("user_pf_options") or {}
    mode = "pf" if sequence is None else "pf_3ph"
    study["_options"] = {}
    _add_ppc_options(
        study,
        calculate_voltage_angles=True,
        trafo_model=given.get("trafo_model", "t") if sequence is None else "t",
        check_connectivity=False,
        mode=mode,
        switch_rx_ratio=2,
        enforce_p_lims=False,
        enforce_q_lims=False,
        recycle=None,
        trafo3w_losses=given.get("trafo3w_losses", "hv"),
        consider_line_temperature=given.get("consider_line_temperature", False),
    )
    study["_pd2ppc_lookups"] = {"bus": np.array([], dtype=np.int64), "ext_grid": np.array([], dtype=np.int64)}
    study["_pd2ppc_lookups"] |= {
        "gen": np.array([], dtype=np.int64),
        "branch": {},
        "aux_dc": {},
        "bus_dc": np.array([]),
    }
    ppc = _init_ppc(study, mode=mode, sequence=sequence)
    study["_ppc"] = ppc
    study["_is_elements"] = _select_is_elements_numba(study, sequence=sequence)
    _build_bus_ppc(study, ppc, sequence=sequence)
    if sequence == 0:
        _build_branch_ppc_zero(study, ppc)
    else:
        _build_branch_ppc(study, ppc, sequence)
    _calc_shunts_and_add_on_ppc(study, ppc)
    tables: Mapping[str, Any] = ppc
    return tables


def _siemens(ppc: Mapping[str, Any], rows: slice, *, scale: float) -> ComplexArray:
    """[row, 2, 2]: series impedances, halves of the shunts and the complex ratio at the first end."""
    from pandapower.pypower import idx_brch as column
    from pandapower.pypower.idx_bus import BASE_KV

    table = ppc["branch"][rows]
    of = {name: np.real(table[:, getattr(column, name)]) for name in dir(column) if name.isupper()}
    z_fr = of["BR_R"] + 1j * of["BR_X"]
    z_to = z_fr + of["BR_R_ASYM"] + 1j * of["BR_X_ASYM"]
    shunt_fr = 0.5 * (of["BR_G"] + 1j * of["BR_B"])
    shunt_to = shunt_fr + 0.5 * (of["BR_G_ASYM"] + 1j * of["BR_B_ASYM"])
    ratio = np.where(of["TAP"] == 0.0, 1.0, of["TAP"]) * np.exp(1j * np.deg2rad(of["SHIFT"]))
    y = np.empty((len(table), 2, 2), dtype=np.complex128)
    with np.errstate(divide="ignore", invalid="ignore"):
        y[:, 0, 0] = (1.0 / z_fr + shunt_fr) / np.abs(ratio) ** 2
        y[:, 0, 1] = -1.0 / (z_fr * ratio.conj())
        y[:, 1, 0] = -1.0 / (z_to * ratio)
        y[:, 1, 1] = 1.0 / z_to + shunt_to
    v = 1e3 * np.stack([ppc["bus"][of[end].astype(np.int64), BASE_KV] for end in ("F_BUS", "T_BUS")], axis=1)
    return np.asarray(y * scale / (v[:, :, None] * v[:, None, :]))


def _without_star(legs: ComplexArray, at_star: ComplexArray) -> ComplexArray:
    """[row, 3, 3] of hv, mv and lv from the three legs [3 row, 2, 2], the first of which ends at the star and the
    others begin there."""
    count = len(legs) // 3
    hv, mv, lv = legs[:count], legs[count : 2 * count], legs[2 * count :]
    y = np.zeros((count, 4, 4), dtype=np.complex128)
    y[:, [[0], [3]], [0, 3]] += hv
    y[:, [[3], [1]], [3, 1]] += mv
    y[:, [[3], [2]], [3, 2]] += lv
    y[:, 3, 3] += at_star
    return np.asarray(y[:, :3, :3] - y[:, :3, 3:] * y[:, 3:, :3] / y[:, 3:, 3:])


def over_phases(y: ComplexArray) -> ComplexArray:
    """Over nodes, from [sequence, terminal, terminal]: as it is where there is one sequence (a balanced network), else
    the phases of the first terminal, then those of the next, [3 terminal, 3 terminal]."""
    if len(y) == 1:
        return np.asarray(y[0])
    blocks = np.einsum("ps,sij,sq->ipjq", _TO_PHASES, y, np.linalg.inv(_TO_PHASES))
    size = 3 * y.shape[1]
    return np.asarray(blocks.reshape(size, size))


def tap_primitives_siemens(
    study: Any, table: str, *, first: FloatArray, last: FloatArray, sequences: Sequence[int | None]
) -> dict[int, ComplexArray]:
    """Primitives of transformers at all their tap positions.

    Args:
        study: from `study_net`.
        table: "trafo" or "trafo3w".
        first: [row] lowest position; NaN where there is none.
        last: [row] highest position.
        sequences: as in `primitives_siemens`.

    Returns:
        By the row of a transformer with positions: [position, sequence, terminal, terminal] siemens, from the lowest.
    """
    rows = np.flatnonzero(np.isfinite(first))
    if not rows.size:
        return {}
    only = copy.deepcopy(study)
    for other in ("line", "impedance", "xward", "trafo", "trafo3w"):
        if other != table:
            only[other] = only[other].iloc[:0].copy()
    count = (last - first)[rows].astype(np.int64) + 1
    start = np.concatenate([[0], np.cumsum(count)])
    # One transformer for each position, all in one table.
    only[table] = only[table].iloc[np.repeat(rows, count)].reset_index(drop=True)
    steps = np.arange(start[-1]) - np.repeat(start[:-1], count)
    only[table]["tap_pos"] = np.repeat(first[rows], count) + steps
    _own_characteristics(only, table)
    y = primitives_siemens(only, sequences=sequences)[table].swapaxes(0, 1)
    return {int(row): y[start[k] : start[k + 1]] for k, row in enumerate(rows)}


def solve(net: Any) -> Any:
    """A copy of the net with pandapower's solution in its result tables. Raises InputError where there is none."""
    import pandapower

    solved = copy.deepcopy(net)
    for tolerance_mva in _SOLVES_MVA:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pandapower.runpp(
                    solved, calculate_voltage_angles=True, tolerance_mva=tolerance_mva, max_iteration=_STEPS
                )
        except pandapower.LoadflowNotConverged:
            continue
        except Exception as error:
            message = f"pandapower does not solve it: {str(error) or type(error).__name__}"
            raise InputError([Problem(element="net", field="", value="", message=message)]) from error
        return solved
    message = "pandapower does not solve it, so there is no state at which its controlled elements could be held"
    raise InputError([Problem(element="net", field="", value="", message=message)])
