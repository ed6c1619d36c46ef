from pathlib import Path

import numpy as np
import pytest

from adms.client import InputError
from hil.engine import ComplexArray
from hil.overlay import read_overlay
from hil.plant.circuit import Circuit, build_circuit
from hil.plant.fault_plan import Fault, FaultStage, read_faults
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import TWO_ZONES_OVERLAY, small_feeder, steady_scenario

V_V = 4160.0 / 3**0.5
SOURCE_OHM = 0.01 + 0.05j
LINE_1_OHM, LINE_0_OHM = 0.2 + 0.4j, 0.5 + 1.2j
"""Per km, from the deck of bench_case: each line is 1 km."""
CONTACT_OHM = 1e-6
TURN = np.exp(2j * np.pi / 3)


def stage(kind: str, *phases: int, r_ohm: float = 1e-6, after_s: float = 0.0) -> FaultStage:
    return FaultStage(kind=kind, phases=phases, r_fault_ohm=r_ohm, after_s=after_s)


def at(line: str, share: float, *stages: FaultStage, name: str = "f", **more: float | str | None) -> Fault:
    return Fault(name=name, line=line, at_frac=share, stages=stages, **({"time_s": 10.0} | more))  # type: ignore[arg-type]


def unloaded(folder: Path, fault: Fault) -> Circuit:
    deck, overlay = small_feeder(folder)
    circuit = build_circuit(deck, overlay=overlay, faults=[fault])
    circuit.engine.command("batchedit load..* enabled=no")
    return circuit


