from pathlib import Path

import numpy as np
import pytest

from adms.client import InputError
from hil.overlay import read_overlay
from hil.plant.circuit import Circuit, build_circuit
from hil.plant.mismatch import MismatchPlan, ZipModel, apply_mismatch, read_mismatch, starting_positions
from tests.unit.hil.bench_case import FILES, small_circuit


def length(circuit: Circuit, line: str) -> float:
    return float(circuit.engine.property_of(line, name="length"))


def test_lines_are_longer_or_shorter_by_no_more_than_stated_and_each_is_listed(tmp_path: Path) -> None:
    circuit = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay))
    told = {n: length(circuit, n) for n in circuit.engine.element_names() if n.startswith("line.")}
    changes = apply_mismatch(circuit, MismatchPlan(line_length_frac=0.1), 1)
    ratio = {name: length(circuit, name) / told[name] for name in told}
    changed = np.array([ratio[change.element] for change in changes])
    # Some 118 lines of the deck: uniform within 10 %, so a mean of 1 within four times 0.1 / sqrt(3 x 118).
    assert len(changed) > 100
    assert changed.min() >= 0.9
    assert changed.max() <= 1.1
    assert changed.mean() == pytest.approx(1.0, abs=4 * 0.1 / (3 * len(changed)) ** 0.5)
    assert changed.std() == pytest.approx(0.1 / 3**0.5, rel=0.25)
    untouched = set(told) - {change.element for change in changes}
    switches = {circuit.element(switch.id) for switch in circuit.overlay.switches}
    assert untouched <= switches | set(circuit.overlay.removed)


