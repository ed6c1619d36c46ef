"""`adms import` and `adms powerflow` on the feeder of the demonstration."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adms.cli.exits import ExitCode
from adms.cli.network import import_model, power_flow
from adms.core.errors import InputError


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
