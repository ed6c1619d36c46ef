"""pandapower transformers of two and three windings, with their taps as state.

A tap that only changes the ratio of its winding becomes a ratio, counted from the neutral position; one that changes
more (phase shifters, taps across, tables of impedances) a table of primitives with pandapower's own positions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from adms.adapters.importers.pandapower_branches import SIDES, BranchDraft, drafts
from adms.adapters.importers.pandapower_engine import over_phases, tap_primitives_siemens
from adms.adapters.importers.pandapower_names import NetReader, number, text
from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray
from adms.grid.admittance import as_matrix
from adms.grid.model import TapChanger, TapPrimitive

_POSITIONS_MAX = 200
_ROUNDING = 1e-11
"""Of the largest entry of a primitive."""
_STEP_NOMINAL_PU = 0.01


def read_transformers(
    reader: NetReader, table: str, *, study: Any, y: ComplexArray, sequences: Sequence[int | None]
) -> dict[int, BranchDraft]:
    """Transformers of a table ("trafo" or "trafo3w") by their index."""
    frame = reader.net[table]
    first, last = _ranges(frame)
    taps = tap_primitives_siemens(study, table, first=first, last=last, sequences=sequences)
    found = {}
    for position, row, draft in drafts(reader, table, y=y, keep_open=table == "trafo3w"):
        if table == "trafo":
            derating = number(row.get("df"))
            draft.rating_va = float(row["sn_mva"]) * 1e6 * float(row["parallel"]) * (derating or 1.0)
        else:
            draft.rating_va = max(float(row[f"sn_{side}_mva"]) for side in ("hv", "mv", "lv")) * 1e6
        if position in taps:
            at = np.array([over_phases(y_step) for y_step in taps[position]])
            _set_taps(reader, draft, row, table, first=int(first[position]), at=at)
        elif _is_tapped(row):
            reader.note(draft.id, "its taps have no whole range with the position in it: held where they are")
        if number(row.get("tap2_pos")) not in (None, number(row.get("tap2_neutral"))):
            reader.note(draft.id, "its second tap changer is held where it is")
        found[row["index"]] = draft
    return found


def _is_tapped(row: dict[str, Any]) -> bool:
    changes = text(row.get("tap_changer_type")) or text(row.get("tap_dependency_table")) == "True"
    return bool(changes) and text(row.get("tap_side")) != "" and number(row.get("tap_pos")) is not None


def _ranges(frame: Any) -> tuple[FloatArray, FloatArray]:
    """[row] lowest and highest tap position; NaN where there is no tap changer or no range of whole positions."""
    first, last = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for place, row in enumerate(frame.to_dict("records")):
        if not _is_tapped(row):
            continue
        values = [number(row.get(name)) for name in ("tap_min", "tap_pos", "tap_max", "tap_neutral")]
        if any(value is None or value != round(value) for value in values):
            continue
        low, now, high, _ = (int(value) for value in values if value is not None)
        if low <= now <= high and 0 < high - low < _POSITIONS_MAX:
            first[place], last[place] = low, high
    return first, last


def _set_taps(
    reader: NetReader, draft: BranchDraft, row: dict[str, Any], table: str, *, first: int, at: ComplexArray
) -> None:
    """Puts the tap changer of a draft together from its primitives [step, node, node] at each position."""
    now, neutral = int(float(row["tap_pos"])), int(float(row["tap_neutral"]))
    last = first + len(at) - 1
    terminal = [side for _, side in SIDES[table]].index(text(row["tap_side"]))
    percent = number(row.get("tap_step_percent"))
    if np.abs(at - at[0]).max() <= _ROUNDING * np.abs(at[0]).max():
        reader.note(draft.id, "its taps change nothing: no tap changer carried over")
        return
    if percent is not None and percent > 0.0 and first <= neutral <= last:
        per_end = len(at[0]) // len(draft.ends)
        scale = np.ones((len(at), len(at[0])))
        ratio = 1.0 + (np.arange(first, last + 1) - neutral) * percent / 100.0
        scale[:, terminal * per_end : (terminal + 1) * per_end] /= ratio[:, None]
        expected = at[neutral - first] * scale[:, :, None] * scale[:, None, :]
        if np.abs(at - expected).max() <= _ROUNDING * np.abs(at).max():
            draft.y_siemens = at[neutral - first]
            draft.taps = TapChanger(
                terminal=terminal,
                step_pu=percent / 100.0,
                min_position=first - neutral,
                max_position=last - neutral,
                normal_position=now - neutral,
            )
            if neutral:
                reader.note(draft.id, f"its tap positions count from the neutral one, {neutral} in the net")
            return
    draft.y_siemens = at[(neutral if first <= neutral <= last else now) - first]
    draft.taps = TapChanger(
        terminal=terminal,
        step_pu=abs(percent) / 100.0 if percent else _STEP_NOMINAL_PU,
        min_position=first,
        max_position=last,
        normal_position=now,
        primitives=tuple(
            TapPrimitive(position=first + step, y_primitive_siemens=as_matrix(y)) for step, y in enumerate(at)
        ),
    )
