"""Published estimators through the command line: nothing is believed but the measurements.

Expected numbers and their sources stand in `tests/cases/estimation_textbook`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.cli.estimate import Pseudo
from adms.cli.estimate_run import EstimateRequest, run
from adms.cli.exits import ExitCode
from adms.grid.model import NetworkModel
from tests.unit.cli.scan_files import written
from tests.unit.powerflow.networks import bus, line, load, nodes, source

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "cases" / "estimation_textbook" / "cases.json").read_text()
)
V_BASE_V, S_BASE_VA = 1e3, 1e6


def network(case: dict[str, Any]) -> NetworkModel:
    """On 1 kV and 1 MVA, so that per unit is ohm: one node a bus, a source of hardly any impedance at bus 1, at each
    other bus one load whose power in the model is far from any measurement."""
    names = sorted({end for fr, to, _, _ in case["lines"] for end in (fr, to)})
    return NetworkModel(
        name=case["name"],
        frequency_hz=50.0,
        buses=tuple(bus(name, phases=(1,), v_base_v=V_BASE_V) for name in names),
        sources=(source("source.s", "1", phases=(1,), z_ohm=1e-4j),),
        branches=tuple(
            line(f"line.{fr}_{to}", (fr, to), phases=(1,), z_ohm=complex(r, x)) for fr, to, r, x in case["lines"]
        ),
        capacitors=(),
        loads=tuple(load(f"load.{name}", ((nodes(name, (1,))[0], None),), s_va=3e5 + 0j) for name in names[1:]),
        ders=(),
    )


def row(kind: str, at: int | None, value: float, sigma: float) -> str:
    """A measurement of a case as a row of the file."""
    if kind == "v":
        return f"v_magnitude_v,{at},1,,{value * V_BASE_V},{sigma * V_BASE_V},"
    word = "p_{}_w" if kind[0] == "p" else "q_{}_var"
    if "_inj_load" in kind:
        return f"{word.format('injection')},load.{at},1,,{-value * S_BASE_VA},{sigma * S_BASE_VA},"
    fr, to = kind.split("_")[2].split("to")
    return f"{word.format('flow')},line.{fr}_{to},1,fr,{value * S_BASE_VA},{sigma * S_BASE_VA},"


@pytest.mark.parametrize("pseudo", [Pseudo.NONE, Pseudo.NEEDED])
@pytest.mark.parametrize(
    ("case", "bad"),
    [(case, bad) for case in CASES for bad in (False, True) if not bad or "bad_data" in case],
    ids=lambda value: value["name"] if isinstance(value, dict) else "with bad data" if value else "as published",
)
def test_a_published_estimate_is_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: dict[str, Any], bad: bool, pseudo: Pseudo
) -> None:
    wrong = [case["bad_data"]["add"]] if bad else []
    rows = [row(*measurement) for measurement in [*case["measurements"], *wrong]]
    model, measurements = written(tmp_path, network(case), rows)
    assert run(EstimateRequest(model=model, measurements=measurements, pseudo=pseudo, as_json=True)) == ExitCode.OK
    got = json.loads(capsys.readouterr().out)
    assert got["pseudo"]["rule"] == "none"
    assert len(got["observability"]["determined"]) == len(case["expected_v_pu"])
    np.testing.assert_allclose([node["v_pu"] for node in got["nodes"]], case["expected_v_pu"], atol=case["tol"])
    angle = np.radians([node["angle_deg"] for node in got["nodes"]])
    np.testing.assert_allclose(angle - angle[0], np.radians(case["expected_angle_deg"]), atol=case["tol"])
    assert got["rejected"] == ([len(rows) + 1] if bad else [])
    # Magnitudes and angles but for the reference are found; the rest of the measurements checks them.
    assert got["degrees_of_freedom"] == len(case["measurements"]) - (2 * len(case["expected_v_pu"]) - 1)
