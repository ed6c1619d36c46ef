"""What-if power flows of one round: every discrete state is factored once, every case solved exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from adms.powerflow.factor import Factor, NotSolved, factorise
from adms.powerflow.sensitivity import sensitivities
from adms.powerflow.sensitivity_inputs import Inputs
from adms.powerflow.sensitivity_outputs import Outputs
from adms.powerflow.solve import PowerFlow, solve_power_flow

VIOLATION_TOLERANCE_PU = 1e-6
"""Below this a difference of violations is rounding."""
_SENSITIVITY_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a state is worth, from an exact power flow."""

    violation_pu: float
    """Sum over watched nodes of the distance outside the tightened limits."""
    losses_w: float
    v_min_pu: float
    v_max_pu: float
    objective_w: float
    """Losses plus the weighted violation; wear is not in it."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Linear effect of inverter Q at a solved state."""

    v_pu: FloatArray
    """[node] magnitudes at the state."""
    dv_dq: FloatArray
    """[node, inverter] pu per var."""
    dlosses_dq: FloatArray
    """[inverter] W per var."""


class Study:
    """The exact network behind one decision. Remembers what it solved; asks no more than `power_flows_max`."""

    def __init__(
        self, *, arrays: NetworkArrays, picture: Picture, s_nominal_va: ComplexArray, policy: VoltVarPolicy
    ) -> None:
        """`s_nominal_va` [injector]: the estimate's injections at nominal voltage, DER at their estimated power."""
        self._arrays = arrays
        self._picture = picture
        # Dead and untouched parts do not count: what is not finite there must not stop the rest.
        touched = picture.watched[arrays.injector_fr]
        self._s_nominal_va: ComplexArray = np.where(touched, s_nominal_va, 0.0)
        self._policy = policy
        self._factors: dict[tuple[tuple[int, ...], tuple[int, ...]], Factor | None] = {}
        # One start for every case: the same state gives the same digits whenever it is asked for.
        self._v_start_pu: ComplexArray = picture.estimate.v_phasor_pu
        self.power_flows = 0

    @property
    def exhausted(self) -> bool:
        """True once the limit of power flows is reached."""
        return self.power_flows >= self._policy.power_flows_max

    def q_injection_var(self, der: ElementId) -> float:
        """Estimated reactive injection of a DER, var."""
        return float(self._s_nominal_va[self._arrays.injector_rows[der]].imag.sum())

    def s_nominal_va(self, q: Mapping[ElementId, float]) -> ComplexArray:
        """[injector] with the given DER at the given Q (var, shared equally by their pairs), the rest as estimated."""
        s = self._s_nominal_va.copy()
        for der, value in q.items():
            rows = self._arrays.injector_rows[der]
            s[rows] += 1j * (value - s[rows].imag.sum()) / len(rows)
        return s

    def factor(self, grid: GridState) -> Factor | None:
        """Factor of a discrete state; None where it is singular."""
        key = (
            tuple(grid.tap_position[e] for e in sorted(grid.tap_position)),
            tuple(grid.capacitor_steps[e] for e in sorted(grid.capacitor_steps)),
        )
        if key not in self._factors:
            made = factorise(self._arrays, grid)
            self._factors[key] = None if isinstance(made, NotSolved) else made
        return self._factors[key]

    def flow(self, grid: GridState, *, q: Mapping[ElementId, float]) -> PowerFlow | None:
        """Exact power flow; None where it has no solution. The limit of power flows is the caller's to respect."""
        factor = self.factor(grid)
        if factor is None:
            return None
        self.power_flows += 1
        flow = solve_power_flow(
            self._arrays, grid, s_nominal_va=self.s_nominal_va(q), factor=factor, v_start_pu=self._v_start_pu
        )
        return None if isinstance(flow, NotSolved) else flow

    def score(self, flow: PowerFlow) -> Score:
        """Violation first, by its weight, then losses."""
        magnitude = np.abs(flow.v_phasor_pu)
        violation_pu = self._picture.violation_pu(magnitude)
        watched = magnitude[self._picture.watched]
        return Score(
            violation_pu=violation_pu,
            losses_w=flow.losses_w,
            v_min_pu=float(watched.min()),
            v_max_pu=float(watched.max()),
            objective_w=flow.losses_w + self._policy.violation_weight_w_per_pu * violation_pu,
        )

    def evaluate(self, grid: GridState, *, q: Mapping[ElementId, float]) -> Score | None:
        """Score of a state by exact power flow."""
        flow = self.flow(grid, q=q)
        return None if flow is None else self.score(flow)

    def nearest_limit(self, flow: PowerFlow) -> str:
        """The watched node with the least room to its tightened limits, in words."""
        picture, arrays = self._picture, self._arrays
        magnitude = np.abs(flow.v_phasor_pu)
        room = np.minimum(magnitude - picture.v_low_pu, picture.v_high_pu - magnitude)
        node = int(np.argmin(np.where(picture.watched, room, np.inf)))
        high = picture.v_high_pu[node] - magnitude[node] <= magnitude[node] - picture.v_low_pu[node]
        limit = picture.v_high_pu[node] if high else picture.v_low_pu[node]
        where = f"{arrays.nodes[node].bus}.{arrays.nodes[node].phase}"
        return f"{'upper' if high else 'lower'} voltage limit at {where}: {magnitude[node]:.4f} of {limit:.4f} pu"

    def sensitivity(self, grid: GridState, flow: PowerFlow, *, ders: tuple[ElementId, ...]) -> Sensitivity | None:
        """Effect of each DER's Q at a solved state; None where it could not be found."""
        factor = self.factor(grid)
        if factor is None:
            return None
        share = [self._arrays.injector_rows[der] for der in ders]
        inputs = Inputs(q_injectors=np.concatenate(share))
        outputs = Outputs(v_nodes=np.arange(self._arrays.node_count), losses=("total",))
        found = sensitivities(factor, flow, inputs=inputs, outputs=outputs, tolerance=_SENSITIVITY_TOLERANCE)
        if not found.converged.all():
            return None
        mean = np.zeros((len(inputs.q_injectors), len(ders)))
        owner = np.repeat(np.arange(len(ders)), [len(r) for r in share])
        mean[np.arange(len(owner)), owner] = 1.0 / np.bincount(owner)[owner]
        return Sensitivity(
            v_pu=np.abs(flow.v_phasor_pu),
            dv_dq=found.part(of="v_nodes", to="q_injectors") @ mean,
            dlosses_dq=found.part(of="losses", to="q_injectors")[0] @ mean,
        )
