"""What telemetry alone determines, against small networks worked out by hand, and what the unobservable part does to
the rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from adms.core.estimate import Estimate, SigmaSource
from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind
from adms.estimation import EstimatorState, LoadPrior, telemetry_alone
from adms.estimation.islands import observable_islands
from adms.estimation.observability import Observed
from adms.estimation.prior import NOTHING_SHARED
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.estimation.scans import POLICY, flow_keys, injection_keys, scan, snapshot, true_values, voltage_keys
from tests.unit.powerflow.networks import arrays_of, bus, line, load, nodes, source


def network(
    lines: Sequence[str],
    *,
    loads: str = "",
    sources: str = "a",
    phases: tuple[int, ...] = (1,),
    z_mutual_ohm: complex = 0.0j,
) -> NetworkArrays:
    """Lines "ab" between buses a and b, loads of each phase at buses, sources at buses."""
    names = sorted(set("".join(lines)))
    return arrays_of(
        NetworkModel(
            name="by hand",
            frequency_hz=50.0,
            buses=tuple(bus(name, phases=phases) for name in names),
            sources=tuple(source(f"source.{name}", name, phases=phases) for name in sources),
            branches=tuple(
                line(f"line.{ends}", (ends[0], ends[1]), phases=phases, z_mutual_ohm=z_mutual_ohm) for ends in lines
            ),
            capacitors=(),
            loads=tuple(
                load(
                    f"load.{name}",
                    tuple((node, None) for node in nodes(name, phases)),
                    s_va=len(phases) * (20e3 + 8e3j),
                )
                for name in loads
            ),
            ders=(),
        )
    )


def at(kind: PointKind, element: str, phase: int = 1, side: int = 0) -> PointKey:
    return PointKey(kind=kind, element=element, phase=phase, side=side)


def s_at(element: str, phase: int = 1, side: int = 0) -> list[PointKey]:
    """P and Q of a load, or into a line."""
    kinds = (
        (PointKind.P_FLOW, PointKind.Q_FLOW)
        if element.startswith("line.")
        else (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    )
    return [at(kind, element, phase, side) for kind in kinds]


V, ANGLE, AMPERE, I_ANGLE, V_LINE = (
    PointKind.V_MAGNITUDE,
    PointKind.V_ANGLE,
    PointKind.I_MAGNITUDE,
    PointKind.I_ANGLE,
    PointKind.V_LINE,
)
_TYPICAL = {V: (2400.0, 8.0), ANGLE: (0.01, 1e-3), AMPERE: (30.0, 0.3), I_ANGLE: (0.01, 1e-3), V_LINE: (4157.0, 12.0)}


def seen(arrays: NetworkArrays, keys: Sequence[PointKey]) -> tuple[set[str], list[set[str]]]:
    """(nodes that are determined, observable islands). Of the values only that they are possible matters."""
    value, sigma = np.array([_TYPICAL.get(key.kind, (20e3, 200.0)) for key in keys]).reshape(-1, 2).T
    taken = snapshot(arrays, keys, value=value, sigma=sigma)
    got = telemetry_alone(taken, arrays=arrays, grid=normal_state(arrays.model), policy=POLICY)
    assert isinstance(got, Observed)
    names = [n.bus if len(arrays.phases_of[n.bus]) == 1 else f"{n.bus}{n.phase}" for n in arrays.nodes]
    island = observable_islands(got, policy=POLICY)
    np.testing.assert_array_equal(island >= 0, got.determined)
    return (
        {names[i] for i in np.flatnonzero(got.determined)},
        [{names[i] for i in np.flatnonzero(island == each)} for each in range(island.max() + 1)],
    )


CHAIN = network(("ab", "bc", "cd"), loads="bcd")


@pytest.mark.parametrize(
    ("keys", "determined", "islands"),
    [
        # Nothing at all: the open-circuit magnitude of the source is not known either.
        ([], "", []),
        # One voltage is one node.
        ([at(V, "c")], "c", ["c"]),
        # Two voltages at the ends of a line: the angle is not known.
        ([at(V, "b"), at(V, "c")], "bc", ["b", "c"]),
        # A voltage and what flows into the line beside it: the other end.
        ([at(V, "b"), *s_at("line.bc")], "bc", ["bc"]),
        # From the far side of the line as well.
        ([at(V, "b"), *s_at("line.bc", side=1)], "bc", ["bc"]),
        # What flows further than a load that is not metered: nothing beyond.
        ([at(V, "a"), *s_at("line.ab")], "ab", ["ab"]),
        # The load makes the current balance at b: bc is known too.
        ([at(V, "a"), *s_at("line.ab"), *s_at("load.b", 0)], "abc", ["abc"]),
        # All loads and one voltage, wherever it is.
        ([at(V, "d"), *s_at("load.b", 0), *s_at("load.c", 0), *s_at("load.d", 0)], "abcd", ["abcd"]),
        # P without Q leaves the drop open.
        ([at(V, "a"), s_at("line.ab")[0]], "a", ["a"]),
        # A current's size says nothing of where it goes,
        ([at(V, "b"), at(AMPERE, "line.bc")], "b", ["b"]),
        # with its angle and that of the voltage it does.
        ([at(V, "b"), at(ANGLE, "b"), at(AMPERE, "line.bc"), at(I_ANGLE, "line.bc")], "bc", ["bc"]),
        # Phasors at both ends are the flow between them.
        ([at(V, "b"), at(ANGLE, "b"), at(V, "c"), at(ANGLE, "c")], "bc", ["bc"]),
        # No voltage: powers alone leave the level open.
        ([*s_at("line.ab"), *s_at("load.b", 0), *s_at("load.c", 0), *s_at("load.d", 0)], "", []),
        # Two islands with a line of unknown flow between them.
        ([at(V, "a"), *s_at("line.ab"), at(V, "d"), *s_at("load.d", 0)], "abcd", ["ab", "cd"]),
    ],
)
def test_a_chain_is_determined_as_far_as_hand_calculation_says(
    keys: list[PointKey], determined: str, islands: list[str]
) -> None:
    """Source a - b - c - d with loads at b, c and d. A known current, by P and Q at a known voltage, gives the voltage
    at the line's other end; a bus passes it on where all but one of its currents are known."""
    got, groups = seen(CHAIN, keys)
    assert got == set(determined)
    assert groups == [set(each) for each in islands]


