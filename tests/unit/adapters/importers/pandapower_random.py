"""Nets put together by chance from every kind of element, the same ones for the same seed."""

from typing import Any

import numpy as np
import pandapower as pp

from tests.unit.adapters.importers.pandapower_feeder import Net, feeder, line, transformer


def random_net(seed: int) -> Net:
    """A meshed 20 kV network of some fifteen buses with rings open somewhere."""
    rng = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    net = feeder(
        tap_pos=int(rng.integers(-4, 5)),
        tap_side=str(rng.choice(["hv", "lv"])),
        tap_step_degree=between(-60.0, 60.0),
        shift_degree=float(rng.choice([0.0, 30.0, 150.0])),
    )
    for _ in range(int(rng.integers(6, 12))):
        near = int(rng.integers(1, len(net.bus)))
        far = pp.create_bus(net, 20.0, in_service=bool(rng.random() < 0.9))
        _join(net, rng, near, far)
    buses = [int(bus) for bus in net.bus.index[1:]]
    for _ in range(3):
        a, b = rng.choice(buses, 2, replace=False)
        _join(net, rng, int(a), int(b))
    for bus in buses:
        _stand(net, rng, bus, between)
    if rng.random() < 0.5:
        second = transformer(
            net, 0, int(rng.choice(buses[:4])), tap_pos=1, shift_degree=float(net.trafo.shift_degree[0])
        )
        pp.create_switch(net, 0, second, "t", closed=bool(rng.random() < 0.7), type="CB")
    mv, lv = pp.create_bus(net, 20.0), pp.create_bus(net, 0.4)
    pp.create_transformer3w_from_parameters(
        net,
        0,
        mv,
        lv,
        vn_hv_kv=110.0,
        vn_mv_kv=20.0,
        vn_lv_kv=0.41,
        sn_hv_mva=30.0,
        sn_mv_mva=25.0,
        sn_lv_mva=1.0,
        vk_hv_percent=10.0,
        vk_mv_percent=4.0,
        vk_lv_percent=5.0,
        vkr_hv_percent=0.3,
        vkr_mv_percent=0.3,
        vkr_lv_percent=0.4,
        pfe_kw=20.0,
        i0_percent=0.2,
        shift_mv_degree=0.0,
        shift_lv_degree=150.0,
        tap_side=str(rng.choice(["hv", "mv", "lv"])),
        tap_neutral=0,
        tap_min=-5,
        tap_max=5,
        tap_step_percent=1.0,
        tap_pos=int(rng.integers(-5, 6)),
        tap_changer_type="Ratio",
    )
    pp.create_load(net, mv, p_mw=between(0.5, 3.0), q_mvar=between(0.0, 1.0))
    pp.create_load(net, lv, p_mw=between(0.0, 0.2), q_mvar=between(0.0, 0.1))
    return net


def _join(net: Net, rng: np.random.Generator, fr: int, to: int) -> None:
    if rng.random() < 0.2:
        z_ohm = float(rng.choice([0.0, 0.4]))
        pp.create_switch(net, fr, to, "b", closed=bool(rng.random() < 0.8), z_ohm=z_ohm, type="DS")
        return
    cable = line(
        net,
        fr,
        to,
        float(rng.uniform(0.05, 6.0)),
        parallel=int(rng.integers(1, 3)),
        in_service=bool(rng.random() < 0.93),
    )
    for end in (fr, to):
        if rng.random() < 0.6:
            pp.create_switch(
                net, end, cable, "l", closed=bool(rng.random() < 0.85), type=str(rng.choice(["CB", "LBS"]))
            )


def _stand(net: Net, rng: np.random.Generator, bus: int, between: Any) -> None:
    """Something at a bus."""
    kind = int(rng.integers(0, 7))
    if kind == 0:
        shares = dict(zip(("z_p", "i_p", "z_q", "i_q"), rng.uniform(0.0, 50.0, 4).tolist(), strict=True))
        named = {f"const_{name}_percent": value for name, value in shares.items()}
        pp.create_load(net, bus, p_mw=between(0.1, 0.8), q_mvar=between(-0.1, 0.3), scaling=between(0.5, 1.5), **named)
    elif kind == 1:
        pp.create_sgen(net, bus, p_mw=between(0.1, 0.9), q_mvar=between(-0.2, 0.2), in_service=bool(rng.random() < 0.8))
    elif kind == 2:
        pp.create_shunt(
            net, bus, q_mvar=between(-0.4, 0.3), p_mw=between(0.0, 0.02), step=int(rng.integers(1, 3)), max_step=3
        )
    elif kind == 3:
        pp.create_ward(
            net, bus, ps_mw=between(0.0, 0.3), qs_mvar=0.1, pz_mw=between(0.0, 0.2), qz_mvar=between(-0.1, 0.1)
        )
    elif kind == 4:
        pp.create_storage(net, bus, p_mw=between(-0.5, 0.5), max_e_mwh=1.0, q_mvar=between(-0.1, 0.1))
    elif kind == 5:
        pp.create_motor(net, bus, pn_mech_mw=between(0.1, 0.5), cos_phi=0.86, efficiency_percent=92.0)
