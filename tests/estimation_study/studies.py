"""Everything about one feeder that its draws have in common."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from adms.core.estimate import ComplexArray, Estimate
from adms.core.telemetry import FloatArray
from adms.estimation import EstimationPolicy, EstimatorState, LoadPrior, estimate
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from tests.estimation_study.draws import STUDY_POLICY, Truths, beliefs, flows_of, noise, normals, scan_of, truths
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.networks import DECKS, arrays_of, grid_of
from tests.estimation_study.plans import Extent, MeteringPlan, plan_of
from tests.estimation_study.referee import Inputs, Referee, inputs_of

PLAN_SEED = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A feeder, what is believed about it, and its meters."""

    name: str
    arrays: NetworkArrays
    grid: GridState
    prior: LoadPrior
    expected_v_pu: ComplexArray
    """[node] power flow of the expected loads."""
    plan: MeteringPlan
    policy: EstimationPolicy = STUDY_POLICY

    def with_plan(self, plan: MeteringPlan) -> "Study":
        """The same with other meters."""
        return replace(self, plan=plan)

    @cached_property
    def referee(self) -> Referee:
        """Of the plan, in the study's grid state."""
        return self.referee_in(self.grid)

    @cached_property
    def all_inputs(self) -> Inputs:
        """Of every injector, live or not."""
        return inputs_of(
            self.arrays,
            injectors=np.arange(len(self.arrays.injectors)),
            prior=self.prior,
            source_v_sigma_pu=self.policy.source_v_sigma_pu,
            source_angle_sigma_rad=self.policy.source_angle_sigma_rad,
        )

    def referee_in(self, grid: GridState) -> Referee:
        """Of the plan, where the switches and taps are believed to be as in `grid`."""
        return Referee(
            self.arrays,
            grid,
            keys=self.plan.keys,
            sigma=self.plan.sigma,
            prior=self.prior,
            source_v_sigma_pu=self.policy.source_v_sigma_pu,
            source_angle_sigma_rad=self.policy.source_angle_sigma_rad,
        )

    def drawn(
        self, *, seed: int, first: int = 0, count: int, grid: GridState | None = None
    ) -> tuple[Truths, FloatArray]:
        """Draws `first` .. `first + count - 1` of a seed: (states, [point, draw] noisy readings, SI).

        Args:
            seed: of the draws.
            first: of the draws.
            count: how many.
            grid: positions in truth; the study's where left out.
        """
        true_grid = grid or self.grid
        states = truths(self.arrays, true_grid, prior=self.prior, seed=seed, first=first, count=count)
        meters = self.referee.meters if grid is None else MeterFunctions(self.arrays, grid, keys=self.plan.keys)
        errors = np.stack([noise(seed, first + i, len(self.plan.keys)) for i in range(count)], axis=1)
        return states, states.readings(meters) + self.plan.sigma[:, None] * errors

    def living(self, grid: GridState, *, seed: int, run: int, scans: int, persistence: float = 0.9) -> Truths:
        """States [node, scan] of a feeder that lives: each input is a stationary autoregression.

        Args:
            grid: positions in truth.
            seed: of the runs.
            run: which one.
            scans: how many.
            persistence: correlation of an input from one scan to the next.
        """
        inputs = self.all_inputs
        fresh = normals(seed, run, len(inputs.weight) * scans).reshape(scans, -1)
        x = fresh.copy()
        for i in range(1, scans):
            x[i] = persistence * x[i - 1] + np.sqrt(1.0 - persistence**2) * fresh[i]
        return flows_of(self.arrays, grid, inputs=inputs, x=x.T)

    def scan(
        self, value: FloatArray, *, state: EstimatorState | None, grid: GridState | None = None
    ) -> tuple[EstimatorState, Estimate]:
        """One scan that has to succeed.

        Args:
            value: [point] SI.
            state: of the last scan.
            grid: positions as reported; the study's where left out.
        """
        after, got = estimate(
            scan_of(self.arrays, self.plan, value=value),
            arrays=self.arrays,
            grid=grid or self.grid,
            unknown=frozenset(),
            prior=self.prior,
            policy=self.policy,
            state=state,
        )
        assert isinstance(got, Estimate), got.reason
        assert after is not None
        return after, got


@cache
def study(name: str, *, extent: Extent | None = None, moving_as_one: bool = False) -> Study:
    """The study of one of `networks.DECKS`."""
    arrays, grid = arrays_of(name), grid_of(name)
    prior = beliefs(arrays, loading=DECKS[name].loading, moving_as_one=moving_as_one)
    inputs = inputs_of(
        arrays,
        injectors=np.arange(len(arrays.injectors)),
        prior=prior,
        source_v_sigma_pu=STUDY_POLICY.source_v_sigma_pu,
        source_angle_sigma_rad=STUDY_POLICY.source_angle_sigma_rad,
    )
    v = flows_of(arrays, grid, inputs=inputs, x=np.zeros((len(inputs.weight), 1))).v_phasor_pu[:, 0]
    plan = plan_of(name, arrays, grid=grid, v_phasor_pu=v, extent=extent or Extent(), seed=PLAN_SEED)
    return Study(name=name, arrays=arrays, grid=grid, prior=prior, expected_v_pu=v, plan=plan)
