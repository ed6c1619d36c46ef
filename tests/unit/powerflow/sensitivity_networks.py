"""A hand network with everything that a sensitivity can be asked for."""

from dataclasses import replace

import numpy as np

from adms.core.ids import ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import (
    Branch,
    BranchKind,
    Capacitor,
    Load,
    NetworkModel,
    NodeRef,
    TapChanger,
    TapPrimitive,
    VoltageLaw,
)
from tests.unit.powerflow.networks import bus, four_buses, load, nodes

REG, SHIFTER, BANK = ElementId("transformer.reg"), ElementId("transformer.shifter"), ElementId("capacitor.c3")


def series(name: str, ends: tuple[str, str], *, y_siemens: complex, factor: complex, taps: TapChanger) -> Branch:
    """Three single-phase transformers of the complex ratio `factor` at the first end: unsymmetric where that is not
    real."""
    y = np.eye(3) * y_siemens
    blocks = np.block([[y / abs(factor) ** 2, -y / np.conj(factor)], [-y / factor, y]])
    return Branch(
        id=ElementId(name),
        kind=BranchKind.TRANSFORMER,
        terminals=(nodes(ends[0]), nodes(ends[1])),
        y_primitive_siemens=as_matrix(np.asarray(blocks, dtype=np.complex128)),
        taps=taps,
    )


def everything() -> NetworkModel:
    """`four_buses` with a regulator to bus 6 and a phase shifter on to bus 7, a capacitor, exponential and delta loads,
    and loads that are below and above the limits of their laws."""
    model = four_buses()
    regulator = TapChanger(terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=5)
    y = 0.8 - 3.0j
    table = tuple(
        TapPrimitive(
            position=k,
            y_primitive_siemens=series(
                "x",
                ("6", "7"),
                y_siemens=y,
                factor=(1.0 + 0.004 * k) * np.exp(1j * np.deg2rad(1.5 * k)),
                taps=regulator,
            ).y_primitive_siemens,
        )
        for k in range(-2, 5)
    )
    shifter = TapChanger(
        terminal=0, step_pu=0.004, min_position=-2, max_position=4, normal_position=3, primitives=table
    )
    wye, delta = tuple((n, None) for n in nodes("7")), ((nodes("6")[0], nodes("6")[1]), (nodes("6")[2], nodes("6")[0]))

    def made(name: str, pairs: tuple[tuple[NodeRef, NodeRef | None], ...], s: complex, **more: object) -> Load:
        return replace(load(name, pairs, s_va=s), **more)  # type: ignore[arg-type]

    exponential = VoltageLaw(e_frac=1.0, exponent=1.4)
    return replace(
        model,
        buses=(*model.buses, bus("6"), bus("7")),
        branches=(
            *model.branches,
            series("transformer.reg", ("3", "6"), y_siemens=1.0 - 4.0j, factor=1.0, taps=regulator),
            replace(
                series("transformer.shifter", ("6", "7"), y_siemens=y, factor=1.0, taps=shifter),
                y_primitive_siemens=table[5].y_primitive_siemens,
            ),
        ),
        capacitors=(
            Capacitor(
                id=BANK,
                nodes=nodes("3"),
                y_step_siemens=as_matrix(np.asarray(np.eye(3) * 4e-3j, dtype=np.complex128)),
                steps=3,
                normal_steps=2,
                rating_var=200e3,
            ),
        ),
        loads=(
            *model.loads,
            made("load.exponential", wye, 90e3 + 50e3j, law=exponential, q_law=VoltageLaw(e_frac=1.0, exponent=3.2)),
            made("load.delta", delta, 80e3 + 30e3j, q_law=VoltageLaw(z_frac=0.5, i_frac=0.5)),
            made("load.low", wye[:1], 30e3 + 10e3j, v_low_pu=1.2, v_high_pu=1.3),
            made("load.high", wye[1:2], 30e3 + 10e3j, v_low_pu=0.7, v_high_pu=0.8),
        ),
    )
