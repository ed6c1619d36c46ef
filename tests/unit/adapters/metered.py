"""A small network that has every kind of point."""

from dataclasses import replace

from adms.core.ids import ElementId
from adms.grid.model import Capacitor, ComplexMatrix, NetworkModel, NodeRef, TapChanger
from tests.unit.powerflow.networks import four_buses, nodes

TAPS = TapChanger(terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=0)


def metered() -> NetworkModel:
    """`four_buses` with taps on the line between buses 1 and 2 and a capacitor of two steps on phase 2 of bus 3."""
    model = four_buses()
    branches = tuple(replace(b, taps=TAPS) if b.id == "line.l12" else b for b in model.branches)
    at: tuple[NodeRef, ...] = (nodes("3")[1],)
    capacitor = Capacitor(
        id=ElementId("capacitor.c3"),
        nodes=at,
        y_step_siemens=ComplexMatrix(re=((0.0,),), im=((0.001,),)),
        steps=2,
        normal_steps=0,
        rating_var=10e3,
    )
    return replace(model, branches=branches, capacitors=(capacitor,))
