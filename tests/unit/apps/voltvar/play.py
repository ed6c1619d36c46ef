"""A feeder that follows what Volt/VAR proposes, round by round, so that a test reads as a table over time."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from adms.apps.view import Decision, Operation, RoundView
from adms.apps.voltvar import VoltVarPolicy, VoltVarState, decide
from adms.core.commands import CapacitorSetpoint, PowerSetpoint, Setpoint, TapSetpoint
from adms.core.ids import ElementId
from adms.core.plans import PlanStatus
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState, normal_state
from tests.unit.apps.voltvar.feeder import START, later, loads, view_of
from tests.unit.apps.voltvar.policies import POLICY

ROUND_S = 2.0


@dataclass
class Play:
    """Devices that move one round after they are told, unless they are stuck."""

    net: NetworkArrays
    load_factor: float = 1.0
    der_va: dict[ElementId, complex] = field(default_factory=dict)
    sigma_v_pu: float = 0.001
    policy: VoltVarPolicy = POLICY
    stuck: frozenset[ElementId] = frozenset()
    state: VoltVarState = field(default_factory=VoltVarState.initial)
    history: dict[ElementId, tuple[Operation, ...]] = field(default_factory=dict)
    moves: list[tuple[float, ElementId, Setpoint]] = field(default_factory=list)
    """(seconds, device, setpoint) of every latched operation."""
    statuses: list[PlanStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grid: GridState = normal_state(self.net.model)
        self.elapsed_s = 0.0

    @property
    def now(self) -> datetime:
        return later(self.elapsed_s)

    def view(self) -> RoundView:
        return view_of(
            self.net,
            grid=self.grid,
            s_nominal_va=loads(self.net, factor=self.load_factor, der_va=self.der_va),
            sigma_v_pu=self.sigma_v_pu,
            now=self.now,
            history=self.history,
        )

    def round(self, **changes: object) -> Decision[VoltVarState]:
        """One round of 2 s; `changes` replace fields of its view."""
        view = replace(self.view(), **changes)  # type: ignore[arg-type]
        decision = decide(view, state=self.state, policy=self.policy)
        self.state = decision.state
        self.statuses += [progress.status for progress in decision.plans]
        self.notes += decision.notes
        for proposal in decision.proposals:
            self._follow(proposal.device, proposal.setpoint)
        self.elapsed_s += ROUND_S
        return decision

    def run(self, seconds: float) -> None:
        """Rounds for a while."""
        for _ in range(int(seconds / ROUND_S)):
            self.round()

    def _follow(self, device: ElementId, setpoint: Setpoint) -> None:
        if device in self.stuck:
            return
        previous: Setpoint
        match setpoint:
            case PowerSetpoint(q_injection_var=q) if q is not None:
                self.der_va[device] = complex(self.der_va.get(device, 0j).real, q)
                return
            case TapSetpoint(position=position):
                previous = TapSetpoint(position=self.grid.tap_position[device])
                self.grid = self.grid.with_tap(device, position=position)
            case CapacitorSetpoint(steps=steps):
                previous = CapacitorSetpoint(steps=self.grid.capacitor_steps[device])
                self.grid = self.grid.with_capacitor(device, steps=steps)
            case _:
                raise AssertionError(setpoint)
        if previous != setpoint:
            operation = Operation(time=self.now, setpoint=setpoint, previous=previous)
            self.history[device] = (*self.history.get(device, ()), operation)
            self.moves.append(((self.now - START).total_seconds(), device, setpoint))
