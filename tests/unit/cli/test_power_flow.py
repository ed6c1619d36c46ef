"""`adms powerflow` says when the network can hardly carry its load: two buses, whose limit is a quadratic by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adms.adapters.model_file import save_model
from adms.cli.exits import ExitCode
from adms.cli.power_flow import power_flow
from tests.unit.powerflow.test_collapse import limit_va, two_buses


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
