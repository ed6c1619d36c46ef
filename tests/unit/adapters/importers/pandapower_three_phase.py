"""A net with all its zero-sequence data."""

import pandapower as pp

from tests.unit.adapters.importers.pandapower_feeder import Net

THREE_PHASE_GROUPS = {"YNyn": 0.0, "Dyn": 150.0, "Yzn": 330.0}
"""Vector groups that `runpp_3ph` has, with a phase shift."""


def three_phase(vector_group: str = "Dyn") -> Net:
    """10/0.4 kV with everything in the zero sequence, loads in wye and delta, and generators."""
    net = pp.create_empty_network()
    bus = [pp.create_bus(net, 10.0 if number == 0 else 0.4) for number in range(5)]
    pp.create_ext_grid(net, bus[0], s_sc_max_mva=300.0, rx_max=0.1, r0x0_max=0.2, x0x_max=1.3, vm_pu=1.02)
    pp.create_transformer_from_parameters(
        net,
        bus[0],
        bus[1],
        sn_mva=0.63,
        vn_hv_kv=10.0,
        vn_lv_kv=0.41,
        vk_percent=6.0,
        vkr_percent=0.78,
        pfe_kw=2.7,
        i0_percent=0.17,
        shift_degree=THREE_PHASE_GROUPS[vector_group],
        tap_side="hv",
        tap_neutral=0,
        tap_min=-2,
        tap_max=2,
        tap_step_percent=2.5,
        tap_pos=1,
        tap_changer_type="Ratio",
        vector_group=vector_group,
        vk0_percent=5.5,
        vkr0_percent=0.8,
        mag0_percent=100.0,
        mag0_rx=0.1,
        si0_hv_partial=0.8,
    )
    for fr, to in ((1, 2), (2, 3)):
        pp.create_line_from_parameters(
            net,
            bus[fr],
            bus[to],
            length_km=0.1,
            r_ohm_per_km=0.19,
            x_ohm_per_km=0.075,
            c_nf_per_km=300.0,
            max_i_ka=0.4,
            r0_ohm_per_km=0.78,
            x0_ohm_per_km=0.29,
            c0_nf_per_km=150.0,
        )
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
