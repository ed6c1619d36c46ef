"""`adms powerflow` says when the network can hardly carry its load: two buses, whose limit is a quadratic by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from adms.adapters.model_file import save_model
from adms.cli.exits import ExitCode
from adms.cli.power_flow import power_flow
from tests.unit.powerflow.test_collapse import limit_va, two_buses


def test_one_bus_with_a_source_and_a_load_and_no_branch_is_solved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = two_buses().model
    at_source = model.sources[0].nodes[0]
    load = replace(model.loads[0], pairs=((at_source, None),), p_w=1000.0, q_var=0.0)
    home = tuple(bus for bus in model.buses if bus.id == at_source.bus)
    file = tmp_path / "model.json"
    save_model(replace(model, buses=home, branches=(), loads=(load,)), file)
    assert power_flow(file, opened=(), closed=(), as_json=True) == ExitCode.OK
    flow = json.loads(capsys.readouterr().out)
    assert [node["bus"] for node in flow["nodes"]] == [at_source.bus]
    assert flow["p_source_w"] == pytest.approx(1000.0, rel=1e-9)
    # By hand: 2448 V behind 0.2 + 0.5j ohm, and v^4 + v^2 (2 R P - e^2) + |z|^2 P^2 = 0.
    b = 2.0 * 0.2 * 1000.0 - 2448.0**2
    v_v = math.sqrt((-b + math.sqrt(b**2 - 4.0 * abs(0.2 + 0.5j) ** 2 * 1000.0**2)) / 2.0)
    assert flow["nodes"][0]["v_v"] == pytest.approx(v_v, rel=1e-9)


@pytest.mark.parametrize(("share", "near", "margin"), [(0.3, False, None), (0.8, False, 1.25), (0.97, True, 1.031)])
def test_near_collapse_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float, near: bool, margin: float | None
) -> None:
    model = two_buses().model
    s = share * limit_va() * (2.0 + 1.0j) / abs(2.0 + 1.0j)
    file = tmp_path / "model.json"
    save_model(replace(model, loads=(replace(model.loads[0], p_w=s.real, q_var=s.imag),)), file)
    assert power_flow(file, opened=(), closed=(), as_json=True) == ExitCode.OK
    flow = json.loads(capsys.readouterr().out)
    assert flow["near_collapse"] is near
    assert flow["load_margin"] == (None if margin is None else pytest.approx(margin, abs=0.011))
    assert power_flow(file, opened=(), closed=(), as_json=False) == ExitCode.OK
    assert ("near voltage collapse" in capsys.readouterr().out) is near


def test_voltages_that_no_network_has_are_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = two_buses().model
    (source,) = model.sources
    file = tmp_path / "model.json"
    save_model(replace(model, sources=(replace(source, v_magnitude_pu=(1.6,)),)), file)
    assert power_flow(file, opened=(), closed=(), as_json=True) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["implausible_nodes"] == 2
    assert power_flow(file, opened=(), closed=(), as_json=False) == ExitCode.OK
    assert "implausible: 2 energised nodes" in capsys.readouterr().out
