"""Nets for each kind of element that pandapower has but transformers."""

from collections.abc import Callable

import pandapower as pp
import pandas as pd

from tests.unit.adapters.importers.pandapower_feeder import Net, feeder, line, transformer
from tests.unit.adapters.importers.pandapower_transformer_nets import TRANSFORMERS


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


def _impedance() -> Net:
    net = feeder()
    pp.create_impedance(
        net,
        1,
        4,
        rft_pu=0.02,
        xft_pu=0.1,
        sn_mva=10.0,
        rtf_pu=0.03,
        xtf_pu=0.12,
        gf_pu=0.001,
        bf_pu=0.002,
        gt_pu=0.003,
        bt_pu=0.004,
    )
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
            net,
            bus,
            dc,
            0.1,
            5.0,
            0.15,
            control_mode_ac="vm_pu",
            control_value_ac=1.0,
            control_mode_dc=mode,
            control_value_dc=value,
        )
    return net


NETS: dict[str, Callable[[], Net]] = {
    "lines": _lines,
    "open line ends": _open_ends,
    "an open transformer": _open_transformer,
    "busbars": _busbar,
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
    **TRANSFORMERS,
}