def test_the_impedance_of_a_longer_line_is_larger(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    assert circuit.engine.solve()
    before = dict(zip(circuit.engine.node_names(), circuit.engine.voltages(), strict=True))
    current = complex(circuit.engine.flows("line.a", terminal=0)[0][0])
    (change,) = [c for c in apply_mismatch(circuit, MismatchPlan(line_length_frac=0.5), 3) if c.element == "line.a"]
    assert circuit.engine.solve()
    after = dict(zip(circuit.engine.node_names(), circuit.engine.voltages(), strict=True))
    drops = [abs(v["head", 1] - v["a", 1]) for v in (before, after)]
    now = complex(circuit.engine.flows("line.a", terminal=0)[0][0])
    # Balanced: the drop is current times length.
    assert drops[1] / drops[0] == pytest.approx(length(circuit, "line.a") * abs(now) / abs(current), rel=1e-3)
    assert change.told == "1"


def test_both_halves_of_a_line_that_can_fail_change_alike(tmp_path: Path) -> None:
    whole, split = small_circuit(tmp_path), small_circuit(tmp_path, fault="line.b")
    for circuit in (whole, split):
        apply_mismatch(circuit, MismatchPlan(line_length_frac=0.3), 1)
    assert length(split, "line.b") == length(split, "line.hil_part_1") == pytest.approx(length(whole, "line.b") / 2)
    assert length(split, "line.c") == length(whole, "line.c")


def test_an_element_keeps_its_draw_whatever_else_is_changed(tmp_path: Path) -> None:
    alone, together, other = (small_circuit(tmp_path) for _ in range(3))
    apply_mismatch(alone, MismatchPlan(line_length_frac=0.2), 1)
    apply_mismatch(together, MismatchPlan(line_length_frac=0.2, load_allocation_frac=0.2), 1)
    apply_mismatch(other, MismatchPlan(line_length_frac=0.2), 2)
    assert length(alone, "line.c") == length(together, "line.c") != length(other, "line.c")


def test_loads_are_shared_out_otherwise_and_their_sum_is_kept(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    changes = apply_mismatch(circuit, MismatchPlan(load_allocation_frac=0.3), 1)
    told = {load.name: load.p_w for load in circuit.loads}
    true = {load.name: (load.p_w, load.q_var) for load in circuit.engine.loads()}
    assert sum(p for p, _ in true.values()) == pytest.approx(600e3)
    assert {change.element for change in changes} == set(told)
    assert all(abs(p / told[name] - 1.0) < 0.5 and p != told[name] for name, (p, _) in true.items())
    # The deck's loads all have 30 % of Q.
    assert all(q / p == pytest.approx(0.3) for p, q in true.values())


def test_a_zip_model_answers_voltage_as_it_says(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    plan = ZipModel(p_frac=(0.5, 0.3, 0.2), q_frac=(1.0, 0.0, 0.0), cut_off_pu=0.0, loads=("load.c",))
    (change,) = apply_mismatch(circuit, MismatchPlan(zip_model=plan), 1)
    assert (change.element, change.told) == ("load.c", "OpenDSS model 1")
    circuit.engine.command("vsource.source.pu=0.99")
    assert circuit.engine.solve()
    v_pu = float(abs(circuit.engine.voltages()[circuit.engine.node_names().index(("c", 1))]) / (4160 / 3**0.5))
    power = circuit.engine.flows("load.c", terminal=0)[1].sum()
    assert 0.955 < v_pu < 0.99
    # Inside the deck's band of voltage for a load, 0.95 to 1.05 pu by OpenDSS' default; outside it is an impedance.
    # 300 kW and 90 kvar of the deck: P = 0.5 V² + 0.3 V + 0.2, Q = V².
    assert power.real == pytest.approx(300e3 * (0.5 * v_pu**2 + 0.3 * v_pu + 0.2), rel=1e-5)
    assert power.imag == pytest.approx(90e3 * v_pu**2, rel=1e-5)


TRANSFORMED = """
clear
new circuit.small basekv=12.47 bus1=head r1=0.01 x1=0.05
new transformer.t{} phases=3 windings=2 buses=[head low{}] conns=[wye wye] kvs=[12.47 0.48] kvas=[500 500] xhl=2
"""


def test_transformers_stand_on_other_taps_by_whole_steps(tmp_path: Path) -> None:
    deck = tmp_path / "small.dss"
    lines = [TRANSFORMED.format(0, 0)]
    lines += [TRANSFORMED.strip().splitlines()[-1].format(k, k) for k in range(1, 60)]
    deck.write_text("\n".join(lines) + "\nset voltagebases=[12.47 0.48]\ncalcvoltagebases\n")
    overlay = tmp_path / "small.toml"
    overlay.write_text(
        'schema_version = 1\nname = "small"\ndeck = "small.dss"\n[voltage_limits]\nv_min_pu = 0.95\nv_max_pu = 1.05\n'
        'v_emergency_min_pu = 0.9\nv_emergency_max_pu = 1.08\n[interface]\nsource = "vsource.source"\n'
    )
    circuit = build_circuit(deck, overlay=read_overlay(overlay))
    changes = apply_mismatch(circuit, MismatchPlan(transformer_tap_steps=1), 1)
    assert circuit.engine.solve()
    v_pu = dict(
        zip(circuit.engine.node_names(), np.abs(circuit.engine.voltages()) / circuit.engine.node_bases(), strict=True)
    )
    ratios = {round(1.0 / v_pu[f"low{k}", 1], 4) for k in range(60)}
    # Unloaded, so secondary voltage is the ratio: primary taps 0.975, 1 and 1.025, a third of sixty each.
    assert ratios == {0.975, 1.0, 1.025}
    assert 30 <= len(changes) <= 50


def test_a_switch_stands_where_nobody_is_told(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    plan = MismatchPlan(switches=(("switch.bc", False), ("switch.ab", True)))
    changes = apply_mismatch(circuit, plan, 1)
    assert [str(change) for change in changes] == ["switch.bc: switch open, told closed"]
    assert starting_positions(changes) == {"switch.bc": False}
    assert circuit.engine.solve()
    assert abs(circuit.engine.flows("line.c", terminal=0)[0]).max() < 1e-3


def test_nothing_stated_changes_nothing(tmp_path: Path) -> None:
    assert apply_mismatch(small_circuit(tmp_path), MismatchPlan(), 1) == ()


def test_what_the_feeder_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    plan = MismatchPlan(
        switches=(("switch.x", True),),
        zip_model=ZipModel(p_frac=(1.0, 0.0, 0.0), q_frac=(1.0, 0.0, 0.0), cut_off_pu=0.0, loads=("load.x",)),
    )
    with pytest.raises(InputError) as refused:
        apply_mismatch(small_circuit(tmp_path), plan, 1)
    assert [problem.value for problem in refused.value.problems] == ["switch.x", "load.x"]


def test_a_mismatch_is_read_with_every_problem_at_once() -> None:
    content = {
        "line_length_frac": 1.5,
        "transformer_tap_steps": 0.5,
        "zip_model": {"p_frac": [0.5, 0.4, 0.2], "q_frac": [1.0, 0.0]},
        "switch": [{"id": "switch.a", "closed": True}, {"id": "switch.a", "closed": "no"}],
        "lines": 3,
    }
    with pytest.raises(InputError) as refused:
        read_mismatch(content)
    assert [f"{problem.element}.{problem.field}" for problem in refused.value.problems] == [
        "mismatch.switch switch.a.closed",
        "mismatch.switch",
        "mismatch.line_length_frac",
        "mismatch.transformer_tap_steps",
        "mismatch.zip_model.p_frac",
        "mismatch.zip_model.q_frac",
        "mismatch.lines",
    ]
    good = {"line_length_frac": 0.1, "zip_model": {"p_frac": [0.4, 0.3, 0.3], "q_frac": [1.0, 0.0, 0.0]}}
    assert read_mismatch(good).zip_model == ZipModel(
        p_frac=(0.4, 0.3, 0.3), q_frac=(1.0, 0.0, 0.0), cut_off_pu=0.0, loads=()
    )
