"""Published fault tables: IEEE 34, 37 and 123 nodes by two tools, and the IEEE feeder with distributed generation.

What the tables assume, and what of them is left out and why: tests/cases/short_circuit_ieee/README.md.
"""

import csv
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, factorise
from adms.powerflow.short_circuit import Fault, FaultKind, ShortCircuit, short_circuit
from adms.powerflow.short_circuit_levels import short_circuit_levels

CASE = Path(__file__).resolve().parents[2] / "cases" / "short_circuit_ieee"
PARAMS: dict[str, Any] = tomllib.loads((CASE / "params.toml").read_text())
_A = np.exp(2j * np.pi / 3.0)


def _rows(file: str) -> list[dict[str, str]]:
    with (CASE / file).open(newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def _factor(deck: str, *, utility: bool = True) -> Factor:
    model = import_opendss(CASE / f"{deck}.dss")
    grid = normal_state(model)
    if not utility:
        grid = grid.with_switch(ElementId("line.utility"), closed=False)
    factor = factorise(NetworkArrays(model, version=ModelVersion("test")), grid)
    assert isinstance(factor, Factor)
    return factor


@pytest.mark.parametrize(("feeder", "count"), [("IEEE34", 26), ("IEEE37", 34), ("IEEE123", 67)])
def test_three_phase_currents_of_a_feeder_are_those_of_both_published_tools(feeder: str, count: int) -> None:
    levels = short_circuit_levels(_factor(feeder.lower()), kinds=[FaultKind.THREE_PHASE_GROUND])
    assert not isinstance(levels, NotSolved)
    current_a = {at.bus: at.levels[0].current_a for at in levels if at.levels}
    left_out = PARAMS["left_out_nodes"].get(feeder, [])
    without_rdap = PARAMS["left_out_nodes_rdap"].get(feeder, [])
    checked = 0
    for row in _rows("short_circuit_ieee_feeders.csv"):
        if row["feeder"] == feeder and row["node"] not in left_out:
            ours = current_a[BusId(row["node"])]
            for tool in ("opendss_",) if row["node"] in without_rdap else ("", "opendss_"):
                table = [float(row[f"{tool}I{phase}_A"]) for phase in "abc"]
                name = f"{feeder} {row['node']} {tool}"
                np.testing.assert_allclose(ours, table, rtol=PARAMS["relative_tolerance"], err_msg=name)
            checked += 1
    assert checked == count


DECKS = {
    "No": "dg_protection",
    "Yd": "dg_protection_yd",
    "Ynd": "dg_protection_ynd",
    "Dy": "dg_protection_dy",
}
PLACES = {"1": "lat1", "2": "lat2", "3": "bm", "4": "bp"}
KINDS = {
    "g0": (FaultKind.LINE_GROUND, (1,), 0.0),
    "g25": (FaultKind.LINE_GROUND, (1,), 25.0),
    "3p": (FaultKind.THREE_PHASE_GROUND, (1, 2, 3), 0.0),
    "pp": (FaultKind.LINE_LINE, (1, 2), 0.0),
    "ppg": (FaultKind.LINE_LINE_GROUND, (1, 2), 0.0),
}


def _three(name: str, values: ComplexArray) -> dict[str, float]:
    sequence = {
        f"{name[0]}0{name[1]}": abs(values.sum()) / 3.0,
        f"{name[0]}2{name[1]}": abs(values @ [1, _A**2, _A]) / 3,
    }
    return {f"{name[0]}{phase}{name[1]}": abs(v) for phase, v in zip("abc", values, strict=True)} | sequence


def _relays(short: ShortCircuit) -> dict[str, float]:
    """What the tables list, by their column names."""
    arrays = short.factor.arrays
    seen: dict[str, float] = {}
    ends = {"A": ("line.a", 0), "B": ("line.b", 0), "D": ("line.d", 0), "C": ("transformer.tg", 1)}
    for relay, (element, terminal) in ends.items():
        current = np.zeros(3, dtype=np.complex128)
        if element in arrays.branch_idx:
            terminals = arrays.branches[arrays.branch_idx[ElementId(element)]].terminals
            start = sum(len(t) for t in terminals[:terminal])
            current = short.branch_current_a(ElementId(element))[start : start + 3]
        seen |= _three(f"I{relay}", current) | {f"Ig{relay}": float(abs(current.sum()))}
    for relay, bus in (("B", "b2"), ("C", "bg")):
        rows = [arrays.node_idx.get(NodeRef(BusId(bus), phase)) for phase in (1, 2, 3)]
        v = np.array([0.0 if row is None else short.v_phasor_pu[row] for row in rows], dtype=np.complex128)
        seen |= _three(f"V{relay}", v)
    for fuse, lateral in (("If1", "line.la"), ("If2", "line.lb")):
        seen[fuse] = float(abs(short.branch_current_a(ElementId(lateral))[0]))
    return seen


@pytest.mark.parametrize(
    ("utility", "connection"),
    [("Yes", "No"), ("Yes", "Yd"), ("Yes", "Ynd"), ("Yes", "Dy"), ("No", "Yd"), ("No", "Ynd"), ("No", "Dy")],
)
def test_relays_of_the_feeder_with_generation_see_what_the_tables_say(utility: str, connection: str) -> None:
    factor = _factor(DECKS[connection], utility=utility == "Yes")
    ungrounded = (utility, connection) == ("No", "Dy")
    checked = 0
    for file in ("dg_protection_feeder_faults.csv", "dg_protection_feeder_relays.csv"):
        for row in _rows(file):
            if (row["Utility"], row["DG/Xf"]) != (utility, connection):
                continue
            if ungrounded and row["Type"] in ("g0", "g25", "pp"):
                continue
            kind, phases, r_ohm = KINDS[row["Type"]]
            fault = Fault(kind=kind, bus=BusId(PLACES[row["Loc"]]), phases=phases, r_fault_ohm=r_ohm)
            short = short_circuit(factor, fault)
            assert isinstance(short, ShortCircuit)
            seen = _relays(short)
            for column, text in row.items():
                if column in ("Utility", "DG/Xf", "Loc", "Type", "I2C"):
                    continue
                rounding = PARAMS["current_rounding_a" if column[0] == "I" else "voltage_rounding_pu"]
                allowed = rounding + PARAMS["relative_tolerance"] * float(text)
                assert abs(seen[column] - float(text)) <= allowed, (row["Loc"], row["Type"], column, seen[column])
                checked += 1
    assert checked == (4 * 29 if ungrounded else 14 * 29)
