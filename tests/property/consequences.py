"""What a model that was let in leads to: solved with the currents balanced at every node, or a reason why not."""

import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg  # noqa: F401  (makes sp.linalg available)

from adms.core.errors import InputError
from adms.core.estimate import ComplexArray
from adms.core.ids import ModelVersion
from adms.grid.arrays import S_BASE_VA, BoolArray, NetworkArrays
from adms.grid.load_law import at_voltage
from adms.grid.model import NetworkModel
from adms.grid.state import GridState, normal_state
from adms.grid.topology import Topology, topology_of
from adms.powerflow import NotSolved, PowerFlow, solve_power_flow
from adms.powerflow.floating import STRAY_PU

STUCK_S = 20
_V_WRONG_PU = 1e-6
_V_FLOATING_PU = 1e-2
_ROUNDING = 1e-13
"""Of the currents that meet in a node: no solver leaves less."""


class DefectError(Exception):
    """What must not happen, and did."""


def tally(count: int, follow: Callable[[int], str]) -> tuple[Counter[str], list[str]]:
    """(how often each thing followed from the mutations 0 .. count-1, what must not have followed, in words)."""
    counts: Counter[str] = Counter()
    defects = []
    for number in range(count):
        try:
            counts[follow(number)] += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            defects.append(f"{number}: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")
    return counts, defects


def refusal(error: InputError) -> str:
    """How an input was refused. Raises DefectError where it is not said what is wrong with it."""
    if not error.problems or not all(problem.element and problem.message for problem in error.problems):
        raise DefectError(f"refused, and not said why: {error.problems}")
    words = str(error)
    if "did not end within" in words:
        return "refused: it does not end"
    return "refused: it crashes the engine" if "the engine that reads it" in words else "refused"


@contextmanager
def watched() -> Iterator[None]:
    """Warnings are errors, and what takes `STUCK_S` raises `DefectError`."""

    def stuck(number: int, frame: FrameType | None) -> None:
        raise DefectError(f"not done after {STUCK_S} s")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def node_energised(kept: Topology) -> BoolArray:
    """[node] True where a topology has a source for its strand."""
    alive = np.array([bool(sources) for sources in kept.feeding], dtype=np.bool_)
    return np.asarray(alive[kept.network.strand_of_node])


def consequence(model: NetworkModel) -> str:
    """ "solved" or "not solved". Raises DefectError, or whatever the numerics raise, where it is neither."""
    arrays = NetworkArrays(model, version=ModelVersion("mutated"))
    grid = normal_state(model)
    kept = topology_of(arrays, grid)
    if not np.array_equal(node_energised(kept), arrays.energised(grid)):
        raise DefectError("the topology has other nodes alive than the arrays")
    flow = solve_power_flow(arrays, grid, s_nominal_va=arrays.injector_s_nominal_va)
    if isinstance(flow, NotSolved):
        if not flow.reason:
            raise DefectError("not solved, and no reason given")
        return "not solved"
    numbers = (flow.v_phasor_pu, flow.s_injection_va, flow.s_source_va, np.array(flow.losses_w))
    if not all(np.isfinite(part).all() for part in numbers):
        raise DefectError("solved with numbers that are not finite")
    _balanced(arrays, grid, flow=flow)
    return "solved"


def _left_over(arrays: NetworkArrays, grid: GridState, *, flow: PowerFlow, injected: ComplexArray) -> ComplexArray:
    """[node] injected currents less what flows away, element by element in long doubles: summed up first, the
    admittances of a switch of nano-ohms would drown the others."""
    v = flow.v_phasor_pu.astype(np.clongdouble)
    left = injected.astype(np.clongdouble)
    entries = arrays.entries
    np.add.at(left, entries.row, -(entries.values(grid).astype(np.clongdouble) * v[entries.col]))
    for source in arrays.sources:
        np.subtract.at(left, source.nodes, source.y_pu.astype(np.clongdouble) @ v[source.nodes])
    floating = flow.factor.solved & ~flow.energised
    left[floating] -= STRAY_PU * v[floating]
    return left.astype(np.complex128)


def _balanced(arrays: NetworkArrays, grid: GridState, *, flow: PowerFlow) -> None:
    """Kirchhoff's current law at every solved node, from the model's own admittances and the stray ones of conductors
    that float: the currents left over either move no voltage, loads being admittances, or are no more than rounding."""
    v = flow.v_phasor_pu
    live = np.flatnonzero(flow.factor.solved)
    norton, current = arrays.source_norton_pu()
    stray = sp.diags(np.where(flow.factor.solved & ~flow.energised, STRAY_PU, 0.0))
    y = sp.csc_matrix(arrays.admittance_pu(grid) + norton + stray)
    across = arrays.incidence.T @ v
    s_pu = at_voltage(arrays.injector_s_nominal_va, np.abs(across) * arrays.injector_v_scale, arrays.injector_law)
    takes_part = np.zeros(len(s_pu), dtype=np.bool_)
    takes_part[flow.factor.injectors] = True
    # A load does wherever there is a voltage, a DER where a source feeds all its nodes.
    expected = arrays.injector_live(flow.factor.solved) & ~arrays.injector_is_der
    expected |= arrays.injector_live(flow.energised)
    np.testing.assert_array_equal(takes_part, expected)
    s_pu = np.where(takes_part, s_pu / S_BASE_VA, 0.0)
    np.testing.assert_allclose(flow.s_injection_va, s_pu * S_BASE_VA, rtol=1e-6, atol=1.0)
    drawn = np.where(across != 0.0, np.conj(s_pu / np.where(across != 0.0, across, 1.0)), 0.0)
    injected = current + arrays.incidence @ drawn
    left = _left_over(arrays, grid, flow=flow, injected=injected)[live]
    meeting = (abs(y) @ abs(v) + abs(injected))[live]
    if (np.abs(left) <= _ROUNDING * meeting).all():
        return
    # Loads hold what hangs on little else: they count as the admittances that they are at this voltage.
    as_load = np.where(across != 0.0, np.conj(-s_pu) / np.where(across != 0.0, np.abs(across), 1.0) ** 2, 0.0)
    held = sp.csc_matrix(y + arrays.incidence @ sp.diags(as_load) @ arrays.incidence.T)
    moved = sp.linalg.spsolve(held[live][:, live], left)
    # Of what floats on stray capacitance alone this sum itself knows no better.
    allowed = np.where(flow.energised[live], _V_WRONG_PU, _V_FLOATING_PU)
    if not (np.abs(moved) <= allowed * max(1.0, float(np.abs(v).max()))).all():
        raise DefectError(f"solved, and the currents left over move voltages by {np.abs(moved).max():.1e} pu")
