"""Topology of the 8500-node feeder: kept up over one switch change against worked out anew, in one run. Times are
printed; what is asserted is that keeping up is the cheaper way, and that it ends at the same value."""

from dataclasses import replace
from inspect import unwrap

import numpy as np
import pytest

from adms.core.ids import ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel, SwitchGear, SwitchKind
from adms.grid.state import normal_state
from adms.grid.switched_sections import switched_sections
from adms.grid.topology import Topology, topology
from tests.benchmarks.peers import model_8500
from tests.benchmarks.test_numerics import milliseconds

CHANGES = 40


def _with_switches(model: NetworkModel, *, every: int) -> NetworkModel:
    """Every so many three-phase lines are switches, besides those that are."""
    gear = SwitchGear(kind=SwitchKind.LOAD_BREAK, normally_closed=True, remote=True)
    count = 0
    branches: list[Branch] = []
    for branch in model.branches:
        if branch.kind is BranchKind.LINE and all(len(terminal) == 3 for terminal in branch.terminals):
            count += 1
            if count % every == 0:
                branches.append(replace(branch, kind=BranchKind.SWITCH, switch=gear))
                continue
        branches.append(branch)
    return replace(model, branches=tuple(branches))


@pytest.mark.parametrize("every", [10_000, 10, 1])
def test_one_switch_change_costs_less_than_a_rebuild(every: int) -> None:
    model = _with_switches(model_8500(), every=every)
    arrays = NetworkArrays(model, version=ModelVersion("benchmark"))
    structure_ms = milliseconds(lambda: unwrap(switched_sections)(arrays), rounds=3)
    network = switched_sections(arrays)
    grid = normal_state(model)
    start = topology(network, closed=[switch for switch in network.ends if grid.closed[switch]])
    moves = [ElementId(name) for name in np.random.default_rng(1).choice(sorted(network.ends), CHANGES)]

    def there_and_back() -> Topology:
        now = start
        for switch in moves:
            shut = switch in now.closed
            now = now.with_switch(switch, closed=not shut).with_switch(switch, closed=shut)
        return now

    assert there_and_back() == start
    rebuild_ms = milliseconds(lambda: topology(network, closed=start.closed))
    change_ms = milliseconds(there_and_back) / (2 * CHANGES)
    print(
        f"\n{len(network.ends)} switches, {len(network.sections)} sections: structure {structure_ms:.1f} ms once, "
        f"rebuild {rebuild_ms:.2f} ms, change {1e3 * change_ms:.0f} us, ratio {rebuild_ms / change_ms:.1f}"
    )
    assert change_ms < rebuild_ms
