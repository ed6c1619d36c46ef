"""The numbers that one answer of `adms estimate` says twice."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from adms.core.telemetry import PointKey, PointKind
from adms.grid.state import normal_state
from tests.estimation_study.studies import study
from tests.unit.cli.scan_files import rows_of, solved, written
from tests.unit.estimation.scans import flow_keys, true_values, usual_sigma, voltage_keys
from tests.unit.powerflow.networks import arrays_of


@pytest.mark.parametrize(("each", "first", "times_sigma"), [(3, 0, 10.0), (3, 2, 1.0), (2, 0, 30.0), (5, 1, 1.0)])
def test_as_many_nodes_are_determined_in_words_as_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], each: int, first: int, times_sigma: float
) -> None:
    """Which is decided by the powers of the model beforehand, and listed as it is at the estimate, here a third of
    them: currents determine more or less of a network by what they are."""
    model = study("13").arrays.model
    arrays, grid = arrays_of(model), normal_state(model)
    flow = solved(model, s_va=0.3 * arrays.injector_s_nominal_va)
    currents = [
        PointKey(kind=PointKind.I_MAGNITUDE, element=branch.id, phase=node.phase)
        for branch in model.branches
        for node in branch.terminals[0]
    ]
    keys = [
        *voltage_keys(arrays, [bus.id for bus in model.buses]),
        *currents,
        *flow_keys(arrays, [branch.id for branch in model.branches]),
    ][first::each]
    value = true_values(arrays, grid, flow=flow, keys=keys)
    sigma = times_sigma * np.asarray(usual_sigma(arrays, keys, value))
    file, measurements = written(tmp_path, model, rows_of(keys, value, sigma))
    assert run(EstimateRequest(model=file, measurements=measurements, as_json=True)) == ExitCode.OK
    got = json.loads(capsys.readouterr().out)
    found = re.match(r"the telemetry alone determines (\d+) of (\d+) energised nodes", got["pseudo"]["why"])
    assert found is not None
    seen = got["observability"]
    assert (int(found[1]), int(found[2])) == (len(seen["determined"]), len(got["nodes"]) - len(seen["dead"]))
