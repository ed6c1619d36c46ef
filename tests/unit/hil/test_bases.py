"""Voltage bases and tap steps are the deck's."""

from pathlib import Path

import numpy as np
import pytest

from hil.engine import Engine, EngineError
from hil.overlay import read_overlay
from hil.plant.circuit import build_circuit
from tests.unit.hil.bench_case import TWO_ZONES, TWO_ZONES_OVERLAY, small_circuit

REGULATOR = """
new transformer.reg phases=3 windings=2 buses=(c, d) conns=(wye, wye) kvs=({kv}, {kv}) kvas=(5000, 5000) xhl=1
~ wdg=2 numtaps=16 maxtap=1.08 mintap=0.92
new regcontrol.reg transformer=reg winding=2 vreg=120 band=2 ptratio=60
"""


@pytest.mark.parametrize("kv", ["12.47", "4.16"])
def test_a_feeder_of_another_voltage_and_other_tap_steps_is_built_on_its_own_bases(tmp_path: Path, kv: str) -> None:
    deck, overlay = tmp_path / "small.dss", tmp_path / "small.toml"
    own = TWO_ZONES.replace("4.16", kv).replace("set voltagebases", REGULATOR.format(kv=kv) + "set voltagebases")
    deck.write_text(own)
    overlay.write_text(TWO_ZONES_OVERLAY.format(p_max_w=1e6, r_ohm=0.05))
    circuit = build_circuit(deck, overlay=read_overlay(overlay))
    engine = circuit.engine
    base_v = float(kv) * 1e3 / np.sqrt(3.0)
    assert np.allclose(engine.node_bases(), base_v)
    assert float(engine.property_of("vsource.neighbour", name="basekv")) == pytest.approx(float(kv))
    assert float(engine.property_of("generator.battery", name="kv")) == pytest.approx(float(kv), rel=1e-6)
    control = circuit.regulators["transformer.reg"]
    # By hand: 16 % over 16 steps; 8 steps either way.
    assert control.tap_step_pu == pytest.approx(0.01)
    assert (control.tap_low, control.tap_high) == (-8, 8)
    before = _volts(engine, bus="d")
    circuit.set_tap("transformer.reg", position=5)
    # Five steps of 1 % on an almost unloaded winding.
    assert _volts(engine, bus="d") / before == pytest.approx(1.05, rel=1e-3)


def _volts(engine: Engine, *, bus: str) -> float:
    assert engine.solve()
    return float(abs(engine.voltages()[engine.node_names().index((bus, 1))]))


def test_what_has_no_solution_or_no_base_says_why(tmp_path: Path) -> None:
    engine = small_circuit(tmp_path).engine
    engine.command("set maxiterations=1")
    engine.set_loads(np.full(3, 1e6 + 0j))
    assert not engine.solve()
    assert engine.problem == "no convergence in 1 iterations"
    engine.command("clear")
    assert not engine.solve()
    assert "circuit" in engine.problem.lower()


def test_a_bus_that_is_not_there_has_no_base(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="bus nowhere has no voltage base"):
        small_circuit(tmp_path).engine.base_v("nowhere")