def test_a_line_current_beside_two_voltages_fixes_the_angle_but_for_its_sign() -> None:
    """|I| = |V_b - V_c| / |z|: with both magnitudes known it is the angle between them, up to the sign, which the point
    of linearisation settles (Abur & Exposito, chapter 9)."""
    got, groups = seen(CHAIN, [at(V, "b"), at(V, "c"), at(AMPERE, "line.bc")])
    assert (got, groups) == ({"b", "c"}, [{"b", "c"}])


def test_zero_injections_carry_a_current_through() -> None:
    """Bus b has no load: what enters ab goes on to c."""
    arrays = network(("ab", "bc", "bd"), loads="cd")
    assert seen(arrays, [at(V, "a"), *s_at("line.ab")])[0] == {"a", "b"}
    assert seen(arrays, [at(V, "a"), *s_at("line.ab"), *s_at("load.d", 0)])[0] == set("abcd")


def test_a_mesh_is_determined_by_flows_on_a_tree_of_it() -> None:
    """Abur & Exposito, section 4.3: flow measurements are observable where their branches span the network; here any
    two lines of a triangle do, with one voltage. The third flow follows."""
    arrays = network(("ab", "bc", "ac"), loads="bc")
    flows = [*s_at("line.ab"), *s_at("line.bc")]
    assert seen(arrays, [at(V, "a"), *flows])[1] == [set("abc")]
    assert seen(arrays, [at(V, "a"), *flows[:2]])[1] == [set("ab")]
    # One flow and the load between: the current balance of b.
    assert seen(arrays, [at(V, "a"), *flows[:2], *s_at("load.b", 0)])[1] == [set("abc")]


THREE = network(("ab", "bc"), loads="bc", phases=(1, 2, 3))


def test_a_phase_without_meters_is_not_determined() -> None:
    keys = [*(at(V, "a", phase) for phase in (1, 2)), *(key for phase in (1, 2) for key in s_at("line.ab", phase))]
    got, groups = seen(THREE, keys)
    assert got == {"a1", "a2", "b1", "b2"}
    # Without coupling between phases, the angle between them is what an unmetered load of the source's bus would turn;
    # there is none, but the third phase's own current is behind no meter, and the others' angles are the source's.
    assert groups == [{"a1", "a2", "b1", "b2"}]


def test_voltages_between_phases_determine_no_voltage_to_ground() -> None:
    """Three line voltages at c leave its neutral point open; with one to ground, the angles between phases too."""
    between = [at(V_LINE, "c", pair) for pair in (12, 23, 31)]
    assert seen(THREE, between)[0] == set()
    assert seen(THREE, [*between, at(V, "c", 1)])[0] == {"c1"}
    # Three to ground and three between: all of c, whatever the loads.
    assert seen(THREE, [*between, *(at(V, "c", phase) for phase in (1, 2, 3))])[1] == [{"c1", "c2", "c3"}]


def test_a_second_source_makes_an_island_of_its_own() -> None:
    """a - b and c - d, each fed by its own source, with a meter in either."""
    arrays = network(("ab", "cd"), loads="bd", sources="ac")
    assert seen(arrays, [at(V, "a"), *s_at("load.b", 0)])[1] == [set("ab")]
    keys = [at(V, "a"), *s_at("load.b", 0), at(V, "d"), *s_at("load.d", 0)]
    assert seen(arrays, keys)[1] == [set("ab"), set("cd")]


def test_a_balanced_network_is_determined_like_one_of_its_phases() -> None:
    arrays = network(("ab", "bc"), loads="bc", phases=(0,))
    assert seen(arrays, [at(V, "a", 0), *s_at("line.ab", 0)])[0] == {"a", "b"}
    assert seen(arrays, [at(V, "a", 0), *s_at("line.ab", 0), *s_at("load.b", 0)])[0] == {"a", "b", "c"}


