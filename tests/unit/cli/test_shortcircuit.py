"""`adms shortcircuit` on a network that is checked by hand elsewhere (tests/unit/powerflow/test_short_circuit.py)."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.adapters.model_file import MODEL, save_model
from adms.cli.exits import ExitCode
from adms.cli.shortcircuit_study import FaultStudy, run
from adms.core.errors import InputError
from adms.core.ids import ElementId
from adms.grid.admittance import as_matrix, dense
from adms.grid.model import SwitchGear, SwitchKind
from tests.unit.powerflow.networks import V_BASE_V, four_buses

Z_SOURCE, Z_SELF, Z_MUTUAL = 0.05 + 0.2j, 0.3 + 0.6j, 0.1 + 0.25j


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = four_buses()
    gear = SwitchGear(
        kind=SwitchKind.RECLOSER, normally_closed=True, remote=True, pickup_a=400.0, trip_delay_s=0.2, reclose_shots=2
    )
    branches = tuple(replace(b, switch=gear) if b.id == "line.s23" else b for b in model.branches)
    path = tmp_path_factory.mktemp("model") / "model.json"
    save_model(replace(model, branches=branches), path)
    return path


def test_a_device_of_several_poles_is_opened_by_its_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = four_buses()
    gear = SwitchGear(kind=SwitchKind.RECLOSER, normally_closed=True, remote=True, group="rec")
    (switch,) = (b for b in model.branches if b.id == "line.s23")
    y = dense(switch.y_primitive_siemens)
    poles = [
        replace(
            switch,
            id=ElementId(f"rec_{k + 1}"),
            terminals=tuple((terminal[k],) for terminal in switch.terminals),
            y_primitive_siemens=as_matrix(y[np.ix_([k, k + 3], [k, k + 3])]),
            switch=gear,
        )
        for k in range(3)
    ]
    path = tmp_path / "model.json"
    save_model(replace(model, branches=(*(b for b in model.branches if b.id != "line.s23"), *poles)), path)
    assert run(FaultStudy(model=path, opened=("rec",), as_json=True)) == ExitCode.OK
    assert [row["bus"] for row in _printed(capsys)["buses"] if not row["energised"]] == ["3"]


def _printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_the_table_has_every_fault_of_every_bus(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(FaultStudy(model=model_file, as_json=True)) == ExitCode.OK
    table = {row["bus"]: row for row in _printed(capsys)["buses"]}
    assert [len(table[bus]["faults"]) for bus in ("1", "2", "3", "4", "5")] == [11, 11, 11, 1, 11]
    bolted = next(f for f in table["2"]["faults"] if f["fault"] == "3ph")
    expected = 1.02 * V_BASE_V / abs(Z_SOURCE + Z_SELF - Z_MUTUAL)
    assert bolted["current_a"] == pytest.approx([expected] * 3, rel=1e-9)
    assert table["2"]["smallest_a"] <= table["2"]["largest_a"]


def test_one_bus_shows_what_the_devices_see_and_who_must_clear(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = FaultStudy(model=model_file, bus="3", fault="lg", phases="2", r_fault_ohm=0.5, loads=True, as_json=True)
    assert run(study) == ExitCode.OK
    (fault,) = _printed(capsys)["faults"]
    assert (fault["fault"], fault["phases"], fault["solved"]) == ("lg", [2], True)
    (device,) = fault["devices"]
    assert (device["device"], device["kind"], device["picks_up"]) == ("line.s23", "recloser", True)
    assert device["ground_a"] == pytest.approx(fault["ground_a"], rel=0.1)  # the loads take the rest
    assert fault["must_clear"] == [{"device": "line.s23", "fed_by": ["source.main"]}]
    assert {(node["bus"], node["phase"]) for node in fault["nodes"]} >= {("3", "1"), ("4", "1")}


def test_iec_60909_takes_the_largest_or_the_smallest_voltage_factor(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    currents = {}
    for word in ("max", "min"):
        assert run(FaultStudy(model=model_file, bus="2", fault="3ph", iec=word, as_json=True)) == ExitCode.OK
        currents[word] = _printed(capsys)["faults"][0]["current_a"][0]
    assert currents["max"] == pytest.approx(1.10 * V_BASE_V / abs(Z_SOURCE + Z_SELF - Z_MUTUAL), rel=1e-9)
    assert currents["max"] / currents["min"] == pytest.approx(1.10, rel=1e-9)


def test_a_dead_bus_is_no_crash_and_no_zero(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = FaultStudy(model=model_file, bus="3", opened=("s23",), as_json=True)
    assert run(dead) == ExitCode.FAILED
    assert _printed(capsys) == {"solved": False, "reason": "3 is not energised"}
    assert run(FaultStudy(model=model_file, opened=("s23",))) == ExitCode.OK
    assert "3: not energised" in capsys.readouterr().out


def test_der_that_count_as_off_are_named(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for bus in ("", "2"):
        assert run(FaultStudy(model=model_file, bus=bus, fault="3ph", as_json=True)) == ExitCode.OK
        assert _printed(capsys)["ders_unknown"] == ["der.pv3"]
        assert run(FaultStudy(model=model_file, bus=bus, fault="3ph")) == ExitCode.OK
        assert capsys.readouterr().out.splitlines()[-1].endswith("reactance known: der.pv3")


def test_reach_is_the_weakest_fault_in_the_zone_of_each_device(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind the recloser at bus 3 (four_buses): what it sees of line-to-ground faults at each bus of its zone, taken
    one bus at a time, is never less than the reach says."""
    assert run(FaultStudy(model=model_file, reach=True, fault="lg", r_fault_ohm=2.0, as_json=True)) == ExitCode.OK
    (device,) = _printed(capsys)["devices"]
    assert device["device"] == "line.s23"
    seen = {}
    for bus in device["zone_buses"]:
        assert run(FaultStudy(model=model_file, bus=bus, fault="lg", r_fault_ohm=2.0, as_json=True)) == ExitCode.OK
        for fault in _printed(capsys)["faults"]:
            seen[bus, *fault["phases"]] = max(fault["devices"][0]["current_a"])
    weakest = device["weakest"]
    assert min(seen, key=seen.__getitem__) == (weakest["bus"], *weakest["phases"])
    assert device["smallest_a"] == pytest.approx(min(seen.values()), rel=1e-9)
    assert device["picks_up"] == (device["smallest_a"] >= 400.0)
    assert run(FaultStudy(model=model_file, reach=True, fault="lg", r_fault_ohm=2.0)) == ExitCode.OK
    assert f"weakest fault {weakest['bus']} lg" in capsys.readouterr().out


