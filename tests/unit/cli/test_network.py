"""`adms import`, `adms powerflow` and `adms schema` on the feeder of the demonstration."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandapower
import pytest

from adms.cli.exits import ExitCode
from adms.cli.network import import_model, show_schema
from adms.cli.power_flow import power_flow
from adms.core.errors import InputError
from tests.unit.adapters.importers.pandapower_three_phase import three_phase


@pytest.fixture(scope="module")
def model_file(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project_root / "hil" / "feeders" / "ieee123"
    output = tmp_path_factory.mktemp("model") / "model.json"
    run = [
        "import",
        str(folder / "IEEE123Master.dss"),
        "--overlay",
        str(folder / "123-operated.toml"),
        "-o",
        str(output),
    ]
    subprocess.run([sys.executable, "-m", "adms.cli", *run], check=True, capture_output=True)
    return output


def _flow(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    flow: dict[str, Any] = json.loads(capsys.readouterr().out)
    return flow


def test_power_flow_as_json_names_every_node(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert power_flow(model_file, opened=(), closed=(), as_json=True) == ExitCode.OK
    flow = _flow(capsys)
    assert flow["converged"]
    # The deck's loads draw 3490 kW nominal (IEEE 123-bus test feeder, spot loads); the rest is losses and load law.
    assert flow["p_source_w"] == pytest.approx(3490e3 + flow["losses_w"], rel=0.03)
    assert set(flow["nodes"][0]) >= {"bus", "phase", "v_v", "v_pu", "angle_rad"}
    assert {node["phase"] for node in flow["nodes"]} == {"1", "2", "3"}
    # 4160 V between phases, so 2401.8 V to ground.
    head = next(node for node in flow["nodes"] if (node["bus"], node["phase"]) == ("150", "1"))
    assert head["v_v"] == pytest.approx(head["v_pu"] * 4160 / 3**0.5, rel=1e-3)


def test_an_opened_switch_leaves_nodes_dead_and_not_at_zero_volt_as_if_measured(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert power_flow(model_file, opened=("sw2",), closed=(), as_json=True) == ExitCode.OK
    dead = [node for node in _flow(capsys)["nodes"] if not node["energised"]]
    assert dead
    assert {node["angle_rad"] for node in dead} == {None}


def test_every_unknown_switch_is_named(model_file: Path) -> None:
    with pytest.raises(InputError) as refused:
        power_flow(model_file, opened=("nowhere",), closed=("neither",), as_json=True)
    assert [problem.value for problem in refused.value.problems] == ["nowhere", "neither"]


def test_import_names_every_missing_file_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        import_model(
            tmp_path / "no.dss", overlay=tmp_path / "no.toml", output=tmp_path / "no" / "model.json", as_json=False
        )
    assert len(refused.value.problems) == 3


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "adms.cli", *arguments], check=False, capture_output=True, text=True)


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    """Two buses and a capacitor control, which the model has no place for."""
    path = tmp_path / "deck.dss"
    path.write_text(
        "clear\nnew circuit.c basekv=12.47 bus1=a\n"
        "new line.l bus1=a bus2=b length=1 units=km\n"
        "new monitor.m element=line.l\nnew monitor.n element=line.l\n"
        "set voltagebases=[12.47]\ncalcvoltagebases\nsolve\n"
    )
    return path


def test_import_tells_counts_version_and_what_was_not_carried_over(
    deck: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = deck.with_name("model.json")
    assert import_model(deck, overlay=None, output=output, as_json=True) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["buses"], told["nodes"], told["branches"], told["schema_version"]) == (2, 6, 1, 2)
    assert len(told["version"]) == 64
    assert any("monitor.m" in note for note in told["notes"])
    assert import_model(deck, overlay=None, output=output, as_json=False) == ExitCode.OK
    kinds = capsys.readouterr().out
    assert import_model(deck, overlay=None, output=output, as_json=False, every_note=True) == ExitCode.OK
    every = capsys.readouterr().out
    assert "note: 2 times: " in kinds
    assert len([line for line in every.splitlines() if "monitor." in line]) == 2


def test_a_pandapower_net_is_imported_in_three_phases_or_balanced_as_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, output = tmp_path / "net.json", tmp_path / "model.json"
    pandapower.to_json(three_phase("Dyn"), str(net))
    nodes = {}
    for wanted in (None, True, False):
        run = import_model(net, overlay=None, output=output, as_json=True, three_phase=wanted)
        assert run == ExitCode.OK
        told = json.loads(capsys.readouterr().out)
        nodes[wanted] = told["nodes"] / told["buses"]
    assert nodes == {None: 3.0, True: 3.0, False: 1.0}


def test_the_phases_of_a_deck_are_not_to_be_chosen(deck: Path) -> None:
    done = _run("import", str(deck), "-o", str(deck.with_name("model.json")), "--balanced")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "--balanced" in done.stderr


@pytest.mark.parametrize("wrong", ["missing", "folder", "empty", "suffix", "device", "overwrites", "foreign", "binary"])
def test_input_that_cannot_be_imported_is_refused_in_words(deck: Path, wrong: str) -> None:
    place = deck.parent
    output = place / "model.json"
    sources = {
        "missing": place / "no.dss",
        "folder": place,
        "empty": place / "empty.dss",
        "suffix": place / "deck.txt",
        "device": Path("/dev/zero"),
        "overwrites": deck,
        "foreign": deck,
        "binary": place / "binary.json",
    }
    (place / "empty.dss").touch()
    (place / "deck.txt").write_text("new circuit.c")
    (place / "binary.json").write_bytes(bytes(range(256)))
    (place / "notes.txt").write_text("precious")
    output = {"overwrites": deck, "foreign": place / "notes.txt"}.get(wrong, output)
    before = deck.read_text()
    done = _run("import", str(sources[wrong]), "-o", str(output))
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr.startswith("adms: ")
    assert "Traceback" not in done.stderr
    assert deck.read_text() == before
    assert (place / "notes.txt").read_text() == "precious"
    assert not (place / "model.json").exists()


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ('{"precious": 1}', False),
        ('{"schema_version": 2}', False),
        ("{truncated", False),
        ('[{"schema_version": 2, "buses": []}]', False),
        (' {"buses": [], "schema_version": 1}', True),
        ("", True),
    ],
)
def test_only_a_model_file_is_overwritten(deck: Path, content: str, written: bool) -> None:
    output = deck.with_name("there.json")
    output.write_text(content)
    if written:
        assert import_model(deck, overlay=None, output=output, as_json=True) == ExitCode.OK
        assert import_model(deck, overlay=None, output=output, as_json=True) == ExitCode.OK
        return
    with pytest.raises(InputError, match="exists and is no model file: not overwritten"):
        import_model(deck, overlay=None, output=output, as_json=True)
    assert output.read_text() == content


def _constant_power(model_file: Path, tmp_path: Path) -> Path:
    """The same feeder with loads that draw what they are told whatever the voltage."""
    content = json.loads(model_file.read_text())
    law = {"z_frac": 0.0, "i_frac": 0.0, "p_frac": 1.0, "e_frac": 0.0, "exponent": 0.0}
    for load in content["loads"]:
        load |= {"v_low_pu": 0.0, "v_high_pu": 2.0, "v_floor_pu": 0.0, "law": law, "q_law": None}
    path = tmp_path / "stiff.json"
    path.write_text(json.dumps(content))
    return path


def test_a_study_moves_loads_switches_taps_and_der(model_file: Path, tmp_path: Path) -> None:
    study = tmp_path / "s.toml"
    study.write_text(
        'schema_version = 1\nname = "low load"\n'
        "[[load]]\ndefault = true\nscale_frac = 0.1\n"
        '[[der]]\nelement = "der.new"\nkind = "pv"\nbus = "48"\ns_max_va = 300e3\np_max_w = 250e3\n'
        "p_injection_w = 250e3\n"
    )
    stiff = _constant_power(model_file, tmp_path)
    done = _run("powerflow", str(stiff), "--study", str(study), "--json", "--plot", str(tmp_path / "p.png"))
    assert done.returncode == ExitCode.OK, done.stderr
    flow = json.loads(done.stdout)
    # A tenth of 3490 kW (IEEE 123-bus test feeder, spot loads), less what the new DER injects, in W.
    assert flow["p_source_w"] == pytest.approx(349e3 - 250e3 + flow["losses_w"], abs=1.0)
    assert flow["study"] == "low load"
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_what_does_not_solve_ends_with_1_a_reason_and_no_numbers(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "s.toml"
    study.write_text('schema_version = 1\nname = "too much"\n[[load]]\ndefault = true\nscale_frac = 1e3\n')
    stiff = _constant_power(model_file, tmp_path)
    assert power_flow(stiff, opened=(), closed=(), as_json=True, study=study) == ExitCode.FAILED
    flow = _flow(capsys)
    assert not flow["converged"]
    assert flow["reason"]
    assert flow["p_source_w"] is None
    assert flow["nodes"] == []


def test_a_plot_of_an_unknown_format_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"written as \.png"):
        power_flow(tmp_path / "no.json", opened=(), closed=(), as_json=False, plot=tmp_path / "deck.dss")


@pytest.mark.parametrize("name", ["model", "overlay", "study"])
def test_schemas_are_printed_and_written(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_schema(name, output=None) == ExitCode.OK
    printed = capsys.readouterr().out
    assert show_schema(name, output=tmp_path / "s.json") == ExitCode.OK
    assert (tmp_path / "s.json").read_text() == printed
    assert json.loads(printed)["$schema"].startswith("https://json-schema.org/")


def test_an_unknown_schema_is_refused() -> None:
    with pytest.raises(InputError, match="there are model, overlay, study"):
        show_schema("plan", output=None)


@pytest.mark.parametrize(("time_s", "active"), [(9.0, False), (10.0, True), (20.0, False)])
def test_a_fault_of_a_study_that_a_power_flow_leaves_out_is_said(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], time_s: float, active: bool
) -> None:
    study = tmp_path / "s.toml"
    study.write_text(
        'schema_version = 1\nname = "fault"\n[[fault]]\nbus = "48"\nkind = "three_phase"\nr_fault_ohm = 0.0\n'
        "start_s = 10.0\nclear_s = 20.0\n"
    )
    run = power_flow(model_file, opened=(), closed=(), as_json=True, study=study, time_s=time_s)
    assert run == ExitCode.OK
    told = capsys.readouterr()
    said = ["the three_phase fault at 48: a power flow has no short circuits"] if active else []
    assert json.loads(told.out)["ignored"] == said
    assert told.err == "".join(f"adms: ignored: {each}\n" for each in said)