def scanned(
    arrays: NetworkArrays, keys: Sequence[PointKey], flow: PowerFlow, prior: LoadPrior
) -> tuple[EstimatorState, Estimate]:
    """A scan of meters with a little noise that is always the same."""
    grid = normal_state(arrays.model)
    value = true_values(arrays, grid, flow=flow, keys=keys)
    sigma = np.array([8.0 if key.kind is V else 200.0 for key in keys])
    value = value + 0.7 * sigma * np.cos(np.arange(len(keys)))
    policy = replace(POLICY, tolerance_pu=1e-12)
    return scan(snapshot(arrays, keys, value=value, sigma=sigma), arrays, grid=grid, prior=prior, policy=policy)


def test_an_unobservable_lateral_does_not_spoil_what_is_metered() -> None:
    """a - b - c is metered, and with it what b sends to d, which feeds e and f: how they share it, nothing is known of.
    They are to d one power of which nothing is known: a network with such a load at d instead has the same estimate."""
    whole = network(("ab", "bc", "bd", "de", "df"), loads="cef")
    cut = network(("ab", "bc", "bd"), loads="cd")
    flow = solve_power_flow(
        whole, normal_state(whole.model), s_nominal_va=whole.injector_s_nominal_va, tolerance_pu=1e-13
    )
    assert isinstance(flow, PowerFlow)
    keys = [*voltage_keys(whole, "abc"), *flow_keys(whole, ("line.ab", "line.bc")), *injection_keys(("load.c",))]

    def prior(arrays: NetworkArrays, unknown: Sequence[str]) -> LoadPrior:
        mean = arrays.injector_s_nominal_va
        sigma = 0.4 * np.abs(mean)
        for name in unknown:
            sigma[arrays.injector_rows[ElementId(name)]] = np.inf
        return LoadPrior(s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=sigma, shared=NOTHING_SHARED)

    _, expected = scanned(cut, keys, _seen_from(whole, cut, flow), prior(cut, ("load.d",)))
    state, got = scanned(whole, keys, flow, prior(whole, ("load.e", "load.f")))
    here = [i for i, node in enumerate(whole.nodes) if node.bus in "abcd"]
    there = [cut.node_idx[whole.nodes[i]] for i in here]
    np.testing.assert_allclose(got.v_phasor_pu[here], expected.v_phasor_pu[there], atol=1e-9)
    # Sigma is of the point that was factored, at most 0.02 pu from the optimum.
    np.testing.assert_allclose(got.sigma_v_pu[here], expected.sigma_v_pu[there], rtol=2e-2)
    np.testing.assert_allclose(got.innovations.residual, expected.innovations.residual, atol=1e-2)
    lost = [i for i, node in enumerate(whole.nodes) if node.bus in "ef"]
    assert (got.sigma_source[lost] == SigmaSource.UNOBSERVABLE).all()
    assert np.isnan(got.v_phasor_pu[lost]).all()
    for name in ("load.e", "load.f"):
        assert np.isnan(got.s_injection_va[whole.injector_rows[ElementId(name)]]).all()
    assert np.isfinite(got.s_injection_va[whole.injector_rows[ElementId("load.c")]]).all()
    assert got.grade.name == "PARTIAL"
    island = observable_islands(state.observed, policy=POLICY)
    assert {whole.nodes[i].bus for i in np.flatnonzero(island == 0)} == set("abcd")
    assert (island[lost] == -1).all()


def _seen_from(whole: NetworkArrays, cut: NetworkArrays, flow: PowerFlow) -> PowerFlow:
    """The same voltages on the cut network; its meters ask for no more."""
    v = np.array([flow.v_phasor_pu[whole.node_idx[node]] for node in cut.nodes])
    s = np.array([flow.s_injection_va[whole.injector_rows[ElementId("load.c")][0]]] * len(cut.injectors))
    return replace(flow, v_phasor_pu=v, s_injection_va=s)


def test_labels_say_what_a_node_rests_on() -> None:
    """Voltage at a: measured; at b by what flows there; c and d by what their loads are believed to be."""
    value_of = solve_power_flow(
        CHAIN, normal_state(CHAIN.model), s_nominal_va=CHAIN.injector_s_nominal_va, tolerance_pu=1e-13
    )
    assert isinstance(value_of, PowerFlow)
    keys = [at(V, "a"), *s_at("line.ab")]
    mean = CHAIN.injector_s_nominal_va
    believed = LoadPrior(s_nominal_va=mean, sigma_p_va=0.4 * np.abs(mean), sigma_q_va=0.4 * np.abs(mean))
    _, got = scanned(CHAIN, keys, value_of, believed)
    label = {node.bus: SigmaSource(got.sigma_source[i]) for i, node in enumerate(CHAIN.nodes)}
    assert label == {
        "a": SigmaSource.MEASURED,
        "b": SigmaSource.ESTIMATED,
        "c": SigmaSource.PSEUDO,
        "d": SigmaSource.PSEUDO,
    }
