import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from hil.cosim.__main__ import main
from hil.cosim.federate import Exchange, PlantFederate
from hil.cosim.library import CosimError, publish_phasors
from hil.cosim.membership import Membership
from hil.cosim.plan import CosimPlan
from hil.cosim.stub_transmission import Thevenin, TheveninFederate
from hil.plant.plant import Plant
from tests.unit.hil.cosim.federation import HEAD, beside, feeder_plan, peer_plan, small_plant

SYSTEM = Thevenin(e_pu=1.02, z_pu=0.01 + 0.08j, s_base_va=1e6)
"""Weak on purpose: the feeder's 0.6 MW and 0.2 Mvar pull its head down by about 0.6*0.01 + 0.2*0.08 = 0.02 pu."""


def together(plant: Plant, plan: CosimPlan, *, until_s: float, offset_s: float = 0.0) -> Sequence[Exchange]:
    federate = PlantFederate(plan, plant=plant, scan_s=4.0)
    peer = peer_plan(plan, name="grid", broker=federate.membership.broker)
    grid = TheveninFederate(peer, system=SYSTEM, power="feeder/s_import", offset_s=offset_s)
    try:
        with beside(lambda: grid.run(until_s)) as raised:
            federate.join()
            for k in range(1, round(until_s / 4.0) + 1):
                assert federate.advance(4.0 * k, plant)
                plant.advance(4.0 * k)
            federate.close()
        assert raised == []
    finally:
        federate.close()
    return federate.exchanges


def fixed_point(plant: Plant) -> tuple[complex, complex]:
    """Head voltage and import where feeder and grid agree, by Gauss' iteration V <- E - Z conj(S(V) / V) on the plant
    itself, with no federation and no closed formula."""
    plant.remove_source_impedance("vsource.source")
    v_pu = complex(SYSTEM.e_pu)
    s_va = 0j
    for _ in range(200):
        plant.set_source("vsource.source", v_phasor_pu=v_pu)
        plant.solve_again()
        s_va = -complex(plant.flow("vsource.source", side=0)[1][:3].sum())
        v_pu = SYSTEM.e_pu - SYSTEM.z_pu * (s_va / SYSTEM.s_base_va / v_pu).conjugate()
    return v_pu, s_va


@pytest.mark.parametrize("offset_s", [0.0, 2.0])
def test_feeder_and_grid_come_to_the_voltage_and_import_where_both_agree(tmp_path: Path, offset_s: float) -> None:
    expected_v_pu, expected_va = fixed_point(small_plant(tmp_path))
    plant = small_plant(tmp_path)
    last = together(plant, feeder_plan(), until_s=100.0, offset_s=offset_s)[-1]
    # The stub's closed formula and Gauss' iteration are two ways to one point; OpenDSS solves to 1e-9.
    assert abs(last.v_phasor_pu["vsource.source"] - expected_v_pu) < 1e-7
    assert abs(last.s_source_va["vsource.source"] - expected_va) < 1.0
    # By hand: u = |V|^2 of u^2 + (2 Re(Z* S) - E^2) u + |Z S|^2 = 0 with S = 0.609 + 0.199j MVA on 1 MVA:
    # E^2 = 1.0404, Re(Z* S) = 0.01*0.609 + 0.08*0.199 = 0.0220, |Z S|^2 = 0.0065*0.411 = 0.0027, u = 0.9936.
    assert abs(expected_v_pu) == pytest.approx(0.9968, abs=5e-4)


def test_a_grid_that_computes_between_the_feeders_instants_answers_a_period_earlier(tmp_path: Path) -> None:
    """The first power goes out at 0 s. A grid at 0, 4, 8 s has it at 4 s, and the feeder the answer at 8 s; a grid at
    2, 6 s has it at 2 s, and the feeder the answer at 4 s."""
    for offset_s, answered_s in ((0.0, 8.0), (2.0, 4.0)):
        rows = together(small_plant(tmp_path), feeder_plan(), until_s=16.0, offset_s=offset_s)
        low = [row.time_s for row in rows if abs(row.v_phasor_pu.get("vsource.source", 1.02)) < SYSTEM.e_pu - 0.01]
        assert low[0] == answered_s


def test_with_iterations_both_agree_at_the_first_instant(tmp_path: Path) -> None:
    expected_v_pu, _ = fixed_point(small_plant(tmp_path))
    plan = feeder_plan(iterations_max=30, tolerance_pu=1e-9)
    rows = together(small_plant(tmp_path), plan, until_s=12.0)
    assert all(row.at_rest for row in rows)
    assert rows[0].iterations > 1
    assert abs(rows[0].v_phasor_pu["vsource.source"] - expected_v_pu) < 1e-7


