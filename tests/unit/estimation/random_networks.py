"""Random networks with random meters: radial or meshed, one to three phases, wye and delta loads of any law, DER, one
or two sources; and what perfect meters read in them."""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import LoadPrior, SharedDeviations
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.model import Branch, Der, DerKind, Load, NetworkModel, NodeRef
from adms.grid.state import GridState, normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.plans import with_sigmas
from tests.unit.powerflow.networks import V_BASE_V, arrays_of, bus, line, load, nodes, source

_LAWS = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.3, 0.3, 0.4))
_LEAST_A = 1.0
_POWERS = (PointKind.P_FLOW, PointKind.Q_FLOW)
_INJECTED = (PointKind.P_INJECTION, PointKind.Q_INJECTION)


@dataclass(frozen=True, kw_only=True, eq=False)
class Metered:
    """A network with meters."""

    arrays: NetworkArrays
    grid: GridState
    prior: LoadPrior
    keys: tuple[PointKey, ...]
    value: FloatArray
    """[point] of perfect meters, SI."""
    sigma: FloatArray


def random_network(rng: np.random.Generator, *, most_buses: int = 12) -> NetworkModel:
    """A tree of buses whose phases are a part of those before; loops between buses with all phases; wide load limits,
    so that no load stands where the slope of its law jumps."""
    count = int(rng.integers(3, most_buses + 1))
    phases: list[tuple[int, ...]] = [(1, 2, 3), (1, 2, 3)]
    branches: list[Branch] = [line("line.b1", ("b0", "b1"), z_ohm=0.1 + 0.3j, z_mutual_ohm=0.03 + 0.1j)]
    for k in range(2, count):
        parent = int(rng.integers(1, k))
        some = tuple(sorted(rng.choice(phases[parent], int(rng.integers(1, len(phases[parent]) + 1)), replace=False)))
        kept = phases[parent] if rng.random() < 0.6 else tuple(int(p) for p in some)
        phases.append(kept)
        branches.append(_random_line(rng, f"line.b{k}", (f"b{parent}", f"b{k}"), kept))
    whole = [k for k in range(count) if len(phases[k]) == 3]
    for loop in range(int(rng.integers(0, 3)) if len(whole) > 2 else 0):
        a, b = (int(k) for k in rng.choice(whole, 2, replace=False))
        branches.append(_random_line(rng, f"line.loop{loop}", (f"b{a}", f"b{b}"), (1, 2, 3)))
    loads, ders = [], []
    for k in range(1, count):
        if rng.random() < 0.7:
            loads.append(_random_load(rng, f"load.b{k}", f"b{k}", phases[k]))
        if rng.random() < 0.2:
            ders.append(_der(f"der.b{k}", f"b{k}", phases[k]))
    if not loads:
        loads.append(_random_load(rng, "load.b1", "b1", (1, 2, 3)))
    sources = [source("source.main", "b0")]
    if rng.random() < 0.3:
        sources.append(source("source.other", f"b{whole[-1]}", z_ohm=0.5 + 2.0j))
    return NetworkModel(
        name="random",
        frequency_hz=60.0,
        buses=tuple(bus(f"b{k}", phases=phases[k]) for k in range(count)),
        sources=tuple(sources),
        branches=tuple(branches),
        capacitors=(),
        loads=tuple(loads),
        ders=tuple(ders),
    )


def random_metered(seed: int, *, most_buses: int = 12) -> Metered:
    """Any number of meters of any kind from none to many, readings of the power flow of powers drawn from the prior."""
    rng = np.random.default_rng(seed)
    while True:
        arrays = arrays_of(random_network(rng, most_buses=most_buses))
        grid = normal_state(arrays.model)
        mean = arrays.injector_s_nominal_va.copy()
        mean[arrays.injector_is_der] = 10e3 + 1e3j
        sigma = np.maximum(0.3 * np.abs(mean), 500.0)
        prior = LoadPrior(
            s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=0.7 * sigma, shared=_random_modes(rng, arrays, mean)
        )
        drawn = mean * (1.0 + 0.2 * rng.standard_normal(len(mean)))
        flow = solve_power_flow(arrays, grid, s_nominal_va=drawn, tolerance_pu=1e-12)
        if isinstance(flow, PowerFlow) and np.abs(flow.v_phasor_pu).min() > 0.8:
            break
    emf = np.concatenate([one.emf_pu for one in arrays.sources])

    def read(keys: tuple[PointKey, ...]) -> FloatArray:
        meters = MeterFunctions(arrays, grid, keys=keys)
        return meters.value(np.concatenate([flow.v_phasor_pu, emf]), s_pu=flow.s_injection_va / S_BASE_VA)

    # A current of about nothing has no magnitude with a slope, and no angle.
    keys = _random_keys(rng, arrays)
    amperes = read(tuple(replace(k, kind=PointKind.I_MAGNITUDE) if k.kind is PointKind.I_ANGLE else k for k in keys))
    currents = (PointKind.I_ANGLE, PointKind.I_MAGNITUDE)
    keys = tuple(k for k, i in zip(keys, amperes, strict=True) if k.kind not in currents or i > _LEAST_A)
    value = read(keys)
    usual = with_sigmas(arrays, grid, v_phasor_pu=flow.v_phasor_pu, keys=keys).sigma
    return Metered(arrays=arrays, grid=grid, prior=prior, keys=keys, value=value, sigma=np.maximum(usual, 1e-6))