def currents(circuit: Circuit, fault: str = "f", *, of: str = "switch.breaker") -> ComplexArray:
    for element in circuit.fault_places[fault].elements[0]:
        circuit.engine.command(f"{element}.enabled=yes")
    assert circuit.engine.solve()
    return circuit.engine.flows(circuit.element(of), terminal=0)[0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
@pytest.mark.parametrize(
    ("kind", "phases"), [("LLLG", (1, 2, 3)), ("LLL", (1, 2, 3)), ("LG", (2,)), ("LL", (1, 3)), ("LLG", (2, 3))]
)
def test_the_fault_current_at_a_share_of_a_line_is_what_symmetrical_components_give(
    tmp_path: Path, kind: str, phases: tuple[int, ...], share: float
) -> None:
    """Anderson, Analysis of Faulted Power Systems, chapter 3: the networks in series and parallel, without load."""
    i_a = abs(currents(unloaded(tmp_path, at("line.b", share, stage(kind, *phases)))))
    z1 = SOURCE_OHM + (1.0 + share) * LINE_1_OHM + 2 * CONTACT_OHM
    z0 = SOURCE_OHM + (1.0 + share) * LINE_0_OHM + 2 * CONTACT_OHM
    if kind in ("LLLG", "LLL"):
        expected = [V_V / abs(z1)] * 3
    elif kind == "LG":
        expected = [abs(3.0 * V_V / (2.0 * z1 + z0))]
    elif kind == "LL":
        expected = [abs(3**0.5 * V_V / (2.0 * z1))] * 2
    else:
        i1 = V_V / (z1 + z1 * z0 / (z1 + z0))
        i2, i0 = -i1 * z0 / (z1 + z0), -i1 * z1 / (z1 + z0)
        expected = [abs(i0 + TURN**2 * i1 + TURN * i2), abs(i0 + TURN * i1 + TURN**2 * i2)]
    assert i_a[[phase - 1 for phase in phases]] == pytest.approx(expected, rel=1e-4)
    sound = [phase - 1 for phase in (1, 2, 3) if phase not in phases]
    assert (i_a[sound] < 1.0).all()


def test_a_high_impedance_fault_is_limited_by_its_resistance(tmp_path: Path) -> None:
    i_a = abs(currents(unloaded(tmp_path, at("line.b", 0.5, stage("LG", 1, r_ohm=40.0)))))
    z1, z0 = SOURCE_OHM + 1.5 * LINE_1_OHM, SOURCE_OHM + 1.5 * LINE_0_OHM
    assert i_a[0] == pytest.approx(abs(3.0 * V_V / (2.0 * z1 + z0 + 120.0)), rel=1e-4)
    assert i_a[0] < 61.0


def test_a_ground_fault_on_an_ungrounded_section_carries_no_fault_current_and_lifts_the_sound_phases(
    tmp_path: Path,
) -> None:
    deck, overlay = tmp_path / "small.dss", tmp_path / "small.toml"
    small_feeder(tmp_path)
    text = deck.read_text().replace("new load.a", DELTA_SECTION + "new load.a").replace("[4.16]", "[4.16 0.48]")
    deck.write_text(text)
    overlay.write_text(TWO_ZONES_OVERLAY.format(p_max_w=1e6, r_ohm=0.05))
    circuit = build_circuit(deck, overlay=read_overlay(overlay), faults=[at("line.d", 0.5, stage("LG", 1))])
    assert circuit.engine.solve()
    names = circuit.engine.node_names()
    rows = [names.index(("d2", phase)) for phase in (1, 2, 3)]
    before_a = abs(circuit.engine.flows("line.d", terminal=0)[0])
    i_a = abs(currents(circuit, of="line.d"))
    v_v = abs(circuit.engine.voltages()[rows])
    # No path back: the current stays the load's, the faulted phase goes to ground and the others to the full 480 V.
    assert i_a == pytest.approx(before_a, rel=0.02)
    assert v_v[0] < 1.0
    assert v_v[1:] == pytest.approx([480.0, 480.0], rel=0.03)


DELTA_SECTION = """
new transformer.dd phases=3 windings=2 xhl=2.72 buses=[a d1] conns=[delta delta]
~ kvs=[4.16 0.48] kvas=[150 150] %rs=[0.6 0.6]
new line.d bus1=d1 bus2=d2 length=0.1 units=km r1=0.1 x1=0.1 r0=0.3 x0=0.3 c1=0 c0=0
new load.d bus1=d2 phases=3 conn=delta kv=0.48 kw=30 kvar=10
"""


def test_several_places_in_one_line_and_in_others_change_no_voltage(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    sound = build_circuit(deck, overlay=overlay)
    faults = [
        at("line.b", 0.7, stage("LG", 1), name="one"),
        at("line.b", 0.2, stage("LL", 1, 2), stage("LLLG", 1, 2, 3, after_s=1.0), name="two"),
        at("line.b", 0.7, stage("LG", 3), name="three"),
        at("line.c", 0.4, stage("LG", 2), name="four"),
    ]
    prepared = build_circuit(deck, overlay=overlay, faults=faults)
    found = []
    for circuit in (sound, prepared):
        assert circuit.engine.solve()
        v = dict(zip(circuit.engine.node_names(), circuit.engine.voltages(), strict=True))
        found.append(np.array([v[node] for node in sound.nodes]))
    # These lines have no charging, so a split line is the line: what is left is the solver's tolerance of 1e-9.
    assert np.allclose(found[0], found[1], rtol=1e-7, atol=0.0)
    assert set(prepared.nodes) == set(sound.nodes)
    assert prepared.fault_places["one"].bus == prepared.fault_places["three"].bus
    assert len({place.bus for place in prepared.fault_places.values()}) == 3


def test_every_fault_without_a_place_is_named_at_once(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    faults = [at("line.zz", 0.5, stage("LG", 1), name="one"), at("switch.ab", 0.5, stage("LG", 1), name="two")]
    with pytest.raises(InputError) as refused:
        build_circuit(deck, overlay=overlay, faults=faults)
    assert [problem.element for problem in refused.value.problems] == ["fault one", "fault two"]


# ---- over time ----------------------------------------------------------------------------------------------------


def played(folder: Path, *faults: Fault, until_s: float = 60.0) -> Plant:
    deck, overlay = small_feeder(folder)
    circuit = build_circuit(deck, overlay=overlay, faults=faults)
    plant = Plant(circuit, scenario=steady_scenario(), seed=1, coordinates={"head": (0.0, 0.0)}, fault=None)
    plant.advance(until_s)
    return plant


def told(plant: Plant, *whats: str) -> list[tuple[float, str]]:
    return [(round(event.time_s, 3), event.what) for event in plant.events if event.what in whats]


def test_a_temporary_fault_clears_in_the_dead_time_and_everything_ends_closed(tmp_path: Path) -> None:
    fault = at("line.b", 0.3, stage("LLLG", 1, 2, 3, r_ohm=0.05), clears_after_dead_s=0.5)
    plant = played(tmp_path, fault)
    # Trip after 0.2 s; 0.5 s later the arc is out; the dead time of 2 s ends at 12.2 on a sound line.
    assert told(plant, "fault", "trip", "cleared", "reclose", "lockout") == [
        (10.0, "fault"),
        (10.2, "trip"),
        (10.7, "cleared"),
        (12.2, "reclose"),
    ]
    assert plant.closed["switch.breaker"]
    assert not plant.relays["switch.breaker"].lockout
    assert plant.customers_off() == 0
    assert plant.relays["switch.breaker"].shots == 0  # quiet for longer than the reclaim time of 30 s


def test_a_temporary_fault_outlasts_dead_times_that_are_shorter_than_it_needs(tmp_path: Path) -> None:
    # Needs 3 s in one piece: the first dead time of 2 s is too short, the second of 5 s is enough.
    plant = played(tmp_path, at("line.b", 0.3, stage("LLLG", 1, 2, 3, r_ohm=0.05), clears_after_dead_s=3.0))
    assert told(plant, "trip", "cleared", "reclose", "lockout") == [
        (10.2, "trip"),
        (12.2, "reclose"),
        (12.4, "trip"),
        (15.4, "cleared"),
        (17.4, "reclose"),
    ]


def test_an_evolving_fault_is_seen_by_protection_once_it_is_large_enough(tmp_path: Path) -> None:
    # 40 ohm in one phase is under the pickup of 400 A; three phases after 1.5 s are not; 0.2 s later the trip.
    fault = at("line.b", 0.5, stage("LG", 1, r_ohm=40.0), stage("LLLG", 1, 2, 3, r_ohm=0.05, after_s=1.5))
    plant = played(tmp_path, fault, until_s=12.0)
    assert told(plant, "fault", "evolved", "trip") == [(10.0, "fault"), (11.5, "evolved"), (11.7, "trip")]


def test_a_high_impedance_fault_that_nobody_sees_stays_on_and_keeps_nobody_busy(tmp_path: Path) -> None:
    plant = played(tmp_path, at("line.b", 0.5, stage("LG", 1, r_ohm=40.0)), until_s=15.0)
    busy = [plant.incidents.busy]
    plant.advance(21.0)
    busy.append(plant.incidents.busy)
    assert busy == [True, False]
    assert told(plant, "trip", "lockout", "indicator") == []
    assert plant.incidents.faults.fed(plant.live) == ("f",)
    # By hand: 2402 V / 40 ohm = 60 A in phase, beside 88 A of load at 17 degrees lagging: 146 A, at some 98 % of V.
    assert abs(plant.flow("switch.breaker", side=0)[0][0]) == pytest.approx(146.0, rel=0.03)


def test_how_often_the_bench_looks_changes_no_time_of_protection(tmp_path: Path) -> None:
    fault = at("line.b", 0.4, stage("LG", 2, r_ohm=0.05), stage("LLG", 2, 3, r_ohm=0.05, after_s=0.3))
    seen = []
    for scan_s in (60.0, 2.0, 0.7):
        plant = played(tmp_path, fault, until_s=0.5)
        while plant.time_s < 60.0 - 1e-9:
            plant.advance(min(60.0, plant.time_s + scan_s))
        seen.append([(e.time_s, e.element, e.what) for e in plant.events if e.by in ("protection", "nature")])
    assert seen[0] == seen[1] == seen[2]
    assert any(what == "lockout" for _, _, what in seen[0])


def test_a_fault_evolves_by_energised_time_only(tmp_path: Path) -> None:
    # Fed 0.2 s to the first trip, dead for 2 s, fed again from 12.2: the remaining 0.1 s end at 12.3.
    first = stage("LG", 1, r_ohm=0.05)
    plant = played(tmp_path, at("line.b", 0.5, first, stage("LLG", 1, 2, r_ohm=0.05, after_s=0.3)), until_s=13.0)
    assert told(plant, "trip", "reclose", "evolved") == [
        (10.2, "trip"),
        (12.2, "reclose"),
        (12.3, "evolved"),
        (12.4, "trip"),
    ]


def test_a_second_fault_waits_for_the_restoration(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    bolted = stage("LLLG", 1, 2, 3, r_ohm=0.05)
    faults = [
        at("line.a", 0.5, bolted, name="first"),
        at("line.c", 0.5, bolted, name="second", time_s=None, after="restoration", delay_s=4.0),
    ]
    circuit = build_circuit(deck, overlay=overlay, faults=faults)
    plant = Plant(circuit, scenario=steady_scenario(), seed=1, coordinates={"head": (0.0, 0.0)}, fault=None)
    plant.advance(40.0)
    assert told(plant, "fault") == [(10.0, "fault")]
    plant.operate_switch("switch.ab", closed=False)
    plant.advance(45.0)
    plant.operate_switch("switch.tie", closed=True)
    plant.advance(60.0)
    closing = next(e.time_s for e in plant.events if e.element == "switch.tie" and e.what == "closed")
    assert told(plant, "fault")[1] == (closing + 4.0, "fault")
    # The neighbour's breaker at the tie trips after its 0.3 s and has no reclosing.
    trips = [(e.element, round(e.time_s - closing, 3)) for e in plant.events if e.what in ("trip", "lockout")][-2:]
    assert trips == [("switch.tie", 4.3), ("switch.tie", 4.3)]
    assert plant.incidents.faults.active == ("first", "second")


def test_records_become_faults(tmp_path: Path) -> None:
    (fault,) = read_faults(
        [
            {
                "time_s": 180.0,
                "line": "Line.L67",
                "at_frac": 0.3,
                "kind": "LG",
                "phases": [1],
                "r_fault_ohm": 0.05,
                "clears_after_dead_s": 0.5,
                "evolves": [{"after_s": 0.3, "kind": "LLLG", "phases": [1, 2, 3], "r_fault_ohm": 0.05}],
            }
        ]
    )
    assert fault == Fault(
        name="line.l67",
        line="line.l67",
        at_frac=0.3,
        time_s=180.0,
        clears_after_dead_s=0.5,
        stages=(stage("LG", 1, r_ohm=0.05), stage("LLLG", 1, 2, 3, r_ohm=0.05, after_s=0.3)),
    )


def test_every_problem_of_every_record_is_told() -> None:
    entries = [
        {
            "line": "l67",
            "at_frac": 1.5,
            "kind": "XY",
            "phases": [1],
            "r_fault_ohm": 0.05,
            "time_s": 1.0,
            "colour": "red",
        },
        {"line": "line.b", "at_frac": 0.5, "kind": "LL", "phases": [1, 1], "r_fault_ohm": 0.0, "after": "tea"},
    ]
    with pytest.raises(InputError) as refused:
        read_faults(entries)
    assert [(problem.element, problem.field) for problem in refused.value.problems] == [
        ("fault l67", "colour"),
        ("fault l67", "line"),
        ("fault l67", "kind"),
        ("fault l67", "at_frac"),
        ("fault line.b", "phases"),
        ("fault line.b", "r_fault_ohm"),
        ("fault line.b", "after"),
        ("fault line.b", "delay_s"),
    ]