def test_iterations_that_end_early_say_so(tmp_path: Path) -> None:
    plan = feeder_plan(iterations_max=1, tolerance_pu=1e-9)
    assert not together(small_plant(tmp_path), plan, until_s=4.0)[0].at_rest


@pytest.mark.parametrize("iterations", [0, 30])
def test_two_runs_are_the_same_run(tmp_path: Path, iterations: int) -> None:
    plan = feeder_plan(iterations_max=iterations, tolerance_pu=1e-9 if iterations else None)
    first, second = (together(small_plant(tmp_path), plan, until_s=40.0, offset_s=0.0) for _ in range(2))
    assert first == second


def test_a_publication_that_nobody_has_is_named(tmp_path: Path) -> None:
    plan = feeder_plan(federates=1, subscribe=[{**HEAD, "publication": "gird/v_head"}])
    federate = PlantFederate(plan, plant=small_plant(tmp_path), scan_s=4.0)
    with pytest.raises(CosimError, match="nobody publishes gird/v_head"):
        federate.join()
    federate.close()


def test_a_federation_that_does_not_come_together_ends(tmp_path: Path) -> None:
    federate = PlantFederate(feeder_plan(join_timeout_s=0.3), plant=small_plant(tmp_path), scan_s=4.0)
    with pytest.raises(CosimError, match=r"did not come together within join_timeout_s = 0\.3"):
        federate.join()
    federate.close()


def test_a_broker_that_is_not_there_is_said(tmp_path: Path) -> None:
    plan = feeder_plan(start_broker=None, federates=None, broker="127.0.0.1:9", core="tcp_ss", join_timeout_s=0.5)
    with pytest.raises(CosimError, match=r"cannot join at 127\.0\.0\.1:9"):
        PlantFederate(plan, plant=small_plant(tmp_path), scan_s=4.0)


class Puppet:
    """A peer that sends what it is told to and then ends as it is told to."""

    def __init__(self, plan: CosimPlan, *, values: Sequence[object], ends: str, stay: threading.Event) -> None:
        self.membership = Membership(plan)
        h = self.membership.h
        vector = isinstance(values[0], list)
        kind = h.HELICS_DATA_TYPE_COMPLEX_VECTOR if vector else h.HELICS_DATA_TYPE_COMPLEX
        federate = self.membership.federate
        # So that it keeps the feeder's pace.
        h.helicsFederateRegisterSubscription(federate, "feeder/s_import", "")
        self.publication = h.helicsFederateRegisterGlobalPublication(federate, "grid/v_head", kind, "")
        self.values, self.ends, self.stay = values, ends, stay

    def run(self) -> None:
        h = self.membership.h
        self.membership.enter()
        for k, value in enumerate(self.values, start=1):
            if isinstance(value, list):
                publish_phasors(h, self.publication, value)
            else:
                h.helicsPublicationPublishComplex(self.publication, value)
            self.membership.grant(4.0 * k)
        if self.ends == "error":
            self.membership.fail("the grid's model broke")
        elif self.ends == "stuck":
            self.stay.wait(20.0)
        self.membership.leave()


def beside_a_puppet(
    plan: CosimPlan, folder: Path, *, values: Sequence[object], ends: str = "", until_s: float = 40.0
) -> list[Exchange]:
    plant, stay = small_plant(folder), threading.Event()
    federate = PlantFederate(plan, plant=plant, scan_s=4.0)
    puppet = Puppet(
        peer_plan(plan, name="grid", broker=federate.membership.broker), values=values, ends=ends, stay=stay
    )
    try:
        with beside(puppet.run):
            try:
                federate.join()
                for k in range(1, round(until_s / 4.0) + 1):
                    federate.advance(4.0 * k, plant)
                    plant.advance(4.0 * k)
            finally:
                stay.set()
                federate.close()
    finally:
        puppet.membership.leave()
    return federate.exchanges


def test_a_peer_that_breaks_ends_it_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match=r"ended after [48] s: a peer ended it: the grid's model broke"):
        beside_a_puppet(feeder_plan(), tmp_path, values=[1.0 + 0j] * 2, ends="error")


def test_a_peer_that_finishes_ends_it_when_its_last_value_is_too_old(tmp_path: Path) -> None:
    """Its last value is given at 4 s and received with the grant of 8 s: 8 s old at 16 s, too old at 20 s."""
    with pytest.raises(CosimError, match=r"after 20 s: grid/v_head .* silent for 12 s, over fresh_within_s = 8"):
        beside_a_puppet(feeder_plan(), tmp_path, values=[1.0 + 0j] * 2)


