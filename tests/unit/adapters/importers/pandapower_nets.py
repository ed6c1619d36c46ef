"""Hand-made pandapower nets, one for each kind of element: a 110 kV source, a transformer, and 20 kV lines to where the
element stands. Numbers are made up so that nothing is symmetric or zero by chance."""

from collections.abc import Callable
from typing import Any

import pandapower as pp
import pandas as pd

Net = Any


def line(net: Net, fr: int, to: int, km: float, **more: Any) -> int:
    """A 20 kV cable."""
    given = {
        "r_ohm_per_km": 0.2,
        "x_ohm_per_km": 0.12,
        "c_nf_per_km": 270.0,
        "max_i_ka": 0.3,
        "g_us_per_km": 3.0,
        **more,
    }
    return int(pp.create_line_from_parameters(net, fr, to, length_km=km, **given))


def transformer(net: Net, hv: int, lv: int, **more: Any) -> int:
    """110/20 kV, 25 MVA, Yd5."""
    given: dict[str, Any] = {
        "sn_mva": 25.0, "vn_hv_kv": 110.0, "vn_lv_kv": 20.0, "vk_percent": 11.2, "vkr_percent": 0.4, "pfe_kw": 14.0,
        "i0_percent": 0.3, "shift_degree": 150.0, "tap_side": "hv", "tap_neutral": 0, "tap_min": -9, "tap_max": 9,
        "tap_step_percent": 1.5, "tap_pos": 2, "tap_changer_type": "Ratio", **more,
    }  # fmt: skip
    return int(pp.create_transformer_from_parameters(net, hv, lv, **given))


def feeder(**of_transformer: Any) -> Net:
    """Buses 0 at 110 kV, 1 to 4 in a row at 20 kV, a load at each of the last three."""
    net = pp.create_empty_network(name="feeder")
    pp.create_bus(net, 110.0, name="HV")
    for number in range(1, 5):
        pp.create_bus(net, 20.0, name=f"MV {number}")
    pp.create_ext_grid(net, 0, vm_pu=1.02, va_degree=10.0)
    transformer(net, 0, 1, **of_transformer)
    for fr, km in ((1, 2.0), (2, 3.5), (3, 1.7)):
        line(net, fr, fr + 1, km, name=f"cable {fr}")
    for bus, p, q in ((2, 1.2, 0.4), (3, 0.9, 0.1), (4, 2.1, 0.9)):
        pp.create_load(net, bus, p_mw=p, q_mvar=q)
    return net


def _lines() -> Net:
    net = feeder()
    line(net, 2, 4, 4.4, parallel=2, df=0.8)
    line(net, 1, 2, 1.0, in_service=False)
    return net


def _open_ends() -> Net:
    """Open at the near end, at the far end, at both, at a bus out of service; two switches in a row at one end."""
    net = feeder()
    spur = pp.create_bus(net, 20.0)
    near, far, both = (line(net, 2, spur, 9.0), line(net, 3, spur, 8.0), line(net, 4, spur, 7.0))
    dead = pp.create_bus(net, 20.0, in_service=False)
    pp.create_load(net, dead, p_mw=9.0)
    line(net, 4, dead, 12.0)
    for bus, element, closed in ((2, near, False), (spur, near, True), (spur, far, False), (3, far, True)):
        pp.create_switch(net, bus, element, "l", closed=closed, type="LBS")
    for bus in (4, spur):
        pp.create_switch(net, bus, both, "l", closed=False, type="CB")
    pp.create_switch(net, 3, 1, "l", closed=True, type="DS")
    pp.create_switch(net, 3, 1, "l", closed=True, type="CB")
    pp.create_switch(net, 1, 0, "t", closed=True, type="CB")
    return net


def _open_transformer() -> Net:
    net = feeder()
    spare = transformer(net, 0, 1)
    pp.create_switch(net, 1, spare, "t", closed=False, type="CB")
    pp.create_switch(net, 0, spare, "t", closed=True, type="CB")
    return net


