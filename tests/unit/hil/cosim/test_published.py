from pathlib import Path

import numpy as np

from hil.cosim.federate import PlantFederate
from hil.cosim.membership import Membership
from tests.unit.hil.cosim.federation import IMPORT, beside, feeder_plan, peer_plan, small_plant


def test_a_peer_reads_what_the_plant_says_of_itself(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    publish = [
        {**IMPORT, "name": "s_phases", "form": "per_phase"},
        {"quantity": "bus_voltage", "name": "v_c", "bus": "c"},
        {"quantity": "customers_off", "name": "off"},
    ]
    plan = feeder_plan(subscribe=[], publish=publish)
    federate = PlantFederate(plan, plant=plant, scan_s=4.0)
    peer = Membership(peer_plan(plan, name="grid", broker=federate.membership.broker))
    h = peer.h
    s, v, off = (
        h.helicsFederateRegisterSubscription(peer.federate, f"feeder/{n}", "") for n in ("s_phases", "v_c", "off")
    )
    heard: list[object] = []

    def listen() -> None:
        peer.enter()
        peer.grant(4.0)
        heard.extend([h.helicsInputGetComplexVector(s), h.helicsInputGetComplexVector(v), h.helicsInputGetInteger(off)])
        peer.leave()

    expected_s = -plant.flow("vsource.source", side=0)[1][:3]
    expected_v = plant.phasor_v([("c", 1), ("c", 2), ("c", 3)])
    with beside(listen) as raised:
        federate.join()
        federate.advance(4.0, plant)
        federate.close()
    assert raised == []
    assert np.array_equal(np.array(heard[0]), expected_s)
    assert np.array_equal(np.array(heard[1]), expected_v)
    assert heard[2] == plant.customers_off() == 0