def test_a_peer_that_is_stuck_ends_it_within_the_grant_timeout(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match=r"no grant of 12 s within grant_timeout_s = 0\.3"):
        beside_a_puppet(feeder_plan(grant_timeout_s=0.3), tmp_path, values=[1.0 + 0j] * 2, ends="stuck")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (2401.0 + 0j, r"2401 pu: outside 0\.1 to 2\.0 \(unit = pu\)"),
        (complex("nan"), "nan pu: outside"),
        (0j, "0 pu: outside"),
    ],
)
def test_a_voltage_that_cannot_be_one_ends_it(tmp_path: Path, value: complex, why: str) -> None:
    with pytest.raises(CosimError, match=why):
        beside_a_puppet(feeder_plan(), tmp_path, values=[1.0 + 0j, value, value])


A = complex(-0.5, -(3**0.5) / 2)
"""One phase behind another: exp(-2 pi j / 3)."""


def per_phase(limit_frac: float) -> CosimPlan:
    head = {**HEAD, "unit": "V", "form": "per_phase", "unbalance_max_frac": limit_frac}
    return feeder_plan(subscribe=[head])


def test_volts_of_three_phases_become_their_positive_sequence(tmp_path: Path) -> None:
    """4,160 V / sqrt 3 = 2,401.78 V; phase 1 is 3 % high, so that V1 = 1.01, V2 = V0 = 0.01 pu."""
    base_v = 4160.0 / 3**0.5
    v = [1.03 * base_v + 0j, A * base_v, A**2 * base_v]
    rows = beside_a_puppet(per_phase(0.0100), tmp_path, values=[v] * 3, until_s=8.0)
    assert rows[-1].v_phasor_pu["vsource.source"] == pytest.approx(1.01, abs=1e-9)


def test_more_unbalance_than_the_scenario_allows_ends_it(tmp_path: Path) -> None:
    """V2 / V1 = 0.01 / 1.01 = 0.99 %."""
    base_v = 4160.0 / 3**0.5
    v = [1.03 * base_v + 0j, A * base_v, A**2 * base_v]
    with pytest.raises(CosimError, match=r"unbalance of 0\.99%: over unbalance_max_frac = 0\.0098"):
        beside_a_puppet(per_phase(0.0098), tmp_path, values=[v] * 3)


def test_a_frequency_reaches_the_plant(tmp_path: Path) -> None:
    heard = {"quantity": "frequency_hz", "publication": "grid/f_hz"}
    plant = small_plant(tmp_path)
    assert plant.f_hz is None
    together(plant, feeder_plan(subscribe=[HEAD, heard]), until_s=8.0)
    assert plant.f_hz == 60.0


def test_a_source_without_impedance_holds_the_voltage_of_its_bus(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    plant.remove_source_impedance("vsource.source")
    plant.set_source("vsource.source", v_phasor_pu=0.97 * complex(A))
    plant.solve_again()
    head = plant.phasor_v([("head", 1)])[0] / plant.source_base_v("vsource.source")
    assert abs(head - 0.97 * A) < 1e-6


GRID = ["--power", "feeder/s_import", "--period", "4", "--until", "1e6"]
SYSTEM_OPTIONS = ["--e", "1.02", "--r", "0.01", "--x", "0.08", "--base", "1e6"]
"""`SYSTEM`."""


def test_a_grid_in_a_process_of_its_own_takes_part_and_ends_it_when_it_is_killed(tmp_path: Path) -> None:
    """Over TCP on a free port: HELICS misses it after two ticks of a second."""
    expected_v_pu, _ = fixed_point(small_plant(tmp_path))
    plant = small_plant(tmp_path)
    plan = feeder_plan(core="tcp_ss", grant_timeout_s=15.0, join_timeout_s=20.0)
    federate = PlantFederate(plan, plant=plant, scan_s=4.0)
    broker = federate.membership.broker
    at = ["--core", "tcp_ss", "--broker", broker]
    grid = subprocess.Popen([sys.executable, "-m", "hil.cosim", "transmission", *GRID, *SYSTEM_OPTIONS, *at])
    try:
        federate.join()
        for k in range(1, 26):
            federate.advance(4.0 * k, plant)
            plant.advance(4.0 * k)
        assert abs(federate.exchanges[-1].v_phasor_pu["vsource.source"] - expected_v_pu) < 1e-7
        grid.kill()
        with pytest.raises(CosimError, match="a peer ended it: lost comms"):
            advance_on(federate, plant)
    finally:
        grid.kill()
        grid.wait()
        federate.close()


def advance_on(federate: PlantFederate, plant: Plant) -> None:
    for k in range(26, 29):
        federate.advance(4.0 * k, plant)


@pytest.mark.parametrize(("core", "address"), [("tcp_ss", "127.0.0.1:9"), ("zmq", "tcp://127.0.0.1:9")])
def test_a_stand_in_without_a_broker_says_so(core: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--core", core, "--broker", address, "--join-timeout", "0.3"]
    assert main(["transmission", *GRID, *SYSTEM_OPTIONS, *at]) == 1
    assert f"grid cannot join at {address}" in capsys.readouterr().err