def _busbar() -> Net:
    """Joined buses, one pair through an impedance, a section switch that stands open."""
    net = feeder()
    a, b, c, d = (pp.create_bus(net, 20.0) for _ in range(4))
    pp.create_switch(net, 4, a, "b", type="CB", in_ka=0.63)
    pp.create_switch(net, a, b, "b", type="DS")
    pp.create_switch(net, b, c, "b", type="CB", z_ohm=0.3)
    pp.create_switch(net, c, d, "b", type="CB", closed=False)
    line(net, 2, d, 3.0)
    for bus in (a, b, c, d):
        pp.create_load(net, bus, p_mw=0.4, q_mvar=0.1)
    return net


def _three_windings(**more: Any) -> Net:
    net = feeder()
    mv, lv = pp.create_bus(net, 20.0), pp.create_bus(net, 10.0)
    given: dict[str, Any] = {
        "vn_hv_kv": 110.0, "vn_mv_kv": 20.5, "vn_lv_kv": 10.2, "sn_hv_mva": 40.0, "sn_mv_mva": 25.0, "sn_lv_mva": 15.0,
        "vk_hv_percent": 10.0, "vk_mv_percent": 11.0, "vk_lv_percent": 12.0, "vkr_hv_percent": 0.3,
        "vkr_mv_percent": 0.31, "vkr_lv_percent": 0.32, "pfe_kw": 30.0, "i0_percent": 0.1, "shift_mv_degree": 30.0,
        "shift_lv_degree": 150.0, "tap_side": "hv", "tap_neutral": 0, "tap_min": -8, "tap_max": 8, "tap_pos": -3,
        "tap_step_percent": 1.25, "tap_changer_type": "Ratio", **more,
    }  # fmt: skip
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
    for name in ("vk_hv_percent", "vkr_hv_percent", "vk_mv_percent", "vkr_mv_percent", "vk_lv_percent", "vkr_lv_percent",
                 "vk_percent", "vkr_percent"):  # fmt: skip
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


def _impedance() -> Net:
    net = feeder()
    pp.create_impedance(
        net, 1, 4, rft_pu=0.02, xft_pu=0.1, sn_mva=10.0, rtf_pu=0.03, xtf_pu=0.12, gf_pu=0.001, bf_pu=0.002, gt_pu=0.003,
        bt_pu=0.004,
    )  # fmt: skip
    return net


def _wards() -> Net:
    net = feeder()
    pp.create_ward(net, 3, ps_mw=0.4, qs_mvar=0.1, pz_mw=0.3, qz_mvar=-0.2)
    pp.create_xward(net, 4, ps_mw=0.3, qs_mvar=0.1, pz_mw=0.2, qz_mvar=0.1, r_ohm=2.0, x_ohm=9.0, vm_pu=0.99)
    return net


def _shunts() -> Net:
    net = feeder()
    pp.create_shunt(net, 2, q_mvar=-0.4, p_mw=0.01, step=2, max_step=5)
    pp.create_shunt(net, 3, q_mvar=0.3, p_mw=0.02, step=3, max_step=3, vn_kv=21.0)
    pp.create_shunt(net, 4, q_mvar=-0.2, vn_kv=19.0)
    pp.create_shunt(net, 4, q_mvar=-0.2, step=2, max_step=2)
    net["shunt_characteristic_table"] = pd.DataFrame(
        {"id_characteristic": [0, 0, 0], "step": [1, 2, 3], "q_mvar": [-0.3, -0.45, -0.9], "p_mw": [0.01, 0.02, 0.05]}
    )
    net.shunt["step_dependency_table"] = [False, False, False, True]
    net.shunt["id_characteristic_table"] = pd.array([None, None, None, 0], dtype="Int64")
    return net


def _load_laws() -> Net:
    """One law at one bus, two at another, one beside a generator, one at each of two joined buses."""
    net = feeder()
    shares = {
        "const_z_p_percent": 30.0,
        "const_i_p_percent": 20.0,
        "const_z_q_percent": 60.0,
        "const_i_q_percent": 10.0,
    }
    pp.create_load(net, 1, p_mw=0.7, q_mvar=0.3, scaling=1.3, **shares)
    pp.create_load(net, 2, p_mw=0.7, q_mvar=0.3, const_z_p_percent=100.0, const_z_q_percent=100.0)
    pp.create_load(net, 3, p_mw=0.5, q_mvar=0.1, **shares)
    pp.create_sgen(net, 3, p_mw=2.0, q_mvar=-0.3)
    joined = pp.create_bus(net, 20.0)
    pp.create_switch(net, 4, joined, "b")
    pp.create_load(net, joined, p_mw=0.5, q_mvar=0.1, **shares)
    return net


