"""Networks of pandapower and SimBench, made on the spot and compared with pandapower's own power flow.

Each folder `pandapower_<case>` says how its net is made, who the referee is and how near the answers have to be.
"""

import tomllib
import warnings
from pathlib import Path
from typing import Any

import pandapower.networks
import pytest

from adms.adapters.importers.pandapower import import_pandapower
from tests.unit.adapters.importers.pandapower_referee import (
    largest_difference_pu,
    losses_w,
    our_flow,
    solved,
    solved_3ph,
)

CASES = {
    folder.name: tomllib.loads((folder / "params.toml").read_text(encoding="utf-8"))
    for folder in sorted(Path(__file__).parent.glob("pandapower_*"))
}
_TABLES = ("load", "sgen", "storage", "gen", "ext_grid")


def _made(params: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandapower and SimBench, about pandas
        if params["source"] == "simbench":
            import simbench

            return simbench.get_simbench_net(params["net"])
        return getattr(pandapower.networks, params["net"])(**params.get("arguments", {}))


def _power_va(result: Any) -> float:
    """Of everything that draws or delivers."""
    tables = [result[f"res_{table}"] for table in _TABLES if len(result[table])]
    return 1e6 * sum(float((table.p_mw.abs() + table.q_mvar.abs()).sum()) for table in tables)


@pytest.mark.parametrize("name", CASES)
def test_a_published_network_solves_as_in_pandapower(name: str) -> None:
    params = CASES[name]
    net = _made(params)
    model = import_pandapower(net)
    three = params["referee"] == "runpp_3ph"
    result = solved_3ph(net) if three else solved(net)
    assert largest_difference_pu(model, result) < params["v_tolerance_pu"]
    if not three:
        _, flow = our_flow(model)
        tolerance_w = params["p_tolerance_frac"] * _power_va(result)
        sources_mw = result.res_ext_grid.p_mw.sum() + result.res_gen.p_mw[result.gen.slack].sum()
        assert float(flow.s_source_va.real.sum()) == pytest.approx(1e6 * sources_mw, abs=tolerance_w)
        if not len(net.xward) and not len(net.shunt):  # whose losses pandapower does not count
            assert flow.losses_w == pytest.approx(losses_w(result), abs=tolerance_w)


def test_losses_of_33_buses_are_the_published_ones() -> None:
    folder = Path(__file__).parent / "pandapower_case33bw"
    expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
    _, flow = our_flow(import_pandapower(pandapower.networks.case33bw()))
    assert flow.losses_w == pytest.approx(expected["losses_w"], abs=expected["losses_tolerance_w"])
