"""What the benchmarks beside other programs share: medians of interleaved runs, the 8500-node feeder, OpenDSS."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from adms.adapters.importers.opendss import import_opendss
from adms.core.estimate import ComplexArray
from adms.core.ids import ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel

ROUNDS = 15
TOLERANCE_PU = 1e-8
AGREE_PU = 1e-6
"""Two programs that solve the same network differ by no more."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Medians of runs taken in turn."""

    ours_ms: float
    theirs_ms: float

    @property
    def ratio(self) -> float:
        """Ours over theirs: below 1 is faster."""
        return self.ours_ms / self.theirs_ms


def beside(ours: Callable[[], object], theirs: Callable[[], float | object], *, rounds: int = ROUNDS) -> Beside:
    """One run of each in turn, so that what disturbs the machine disturbs both. A run that returns a float has timed
    itself, ms."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 2):
        for run, times in zip((ours, theirs), taken, strict=True):
            start = time.perf_counter()
            own = run()
            took = 1e3 * (time.perf_counter() - start)
            if turn >= 2:
                times.append(own if isinstance(own, float) else took)
    return Beside(ours_ms=float(np.median(taken[0])), theirs_ms=float(np.median(taken[1])))


def milliseconds_of(run: Callable[[], object], *, rounds: int) -> float:
    """Median of several runs."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken))


def record(benchmark: BenchmarkFixture, what: str, found: Beside, *, peer: str) -> None:
    """Into the report and onto the screen."""
    benchmark.extra_info |= {"ours_ms": found.ours_ms, f"{peer}_ms": found.theirs_ms, "ratio": found.ratio}
    print(f"\n{what}: ours {found.ours_ms:.3f} ms, {peer} {found.theirs_ms:.3f} ms, ratio {found.ratio:.3f}")


def deck_8500() -> Path:
    """Master file of the 8500-node feeder."""
    return Path(__file__).resolve().parents[1] / "cases" / "feeders" / "8500-Node" / "Master.dss"


@cache
def model_8500() -> NetworkModel:
    """As imported."""
    return import_opendss(deck_8500())


@cache
def arrays_8500() -> NetworkArrays:
    """In solver order."""
    return NetworkArrays(model_8500(), version=ModelVersion("8500"))


class OpenDss:
    """The engine with a deck, its controls at rest and then off, at the tolerance of these benchmarks."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._circuit = context.ActiveCircuit
        self._kw: dict[str, float] = {}

    def command(self, text: str) -> None:
        """Runs one command of the engine's language."""
        self._context.Text.Command = text

    def loads(self, level: float) -> None:
        """All loads at a level of the deck's power. (Its `loadmult` does not reach every load, and costs its `Solve`
        more.)"""
        loads = self._circuit.Loads
        found = loads.First
        while found:
            loads.kW = level * self._kw.setdefault(loads.Name, loads.kW)
            found = loads.Next

    def solve_ms(self) -> float:
        """Time of `Solve` alone."""
        solution = self._circuit.Solution
        start = time.perf_counter()
        solution.Solve()
        took = 1e3 * (time.perf_counter() - start)
        assert solution.Converged
        return took

    def v_pu(self, arrays: NetworkArrays) -> ComplexArray:
        """[node] of our network."""
        packed = np.asarray(self._circuit.YNodeVarray)
        phasor = packed[0::2] + 1j * packed[1::2]
        place = {name.lower(): k for k, name in enumerate(self._circuit.YNodeOrder)}
        order = [place[f"{node.bus}.{node.phase}".lower()] for node in arrays.nodes]
        return np.asarray(phasor[order] / arrays.v_base_v)


@contextmanager
def opendss(deck: Path) -> Iterator[OpenDss]:
    """In a context of its own; the working folder stays."""
    from dss import DSS as dss  # noqa: N811

    context = dss.NewContext()
    change_folder = dss.AllowChangeDir
    dss.AllowChangeDir = False
    try:
        engine = OpenDss(context)
        engine.command(f'redirect "{deck}"')
        engine.command("set maxiterations=200 maxcontroliter=200")
        for _ in range(3):
            context.ActiveCircuit.Solution.Solve()
        engine.command("set controlmode=off")
        engine.command(f"set tolerance={TOLERANCE_PU}")
        engine.solve_ms()
        yield engine
    finally:
        context.ClearAll()
        dss.AllowChangeDir = change_folder