def _devices() -> Net:
    net = feeder()
    pp.create_sgen(net, 2, p_mw=1.5, q_mvar=-0.2, scaling=0.8, type="PV", name="roof")
    pp.create_storage(net, 3, p_mw=-0.6, max_e_mwh=2.0, q_mvar=0.1, sn_mva=1.0)
    pp.create_motor(net, 4, pn_mech_mw=0.5, cos_phi=0.85, efficiency_percent=93.0, loading_percent=80.0)
    pp.create_asymmetric_load(net, 3, p_a_mw=0.1, q_a_mvar=0.02, p_b_mw=0.2, q_b_mvar=0.03, p_c_mw=0.0, q_c_mvar=0.01)
    pp.create_asymmetric_sgen(net, 2, p_a_mw=0.1, q_a_mvar=0.0, p_b_mw=0.0, q_b_mvar=0.0, p_c_mw=0.05, q_c_mvar=0.01)
    pp.create_load(net, 2, p_mw=50.0, in_service=False)
    return net


def _generators() -> Net:
    net = feeder()
    pp.create_gen(net, 4, p_mw=3.0, vm_pu=1.01, sn_mva=5.0)
    pp.create_gen(net, 2, p_mw=3.0, vm_pu=1.02, in_service=False)
    return net


def _two_sources() -> Net:
    net = feeder()
    other = pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, other, vm_pu=1.01, va_degree=9.0)
    transformer(net, other, 4, tap_pos=-1)
    return net


def _generator_as_slack() -> Net:
    net = feeder()
    net.ext_grid.in_service = False
    pp.create_gen(net, 0, p_mw=0.0, vm_pu=1.03, slack=True)
    return net


def _direct_current_line() -> Net:
    net = feeder()
    pp.create_dcline(net, 2, 4, p_mw=0.8, loss_percent=2.0, loss_mw=0.01, vm_from_pu=1.0, vm_to_pu=1.0)
    return net


def _transmission() -> Net:
    """110 kV, where the loads make room for what holds voltages and flows."""
    net = pp.create_empty_network()
    for _ in range(4):
        pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, 0)
    for fr, to in ((0, 1), (1, 2), (0, 3)):
        line(net, fr, to, 30.0, r_ohm_per_km=0.0487, x_ohm_per_km=0.138, c_nf_per_km=160.0, max_i_ka=0.66)
    pp.create_load(net, 3, p_mw=100.0, q_mvar=40.0)
    pp.create_load(net, 2, p_mw=20.0, q_mvar=7.0)
    return net


def _parallel_compensator() -> Net:
    net = _transmission()
    pp.create_svc(net, 2, x_l_ohm=1.0, x_cvar_ohm=-10.0, set_vm_pu=1.0, thyristor_firing_angle_degree=90.0)
    return net


def _static_compensator() -> Net:
    net = _transmission()
    pp.create_ssc(net, 2, r_ohm=0.0, x_ohm=5.0, set_vm_pu=1.0)
    return net


def _series_compensator() -> Net:
    net = _transmission()
    pp.create_tcsc(
        net,
        2,
        3,
        x_l_ohm=1.0,
        x_cvar_ohm=-10.0,
        set_p_to_mw=-20.0,
        thyristor_firing_angle_degree=144.0,
        controllable=True,
    )
    return net


def _converters() -> Net:
    net = _transmission()
    a, b = (pp.create_bus_dc(net, 110.0) for _ in range(2))
    pp.create_line_dc_from_parameters(net, a, b, 10.0, r_ohm_per_km=0.1, max_i_ka=1.0)
    for bus, dc, mode, value in ((2, a, "p_mw", 5.0), (3, b, "vm_pu", 1.02)):
        pp.create_vsc(
            net, bus, dc, 0.1, 5.0, 0.15, control_mode_ac="vm_pu", control_value_ac=1.0, control_mode_dc=mode,
            control_value_dc=value,
        )  # fmt: skip
    return net


