"""A feeder whose loads move, its meters, and what they say: scans made beforehand, so that only `estimate` is timed."""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.estimate import ComplexArray, Estimate, Use
from adms.core.telemetry import PointKey, TelemetrySnapshot
from adms.estimation import EstimationPolicy, EstimatorState, LoadPrior, estimate
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.model import BranchKind
from adms.grid.state import GridState, normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow
from tests.estimation_study.draws import STUDY_POLICY, beliefs, scan_of
from tests.estimation_study.floating import floating_sections
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.plans import MeteringPlan, with_sigmas
from tests.unit.estimation.scans import flow_keys, injection_keys, voltage_keys

TOLERANCE_PU = 1e-5
POLICY: EstimationPolicy = replace(STUDY_POLICY, tolerance_pu=TOLERANCE_PU)
METERED_FRAC = 0.08
"""Of the buses with a load: they have a voltage meter."""
FLOWS = 3
"""Lines with P and Q in every conductor."""
MOVED_FRAC = 0.01
OWN_FRAC = 0.4
_LEAST_DRAWN_FRAC = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class MeteredFeeder:
    """What does not change from scan to scan."""

    arrays: NetworkArrays
    grid: GridState
    factor: Factor
    prior: LoadPrior
    plan: MeteringPlan

    def flow(self, s_nominal_va: ComplexArray) -> PowerFlow:
        """State of the network with some loads."""
        flow = solve_power_flow(self.arrays, self.grid, s_nominal_va=s_nominal_va, factor=self.factor)
        assert isinstance(flow, PowerFlow)
        return flow

    def scans(self, *, count: int, seed: int, grid: GridState | None = None) -> list[TelemetrySnapshot]:
        """Every load moves by a draw within 1 % around a level that is 1 % up in one scan and 1 % down in the next;
        every meter has its noise.

        Args:
            count: how many.
            seed: of the draws.
            grid: positions in truth, where they are not those of the feeder.
        """
        rng = np.random.default_rng(seed)
        true_grid = grid or self.grid
        factor = self.factor if grid is None else factorise(self.arrays, grid)
        assert isinstance(factor, Factor)
        meters = MeterFunctions(self.arrays, true_grid, keys=self.plan.keys)
        emf = np.concatenate([source.emf_pu for source in self.arrays.sources])
        made = []
        for turn in range(count):
            each = 1.0 + MOVED_FRAC * rng.uniform(-1.0, 1.0, len(self.arrays.injectors))
            level = 1.0 + (MOVED_FRAC if turn % 2 else -MOVED_FRAC)
            s = level * each * self.prior.s_nominal_va
            flow = solve_power_flow(self.arrays, true_grid, s_nominal_va=s, factor=factor)
            assert isinstance(flow, PowerFlow)
            value = meters.value(np.concatenate([flow.v_phasor_pu, emf]), s_pu=flow.s_injection_va / S_BASE_VA)
            noisy = value + self.plan.sigma * rng.standard_normal(len(value))
            made.append(scan_of(self.arrays, self.plan, value=noisy))
        return made

    def redrawn(self, *, count: int, seed: int) -> list[LoadPrior]:
        """The same prior with the mean of every load drawn anew from 40 %."""
        rng = np.random.default_rng(seed)
        mean = self.prior.s_nominal_va
        factors = 1.0 + OWN_FRAC * rng.standard_normal((count, len(mean)))
        return [replace(self.prior, s_nominal_va=np.maximum(f, _LEAST_DRAWN_FRAC) * mean) for f in factors]


def metered_feeder(arrays: NetworkArrays, *, loading: float = 1.0, flows: int = FLOWS, seed: int = 1) -> MeteredFeeder:
    """Meters: the source, phase by phase; voltages there and at a part of the buses with a load; some lines.

    Args:
        arrays: the network.
        loading: expected loads over the model's.
        flows: how many lines.
        seed: of the choice of places.
    """
    grid = normal_state(arrays.model)
    factor = factorise(arrays, grid)
    assert isinstance(factor, Factor)
    prior = beliefs(arrays, loading=loading)
    feeder = MeteredFeeder(
        arrays=arrays, grid=grid, factor=factor, prior=prior, plan=MeteringPlan(keys=(), sigma=np.zeros(0))
    )
    usual = feeder.flow(prior.s_nominal_va).v_phasor_pu
    rng = np.random.default_rng(seed)
    floating = {int(i) for rows in floating_sections(arrays, grid) for i in rows}
    loads = arrays.injector_fr[~arrays.injector_is_der].tolist()
    buses = sorted({str(arrays.nodes[i].bus) for i in loads if factor.energised[i] and i not in floating})
    count = max(1, round(METERED_FRAC * len(buses)))
    source = arrays.model.sources[0]
    chosen = [str(source.nodes[0].bus), *(str(b) for b in rng.permutation(buses)[:count])]
    lines = _carrying(arrays, grid, v_phasor_pu=usual)
    keys = (
        *voltage_keys(arrays, chosen),
        *(key for phase in (1, 2, 3) for key in _at_phase(str(source.id), phase)),
        *flow_keys(arrays, [str(b) for b in rng.permutation(lines)[:flows]]),
    )
    plan = with_sigmas(arrays, grid, v_phasor_pu=usual, keys=tuple(dict.fromkeys(keys)))
    return replace(feeder, plan=plan)


def _at_phase(source: str, phase: int) -> list[PointKey]:
    return [replace(key, phase=phase) for key in injection_keys([source])]


def _carrying(arrays: NetworkArrays, grid: GridState, *, v_phasor_pu: ComplexArray) -> list[str]:
    """Lines that carry at least a twentieth of what is drawn, in every conductor."""
    drawn = float(np.abs(arrays.injector_s_nominal_va.sum())) / 3.0
    lines = []
    for index, branch in enumerate(arrays.branches):
        if branch.kind is BranchKind.LINE and branch.switch is None:
            count = len(branch.terminals[0])
            s = np.abs(arrays.branch_power_va(index, grid, v_phasor_pu)[:count])
            if float(s.min()) > 0.05 * drawn:
                lines.append(str(branch.id))
    return lines


def rejected_in(got: Estimate) -> list[PointKey]:
    """Points that were rejected."""
    seen = zip(got.innovations.keys, got.innovations.use, strict=True)
    return [key for key, use in seen if use is Use.REJECTED]


class Scanning:
    """Scan after scan, each with the state of the one before."""

    def __init__(self, feeder: MeteredFeeder, *, policy: EstimationPolicy = POLICY) -> None:
        self.feeder = feeder
        self.policy = policy
        self.state: EstimatorState | None = None
        self.got: Estimate | None = None
        self.factors = 0

    def scan(
        self, taken: TelemetrySnapshot, *, grid: GridState | None = None, prior: LoadPrior | None = None
    ) -> Estimate:
        """The whole of `estimate`; it has to succeed."""
        before = self.state
        after, got = estimate(
            taken,
            arrays=self.feeder.arrays,
            grid=grid or self.feeder.grid,
            unknown=frozenset(),
            prior=prior or self.feeder.prior,
            policy=self.policy,
            state=before,
        )
        assert isinstance(got, Estimate), got.reason
        assert after is not None
        self.factors += before is None or after.system is not before.system
        self.state, self.got = after, got
        return got