def _random_line(rng: np.random.Generator, name: str, ends: tuple[str, str], phases: tuple[int, ...]) -> Branch:
    z = rng.uniform(0.02, 0.4) * complex(1.0, rng.uniform(0.5, 2.5))
    return line(name, ends, phases=phases, z_ohm=z, z_mutual_ohm=rng.uniform(0.1, 0.4) * z)


def _random_load(rng: np.random.Generator, name: str, at: str, phases: tuple[int, ...]) -> Load:
    here = nodes(at, phases)
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...]
    if len(here) > 1 and rng.random() < 0.4:
        pairs = tuple(zip(here, (*here[1:], here[0]), strict=True))[: len(here) if len(here) == 3 else 1]
    else:
        pairs = tuple((n, None) for n in here[: int(rng.integers(1, len(here) + 1))])
    s = rng.uniform(5e3, 60e3) * len(pairs) * complex(1.0, rng.uniform(-0.2, 0.6))
    made = load(name, pairs, s_va=s, law=_LAWS[int(rng.integers(0, len(_LAWS)))])
    return replace(made, v_low_pu=0.6, v_high_pu=1.4)


def _der(name: str, at: str, phases: tuple[int, ...]) -> Der:
    return Der(
        id=ElementId(name),
        kind=DerKind.PV,
        pairs=tuple((n, None) for n in nodes(at, phases)),
        s_max_va=40e3,
        p_max_w=30e3,
        p_min_w=0.0,
        q_max_var=15e3,
        v_nominal_v=V_BASE_V,
    )


def _random_modes(rng: np.random.Generator, arrays: NetworkArrays, mean: ComplexArray) -> SharedDeviations:
    """One of all, and one for each of a few injectors with several phases."""
    everything = np.arange(len(mean))
    injector, mode, s_va = [everything], [np.zeros(len(mean), dtype=np.int64)], [0.15 * mean]
    count = 1
    for rows in arrays.injector_rows.values():
        if len(rows) > 1 and rng.random() < 0.5:
            injector.append(np.asarray(rows))
            mode.append(np.full(len(rows), count))
            s_va.append(np.full(len(rows), complex(2e3, 1e3)))
            count += 1
    return SharedDeviations(
        injector=np.concatenate(injector), mode=np.concatenate(mode), s_va=np.concatenate(s_va), modes=count
    )


def _random_keys(rng: np.random.Generator, arrays: NetworkArrays) -> tuple[PointKey, ...]:
    share = rng.uniform(0.0, 0.6)
    model = arrays.model
    keys = [
        PointKey(kind=kind, element=node.bus, phase=node.phase)
        for kind in (PointKind.V_MAGNITUDE, PointKind.V_ANGLE)
        for node in arrays.nodes
    ]
    keys += [
        PointKey(kind=PointKind.V_LINE, element=one.id, phase=pair)
        for one in model.buses
        for pair in (12, 23, 31)
        if {int(p) for p in str(pair)} <= set(one.phases)
    ]
    for branch in model.branches:
        for side, end in enumerate(branch.terminals):
            keys += [
                PointKey(kind=kind, element=branch.id, side=side, phase=node.phase)
                for kind in (*_POWERS, PointKind.I_MAGNITUDE, PointKind.I_ANGLE)
                for node in end
            ]
    elements = [*(e.id for e in model.loads), *(e.id for e in model.ders), *(e.id for e in model.sources)]
    keys += [PointKey(kind=kind, element=one) for kind in _INJECTED for one in elements]
    rare = {PointKind.V_ANGLE: 0.2, PointKind.I_ANGLE: 0.1, PointKind.I_MAGNITUDE: 0.3}
    kept = [key for key in keys if rng.random() < share * rare.get(key.kind, 0.7)]
    return tuple(kept[i] for i in rng.permutation(len(kept)))