NETS: dict[str, Callable[[], Net]] = {
    "lines": _lines,
    "open line ends": _open_ends,
    "an open transformer": _open_transformer,
    "busbars": _busbar,
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
    "impedance": _impedance,
    "wards": _wards,
    "shunts": _shunts,
    "load laws": _load_laws,
    "devices": _devices,
    "generators": _generators,
    "two sources": _two_sources,
    "a generator as the slack": _generator_as_slack,
    "direct current line": _direct_current_line,
    "parallel compensator": _parallel_compensator,
    "static compensator": _static_compensator,
    "converters": _converters,
    "series compensator": _series_compensator,
}


THREE_PHASE_GROUPS = {"YNyn": 0.0, "Dyn": 150.0, "Yzn": 330.0}
"""Vector groups that `runpp_3ph` has, with a phase shift."""


def three_phase(vector_group: str = "Dyn") -> Net:
    """10/0.4 kV with everything in the zero sequence, loads in wye and delta, and generators."""
    net = pp.create_empty_network()
    bus = [pp.create_bus(net, 10.0 if number == 0 else 0.4) for number in range(5)]
    pp.create_ext_grid(net, bus[0], s_sc_max_mva=300.0, rx_max=0.1, r0x0_max=0.2, x0x_max=1.3, vm_pu=1.02)
    pp.create_transformer_from_parameters(
        net, bus[0], bus[1], sn_mva=0.63, vn_hv_kv=10.0, vn_lv_kv=0.41, vk_percent=6.0, vkr_percent=0.78, pfe_kw=2.7,
        i0_percent=0.17, shift_degree=THREE_PHASE_GROUPS[vector_group], tap_side="hv", tap_neutral=0, tap_min=-2, tap_max=2,
        tap_step_percent=2.5, tap_pos=1, tap_changer_type="Ratio", vector_group=vector_group, vk0_percent=5.5,
        vkr0_percent=0.8, mag0_percent=100.0, mag0_rx=0.1, si0_hv_partial=0.8,
    )  # fmt: skip
    for fr, to in ((1, 2), (2, 3)):
        pp.create_line_from_parameters(
            net, bus[fr], bus[to], length_km=0.1, r_ohm_per_km=0.19, x_ohm_per_km=0.075, c_nf_per_km=300.0, max_i_ka=0.4,
            r0_ohm_per_km=0.78, x0_ohm_per_km=0.29, c0_nf_per_km=150.0,
        )  # fmt: skip
    pp.create_switch(net, bus[3], 1, "l", type="LBS")
    pp.create_switch(net, bus[3], bus[4], "b", type="CB")
    wye = {"p_a_mw": 0.03, "q_a_mvar": 0.01, "p_b_mw": 0.02, "q_b_mvar": 0.005, "p_c_mw": 0.05, "q_c_mvar": 0.02}
    delta = {"p_a_mw": 0.01, "q_a_mvar": 0.01, "p_b_mw": 0.02, "q_b_mvar": 0.0, "p_c_mw": 0.0, "q_c_mvar": 0.02}
    pp.create_asymmetric_load(net, bus[2], **wye, scaling=0.9)
    pp.create_asymmetric_load(net, bus[4], **delta, type="delta")
    pp.create_load(net, bus[4], p_mw=0.06, q_mvar=0.01)
    pp.create_load(net, bus[2], p_mw=0.05, q_mvar=0.01, type="delta")
    pp.create_sgen(net, bus[3], p_mw=0.02, q_mvar=0.01, type="wye")
    pp.create_asymmetric_sgen(
        net, bus[2], p_a_mw=0.01, p_b_mw=0.0, p_c_mw=0.02, q_a_mvar=0.0, q_b_mvar=0.005, q_c_mvar=0.0
    )
    pp.create_shunt(net, bus[3], q_mvar=-0.02, p_mw=0.001)
    return net