def test_reach_is_about_every_bus(model_file: Path) -> None:
    with pytest.raises(InputError) as refused:
        run(FaultStudy(model=model_file, reach=True, bus="2", phases="1", iec="min"))
    assert [problem.field for problem in refused.value.problems] == ["--bus", "--phases", "--iec"]


def test_every_problem_of_the_command_line_is_named_at_once(model_file: Path) -> None:
    study = FaultStudy(
        model=model_file,
        bus="nowhere",
        fault="4ph",
        phases="a",
        r_fault_ohm=-1.0,
        r_ground_ohm=float("nan"),
        loads=True,
        iec="most",
        opened=("sx",),
        closed=("sy",),
    )
    with pytest.raises(InputError) as refused:
        run(study)
    assert [problem.field for problem in refused.value.problems] == [
        "--open",
        "--close",
        "--bus",
        "--fault",
        "--r-fault-ohm",
        "--r-ground-ohm",
        "--iec",
        "--iec",
        "--phases",
    ]


def test_an_unknown_bus_is_told_near_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = four_buses()
    text = MODEL.dump_json(model).decode().replace('["3",', '["Main3",').replace('"id":"3"', '"id":"Main3"')
    path = tmp_path / "model.json"
    save_model(MODEL.validate_json(text), path)
    with pytest.raises(InputError, match="no such bus; near: Main3"):
        run(FaultStudy(model=path, bus="main33", fault="3ph"))
    assert run(FaultStudy(model=path, bus="main3", fault="3ph", as_json=True)) == ExitCode.OK
    assert _printed(capsys)["bus"] == "Main3"


def test_phases_that_do_not_make_the_fault_are_refused(model_file: Path) -> None:
    with pytest.raises(InputError, match="joins 1 phase "):
        run(FaultStudy(model=model_file, bus="2", fault="lg", phases="1,2"))
    with pytest.raises(InputError, match="there are only phases 1"):
        run(FaultStudy(model=model_file, bus="4", fault="lg", phases="3"))
    with pytest.raises(InputError, match="joins 3 different phases"):
        run(FaultStudy(model=model_file, bus="4", fault="3ph"))


def test_bad_input_ends_with_code_two_and_without_a_traceback(model_file: Path) -> None:
    command = [sys.executable, "-m", "adms.cli", "shortcircuit", str(model_file), "--bus", "nowhere", "--fault", "4ph"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "nowhere" in done.stderr
    assert "4ph" in done.stderr
    assert "Traceback" not in done.stderr
