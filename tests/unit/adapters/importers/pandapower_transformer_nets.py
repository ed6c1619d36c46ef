"""Nets for each kind of transformer and tap changer that pandapower has."""

from collections.abc import Callable
from typing import Any

import pandapower as pp
import pandas as pd

from tests.unit.adapters.importers.pandapower_feeder import Net, feeder


def _three_windings(**more: Any) -> Net:
    net = feeder()
    mv, lv = pp.create_bus(net, 20.0), pp.create_bus(net, 10.0)
    given: dict[str, Any] = {
        "vn_hv_kv": 110.0,
        "vn_mv_kv": 20.5,
        "vn_lv_kv": 10.2,
        "sn_hv_mva": 40.0,
        "sn_mv_mva": 25.0,
        "sn_lv_mva": 15.0,
        "vk_hv_percent": 10.0,
        "vk_mv_percent": 11.0,
        "vk_lv_percent": 12.0,
        "vkr_hv_percent": 0.3,
        "vkr_mv_percent": 0.31,
        "vkr_lv_percent": 0.32,
        "pfe_kw": 30.0,
        "i0_percent": 0.1,
        "shift_mv_degree": 30.0,
        "shift_lv_degree": 150.0,
        "tap_side": "hv",
        "tap_neutral": 0,
        "tap_min": -8,
        "tap_max": 8,
        "tap_pos": -3,
        "tap_step_percent": 1.25,
        "tap_changer_type": "Ratio",
        **more,
    }
    pp.create_transformer3w_from_parameters(net, 0, mv, lv, **given)
    pp.create_load(net, mv, p_mw=4.0, q_mvar=1.0)
    pp.create_load(net, lv, p_mw=2.0, q_mvar=0.7)
    return net


def _three_windings_switched() -> Net:
    net = _three_windings()
    pp.create_switch(net, 5, 0, "t3", closed=True, type="CB")
    pp.create_switch(net, 6, 0, "t3", closed=False, type="CB")
    return net


def _tap_table(tap_pos: int = 1) -> Net:
    net = feeder(tap_pos=tap_pos, tap_min=-2, tap_max=2, tap_changer_type="Tabular")
    _characteristic(net, "trafo", ("vk_percent", "vkr_percent"))
    return net


def _characteristic(net: Net, table: str, impedances: tuple[str, ...]) -> None:
    rows = [
        {
            "id_characteristic": 0,
            "step": step,
            "voltage_ratio": 1.0 + 0.013 * step + 0.001 * step**2,
            "angle_deg": 0.7 * step,
        }
        | {name: float(net[table].at[0, name]) * (1.0 + 0.02 * step) for name in impedances}
        for step in range(-2, 3)
    ]
    frame = pd.DataFrame(rows)
    for name in (
        "vk_hv_percent",
        "vkr_hv_percent",
        "vk_mv_percent",
        "vkr_mv_percent",
        "vk_lv_percent",
        "vkr_lv_percent",
        "vk_percent",
        "vkr_percent",
    ):
        if name not in frame:
            frame[name] = float("nan")
    net["trafo_characteristic_table"] = frame
    net[table]["id_characteristic_table"] = pd.array([0] * len(net[table]), dtype="Int64")
    net[table]["tap_dependency_table"] = True


def _three_windings_table() -> Net:
    net = _three_windings(tap_min=-2, tap_max=2, tap_pos=1, tap_changer_type="Tabular")
    _characteristic(
        net, "trafo3w", tuple(f"{part}_{side}_percent" for part in ("vk", "vkr") for side in ("hv", "mv", "lv"))
    )
    return net


def _second_tap() -> Net:
    net = feeder()
    for name, value in (
        ("side", "lv"),
        ("neutral", 0.0),
        ("min", -2.0),
        ("max", 2.0),
        ("step_percent", 2.5),
        ("pos", 1.0),
    ):
        net.trafo[f"tap2_{name}"] = value
    net.trafo["tap2_step_degree"] = float("nan")
    net.trafo["tap2_changer_type"] = "Ratio"
    return net


def _pi_model() -> Net:
    net = feeder(parallel=2, df=0.9)
    pp.set_user_pf_options(net, trafo_model="pi")
    return net


def _leakage() -> Net:
    net = feeder(i0_percent=2.0, pfe_kw=200.0)
    net.trafo["leakage_resistance_ratio_hv"] = 0.3
    net.trafo["leakage_reactance_ratio_hv"] = 0.7
    return net


TRANSFORMERS: dict[str, Callable[[], Net]] = {
    "ratio tap on the low side": lambda: feeder(tap_side="lv", vn_hv_kv=112.0, vn_lv_kv=20.6),
    "taps around another neutral": lambda: feeder(tap_neutral=3, tap_min=1, tap_max=7, tap_pos=6),
    "falling steps": lambda: feeder(tap_step_percent=-1.5),
    "phase shifter": lambda: feeder(tap_changer_type="Ideal", tap_step_percent=float("nan"), tap_step_degree=2.0),
    "phase shifter on the low side": lambda: feeder(tap_changer_type="Ideal", tap_side="lv", tap_step_percent=2.0),
    "tap across": lambda: feeder(tap_changer_type="Symmetrical", tap_step_degree=90.0),
    "tap at an angle": lambda: feeder(tap_changer_type="Ratio", tap_step_degree=60.0, tap_side="lv"),
    "tap between positions": lambda: feeder(tap_pos=1.5),
    "tap table": _tap_table,
    "second tap": _second_tap,
    "pi model in parallel": _pi_model,
    "leakage not in halves": _leakage,
    "three windings": _three_windings,
    "three windings, tap on mv": lambda: _three_windings(tap_side="mv"),
    "three windings, tap on lv": lambda: _three_windings(tap_side="lv"),
    "three windings, tap at the star": lambda: _three_windings(tap_at_star_point=True, tap_step_degree=0.0),
    "three windings, tap at the star of mv": lambda: _three_windings(
        tap_side="mv", tap_at_star_point=True, tap_step_degree=0.0
    ),
    "three windings, table": _three_windings_table,
    "three windings, one open": _three_windings_switched,
}
