"""Is a restored state firm: does it hold when the load that was picked up grows?

Load wanders after it is restored. A state at the edge of its limits holds for the loads that were expected and not for
the next minute's; one with a reserve holds for both.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from adms.apps.interlock.proof import Limits, voltage_limits
from adms.apps.interlock.wiring import Wiring
from adms.apps.view import ExpectedState
from adms.core.estimate import ComplexArray
from adms.core.ids import SectionId
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.powerflow import PowerFlow

_NOT_SOLVED_PU = -1.0


@dataclass(frozen=True, kw_only=True)
class Reserve:
    """How far inside (negative: outside) the limits a state is with the reserve drawn."""

    margin_pu: float
    """The least of: voltage above its normal limit, in pu; power that a source has left, over what it can give. -1
    where no power flow exists."""
    place: str
    """Where that is."""

    @property
    def is_firm(self) -> bool:
        """True where the limits hold with the reserve drawn."""
        return self.margin_pu >= 0.0


NO_LIMIT = Reserve(margin_pu=np.inf, place="")


def reserve_of(
    arrays: NetworkArrays,
    *,
    wiring: Wiring,
    restored: Collection[SectionId],
    expected: ExpectedState,
    load_reserve_frac: float,
    nodes: BoolArray,
    solve: Callable[[ComplexArray], PowerFlow | None],
) -> Reserve:
    """The reserve of a restored state.

    Args:
        arrays: the network.
        wiring: its section graph.
        restored: sections whose loads grow.
        expected: what the network carries otherwise.
        load_reserve_frac: by how much they grow.
        nodes: [node] the part that is judged.
        solve: power flow of the state at [injector] VA at nominal voltage.
    """
    grows = np.array(
        [
            not injector.is_der and wiring.section_of_bus[arrays.nodes[injector.fr].bus] in restored
            for injector in arrays.injectors
        ],
        dtype=np.bool_,
    )
    flow = solve(np.where(grows, expected.s_nominal_va * (1.0 + load_reserve_frac), expected.s_nominal_va))
    if flow is None:
        return Reserve(margin_pu=_NOT_SOLVED_PU, place="no power flow")
    low, _ = voltage_limits(arrays, Limits(normal=True, v_before_pu=expected.v_before_pu))
    above = np.where(nodes & flow.energised, flow.v_magnitude_pu - low, np.inf)
    row = int(np.argmin(above))
    node = arrays.nodes[row]
    text = f"bus {node.bus} phase {node.phase} at {flow.v_magnitude_pu[row]:.4f} pu"
    found = Reserve(margin_pu=float(above[row]), place=text)
    for index, source in enumerate(arrays.model.sources):
        if source.p_max_w is None or not nodes[arrays.source_nodes[index]].any():
            continue
        p_w = float(flow.s_source_va[index].real)
        left = 1.0 - p_w / source.p_max_w if source.p_max_w > 0.0 else _NOT_SOLVED_PU
        if left < found.margin_pu:
            place = f"{source.id} at {p_w / 1e3:.0f} kW of {source.p_max_w / 1e3:.0f} kW"
            found = Reserve(margin_pu=left, place=place)
    return found
