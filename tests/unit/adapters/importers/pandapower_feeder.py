"""A pandapower net to put things into: a 110 kV source, a transformer, three 20 kV cables in a row. Numbers are made up
so that nothing is symmetric or zero by chance."""

from typing import Any

import pandapower as pp

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
        "sn_mva": 25.0,
        "vn_hv_kv": 110.0,
        "vn_lv_kv": 20.0,
        "vk_percent": 11.2,
        "vkr_percent": 0.4,
        "pfe_kw": 14.0,
        "i0_percent": 0.3,
        "shift_degree": 150.0,
        "tap_side": "hv",
        "tap_neutral": 0,
        "tap_min": -9,
        "tap_max": 9,
        "tap_step_percent": 1.5,
        "tap_pos": 2,
        "tap_changer_type": "Ratio",
        **more,
    }
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
