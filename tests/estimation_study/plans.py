"""Where the meters are: the head phase by phase, some line ends, voltages at a part of the buses, every DER.

Where no conductor is tied to ground, voltages are line to line and powers those of the three phases together.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, PointKey, PointKind, PointTable
from adms.grid.arrays import NetworkArrays
from adms.grid.model import BranchKind, NodeRef
from adms.grid.state import GridState
from tests.estimation_study.floating import floating_sections
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.networks import DECKS

V_FRAC = 0.004
POWER_FRAC = 0.01
CURRENT_FRAC = 0.01
ANGLE_RAD = 1e-3
_LEAST_OF_HEAD = 1e-3
"""Smallest sigma of a power, over the largest power of one phase of the head."""
_CARRYING = 0.05
"""A line end is worth a meter where it carries this share of the head's power in every conductor."""
_PHASES = (1, 2, 3)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeteringPlan:
    """Points and the standard deviation of each meter."""

    keys: tuple[PointKey, ...]
    sigma: FloatArray
    """[point] SI."""

    @cached_property
    def table(self) -> PointTable:
        """The points as the service knows them."""
        return PointTable(keys=self.keys)


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is metered."""

    voltage_frac: float = 0.1
    """Of the buses, at least two."""
    flows: int = 3
    """Line ends with P and Q in every conductor."""
    currents: int = 0
    """Line ends with the current magnitude in every conductor."""
    at_taps: bool = False
    """Voltages on both sides of every tap changer too."""


def plan_of(
    name: str,
    arrays: NetworkArrays,
    *,
    grid: GridState,
    v_phasor_pu: ComplexArray,
    extent: Extent,
    seed: int,
) -> MeteringPlan:
    """A plan for one of `DECKS`.

    Args:
        name: of the deck.
        arrays: its network.
        grid: its positions.
        v_phasor_pu: [node] a usual state: sigmas of powers and currents are shares of what is read there.
        extent: how much is metered.
        seed: of the choice of places.
    """
    rng = np.random.default_rng([seed, 2])
    head = arrays.branches[arrays.branch_idx[next(b.id for b in arrays.branches if b.id == DECKS[name].head_branch)]]
    head_bus = str(head.terminals[0][0].bus)
    carrying = _carrying(arrays, grid, v_phasor_pu=v_phasor_pu, head=str(head.id))
    chosen = rng.permutation([b for b in carrying if b != str(head.id)]).tolist()
    flows = [str(head.id), *chosen[: extent.flows]]
    currents = chosen[extent.flows : extent.flows + extent.currents]
    buses = [str(b.id) for b in arrays.model.buses if str(b.id) != head_bus and set(b.phases) <= set(_PHASES)]
    count = max(2, round(extent.voltage_frac * len(arrays.model.buses)))
    metered = [head_bus, *rng.permutation(buses).tolist()[:count]]
    if extent.at_taps:
        ends = [str(t[0].bus) for i in arrays.tapped for t in arrays.branches[i].terminals]
        metered = list(dict.fromkeys([*metered, *ends]))
    floating = [arrays.nodes[int(i)] for rows in floating_sections(arrays, grid) for i in rows]
    loose = {str(node.bus) for node in floating}
    power = (PointKind.P_FLOW, PointKind.Q_FLOW)
    keys = [
        *(key for bus in metered for key in _voltages(arrays, bus, to_ground=bus not in loose)),
        *(key for line in flows for key in _line_end(arrays, line, kinds=power, floating=floating)),
        *(key for line in currents for key in _line_end(arrays, line, kinds=(PointKind.I_MAGNITUDE,), floating=[])),
        *(
            PointKey(kind=kind, element=str(der.id))
            for der in arrays.model.ders
            for kind in (PointKind.P_INJECTION, PointKind.Q_INJECTION)
        ),
    ]
    return with_sigmas(arrays, grid, v_phasor_pu=v_phasor_pu, keys=tuple(dict.fromkeys(keys)))


def with_sigmas(
    arrays: NetworkArrays, grid: GridState, *, v_phasor_pu: ComplexArray, keys: tuple[PointKey, ...]
) -> MeteringPlan:
    """Sigmas of some points: 0.4 % of nominal for voltages, 1 mrad, 1 % of a usual reading for the rest."""
    emf = np.concatenate([s.emf_pu for s in arrays.sources])
    s_pu = arrays.injector_s_nominal_va * 0.0
    usual = np.abs(MeterFunctions(arrays, grid, keys=keys).value(np.concatenate([v_phasor_pu, emf]), s_pu=s_pu))
    powers = [k.kind.value.startswith(("p_", "q_")) for k in keys]
    largest = max((float(x) for x, power in zip(usual, powers, strict=True) if power), default=0.0)
    least = max(_LEAST_OF_HEAD * largest, 1.0)
    base = {str(b.id): b.v_base_v for b in arrays.model.buses}
    rating = {str(d.id): d.s_max_va for d in arrays.model.ders}
    sigma = []
    for key, x, power in zip(keys, usual, powers, strict=True):
        if key.kind in (PointKind.V_MAGNITUDE, PointKind.V_AVERAGE):
            sigma.append(V_FRAC * base[key.element])
        elif key.kind is PointKind.V_LINE:
            sigma.append(V_FRAC * np.sqrt(3.0) * base[key.element])
        elif key.kind in (PointKind.V_ANGLE, PointKind.I_ANGLE):
            sigma.append(ANGLE_RAD)
        elif power:
            sigma.append(max(POWER_FRAC * max(x, rating.get(key.element, 0.0)), least))
        else:
            sigma.append(CURRENT_FRAC * x)
    return MeteringPlan(keys=keys, sigma=np.array(sigma))


def _carrying(arrays: NetworkArrays, grid: GridState, *, v_phasor_pu: ComplexArray, head: str) -> list[str]:
    """Lines that carry a share of the head's power in every conductor; not a pole pair whose ends are one place."""

    def through(index: int) -> FloatArray:
        count = len(arrays.branches[index].terminals[0])
        return np.abs(arrays.branch_power_va(index, grid, v_phasor_pu)[:count])

    at = next(i for i, b in enumerate(arrays.branches) if b.id == head)
    limit = _CARRYING * float(through(at).max())
    return [
        str(b.id)
        for i, b in enumerate(arrays.branches)
        if b.kind is BranchKind.LINE and b.switch is None and float(through(i).min()) > limit
    ]


def _voltages(arrays: NetworkArrays, bus: str, *, to_ground: bool) -> list[PointKey]:
    phases = next(b.phases for b in arrays.model.buses if b.id == bus)
    if to_ground:
        return [PointKey(kind=PointKind.V_MAGNITUDE, element=bus, phase=p) for p in phases if p in _PHASES]
    between = [pair for pair in (12, 23, 31) if {int(p) for p in str(pair)} <= set(phases)]
    return [PointKey(kind=PointKind.V_LINE, element=bus, phase=pair) for pair in between]


def _line_end(
    arrays: NetworkArrays, branch: str, *, kinds: tuple[PointKind, ...], floating: list[NodeRef]
) -> list[PointKey]:
    end = next(b.terminals[0] for b in arrays.branches if b.id == branch)
    phases = (0,) if end[0] in floating else tuple(n.phase for n in end)
    return [PointKey(kind=kind, element=branch, phase=phase) for phase in phases for kind in kinds]
