"""One Volt/VAR decision and one dispatch decision on the 123-bus feeder, as ratios to a power flow in the same run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.importers.opendss import import_opendss
from adms.apps import dispatch, voltvar
from adms.apps.view import InterfaceLimit, RoundView
from adms.core.ids import ElementId, ModelVersion
from adms.core.telemetry import PointKey, PointKind
from adms.grid.arrays import NetworkArrays
from adms.grid.model import DerKind
from adms.grid.state import normal_state
from adms.powerflow.solve import solve_power_flow
from tests.unit.apps.dispatch.policies import POLICY as DISPATCH
from tests.unit.apps.voltvar.feeder import START, loads, view_of
from tests.unit.apps.voltvar.policies import POLICY as VOLTVAR

FEEDER = Path(__file__).parents[2] / "hil" / "feeders" / "ieee123"
INTERFACE = ElementId("vsource.source")


@pytest.fixture(scope="module")
def view() -> RoundView:
    """80 % of the deck's load, PV at 60 %, EV at half: voltages up to 1.07 pu at the deck's tap positions."""
    model = import_opendss(FEEDER / "IEEE123Master.dss", overlay=FEEDER / "123-operated.toml")
    net = NetworkArrays(model, version=ModelVersion("123"))
    share = {DerKind.PV: 0.6, DerKind.EV: 0.5, DerKind.BATTERY: 0.0, DerKind.GENERATOR: 0.0}
    der_va = {d.id: complex(share[d.kind] * (d.p_max_w or d.p_min_w)) for d in model.ders}
    points = {PointKey(kind=PointKind.SOC, element=d.id): 0.6 for d in model.ders if d.kind is DerKind.BATTERY}
    devices = [
        *(b.id for b in model.branches if b.taps),
        *(c.id for c in model.capacitors),
        *(d.id for d in model.ders),
    ]
    return view_of(
        net,
        s_nominal_va=loads(net, factor=0.8, der_va=der_va),
        points=points,
        sigma_v_pu=0.0025,
        controllable=frozenset(devices),
    )


def power_flow_s(view: RoundView) -> float:
    """Median time of a power flow with its factor."""
    s = loads(view.arrays, factor=0.8)
    times = []
    for _ in range(11):
        start = perf_counter()
        solve_power_flow(view.arrays, normal_state(view.arrays.model), s_nominal_va=s)
        times.append(perf_counter() - start)
    return median(times)


def measured(benchmark: BenchmarkFixture, view: RoundView, work: Callable[[], object], *, rounds: int) -> float:
    """Ratio of the median of `work` to a power flow."""
    one_s = power_flow_s(view)
    times: list[float] = []

    def timed() -> None:
        start = perf_counter()
        work()
        times.append(perf_counter() - start)

    benchmark.pedantic(timed, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]
    ratio = median(times) / one_s
    benchmark.extra_info["power_flow_ms"] = one_s * 1e3
    benchmark.extra_info["ratio_to_a_power_flow"] = ratio
    return ratio


def test_one_volt_var_decision(benchmark: BenchmarkFixture, view: RoundView) -> None:
    decision = voltvar.decide(view, state=voltvar.VoltVarState.initial(), policy=VOLTVAR)
    assert dict(decision.plans[0].plan.predicted)["violation_after_pu"] == pytest.approx(0.0, abs=1e-3)
    ratio = measured(
        benchmark,
        view,
        lambda: voltvar.decide(view, state=voltvar.VoltVarState.initial(), policy=VOLTVAR),
        rounds=3,
    )
    # No more power flows than the policy allows, and the linear programs beside them.
    assert ratio < 2.0 * VOLTVAR.power_flows_max


def test_one_dispatch_decision(benchmark: BenchmarkFixture, view: RoundView) -> None:
    picture = view.picture()
    assert picture is not None
    limit = InterfaceLimit(
        interface=INTERFACE,
        import_max_w=float(picture.s_source_va[0].real) - 300e3,
        export_max_w=None,
        start=START,
        end=None,
    )
    bound = replace(view, interface_limits=(limit,))
    decision = dispatch.decide(bound, state=dispatch.DispatchState.initial(), policy=DISPATCH)
    assert dict(decision.plans[0].plan.predicted)["short_w"] == pytest.approx(0.0, abs=1.0)
    ratio = measured(
        benchmark,
        view,
        lambda: dispatch.decide(bound, state=dispatch.DispatchState.initial(), policy=DISPATCH),
        rounds=10,
    )
    # Two power flows on one factor, at most three corrections with sensitivities, two programs each.
    assert ratio < 60.0
